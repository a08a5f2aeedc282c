from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.shell import Shell

FAR = Path(__file__).parents[1] / "sources" / "hostile_server.py"


@pytest.fixture
def fleet(shell: Shell) -> Shell:
    """The deployment with a server whose command nobody reviewed."""
    settings = shell.folder / "interlock.toml"
    command = f'["{sys.executable}", "{FAR}", "plain"]'
    settings.write_text(f'{settings.read_text()}\n[[servers]]\nname = "far"\ncommand = {command}\n')
    return shell


def test_a_command_is_started_once_exactly_it_was_reviewed_and_no_changed_one(fleet: Shell) -> None:
    """T19: the digest is of the exact command line, whoever accepts it is known, and a change voids it."""
    (row,) = fleet.json("servers", "list", code=1)["servers"]
    assert (row["state"], row["tools"], row["last_error"]) == ("unreviewed", 0, "its command was not reviewed")
    shown = fleet.json("servers", "accept", "far", who="olga", code=1)
    assert shown["command"] == [sys.executable, str(FAR), "plain"] and shown["accepted"] is False
    assert fleet.run("servers", "accept", "far", "--digest", shown["digest"], who="ana").code == 5
    wrong = fleet.json("servers", "accept", "far", "--digest", "0" * 16, who="olga", code=2)
    assert wrong["error"]["code"] == "servers.digest"
    accepted = fleet.json("servers", "accept", "far", "--digest", shown["digest"][:16], who="olga")
    assert accepted["accepted"] is True
    (row,) = fleet.json("servers", "list")["servers"]
    assert (row["state"], row["tools"], row["withheld"]) == ("ready", 1, 1)  # its tools wait for a person all the same
    settings = fleet.folder / "interlock.toml"
    settings.write_text(settings.read_text().replace('"plain"]', '"plain", "--more"]'))
    (row,) = fleet.json("servers", "list", code=1)["servers"]
    assert row["last_error"] == "its command changed since it was reviewed"


def test_a_server_is_shown_with_what_is_started_and_why_its_tools_are_withheld(fleet: Shell) -> None:
    settings = fleet.folder / "interlock.toml"
    settings.write_text(settings.read_text() + 'trust = true\nenv = { TOKEN = "s3cret" }\n')
    ran = fleet.run("servers", "show", "far")
    assert "TOKEN=…" in ran.out and "s3cret" not in ran.out and "trusted by the settings" in ran.out
    assert [each["name"] for each in fleet.json("servers", "show", "far")["listed"]] == ["far__one"]


def test_an_unknown_server_is_said(fleet: Shell) -> None:
    for words in (("show", "x"), ("accept", "x"), ("restart", "x")):
        assert fleet.json("servers", *words, who="olga", code=2)["error"]["code"] == "server.absent"


def test_restarting_is_for_operators_and_noted_for_whoever_runs_it(fleet: Shell) -> None:
    assert fleet.run("servers", "restart", "far", who="ana").code == 5
    assert "started again" in fleet.run("servers", "restart", "far", who="olga").out
    book = fleet.folder / ".interlock" / "servers.json"
    assert '"far": 1' in book.read_text() and book.stat().st_mode & 0o777 == 0o600
