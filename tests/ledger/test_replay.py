"""D3: a run again from its record, told step by step and checked on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from interlock.core.canonical import canonical
from interlock.core.event import Event, Fact, Kind
from interlock.core.run import RunState
from interlock.ledger.replay import Step, replay
from tests.ledger.makers import (
    RUN,
    TENANT,
    chained,
    decided,
    first,
    intent,
    moved,
    proposed,
    read_call,
    requested,
    result,
    started,
    voice,
)
from tests.ledger.test_projections import CHOICES, stories


def held_and_approved() -> list[Fact]:
    held = first(decided("call_1", verdict="require_approval", outcome="held"), name="r-7")
    held.body["stop"] = {"gate": "approve", "code": "approve.held", "audit": {}}
    second = decided("call_1", verdict="require_approval")
    second.body.update(approval_id="appr_1", limit=["acme/refunds"], verify={"verdict": "agree"})
    return [
        Fact(Kind.RUN_CLAIMED, {"worker": "w1", "epoch": 1}),
        started(words="refund 7"),
        held,
        requested("appr_1", "call_1", 10),
        voice("appr_1", "call_1", "bob", "leads"),
        second,
        moved(Kind.APPROVAL_CONSUMED, "appr_1", "call_1"),
        intent("call_1"),
        result("call_1"),
        Fact(Kind.RUN_FINISHED, {"reason": "left"}),
    ]


def test_a_held_and_approved_call_is_told_gate_by_gate() -> None:
    steps = list(replay(chained(held_and_approved())))
    assert [(step.seq, step.gate, step.status) for step in steps] == [
        (1, "", "open"),
        (2, "", "open"),
        (3, "", "held"),
        (3, "validate", "held"),
        (3, "authorize", "held"),
        (3, "approve", "held"),
        (4, "approve", "held"),
        (5, "approve", "held"),
        (6, "validate", "held"),
        (6, "authorize", "held"),
        (6, "limit", "held"),
        (6, "verify", "held"),
        (6, "approve", "held"),
        (7, "approve", "held"),
        (8, "execute", "intent"),
        (9, "execute", "closed"),
        (10, "", "finished"),
    ]
    texts = " ".join(step.text for step in steps)
    for said in ("refund is proposed, named 'r-7'", "require approval: rule:small", "bob approves appr_1", "1.5 ms"):
        assert said in texts
    assert not any(step.problem for step in steps)


def test_what_stopped_a_call_is_told_with_its_gate_and_reason() -> None:
    events = chained([started(), first(decided("call_1", verdict="deny", outcome="refused"))])
    last = list(replay(events))[-1]
    assert (last.gate, last.status, last.text) == (
        "authorize",
        "closed",
        "It stops here: refused, x.refused: so it is.",
    )


def test_a_step_as_json_is_json_and_leaves_out_what_is_empty() -> None:
    steps = [step.as_json() for step in replay(chained(held_and_approved()))]
    assert json.loads(canonical(steps)) == steps
    assert steps[0] == {
        "seq": 1, "at": "1970-01-01T00:00:00.000Z", "kind": "run.claimed",
        "text": "w1 claims the run, epoch 1.", "status": "open",
    }  # fmt: skip


def test_unknown_and_settled_outcomes_are_told_with_who_settled_them() -> None:
    unknown = result("call_1", "unknown", kind=Kind.CALL_UNKNOWN)
    settled = result("call_1", "failed", kind=Kind.CALL_RECONCILED)
    steps = list(replay(chained([started(), first(decided("call_1")), intent("call_1"), unknown, settled])))
    assert [step.status for step in steps[-2:]] == ["unknown", "closed"]
    assert steps[-1].text.startswith("Settled by olga (person): failed")


@settings(max_examples=60)
@given(CHOICES)
def test_every_plausible_run_replays_to_its_end_as_its_fold_says(choices: list[int]) -> None:
    events = chained(fact for append in stories(choices) for fact in append)
    steps = list(replay(events))
    assert [step.problem for step in steps if step.problem] == []
    assert sorted({step.seq for step in steps}) == list(range(1, len(events) + 1))
    run = RunState(RUN, TENANT)
    run.absorb(events)
    last_of = {step.call_id: step.status for step in steps if step.call_id}
    assert last_of == {call_id: call.status for call_id, call in run.calls.items()}


def test_a_run_without_events_has_no_steps() -> None:
    assert list(replay([])) == []


def ends_at(events: Sequence[Event]) -> Step:
    """The last step, which is the only one with a problem."""
    steps = list(replay(events))
    assert [step.seq for step in steps if step.problem] == [steps[-1].seq]
    return steps[-1]


def test_a_changed_record_is_replayed_up_to_the_change() -> None:
    events = chained([started(), *read_call("call_1")])
    events[1] = events[1]._replace(payload=events[1].payload.replace(b"allow", b"deny!"))
    assert (ends_at(events).seq, ends_at(events).text) == (2, "The record was changed here.")
    del events[1]
    assert ends_at(events).seq == 3


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ([proposed("call_1")], "before the run's start"),
        ([started(), started()], "starts a second time"),
        ([started(), proposed("call_1"), proposed("call_1")], "proposed a second time"),
        ([started(), first(decided("call_1")), first(decided("call_1"))], "proposed a second time"),
        ([started(), result("call_1")], "not proposed"),
        ([started(), decided("call_1")], "not proposed"),
        ([started(), proposed("call_1"), intent("call_1")], "no gate let it pass"),
        ([started(), *read_call("call_1"), intent("call_1")], "closed before"),
        ([started(), *read_call("call_1"), result("call_1", kind=Kind.CALL_RECONCILED)], "closed before"),
        ([started(), proposed("call_1"), result("call_1", kind=Kind.CALL_RECONCILED)], "settled that is proposed"),
        ([started(), proposed("call_1"), voice("appr_9", "call_1", "bob")], "not requested"),
        (
            [
                started(),
                first(decided("call_1")),
                requested("appr_1", "call_1", 9),
                moved(Kind.APPROVAL_CONSUMED, "appr_1", "call_1"),
            ],
            "uses an approval that is pending",
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_found_though_its_hashes_hold(facts: list[Fact], problem: str) -> None:
    assert problem in ends_at(chained(facts)).problem


def test_what_a_models_turn_reserves_is_about_no_call_and_the_record_holds() -> None:
    turn = [Fact(kind, {"reserved": []}, "model_1") for kind in (Kind.BUDGET_RESERVED, Kind.BUDGET_SETTLED)]
    steps = list(replay(chained([started(), *turn, *read_call("call_1")])))
    assert steps[-1].status == "closed" and not any(step.problem for step in steps)


@pytest.mark.parametrize(
    ("verdict", "named", "used", "holds"),
    [
        ("require_approval", "grant_1", "grant_1", True), ("require_approval", "grant_1", "grant_2", False),
        ("require_approval", "grant_1", "", False), ("require_approval", "", "grant_1", False),
        ("require_approval", "", "", False), ("deny", "grant_1", "grant_1", False),
    ],
)  # fmt: skip
def test_a_held_call_that_ran_names_the_grant_that_released_it_in_decision_and_intent(
    verdict: str, named: str, used: str, holds: bool
) -> None:
    decision, effect = first(decided("call_1", verdict=verdict)), intent("call_1")
    decision = decision._replace(body=decision.body | {"grant": {"grant_id": named, "by": ["bob"]}})
    effect = effect._replace(body=effect.body | {"grant_id": used})
    steps = list(replay(chained([started(), decision, effect, result("call_1")])))
    assert (steps[-1].problem == "") == holds


@pytest.mark.parametrize("verdict", ["deny", "require_approval"])
@pytest.mark.parametrize("effect", [intent("call_1"), result("call_1")], ids=["intent", "result"])
def test_what_ran_without_being_let_pass_is_found(verdict: str, effect: Fact) -> None:
    events = chained([started(), first(decided("call_1", verdict=verdict)), effect])
    assert "it ran though policy said" in ends_at(events).problem


def test_what_ran_while_policy_was_only_evaluated_is_no_contradiction() -> None:
    denied = first(decided("call_1", verdict="deny"))
    denied.body["decision"]["mode"] = "evaluate_only"
    steps = list(replay(chained([started(), denied, intent("call_1"), result("call_1")])))
    assert not any(step.problem for step in steps)


def test_erased_content_is_said_and_the_rest_is_told_without_a_status() -> None:
    events = chained([started(), *read_call("call_1"), Fact(Kind.CONFIG, {"policy": "p2"})])
    events[1] = events[1]._replace(fact=events[1].fact._replace(body={}), salt=b"", payload=b"")
    steps = list(replay(events))
    assert steps[1].text == "The content of this event was erased."
    assert [step.status for step in steps] == ["open"] + [""] * (len(steps) - 1)
    assert steps[-1].text == "config."
    assert not any(step.problem for step in steps)


def test_words_and_arguments_are_shown_as_data_beside_the_sentence() -> None:
    """A person's words or a model's arguments are never a part of what the record itself claims."""
    [_, step] = replay(chained([started(), proposed("call_1", arguments={"note": "The call was approved."})]))
    assert "approved" not in step.text
    assert step.detail["arguments"] == {"note": "The call was approved."}
