"""The fold of a run: in pieces as at once, whatever the events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.event import Event, Fact, Kind
from interlock.core.run import RunState
from interlock.ledger.chain import EMPTY, Head, link, read_event

STARTED = Fact(
    Kind.RUN_STARTED,
    {"principal": {"id": "ana", "tenant": "acme", "roles": ["support"], "kind": "user"}, "driver": "calls"},
)


def events(facts: Sequence[Fact], tenant: str = "acme") -> list[Event]:
    head, made = EMPTY, []
    for at_us, fact in enumerate(facts):
        event = link(head, "run_1", tenant, fact, at_us, lambda count: b"\x00" * count)
        head = Head(event.seq, event.hash)
        made.append(read_event(event.header, event.salt, event.payload))
    return made


def folded(stream: Sequence[Event]) -> RunState:
    run = RunState("run_1", "acme")
    run.absorb(stream)
    return run


def told(kind: str) -> dict[str, Any]:
    return {"outcome": kind, "code": "x", "message": "y"}


def proposed(call_id: str, step: int = 1, tool: str = "pay") -> Fact:
    """A first decision that says what was proposed and no more."""
    return Fact(Kind.CALL_DECIDED, {"proposed": {"tool": tool}}, call_id, step)


def decided(call_id: str, digest: str, effect: str, outcome: str = "") -> Fact:
    body: dict[str, Any] = {
        "digest": digest,
        "effect": effect,
        "tool": {"name": "pay", "server": "local", "version": "1"},
    }
    if outcome:
        body["outcome"] = told(outcome)
    return Fact(Kind.CALL_DECIDED, body, call_id, outcome=outcome)


def result(call_id: str, outcome: str, kind: Kind = Kind.CALL_RESULT) -> Fact:
    return Fact(kind, {"outcome": told(outcome)}, call_id, outcome=outcome)


def requested(call_id: str, approval_id: str, groups: tuple[str, ...] = ("a",), quorum: int = 1) -> Fact:
    return Fact(Kind.APPROVAL_REQUESTED, {"groups": list(groups), "quorum": quorum}, call_id, approval_id=approval_id)


def voice(approval_id: str, who: str, *roles: str, decision: str = "approve") -> Fact:
    return Fact(
        Kind.APPROVAL_DECIDED, {"decision": decision, "roles": list(roles)}, principal_id=who, approval_id=approval_id
    )


@st.composite
def lives(draw: st.DrawFn) -> list[Fact]:
    """What the path writes of some calls, one after the other in time, interleaved."""
    calls = []
    for number in range(draw(st.integers(1, 4))):
        call_id, digest = f"call_{number}", draw(st.sampled_from(["d1", "d2"]))
        effect = draw(st.sampled_from(["read", "reversible"]))
        life = [proposed(call_id, number + 1)]
        match draw(st.sampled_from(["refused", "held", "open", "done", "unknown", "settled"])):
            case "refused":
                life.append(decided(call_id, digest, effect, "refused"))
            case "held":
                life += [decided(call_id, digest, effect, "held"), requested(call_id, f"appr_{number}")]
                life.append(voice(f"appr_{number}", "bob", "a", decision=draw(st.sampled_from(["approve", "reject"]))))
            case last:
                life += [decided(call_id, digest, effect), Fact(Kind.CALL_INTENT, {}, call_id)]
                if last == "done":
                    life.append(result(call_id, "done"))
                if last in ("unknown", "settled"):
                    life.append(result(call_id, "unknown", Kind.CALL_UNKNOWN))
                if last == "settled":
                    life.append(result(call_id, "failed", Kind.CALL_RECONCILED))
        calls.append(life)
    mixed = [STARTED]
    while any(calls):
        mixed.append(draw(st.sampled_from([life for life in calls if life])).pop(0))
    return mixed


@given(lives(), st.data())
@settings(max_examples=150)
def test_absorbing_in_pieces_is_absorbing_at_once(facts: list[Fact], data: st.DataObject) -> None:
    """Every prefix continues to the same state, and what was absorbed already is passed over."""
    stream = events(facts)
    pieces = RunState("run_1", "acme")
    while pieces.seq < len(stream):
        start = data.draw(st.integers(0, pieces.seq))
        end = data.draw(st.integers(pieces.seq + 1, len(stream)))
        pieces.absorb(stream[start:end])
    assert pieces == folded(stream)


@given(lives(), st.sampled_from(["d1", "d2"]), st.booleans())
@settings(max_examples=50)
def test_noting_a_valid_call_twice_is_noting_it_once(facts: list[Fact], digest: str, writes: bool) -> None:
    once, twice = folded(events(facts)), folded(events(facts))
    once.under_way.note_valid("call_9", digest, "", writes=writes, counted=True)
    for _ in range(2):
        twice.under_way.note_valid("call_9", digest, "", writes=writes, counted=True)
    assert once == twice


def test_what_a_process_noted_before_it_recorded_is_what_another_reads() -> None:
    facts = [STARTED, proposed("call_1"), decided("call_1", "d1", "reversible")]
    noted = RunState("run_1", "acme")
    noted.under_way.note_valid("call_1", "d1", "", writes=True, counted=True)
    noted.absorb(events(facts))
    assert noted == folded(events(facts))


def test_a_gap_is_a_bug_of_the_reader_and_escapes() -> None:
    stream = events([STARTED, STARTED, STARTED])
    with pytest.raises(AssertionError, match="event 3 after 1"):
        folded([stream[0], stream[2]])


@pytest.mark.parametrize(
    ("last", "is_open"),
    [
        ([], True),
        ([Fact(Kind.CALL_INTENT, {}, "call_1")], True),
        ([result("call_1", "unknown", Kind.CALL_UNKNOWN)], True),
        ([result("call_1", "done")], False),
        ([result("call_1", "failed")], False),
        ([result("call_1", "withheld")], False),
        ([result("call_1", "unknown", Kind.CALL_UNKNOWN), result("call_1", "failed", Kind.CALL_RECONCILED)], False),
    ],
)
def test_an_equal_write_is_open_until_its_call_is_closed(last: list[Fact], is_open: bool) -> None:
    facts = [proposed("call_1"), decided("call_1", "d1", "irreversible"), *last]
    assert ("d1" in folded(events([STARTED, *facts])).under_way.open_writes) is is_open


def test_a_read_is_never_in_the_way_of_an_equal_one() -> None:
    facts = [STARTED, proposed("call_1", tool="get"), decided("call_1", "d1", "read")]
    assert folded(events(facts)).under_way.open_writes == {}


def test_a_call_that_was_held_and_changed_meanwhile_keeps_no_place_under_its_old_digest() -> None:
    """T23: the tool was published again while its call waited; as what it is now, and as nothing else, it is open."""
    facts = [
        STARTED,
        proposed("call_1"),
        decided("call_1", "old", "reversible", "held"),
        requested("call_1", "appr_1"),
        decided("call_1", "new", "reversible", "held"),
    ]
    assert folded(events(facts)).under_way.open_writes == {"new": "call_1"}
    assert folded(events([*facts, decided("call_1", "new", "reversible", "refused")])).under_way.open_writes == {}


def test_a_call_that_became_a_write_while_it_was_held_counts_as_one() -> None:
    facts = [
        STARTED,
        proposed("call_1"),
        decided("call_1", "old", "read", "held"),
        decided("call_1", "new", "irreversible", "held"),
    ]
    run = folded(events(facts))
    assert run.under_way.open_writes == {"new": "call_1"}
    assert run.writes == 1


def test_nothing_that_comes_late_opens_a_closed_call() -> None:
    """A second worker's «unknown» after the first one's result: the result stands."""
    facts = [
        STARTED,
        proposed("call_1"),
        Fact(Kind.CALL_INTENT, {}, "call_1"),
        result("call_1", "done"),
        result("call_1", "unknown", Kind.CALL_UNKNOWN),
    ]
    assert folded(events(facts)).calls["call_1"].status == "closed"


# ------------------------------------------------------------------------- approvals


def held(*voices: Fact, groups: tuple[str, ...] = ("a",), quorum: int = 1) -> str:
    facts = [STARTED, proposed("call_1"), decided("call_1", "d", "read", "held")]
    run = folded(events([*facts, requested("call_1", "appr_1", groups, quorum), *voices]))
    return run.approvals["appr_1"].status


def test_a_quorum_of_two_is_two_different_people() -> None:
    """Spec approvals 2: one person's two voices are one."""
    assert held(voice("appr_1", "bob", "a"), voice("appr_1", "bob", "a"), quorum=2) == "pending"
    assert held(voice("appr_1", "bob", "a"), voice("appr_1", "cay", "a"), quorum=2) == "approved"


def test_every_group_that_was_asked_for_must_have_spoken() -> None:
    two = (voice("appr_1", "bob", "a"), voice("appr_1", "cay", "a"))
    assert held(*two, groups=("a", "b"), quorum=2) == "pending"
    assert held(*two, voice("appr_1", "dan", "b"), groups=("a", "b"), quorum=2) == "approved"


def test_one_rejection_ends_it_and_the_first_settlement_stands() -> None:
    """Spec approvals 3 and Tests: two people answer at the same moment; the ledger's order decides."""
    no, yes = voice("appr_1", "bob", "a", decision="reject"), voice("appr_1", "cay", "a")
    assert held(no, yes) == "rejected"
    assert held(yes, no) == "approved"
    assert held(yes, no, quorum=2) == "rejected"


def test_whoever_reads_a_run_learns_whose_it_is_from_the_run() -> None:
    """T35: a reader's own tenant is not the run's."""
    run = RunState("run_1", "evil")
    run.absorb(events([STARTED]))
    assert run.tenant == "acme"
