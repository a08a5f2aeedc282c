from __future__ import annotations

import pytest

from interlock.core.principal import Principal
from interlock.keys import Keys
from tests.cli.shell import Shell

LOOK = ("call", "look", '{"order_id": 7}')


@pytest.mark.parametrize(
    "what",
    [("--tool", "look"), ("--server", "local"), ("--principal", "ana"), ("--tenant", "default"), ("--everything",)],
)
def test_what_is_stopped_is_refused_until_it_is_resumed(shell: Shell, what: tuple[str, ...]) -> None:
    """The requirement B19, in each of its five scopes."""
    said = shell.json("stop", *what, "--reason", "drill", who="olga")
    assert (said["stopped"], said["by"], said["reason"]) == (True, "olga", "drill")
    assert shell.json(*LOOK, code=1)["code"] == "authorize.stopped"
    assert shell.json("resume", *what, who="olga")["stopped"] is False
    assert shell.json(*LOOK)["outcome"] == "done"


def test_a_stop_of_one_tool_leaves_the_others(shell: Shell) -> None:
    shell.json("stop", "--tool", "refund", "--reason", "drill", who="root")
    assert shell.json(*LOOK)["outcome"] == "done"


def test_other_stops_stay(shell: Shell) -> None:
    shell.run("stop", "--tool", "look", "--reason", "a", who="olga")
    shell.run("stop", "--everything", "--reason", "b", who="olga")
    ran = shell.run("resume", "--everything", who="olga")
    assert ran.out == "Resumed: everything, by olga.\nStill stopped: the tool look (a).\n"
    assert shell.run(*LOOK).code == 1


def test_what_was_not_stopped_is_not_resumed_and_what_is_stopped_is_named(shell: Shell) -> None:
    shell.run(*LOOK)
    shell.run("stop", "--server", "local", "--reason", "drill", who="olga")
    ran = shell.run("resume", "--tool", "look", who="olga")
    assert ran.out == "Nothing to resume: the tool look was not stopped.\nStill stopped: the server local (drill).\n"
    said = shell.json("resume", "--server", "local", who="olga")
    assert (said["found"], said["stands"]) == (True, [])


def test_stopping_says_how_to_resume(shell: Shell) -> None:
    ran = shell.run("stop", "--tool", "look", "--reason", "drill", who="olga")
    assert ran.out == "Stopped: the tool look, by olga.\nNo call of it stands in the ledger: check the spelling.\n" \
        "`interlock resume --tool look` takes it back.\n"  # fmt: skip


def test_a_stop_needs_neither_tools_nor_policy_that_load(shell: Shell) -> None:
    (shell.folder / "interlock.toml").write_text('tools = ["nowhere"]\npolicy = "nowhere"\n')
    assert shell.run("stop", "--everything", "--reason", "drill", who="olga").code == 0


def test_only_operators_and_admins_stop_or_resume(shell: Shell) -> None:
    for typed in (("stop", "--everything", "--reason", "x"), ("resume", "--everything")):
        ran = shell.run(*typed, who="ana")
        assert ran.code == 5
        assert "has not the role 'operator' or 'admin'" in ran.err
    assert shell.json(*LOOK)["outcome"] == "done"


def test_another_tenant_stops_only_itself(shell: Shell) -> None:
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["eve"] = keys.add(Principal("eve", "other", frozenset({"operator"})))
    assert shell.json("stop", "--everything", "--reason", "x", who="eve", code=5)["error"]["code"] == "cli.tenant"
    assert (
        shell.json("stop", "--tenant", "default", "--reason", "x", who="eve", code=5)["error"]["code"] == "cli.tenant"
    )
    assert shell.run("stop", "--tenant", "other", "--reason", "x", who="eve").code == 0
    assert shell.run("stop", "--tool", "look", "--reason", "x", who="eve").code == 0
    assert shell.json(*LOOK)["outcome"] == "done"


@pytest.mark.parametrize("what", [(), ("--tool", "look", "--everything"), ("--tool", "")])
def test_exactly_one_thing_is_stopped_at_a_time(shell: Shell, what: tuple[str, ...]) -> None:
    assert shell.json("stop", *what, "--reason", "x", who="olga", code=2)["error"]["code"] == "cli.scope"
    assert shell.json("resume", *what, who="olga", code=2)["error"]["code"] == "cli.scope"
