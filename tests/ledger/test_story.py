"""What people read of a run: its calls gate by gate, its waits and its model's turns, from events alone."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from interlock.core.event import Event, Fact, Kind
from interlock.core.transcript import turn_call_id
from interlock.ledger.story import Story
from interlock.ledger.story_entries import Call, Note, Turn
from tests.ledger.makers import RUN, chained, decided, first, intent, moved, requested, result, started, voice
from tests.ledger.test_projections import CHOICES, stories
from tests.ledger.test_replay import held_and_approved


def told(*facts: Fact, turns: int = 0) -> Story:
    return Story(RUN, turns).absorb(chained(list(facts)))


def states(call: Call) -> dict[str, str]:
    return {gate.name: gate.state for gate in call.gates}


def test_a_call_that_was_held_and_approved_says_what_each_gate_did() -> None:
    story = told(*held_and_approved())
    call = story.calls["call_1"]
    assert states(call) == {
        "validate": "passed", "authorize": "passed", "limit": "passed", "verify": "passed", "approve": "passed",
        "execute": "passed", "screen": "passed", "record": "passed",
    }  # fmt: skip
    assert call.outcome == "done" and call.ended_us is not None and call.intent_us is not None
    assert [(hold.approval_id, hold.how, hold.by) for hold in call.holds] == [("appr_1", "approve", ["bob"])]
    assert call.seqs == [3, 4, 5, 6, 7, 8, 9]


def test_a_call_that_waits_has_reached_no_gate_behind_its_hold() -> None:
    story = told(*held_and_approved()[:4])
    call = story.calls["call_1"]
    assert call.outcome == "held" and call.holds[0].to_us is None
    assert [gate.state for gate in call.gates][4:] == ["held", "ahead", "ahead", "ahead"]


def test_one_of_two_voices_ends_no_wait() -> None:
    asked = requested("appr_1", "call_1", 10)
    asked.body["quorum"] = 2
    facts = [*held_and_approved()[:3], asked, voice("appr_1", "call_1", "bob", "leads")]
    assert told(*facts).calls["call_1"].holds[0].to_us is None
    facts.append(voice("appr_1", "call_1", "cay", "leads"))
    hold = told(*facts).calls["call_1"].holds[0]
    assert hold.to_us is not None and hold.by == ["bob", "cay"]


def test_a_refused_call_stops_at_the_gate_that_refused_it() -> None:
    refused = first(decided("call_1", verdict="deny", outcome="refused"))
    refused.body["stop"] = {"gate": "authorize", "code": "policy.deny", "audit": {"rule": "no"}}
    call = told(started(), refused).calls["call_1"]
    assert states(call)["authorize"] == "stopped" and states(call)["limit"] == "ahead"
    assert states(call)["validate"] == "passed"


def test_a_turn_says_what_it_took_and_which_calls_it_proposes() -> None:
    body: dict[str, Any] = {
        "role": "model", "text": "I look.", "model": "m", "took_us": 5, "micro_usd": 7,
        "calls": [{"tool": "look_up", "arguments": {"n": 1}, "confidence": 60}],
        "usage": {"input_tokens": 10, "output_tokens": 2},
    }  # fmt: skip
    (turn,) = told(Fact(Kind.MESSAGE, body), turns=3).entries
    assert isinstance(turn, Turn)
    assert (turn.number, turn.took_us, turn.micro_usd, turn.input_tokens) == (4, 5, 7, 10)
    assert [(call.call_id, call.tool, call.confidence) for call in turn.calls] == [
        (turn_call_id(RUN, 4, 1), "look_up", 60)
    ]


def test_words_of_the_user_are_told_as_they_are_and_never_as_a_sentence() -> None:
    notes = told(started(words="refund 7"), Fact(Kind.RUN_WORDS, {"text": "and 8"}, step=1)).entries
    assert [note.text for note in notes if isinstance(note, Note)] == ["refund 7", "and 8"]


def test_a_stretch_that_begins_within_a_call_tells_the_rest_of_it() -> None:
    events = chained(held_and_approved())
    story = Story(RUN).absorb(events[4:])
    call = story.calls["call_1"]
    assert call.partial and call.outcome == "done" and call.intent_us is not None


def test_what_was_erased_is_said_to_be() -> None:
    events: list[Event] = chained(
        [started(words="refund 7"), first(decided("call_1")), intent("call_1"), result("call_1")]
    )
    gone = [event._replace(payload=b"", fact=event.fact._replace(body={})) for event in events]
    story = Story(RUN).absorb(gone)
    call = story.calls["call_1"]
    assert call.erased and call.arguments is None and call.outcome == "done"
    assert isinstance(story.entries[0], Note) and story.entries[0].text is None


def test_what_is_reserved_for_a_model_is_no_call() -> None:
    facts = [started(), Fact(Kind.BUDGET_RESERVED, {"reserved": [["row", "tokens", 9]]}, "model_1")]
    assert not told(*facts).calls


def test_a_voice_on_a_hold_that_was_moved_on_is_told_with_its_call() -> None:
    facts = [*held_and_approved()[:4], moved(Kind.APPROVAL_EXPIRED, "appr_1", "call_1")]
    assert told(*facts).calls["call_1"].holds[0].how == "expired"


@settings(max_examples=60)
@given(CHOICES)
def test_any_run_that_can_be_recorded_can_be_told(choices: list[int]) -> None:
    events = chained(fact for append in stories(choices) for fact in append)
    for begin in (0, len(events) // 2):
        story = Story(RUN).absorb(events[begin:])
        assert all(gate.texts or gate.state for call in story.calls.values() for gate in call.gates)
