"""Every command, whatever it does: help, an example that parses, --json, and a place in the reference."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from interlock.cli.main import interlock
from interlock.cli.output import EXITS, Exit
from interlock.cli.reference import commands, reference
from tests.cli.shell import Shell

ROOT = Path(__file__).resolve().parents[2]
EVERY = dict(commands(interlock))
ON_PAGES = sorted({
    line
    for file in (ROOT / "src/interlock/console/templates").iterdir()
    for line in re.findall(r"<code>(interlock [^<]*)</code>", file.read_text(encoding="utf-8"))
})  # fmt: skip
LEAVES = {path: each for path, each in EVERY.items() if not isinstance(each, click.Group)}


def test_the_commands_are_those_that_were_promised() -> None:
    assert set(LEAVES) == {
        f"interlock {path}"
        for path in (
            "demo", "init", "login", "keys add", "keys list", "keys revoke", "keys rotate",
            "call", "tools list", "tools lint",
            "tools pin", "tools drift", "tools accept", "tools cost", "tools services", "tools rollout",
            "tools rollouts", "profile draft", "profile list",
            "policy check", "policy test", "policy explain",
            "approvals list", "approvals suggest-grants", "approvals figures", "grants list", "grants show",
            "grants issue", "grants endorse", "grants revoke",
            "approvals show", "approvals approve", "approvals reject", "approvals edit", "approvals respond",
            "approvals withdraw", "approvals delegate", "approvals undelegate", "approvals delegations",
            "calls list", "calls show", "calls unknown",
            "calls dead", "calls retry", "calls settle", "inbox", "runs list", "runs show", "runs replay",
            "work", "serve", "console link", "console sign-out", "gateway stdio", "audit",
            "limits", "alerts",
            "saga list", "saga show", "saga resume", "saga cancel",
            "stop", "resume", "notify test", "notify status",
            "ledger verify", "ledger status", "ledger seal", "ledger prove", "ledger rotate-key",
            "ledger accept-restore", "ledger export", "ledger archive", "ledger redact", "ledger erase",
            "ledger rebuild", "verify calibrate", "servers list", "servers show", "servers accept", "servers restart",
            "servers login", "servers logout", "doctor", "report", "hook", "tools services", "policy suggest",
            "policy backtest", "policy coverage", "eval run", "eval judge", "redteam run",
        )
    }  # fmt: skip


@pytest.mark.parametrize("path", EVERY)
def test_every_command_says_in_one_short_line_what_it_does(path: str) -> None:
    help_text = EVERY[path].help
    assert help_text, path
    assert not EVERY[path].get_short_help_str(80).endswith("..."), "its first sentence is cut in the list of commands"


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_takes_json_and_settings_and_shows_an_example(path: str, shell: Shell) -> None:
    ran = shell.run(*path.split()[1:], "--help")
    assert ran.code == 0
    for said in ("--json", "--settings FILE", "Example:", path):
        assert said in ran.out, said


@pytest.mark.parametrize("path", LEAVES)
def test_every_example_is_a_command_line_that_parses(path: str) -> None:
    lines = (LEAVES[path].epilog or "").splitlines()[2:]
    assert lines, path
    for line in lines:
        words = shlex.split(line.partition("|")[2] if "|" in line and "jq" not in line else line.partition(" | ")[0])
        words = words[: words.index("<")] if "<" in words else words
        assert " ".join(words).startswith(path), line
        LEAVES[path].make_context(path, words[len(path.split()) :])


@pytest.mark.parametrize("line", ON_PAGES)
def test_every_command_line_on_a_page_of_the_console_parses(line: str) -> None:
    path = max((path for path in LEAVES if f"{line} ".startswith(f"{path} ")), key=len)
    LEAVES[path].make_context(path, shlex.split(line)[len(path.split()) :])


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_says_a_wrong_option_in_one_line_or_one_document(path: str, shell: Shell) -> None:
    typed = [*path.split()[1:], "--no-such-option"]
    ran = shell.run(*typed)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err.startswith("error: No such option")
    assert ran.err.count("\n") == 1
    assert shell.json(*typed, code=Exit.USAGE)["error"]["code"] == "cli.usage"


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in ("interlock init", "interlock demo")])
def test_every_command_stops_at_settings_that_are_wrong(path: str, shell: Shell) -> None:
    """An unknown key refuses to start (threat T34), and nothing runs."""
    (shell.folder / "interlock.toml").write_text("polices = 1\n")
    words = shlex.split((LEAVES[path].epilog or "").splitlines()[2].partition("|")[0])
    if "printf" in words:
        words = ["interlock", "login", "--key-stdin"]
    said = shell.json(*words[1:], who="root", code=Exit.USAGE, typed="{}")
    assert said["error"]["code"].startswith("settings.")
    assert "polices" in said["error"]["message"]


@pytest.mark.parametrize("path", LEAVES)
def test_the_reference_has_every_command_and_every_option_of_it(path: str) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert f"# {path}\n" in page
    section = page.partition(f"# {path}\n")[2].partition("\n#")[0]
    for option in LEAVES[path].params:
        if isinstance(option, click.Option) and option.name not in ("as_json", "settings_file"):
            assert option.opts[-1] in section


def test_the_reference_is_what_the_commands_say() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert page == reference(interlock), "run: python -m interlock.cli.reference > docs/reference/cli.md"


def test_every_exit_code_is_explained_in_the_help(shell: Shell) -> None:
    assert set(EXITS) == set(Exit)
    out = shell.run("--help").out
    for code, meaning in EXITS.items():
        assert f"{code.value}  {meaning}" in out
