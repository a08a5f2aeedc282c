"""The fold of an agent's run."""

from __future__ import annotations

from interlock.core.event import Fact, Kind
from interlock.core.run import RunState, speaker
from interlock.core.transcript import Asked, TurnState, turn_call_id
from interlock.ledger.chain import EMPTY, link_all
from tests.ledger.makers import RUN, TENANT, decided, first, result, started

CALL = turn_call_id(RUN, 1, 1)


def folded(*facts: Fact) -> RunState:
    run = RunState(RUN, TENANT)
    run.absorb(link_all(EMPTY, RUN, TENANT, facts, 1, lambda size: bytes(size)))
    return run


def message(text: str = "", *calls: dict[str, object], **more: object) -> Fact:
    return Fact(Kind.MESSAGE, {"role": "model", "text": text, "calls": list(calls), **more})


def test_a_turn_has_its_calls_with_ids_of_run_turn_and_place() -> None:
    run = folded(
        started(driver="agent", agent="desk", tools=["refund"]),
        message("One.", {"tool": "refund", "arguments": {"id": 7}, "id": "a"}),
        message("Two.", {"tool": "x", "arguments_text": "{"}, final=True, finish="truncated"),
    )
    assert run.transcript is not None
    assert (run.transcript.agent, run.transcript.tools) == ("desk", frozenset({"refund"}))
    one = Asked(CALL, "a", "refund", {"id": 7})
    two = Asked(turn_call_id(RUN, 2, 1), "", "x", "{")
    assert run.transcript.turns == [
        TurnState(1, "One.", (one,), "whole", False, (b"",)),
        TurnState(2, "Two.", (two,), "truncated", True),
    ]


def test_what_a_call_had_been_answered_when_the_next_turn_began_stays_so() -> None:
    """A later word on a call does not rewrite what the model went by."""
    unknown = result(CALL, "unknown", kind=Kind.CALL_UNKNOWN)
    later = result(CALL, "done", kind=Kind.CALL_RECONCILED)
    run = folded(
        started(driver="agent", agent="desk"),
        message("", {"tool": "refund", "arguments": {}}),
        first(decided(CALL), tool="refund"),
        unknown,
        message("I am not sure."),
        later,
    )
    assert run.transcript is not None
    [told] = run.transcript.turns[0].told
    assert b"unknown" in told
    assert run.calls[CALL].outcome is not None and run.calls[CALL].outcome.done


def test_tokens_are_added_up() -> None:
    run = folded(
        started(driver="agent", agent="desk"),
        message("One.", usage={"input_tokens": 10, "output_tokens": 2}),
        message("Two.", usage={"input_tokens": 12, "output_tokens": 3}),
    )
    assert run.transcript is not None
    assert (run.transcript.input_tokens, run.transcript.output_tokens) == (22, 5)


def test_a_run_that_no_agent_drives_has_no_transcript_and_no_call_speaks_for_an_unknown_one() -> None:
    run = folded(started(), message("Hello."))
    assert run.transcript is None
    assert speaker(run, "call_1") is None
