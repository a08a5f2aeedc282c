from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given, settings

from interlock.approvals.where import sentences, where_of
from interlock.cli.predicates import OPTIONS, options_of, typed, widened
from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.keys import Keys
from tests.approvals.test_where import DOCUMENTS
from tests.cli.shell import Ran, Shell

SMALL = (
    "--where", "/order_id=7", "--at-most", "/cents=5000", "--any", "/reason", "--uses", "2", "--expires", "7d",
    "--reason", "spring",
)  # fmt: skip


def issue(shell: Shell, *words: str, who: str = "maria", code: int = 0) -> Any:
    return shell.json("grants", "issue", "refund", *(words or SMALL), "--yes", who=who, code=code)


def refund(shell: Shell, cents: int = 500, order_id: int = 7, **more: Any) -> Ran:
    return shell.run("call", "refund", json.dumps({"order_id": order_id, "cents": cents, **more}))


def test_a_grant_is_issued_used_shown_and_revoked(shell: Shell) -> None:
    granted = issue(shell)
    assert granted["where"] == {
        "/cents": {"at_most": 5000}, "/order_id": {"equals": 7}, "/reason": {"any": True},
    }  # fmt: skip
    assert refund(shell).code == 0
    assert refund(shell, cents=5001).code == 3
    assert refund(shell, order_id=8).code == 3

    out = shell.run("grants", "list").out
    for said in ("grant_1", "refund", "anybody", "1 of 2", "maria", "expires in 7 days"):
        assert said in out
    out = shell.run("grants", "show", "grant_1").out
    for said in (
        "refund on the server local",
        "maria (approver)",
        "spring",
        "1 of 2",
        "at most 5000",
        "anything",
        "is 7",
    ):
        assert said in out
    assert shell.json("grants", "show", "grant_1")["used"] == 1

    assert shell.json("grants", "revoke", "grant_1", "--reason", "over", who="maria")["status"] == "revoked"
    assert refund(shell).code == 3
    assert shell.json("grants", "list")["grants"] == []
    [over] = shell.json("grants", "list", "--all")["grants"]
    assert over["status"] == "revoked"


def test_a_call_that_a_grant_released_says_which_and_whose(shell: Shell) -> None:
    issue(shell)
    call_id = shell.json("call", "refund", '{"order_id": 7, "cents": 500}')["call_id"]
    [row] = [each for each in shell.json("calls", "list")["calls"] if each["call_id"] == call_id]
    assert row["grant_id"] == "grant_1"
    shown = shell.json("calls", "show", call_id)
    assert shown["released_by"] == {"grant_id": "grant_1", "by": ["maria"]}
    assert "grant grant_1 of maria" in shell.run("calls", "show", call_id).out
    assert shell.json("runs", "replay", row["run_id"])["holds"] is True
    assert "Released by grant grant_1 of maria." in shell.run("runs", "replay", row["run_id"]).out
    assert "grant_1" in shell.run("audit", "tool_call").out


def test_a_person_sees_what_it_would_have_answered_before_they_say_yes(shell: Shell) -> None:
    shell.run("approvals", "approve", shell.held(), "--yes", who="maria")
    refund(shell, cents=4000)
    shell.run("approvals", "reject", "appr_2", "--words", "no", who="maria")
    ran = shell.run("grants", "issue", "refund", *SMALL, who="maria", typed="n\n")
    assert ran.code == 1
    for said in ("it would have answered 2: 1 that were approved", "let pass what people turned down: appr_2", "open"):
        assert said in ran.out
    assert shell.json("grants", "list", "--all")["grants"] == []
    assert shell.run("grants", "issue", "refund", *SMALL, who="maria", typed="y\n").code == 0
    assert len(shell.json("grants", "list")["grants"]) == 1


def test_a_grant_from_a_request_is_for_exactly_that_until_it_is_widened(shell: Shell) -> None:
    asked = shell.held()
    rest = ("--uses", "1", "--expires", "1d", "--reason", "x", "--yes")
    exact = shell.json("grants", "issue", "--from", asked, *rest, who="maria")
    assert exact["where"] == {
        "/cents": {"equals": 500}, "/order_id": {"equals": 7}, "/reason": {"equals": "none"},
    }  # fmt: skip
    assert exact["subject"] == "ana"
    assert exact["would_have_answered"]["asked"] == 1
    [row] = shell.json("approvals", "list")["approvals"]
    assert row["status"] == "pending", "it approves nothing"
    wide = shell.json("grants", "issue", "--from", asked, "--at-most", "/cents=9", "--anybody", *rest, who="maria")
    assert wide["where"] == {**exact["where"], "/cents": {"at_most": 9}}
    assert wide["subject"] is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--from", "appr_9"), "approval.not_found"),
        (("wipe", "--from", "appr_1"), "cli.grant"),
        ((), "cli.grant"),
        (("refund", "--where", "/order_id"), "cli.predicate"),
        (("refund", "--at-most", "/cents=1", "--at-most", "/cents=2"), "cli.predicate"),
        (("refund", "--at-most", "/cents=much"), "grant.where"),
        (("refund", "--where", "order_id=7"), "grant.where"),
        (("refund", "--expires", "soon"), "time.unreadable"),
        (("refund", "--expires", "31d"), "grant.expires"),
        (("refund", "--reason", ""), "grant.reason"),
        (("nothing",), "grant.tool"),
        (("wipe",), "grant.privileged"),
    ],
)
def test_what_is_not_acceptable_is_said_and_nothing_is_granted(shell: Shell, words: tuple[str, ...], code: str) -> None:
    shell.held()
    rest = [] if "--expires" in words else ["--expires", "1d"]
    rest += [] if "--reason" in words else ["--reason", "x"]
    ran = shell.run("grants", "issue", *words, *rest, "--uses", "1", "--yes", "--json", who="maria")
    assert ran.document["error"]["code"] == code
    assert shell.json("grants", "list", "--all")["grants"] == []


@pytest.mark.parametrize("who", ["ana", "olga", "zoe"])
def test_only_a_person_of_an_approver_group_grants(shell: Shell, who: str) -> None:
    ran = shell.run("grants", "issue", "refund", *SMALL, "--yes", who=who)
    assert (ran.code, "approver group" in ran.err) == (5, True)


def test_a_second_person_endorses(shell: Shell) -> None:
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["paul"] = keys.add(Principal("paul", roles=frozenset({"approver"})))
    issue(shell)
    assert shell.run("grants", "endorse", "grant_1", "--yes", who="maria").code == 5
    ran = shell.run("grants", "endorse", "grant_1", who="paul", typed="y\n")
    assert ran.code == 0
    assert "at most 5000" in ran.out
    assert [one["person"] for one in shell.json("grants", "show", "grant_1")["given_by"]] == ["maria", "paul"]
    for command in ("show", "endorse", "revoke"):
        more = ["--reason", "x"] if command == "revoke" else []
        assert shell.run("grants", command, "grant_9", *more, who="paul").code == 2


# -------------------------------------------------------------------- proposed, counted


def test_what_was_approved_again_and_again_is_proposed_as_a_command_that_works(shell: Shell) -> None:
    """Issue 4, Shown by 5: a grant proposed from approvals, issued as it is printed, answers the next call."""
    for cents in (500, 700, 4000):
        approval_id = shell.json("call", "refund", json.dumps({"order_id": 7, "cents": cents}), code=3)["approval_id"]
        shell.run("approvals", "approve", approval_id, "--yes", who="maria")
    [one] = shell.json("approvals", "suggest-grants", who="maria")["suggestions"]
    assert one["where"] == {
        "/cents": {"one_of": [500, 700, 4000]}, "/order_id": {"equals": 7}, "/reason": {"equals": "none"},
    }  # fmt: skip
    assert (one["covers"], one["approved"], one["subject"]) == (["appr_1", "appr_2", "appr_3"], 3, "ana")
    out = shell.run("approvals", "suggest-grants", who="maria").out
    assert "3 of 3 approved" in out
    assert one["command"] in " ".join(out.split())

    program, *words = shlex.split(one["command"])
    assert program == "interlock"
    assert shell.json(*words, "--yes", who="maria")["where"] == one["where"]
    assert refund(shell, cents=700).code == 0
    assert refund(shell, cents=701).code == 3


def test_nothing_to_propose_is_said_in_words(shell: Shell) -> None:
    shell.run("approvals", "approve", shell.held(), "--yes", who="maria")
    assert "Nothing was approved often enough in 90 days" in shell.run("approvals", "suggest-grants").out


def test_the_figures_say_how_often_people_are_asked_and_how_much_grants_answer(shell: Shell) -> None:
    assert shell.json("approvals", "figures")["holds_per_100_calls"] == 0
    shell.clock.advance(5)
    shell.run("approvals", "approve", shell.held(), "--yes", who="maria")
    issue(shell)
    refund(shell)
    shell.run("call", "rejecting", '{"order_id": 7}')
    shell.run("call", "look", '{"order_id": 7}')
    found = shell.json("approvals", "figures", who="maria")
    assert (found["calls"], found["held"], found["asked"], found["granted"]) == (3, 2, 1, 1)
    assert (found["holds_per_100_calls"], found["share_granted"], found["alarms"]) == (66.7, 0.5, [])
    [maria] = found["approvers"]
    assert (maria["person"], maria["decisions"], maria["approved"]) == ("maria", 1, 1)
    out = shell.run("approvals", "figures", who="maria").out
    for said in ("66.7 of 100 calls", "████████████████████░░░░░░░░░░░░░░░░░░░░ 1", "maria", "100 %"):
        assert said in out


def test_somebody_who_no_longer_reads_is_an_alarm_with_exit_code_1(shell: Shell) -> None:
    """D7: more than 98 % over 50 decisions at a glance."""
    run_id = "run_tired"
    principal = {"id": "ana", "tenant": "default", "roles": [], "kind": "user"}
    request = {
        "digest": "", "nonce": "", "groups": ["approver"], "quorum": 1, "rules": [], "effect": "irreversible",
        "requested_us": shell.clock.wall_us(), "expires_us": shell.clock.wall_us() + 10**9, "subject": "ana",
        "tool": {"server": "local", "name": "refund", "hash": ""}, "arguments": {}, "text": "{}", "approval": "",
    }  # fmt: skip
    facts = [Fact(Kind.RUN_STARTED, {"principal": principal, "driver": "calls"}, principal_id="ana")]
    for number in range(50):
        call, approval = f"call_{number}", f"appr_{number}"
        said = {"decision": "approve", "approval": "", "roles": ["approver"], "viewed_ms": 400}
        facts += [
            Fact(Kind.CALL_DECIDED, {"proposed": {"tool": "refund"}}, call, number + 1, 0, "ana"),
            Fact(Kind.APPROVAL_REQUESTED, request, call, number + 1, 0, "ana", approval_id=approval),
            Fact(Kind.APPROVAL_DECIDED, said, call, 0, 0, "maria", decision="approve", approval_id=approval),
        ]
    shell.append(run_id, *facts)
    ran = shell.run("approvals", "figures", who="maria")
    assert ran.code == 1
    assert "alarm: maria approved 100 % of 50, each at a glance" in ran.out
    assert "400 ms" in ran.out


# ---------------------------------------------------------------------- as it is typed


@settings(max_examples=200)
@given(DOCUMENTS)
def test_predicates_are_printed_as_they_would_be_typed(said: dict[str, Any]) -> None:
    where = where_of(said)
    given: dict[str, list[str]] = {"any": [], **{kind: [] for kind, _ in OPTIONS.values()}}
    words = iter(shlex.split(options_of(where)))
    for option in words:
        kind = "any" if option == "--any" else OPTIONS[option.removeprefix("--")][0]
        given[kind].append(next(words))
    assert where_of(typed({kind: tuple(texts) for kind, texts in given.items()})) == where
    assert len(sentences(where)) == len(where.clauses)


@pytest.mark.parametrize(
    "text", ["7", "true", "null", "", " ", '"', "a b", "caf\u00e9", "\u202e", "1e5", "{}", "--yes"]
)
def test_a_text_that_looks_like_something_else_stays_a_text(text: str) -> None:
    where = where_of({"/a": {"equals": text}})
    option, word = shlex.split(options_of(where))
    assert option == "--where"
    assert word.isascii()
    assert where_of(typed({"any": (), **{kind: () for kind, _ in OPTIONS.values()}, "equals": (word,)})) == where


def test_what_is_said_of_a_pointer_replaces_what_stood_at_and_below_it() -> None:
    before = {"/a": {"equals": 1}, "/b/0": {"equals": 2}, "/b/1": {"equals": 3}, "/bc": {"equals": 4}}
    assert widened(before, {"/b": {"any": True}}) == {
        "/a": {"equals": 1}, "/bc": {"equals": 4}, "/b": {"any": True},
    }  # fmt: skip
    with pytest.raises(BadInput):
        typed({"any": (), **{kind: () for kind, _ in OPTIONS.values()}, "equals": ("/a",)})
