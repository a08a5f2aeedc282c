from __future__ import annotations

import pytest

from interlock.core.principal import Principal
from interlock.keys import Keys
from interlock.ledger.audit import VIEWS
from tests.cli.shell import Shell


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers_in_both_forms(shell: Shell, view: str) -> None:
    """The requirement D2: the views under the published names."""
    shell.held()
    assert shell.run("audit", view).code == 0
    said = shell.json("audit", view)
    assert said["view"] == view
    assert (said["rows"] == []) == (view in ("tool_result", "compensation_action", "notice", "eval"))


def test_rows_are_found_by_their_values(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    shell.run("call", "look", '{"order_id": 7}', who="zoe")
    [row] = shell.json("audit", "authz_decision", "--where", "decision=deny")["rows"]
    assert row["principal_id"] == "zoe"
    assert len(shell.json("audit", "tool_call", "--where", "step=1", "--where", "tool=look")["rows"]) == 2


def test_a_condition_on_no_column_is_refused(shell: Shell) -> None:
    ran = shell.run("audit", "tool_call", "--where", "tol=refund")
    assert ran.code == 2
    assert "Did you mean 'tool'?" in ran.err
    assert shell.json("audit", "tool_call", "--where", "tool", code=2)["error"]["code"] == "cli.where"
    assert shell.run("audit", "tool_calls").code == 2


def test_rows_are_found_by_their_time(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    shell.clock.advance(2 * 3600)
    shell.run("call", "look", '{"order_id": 8}')
    assert len(shell.json("audit", "tool_call", "--since", "90m")["rows"]) == 1
    assert len(shell.json("audit", "tool_call", "--since", "3h")["rows"]) == 2
    [first] = shell.json("audit", "tool_call", "--until", "2026-01-01T01:00:00Z")["rows"]
    assert first["call_id"] == "call_1"
    for wrong in ("yesterday", "2026-13-01", "7w", "99999999d"):
        assert shell.json("audit", "tool_call", "--since", wrong, code=2)["error"]["code"] == "time.unreadable"


def test_another_tenant_sees_nothing_whatever_it_asks_for(shell: Shell) -> None:
    shell.held()
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["eve"] = keys.add(Principal("eve", "other", frozenset({"admin"})))
    for view in VIEWS:
        assert shell.json("audit", view, who="eve")["rows"] == []
    assert shell.json("audit", "run", "--where", "tenant=default", who="eve", code=2)["error"]["code"] == "audit.column"
