from __future__ import annotations

import json

import pytest

from interlock.cli.outcome import deciders
from interlock.core.principal import Principal
from interlock.keys import Keys
from interlock.ledger.store import Claim
from tests.cli.shell import Shell


def hold(shell: Shell, tool: str, quorum: int = 1) -> None:
    """Put a policy in force that holds a tool for approvers and permits everything else."""
    (shell.folder / "policy").mkdir()
    (shell.folder / "policy" / "hold.cedar").write_text(
        "permit (principal, action, resource);\n"
        f'@id("hold") @approvers("approver") @quorum("{quorum}")\n'
        f'forbid (principal, action == Action::"{tool}", resource);\n'
    )
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text() + 'policy = "policy"\n')


def test_a_pending_request_is_listed(shell: Shell) -> None:
    approval_id = shell.held()
    shell.clock.advance(180)
    ran = shell.run("approvals", "list", who="maria")
    assert ran.code == 0
    assert approval_id in ran.out
    assert "expires in 23 hours 57 minutes" in ran.out


def test_nothing_pending_is_said_in_words(shell: Shell) -> None:
    assert shell.run("approvals", "list").out == "Nothing waits for a person.\n"


def test_a_decided_request_is_listed_under_its_status(shell: Shell) -> None:
    shell.run("approvals", "reject", shell.held(), "--words", "no", who="maria")
    assert shell.json("approvals", "list")["approvals"] == []
    assert [each["status"] for each in shell.json("approvals", "list", "--status", "rejected")["approvals"]] == [
        "rejected"
    ]
    assert len(shell.json("approvals", "list", "--status", "all")["approvals"]) == 1


def test_a_request_is_shown_with_everything_that_will_run(shell: Shell) -> None:
    """spec: approvals, display: full arguments, server and definition, effect, whose, who may, until when."""
    shell.json("call", "refund", '{"order_id": 7, "cents": 500}', "--words", "refund it\nplease", code=3)
    ran = shell.run("approvals", "show", "appr_1", who="maria")
    assert ran.code == 0
    for said in (
        "refund on the server local", "irreversible: cannot be undone", "ana (support)", "refund it", '"cents": 500',
        '"order_id": 7', '"reason": "none"', "one person with the role approver, but not ana", "irreversible-held",
        "in 1 day", "pending",
    ):  # fmt: skip
        assert said in ran.out
    document = shell.json("approvals", "show", "appr_1", who="maria")
    assert document["digest"] in ran.out
    assert document["call_digest"] in ran.out
    assert document["text"] == '{"cents":500,"order_id":7,"reason":"none"}'
    assert document["arguments"] == json.loads(document["text"])


def test_long_arguments_are_shown_whole(shell: Shell) -> None:
    reason = "a very long reason " * 500
    shell.json("call", "refund", json.dumps({"order_id": 7, "cents": 500, "reason": reason}), code=3)
    out = shell.run("approvals", "show", "appr_1", who="maria").out
    assert "".join(out.split()).replace("│", "").count("averylongreason") == 500


def test_hidden_characters_in_arguments_are_escapes_with_a_warning(shell: Shell) -> None:
    """spec: approvals, display: invisible and bidirectional characters are shown as escapes, flagged."""
    reason = "ok\u202e\u200b \x1b[2J"
    shell.json("call", "refund", json.dumps({"order_id": 7, "cents": 500, "reason": reason}), code=3)
    out = shell.run("approvals", "show", "appr_1", who="maria").out
    assert '"ok\\u202e\\u200b \\u001b[2J"' in out
    assert "warning: " in out
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in " ".join(out.replace("│", " ").split())
    assert not any(character in out for character in "\u202e\u200b\x1b")


def test_text_from_elsewhere_is_never_markup(shell: Shell) -> None:
    arguments = json.dumps({"order_id": 7, "cents": 500, "reason": "[bold red]done[/] [link=http://x]y[/link] :smile:"})
    shell.json("call", "refund", arguments, "--words", "[blink]now[/blink]", code=3)
    out = shell.run("approvals", "show", "appr_1", who="maria").out
    assert "[bold red]done[/] [link=http://x]y[/link] :smile:" in out
    assert "[blink]now[/blink]" in out


def test_an_unknown_request_is_an_error_with_the_way_on(shell: Shell) -> None:
    ran = shell.run("approvals", "show", "appr_9")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: no approval request 'appr_9'. See `interlock approvals list`.\n"


def test_a_request_of_another_tenant_is_as_good_as_none(shell: Shell) -> None:
    approval_id = shell.held()
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["eve"] = keys.add(Principal("eve", "other", frozenset({"approver", "admin"})))
    assert shell.run("approvals", "show", approval_id, who="eve").code == 2
    assert shell.run("approvals", "approve", approval_id, "--yes", who="eve").code == 2
    assert shell.json("approvals", "list", who="eve")["approvals"] == []


def test_a_second_person_approves_what_was_shown_and_the_call_runs(shell: Shell) -> None:
    approval_id = shell.held()
    ran = shell.run("approvals", "approve", approval_id, who="maria", typed="y\n")
    assert ran.code == 0
    assert '"cents": 500' in ran.out, "the request is shown before the question"
    assert "Approve exactly this call as maria?" in ran.err
    assert "Approved as maria." in ran.out
    assert "done  refund" in ran.out


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_whoever_does_not_say_yes_has_not_approved(shell: Shell, typed: str) -> None:
    approval_id = shell.held()
    ran = shell.run("approvals", "approve", approval_id, who="maria", typed=typed)
    assert ran.code == 1
    assert "error: not approved. Nothing was recorded." in ran.err
    assert shell.json("approvals", "show", approval_id)["status"] == "pending"


def test_where_nobody_can_be_asked_nothing_is_approved(shell: Shell) -> None:
    approval_id = shell.held()
    assert shell.run("approvals", "approve", approval_id, who="maria", typed="").code == 2
    assert shell.json("approvals", "approve", approval_id, who="maria", code=2)["error"]["code"] == "cli.confirm"
    assert shell.json("approvals", "show", approval_id)["status"] == "pending"


def test_an_approval_is_bound_to_the_digest_that_was_shown(shell: Shell) -> None:
    approval_id = shell.held()
    digest = shell.json("approvals", "show", approval_id)["digest"]
    for wrong in (digest[:7], "f" * 8 if digest[0] != "f" else "0" * 8, digest + "0"):
        said = shell.json("approvals", "approve", approval_id, "--digest", wrong, "--yes", who="maria", code=2)
        assert said["error"]["code"] == "approval.digest"
    said = shell.json("approvals", "approve", approval_id, "--digest", digest[:8].upper(), "--yes", who="maria")
    assert said["outcome"]["outcome"] == "done"


@pytest.mark.parametrize(("who", "code"), [("ana", "approval.own_call"), ("olga", "approval.group")])
def test_whoever_may_not_decide_is_told_before_being_asked(shell: Shell, who: str, code: str) -> None:
    """Four eyes (threat: approving one's own call)."""
    approval_id = shell.held()
    ran = shell.run("approvals", "approve", approval_id, who=who, typed="y\n")
    assert (ran.code, ran.out) == (5, "")
    said = shell.json("approvals", "approve", approval_id, "--yes", who=who, code=5)
    assert said["error"]["code"] == code


def test_a_service_never_approves(shell: Shell) -> None:
    approval_id = shell.held()
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["bot"] = keys.add(Principal("bot", roles=frozenset({"approver"}), kind="service"))
    assert (
        shell.json("approvals", "approve", approval_id, "--yes", who="bot", code=5)["error"]["code"]
        == "approval.service"
    )


def test_a_rejection_ends_the_call_and_its_words_reach_the_model(shell: Shell) -> None:
    approval_id = shell.held()
    said = shell.json("approvals", "reject", approval_id, "--words", "refund the other one", who="maria")
    assert said["status"] == "rejected"
    assert said["outcome"]["code"] == "approve.rejected"
    assert "refund the other one" in said["outcome"]["message"]


def test_a_decided_request_cannot_be_decided_again(shell: Shell) -> None:
    """A consumed decision is not replayed (spec: approvals)."""
    approval_id = shell.held()
    shell.json("approvals", "approve", approval_id, "--yes", who="maria")
    assert (
        shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=1)["error"]["code"]
        == "approval.settled"
    )
    assert shell.json("approvals", "reject", approval_id, "--words", "x", who="maria", code=1)["error"]
    assert len(shell.json("audit", "tool_result")["rows"]) == 1


def test_an_expired_request_says_so_and_cannot_be_approved(shell: Shell) -> None:
    approval_id = shell.held()
    shell.clock.advance(24 * 3600)
    assert "expired" in shell.run("approvals", "list").out
    assert "expired" in shell.run("approvals", "show", approval_id).out
    assert (
        shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=1)["error"]["code"]
        == "approval.expired"
    )


def test_where_more_people_must_approve_it_says_how_many_and_who_did(shell: Shell) -> None:
    hold(shell, "refund", quorum=2)
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["nils"] = keys.add(Principal("nils", roles=frozenset({"approver"})))
    approval_id = shell.held()
    said = shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=3)
    assert (said["status"], said["outcome"]) == ("pending", None)
    assert "2 people with the role approver" in said["why"]
    assert "maria" in said["why"]
    assert shell.json("approvals", "approve", approval_id, "--yes", who="nils")["outcome"]["outcome"] == "done"


def test_an_approved_call_that_policy_now_holds_for_more_people_asks_again(shell: Shell) -> None:
    """spec: approvals, re-check: policy tightened while the request was pending."""
    approval_id = shell.held()
    hold(shell, "refund", quorum=2)
    said = shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=3)
    assert said["outcome"]["outcome"] == "held"
    assert said["outcome"]["approval_id"] != approval_id
    assert shell.json("approvals", "show", approval_id)["status"] == "superseded"


def test_an_approved_call_whose_effect_is_not_known_ends_with_the_code_for_unknown(shell: Shell) -> None:
    hold(shell, "flaky")
    approval_id = shell.json("call", "flaky", '{"order_id": 7}', code=3)["approval_id"]
    assert (
        shell.json("approvals", "approve", approval_id, "--yes", who="maria", code=4)["outcome"]["outcome"] == "unknown"
    )


def test_where_another_process_works_on_the_run_the_answer_is_recorded_and_left_to_it(shell: Shell) -> None:
    approval_id = shell.held()
    shell.append("run_1", claim=Claim("worker_elsewhere", 60))
    said = shell.json("approvals", "approve", approval_id, "--yes", who="maria")
    assert (said["status"], said["ran"]) == ("approved", False)
    assert "Another process works on its run" in said["why"]


def test_a_rejected_request_shows_the_words_of_whoever_rejected_it(shell: Shell) -> None:
    approval_id = shell.held()
    shell.run("approvals", "reject", approval_id, "--words", "the other one", who="maria")
    assert "rejected  by maria: the other one" in shell.run("approvals", "show", approval_id).out


def test_several_groups_are_named_together() -> None:
    assert deciders(["finance", "legal"], 2) == "2 people who between them have the roles finance and legal"


def test_where_the_tool_is_not_here_the_answer_is_recorded_and_the_run_left_to_whoever_has_it(shell: Shell) -> None:
    approval_id = shell.held()
    settings = shell.folder / "interlock.toml"
    with_tools = settings.read_text()
    settings.write_text("")
    said = shell.json("approvals", "approve", approval_id, "--yes", who="maria")
    assert (said["status"], said["ran"]) == ("approved", False)
    assert "do not have its tool" in said["why"]
    settings.write_text(with_tools)
    assert shell.json("calls", "list", "--status", "held")["calls"], "the call still waits to be run"
