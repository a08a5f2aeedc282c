"""`interlock approvals edit`, `respond`, `withdraw`, `delegate`, and what a request shows of them."""

from __future__ import annotations

import json

import pytest

from interlock.core.principal import Principal
from interlock.keys import Keys
from tests.cli.shell import Shell
from tests.cli.test_approvals import hold

LESS = '{"order_id": 7, "cents": 300}'


def with_key(shell: Shell, person: str, *roles: str) -> None:
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys[person] = keys.add(Principal(person, roles=frozenset(roles)))


def test_an_edit_is_made_in_the_calls_place_and_waits_for_somebody_else(shell: Shell) -> None:
    """B10: the editor is told at once what came of the call in its place."""
    approval_id = shell.held()
    said = shell.json("approvals", "edit", approval_id, LESS, "--words", "only the fee", "--yes", who="maria", code=3)
    assert (said["status"], said["outcome"]["outcome"]) == ("edited", "held")
    again = said["outcome"]["approval_id"]
    shown = shell.json("approvals", "show", again, who="maria")
    assert (shown["arguments"]["cents"], shown["editors"]) == (300, ["maria"])
    assert "but not ana or maria" in shell.run("approvals", "show", again, who="maria").out
    error = shell.json("approvals", "approve", again, "--yes", who="maria", code=5)["error"]
    assert error["code"] == "approval.editor"
    out = shell.run("approvals", "show", approval_id, who="maria").out
    assert "by maria: only the fee" in out
    assert "Made in its place" in out
    with_key(shell, "nils", "approver")
    assert shell.json("approvals", "approve", again, "--yes", who="nils")["outcome"]["value"] == {
        "order_id": 7, "refunded_cents": 300,
    }  # fmt: skip


def test_a_bad_edit_names_what_is_wrong_and_records_nothing(shell: Shell) -> None:
    approval_id = shell.held()
    error = shell.json("approvals", "edit", approval_id, '{"order_id": "x"}', "--yes", who="maria", code=2)["error"]
    assert error["code"] == "approval.edit"
    assert "/order_id" in error["message"]
    assert shell.json("approvals", "show", approval_id, who="maria")["status"] == "pending"


def test_a_response_is_the_result_and_nothing_runs(shell: Shell) -> None:
    approval_id = shell.held()
    assert (
        shell.json("approvals", "respond", approval_id, "{", "--yes", who="maria", code=2)["error"]["code"]
        == "json.syntax"
    )
    error = shell.json("approvals", "respond", approval_id, "[1]", "--yes", who="maria", code=2)["error"]
    assert error["code"] == "approval.value"
    said = shell.json("approvals", "respond", approval_id, '{"order_id": 7}', "--yes", who="maria")
    assert (said["status"], said["outcome"]["value"]) == ("responded", {"order_id": 7})
    assert shell.json("audit", "tool_result")["rows"] == []
    assert "Said in the tool's place" in shell.run("approvals", "show", approval_id, who="maria").out


@pytest.mark.parametrize("command", [("edit", LESS), ("respond", '{"order_id": 7}')])
def test_whoever_does_not_say_yes_has_said_nothing(command: tuple[str, str], shell: Shell) -> None:
    approval_id = shell.held()
    ran = shell.run("approvals", command[0], approval_id, command[1], who="maria", typed="n\n")
    assert ran.code == 1
    assert "Arguments, exactly as they will run" in ran.out
    assert shell.json("approvals", "show", approval_id, who="maria")["status"] == "pending"


def test_a_request_is_withdrawn_by_whoever_it_is_for(shell: Shell) -> None:
    approval_id = shell.held()
    assert (
        shell.json("approvals", "withdraw", approval_id, "--reason", "x", who="maria", code=5)["error"]["code"]
        == "withdraw.role"
    )
    said = shell.json("approvals", "withdraw", approval_id, "--reason", "no longer wanted")
    assert (said["status"], said["outcome"]["code"]) == ("withdrawn", "approve.withdrawn")


def test_how_long_a_request_was_shown_is_recorded(shell: Shell) -> None:
    """Spec approvals 7: the command line knows it; on a privileged call a glance is called hasty."""
    hold(shell, "wipe")
    approval_id = shell.json("call", "wipe", '{"order_id": 7}', code=3)["approval_id"]
    shell.json("approvals", "approve", approval_id, "--yes", who="maria")
    [decided] = [e for e in shell.events("run_1") if e.fact.kind == "approval.decided"]
    assert (decided.fact.body["viewed_ms"], decided.fact.body["hasty"]) == (0, True)


def test_a_role_is_lent_listed_and_taken_back(shell: Shell) -> None:
    """Spec approvals 2."""
    with_key(shell, "nils", "support")
    approval_id = shell.held()
    assert (
        shell.json("approvals", "approve", approval_id, "--yes", who="nils", code=5)["error"]["code"]
        == "approval.group"
    )
    assert shell.run("approvals", "delegations").out == "Nothing is lent.\n"
    lend = ("approvals", "delegate", "nils", "--group", "approver", "--hours", "48", "--reason", "on leave")
    assert shell.json(*lend, who="ana", code=5)["error"]["code"] == "delegation.role"
    assert shell.run(*lend, who="maria").out.splitlines() == [
        "nils may approve as approver for 48 hours.", "Take it back with `interlock approvals undelegate nils`.",
    ]  # fmt: skip
    [lent] = shell.json("approvals", "delegations")["delegations"]
    assert (lent["from"], lent["to"], lent["groups"], lent["reason"]) == ("maria", "nils", ["approver"], "on leave")
    assert "on leave" in shell.run("approvals", "delegations").out
    shell.json("approvals", "undelegate", "nils", who="maria")
    assert (
        shell.json("approvals", "approve", approval_id, "--yes", who="nils", code=5)["error"]["code"]
        == "approval.group"
    )
    shell.run(*lend, who="maria")
    assert shell.json("approvals", "approve", approval_id, "--yes", who="nils")["outcome"]["outcome"] == "done"


def test_a_request_that_follows_another_shows_what_changed(shell: Shell) -> None:
    """Spec approvals 4 and 6."""
    approval_id = shell.held()
    hold(shell, "refund", quorum=2)
    said = shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=3)
    again = said["outcome"]["approval_id"]
    shown = shell.json("approvals", "show", again, who="maria")
    assert shown["instead_of"] == approval_id
    assert {"what": "quorum", "was": 1, "now": 2} in shown["difference"]
    out = shell.run("approvals", "show", again, who="maria").out
    assert f"What changed since {approval_id}" in out
    assert "quorum: it was" in out


def test_a_key_that_was_revoked_voids_what_its_owner_approved(shell: Shell) -> None:
    """Spec approvals 4: approver removed during pending."""
    hold(shell, "refund", quorum=2)
    with_key(shell, "nils", "approver")
    approval_id = shell.held()
    shell.json("approvals", "approve", approval_id, "--yes", who="nils", code=3)
    Keys(shell.folder / ".interlock" / "keys.json").revoke("nils", "default")
    said = shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=3)
    assert shell.json("approvals", "show", approval_id, who="maria")["status"] == "superseded"
    shown = shell.json("approvals", "show", said["outcome"]["approval_id"], who="maria")
    assert shown["difference"] == [{"what": "approver nils", "was": ["approver"], "now": []}]
    assert json.loads(shown["text"])["order_id"] == 7
