"""D4 at the command line: a changed policy is tried on what was recorded, and nothing is dialled."""

from __future__ import annotations

import socket
from xml.etree import ElementTree

import apsw
import pytest

from interlock.core.principal import Principal
from interlock.keys import Keys
from tests.cli.shell import Shell

HELD = """\
@id("all") permit (principal, action in Action::"call", resource);
@id("dear-held") @approvers("approver") forbid (principal, action == Action::"refund", resource)
when { context.arguments.cents > 100 };
@id("not-seven") forbid (principal, action == Action::"look", resource) when { context.arguments.order_id == 7 };
"""


def recorded(shell: Shell) -> None:
    """Three looks and two refunds, which wait for somebody."""
    for order in (7, 8, 9):
        shell.run("call", "look", f'{{"order_id": {order}}}')
    for cents in (50, 500):
        shell.held(cents)


def write(shell: Shell, text: str = HELD) -> None:
    (shell.folder / "next").mkdir(exist_ok=True)
    (shell.folder / "next" / "new.cedar").write_text(text)


def test_what_would_change_is_told_with_examples_a_picture_and_an_exit_code(shell: Shell) -> None:
    recorded(shell)
    write(shell)
    ran = shell.run("policy", "backtest", "next", "--since", "7d", "--svg", "chart.svg")
    assert ran.code == 0, ran
    for said in ("2 of 5 compared calls would be decided otherwise (40.0%)", "hold → allow", "not-seven", "call_1",
                 "holds per 100 calls", "40.0 → 20.0", "new.cedar:4"):  # fmt: skip
        assert said in ran.out, said
    picture = (shell.folder / "chart.svg").read_text()
    ElementTree.fromstring(picture)
    assert "prefers-color-scheme:dark" in picture and "<script" not in picture
    said = shell.json("policy", "backtest", "next", "--max-changed", "5%", code=1)
    assert said["matrix"]["allow"] == {"allow": 2, "require_approval": 0, "deny": 1}
    assert said["beyond"] == ["2 of 5 calls change, more than 5 %"]
    assert {(each["from"], each["to"], each["tool"]) for each in said["examples"]} == {
        ("allow", "deny", "look"), ("require_approval", "allow", "refund"),
    }  # fmt: skip
    assert shell.run("policy", "backtest", "next", "--max-changed", "40%", "--max-holds", "20").code == 0
    assert shell.run("policy", "backtest", "next", "--max-changed", "1").code == 1
    assert shell.run("policy", "backtest", "next", "--max-holds", "19.9").code == 1
    assert shell.json("policy", "backtest", "next", "--svg", "chart.svg", code=1)["error"]["code"] == "backtest.exists"


def test_it_runs_no_tool_opens_no_socket_and_writes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(shell)
    write(shell)
    before = len(shell.events("run_1"))

    def refuse(*given: object, **more: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert shell.json("policy", "backtest", "next")["calls"] == 5
    assert len(shell.events("run_1")) == before
    assert len(shell.json("runs", "list")["runs"]) == 5


def test_a_policy_that_does_not_load_is_said_with_its_place(shell: Shell) -> None:
    recorded(shell)
    write(shell, "permit (principal, action, resource) when { context.nothing == 1 };")
    assert "new.cedar:1" in shell.json("policy", "backtest", "next", code=2)["error"]["message"]
    write(shell, "permit (")
    assert shell.json("policy", "backtest", "next", code=2)["error"]["code"] == "policy.parse"
    assert shell.json("policy", "backtest", "nowhere", code=2)["error"]["code"] == "policy.unreadable"


def test_nothing_recorded_proves_nothing(shell: Shell) -> None:
    write(shell)
    assert shell.json("policy", "backtest", "next", code=2)["error"]["code"] == "backtest.nothing"
    recorded(shell)
    said = shell.json("policy", "backtest", "next", "--until", "7d", "--max-changed", "5%", code=1)
    assert said["beyond"] == ["no call could be compared"]
    assert shell.json("policy", "backtest", "next", "--max-changed", "few", code=2)["error"]["code"] == "cli.usage"


def test_two_policies_are_compared_with_each_other(shell: Shell) -> None:
    recorded(shell)
    write(shell)
    (shell.folder / "old.cedar").write_text(HELD.replace("> 100", "> 10"))
    said = shell.json("policy", "backtest", "next", "--against", "old.cedar")
    assert said["changed"] == 1
    assert said["matrix"]["require_approval"]["allow"] == 1


def test_another_tenants_calls_are_for_operators_of_the_first(shell: Shell) -> None:
    """T35."""
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["eve"] = keys.add(Principal("eve", tenant="acme", roles=frozenset({"admin"})))
    shell.run("call", "look", '{"order_id": 7}', who="eve")
    shell.run("call", "look", '{"order_id": 8}')
    write(shell)
    assert shell.json("policy", "backtest", "next", "--tenant", "acme", code=5)["error"]["code"] == "backtest.tenant"
    assert shell.json("policy", "backtest", "next", "--tenant", "default", who="eve", code=5)["error"]["code"]
    assert shell.json("policy", "backtest", "next")["changed"] == 0
    assert shell.json("policy", "backtest", "next", who="eve")["changed"] == 1
    assert shell.json("policy", "backtest", "next", "--tenant", "acme", who="olga")["changed"] == 1


def test_a_ledger_that_was_changed_is_said_and_ends_with_8(shell: Shell) -> None:
    recorded(shell)
    write(shell)
    ledger = apsw.Connection(str(shell.folder / ".interlock" / "ledger.db"))
    for (trigger,) in list(ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        ledger.execute(f"DROP TRIGGER {trigger}")
    ledger.execute("UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), ':500', ':900') AS BLOB)")
    ledger.close()
    said = shell.json("policy", "backtest", "next", code=8)
    assert said["broken"] == {"run_5": 3}
    assert said["undecidable"]["why"] == {"broken": 1}
    assert "run_5 was changed at event 3" in shell.run("policy", "backtest", "next").out
