"""The door: what a person and a program are told when something is wrong."""

from __future__ import annotations

import inspect

import pytest

import interlock.errors
from interlock.cli import keys as keys_commands
from interlock.cli.output import Exit, exit_of
from interlock.errors import (
    BadInput,
    Conflict,
    DefinitionError,
    GuardRefused,
    InterlockError,
    LedgerError,
    MissingExtra,
    NotEntitled,
    NotFound,
    PolicyError,
    SettingsError,
    StaleClaim,
    StoreUnavailable,
)
from tests.cli.shell import Shell


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput, 2), (DefinitionError, 2), (PolicyError, 2), (SettingsError, 2), (NotFound, 2), (MissingExtra, 2),
        (Conflict, 1), (NotEntitled, 5), (LedgerError, 6), (StoreUnavailable, 6), (StaleClaim, 6),
        (lambda text: GuardRefused(text), 6),
    ],
)  # fmt: skip
def test_every_kind_of_error_has_its_exit_code(error: type[InterlockError], code: int) -> None:
    assert exit_of(error("x")) == code


def test_no_kind_of_error_ends_as_success() -> None:
    kinds = [
        kind for _, kind in inspect.getmembers(interlock.errors, inspect.isclass) if issubclass(kind, InterlockError)
    ]
    assert len(kinds) > 10
    assert all(exit_of(kind("x")) not in (Exit.DONE, Exit.HELD, Exit.UNKNOWN) for kind in kinds)


def test_an_error_is_one_line_what_which_and_what_to_do(shell: Shell) -> None:
    ran = shell.run("calls", "show", "call_9")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: no call 'call_9'. See `interlock calls list`.\n"


def test_an_error_in_json_is_the_one_document_with_a_stable_code(shell: Shell) -> None:
    said = shell.json("calls", "show", "call_9", code=2)
    assert said == {
        "error": {"code": "call.not_found", "message": "no call 'call_9'", "remedy": "See `interlock calls list`."}
    }


def test_an_error_cannot_write_on_the_terminal(shell: Shell) -> None:
    ran = shell.run("calls", "show", "call_\x1b[2J\u202e\n9")
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", [("runs", "list"), ("call", "look", '{"order_id": 7}'), ("audit", "run"),
                                     ("stop", "--everything", "--reason", "x")])  # fmt: skip
def test_a_ledger_that_cannot_be_opened_ends_with_its_own_code(shell: Shell, command: tuple[str, ...]) -> None:
    (shell.folder / ".interlock" / "ledger.db").write_bytes(b"this is no ledger" * 1000)
    ran = shell.run(*command, who="olga")
    assert ran.code == 6
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1
    assert shell.json(*command, who="olga", code=6)["error"]["code"].startswith("ledger.")


def test_an_unknown_command_is_a_usage_error(shell: Shell) -> None:
    ran = shell.run("cal", "look")
    assert ran.code == 2
    assert ran.err.startswith("error: No such command 'cal'")
    assert shell.json("approvals", "lst", code=2)["error"]["code"] == "cli.usage"


@pytest.mark.parametrize("group", [(), ("approvals",), ("keys",)])
def test_a_group_alone_shows_its_commands(shell: Shell, group: tuple[str, ...]) -> None:
    ran = shell.run(*group)
    assert ran.code == 2
    assert "Commands:" in ran.err


def test_the_version_is_the_packages(shell: Shell) -> None:
    from importlib.metadata import version

    assert shell.run("--version").out == version("interlock") + "\n"


def test_a_defect_is_called_one_and_has_a_code_of_its_own(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *roles: str) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(keys_commands.Deployment, "require", broken)
    ran = shell.run("keys", "list", who="root")
    assert (ran.code, ran.out) == (Exit.BUG, "")
    assert ran.err.startswith("error: ZeroDivisionError: a bug. This is a defect of Interlock; please report it.\n")
    assert "Traceback" in ran.err, "for the report"


def test_being_interrupted_is_no_defect(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: object, *roles: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keys_commands.Deployment, "require", interrupted)
    ran = shell.run("keys", "list", who="root")
    assert (ran.code, ran.out) == (Exit.INTERRUPTED, "")
    assert "Traceback" not in ran.err


def test_secrets_are_printed_by_no_command(shell: Shell) -> None:
    approval_id = shell.held()
    key = (shell.folder / ".interlock" / "deployment.key").read_bytes()
    commands = (
        ("keys", "list"),
        ("runs", "show", "run_1"),
        ("runs", "replay", "run_1"),
        ("approvals", "show", approval_id),
    )
    for command in commands:
        for form in ((), ("--json",)):
            out = shell.run(*command, *form, who="root").out
            assert "ilk_" not in out
            assert key.hex() not in out


def test_colour_is_left_out_where_it_is_not_wanted(shell: Shell) -> None:
    assert "\x1b" not in shell.run("tools", "list").out
