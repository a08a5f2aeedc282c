"""Cases played: on the deployment's own path, in memory, and nothing that changes the world is reached."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from interlock.errors import BadInput
from interlock.evals.compare import compare, kept_trials
from interlock.evals.evaluate import evaluate
from interlock.models.metered import Price
from interlock.testing import FrozenClock
from tests.evals.makers import Desk, desk, played, says, stage, suite, unheard

pytestmark = pytest.mark.anyio

LOOK = {"look": [{"value": {"state": "written"}}]}
REFUNDED = {"refund": [{"value": {"state": "paid"}}]}


async def test_a_case_is_played_by_its_agent_and_held_against_what_must_come_of_it(tmp_path: Path) -> None:
    """F1: tools, arguments, facts, steps and tokens of one run."""
    agent = desk(says("I look.", ("look", {"order": 7}), tokens=10), says("It is written down.", tokens=5))
    made = suite(
        answers=LOOK,
        case={
            "expect": {
                "tools": {"exactly": ["look"]},
                "calls": [{"tool": "look", "arguments": {"/order": {"equals": 7}}, "outcome": "done"}],
                "answer": {"contains": ["written down"]},
                "end": "answer",
                "most": {"steps": 2, "tokens": 15},
            }
        },
    )
    found = await played(made, stage(agent, tmp_path))
    assert found.passed == (1, 1)
    run = found.trials[0].run
    assert run is not None
    assert (run.steps, run.tokens, run.answer, run.micro_usd) == (2, 15, "It is written down.", None)


async def test_the_policy_decides_about_every_call_as_it_always_does(tmp_path: Path) -> None:
    agent = desk(says("", ("refund", {"order": 7})), says("It waits."))
    expect = {"calls": [{"tool": "refund", "outcome": "held"}], "end": "waiting"}
    assert (await played(suite(case={"expect": expect}), stage(agent, tmp_path))).passed == (1, 1)


async def test_nothing_that_does_more_than_read_reaches_its_far_end_whoever_approves_it(tmp_path: Path) -> None:
    far = Desk()
    agent = desk(says("", ("look", {"order": 7}), ("refund", {"order": 7})), says("Both are done."))
    made = suite(
        far_end="reads", answers=REFUNDED, approver={"id": "bob", "roles": ["approver"]},
        case={"expect": {"calls": [{"tool": "refund", "outcome": "done"}, {"tool": "look", "outcome": "done"}],
                         "end": "answer"}},
    )  # fmt: skip
    found = await played(made, stage(agent, tmp_path, far))
    assert found.passed == (1, 1), found.trials[0].failures
    assert far.reached == ["look"]


async def test_without_leave_no_read_reaches_its_far_end_either(tmp_path: Path) -> None:
    far = Desk()
    agent = desk(says("", ("look", {"order": 7})), says("I could not."))
    expect = {"calls": [{"tool": "look", "outcome": "failed"}]}
    assert (await played(suite(case={"expect": expect}), stage(agent, tmp_path, far))).passed == (1, 1)
    assert far.reached == []


async def test_an_answer_is_chosen_by_arguments_and_those_of_the_case_come_first(tmp_path: Path) -> None:
    agent = desk(says("", ("look", {"order": 7}), ("look", {"order": 8}), ("look", {"order": 9})), says("Done."))
    made = suite(
        answers={"look": [{"when": {"/order": {"equals": 8}}, "rejected": "no such order"}, *LOOK["look"]]},
        case={
            "answers": {"look": [{"when": {"/order": {"equals": 9}}, "value": {"state": "of the case"}}]},
            "expect": {"calls": [{"tool": "look", "outcome": "failed", "arguments": {"/order": {"equals": 8}}}]},
        },
    )
    found = await played(made, stage(agent, tmp_path))
    assert found.passed == (1, 1)
    run = found.trials[0].run
    assert run is not None
    assert [call.outcome for call in run.calls] == ["done", "failed", "done"]


async def test_a_case_is_played_as_often_as_it_says_each_time_in_a_plane_of_its_own(tmp_path: Path) -> None:
    far = Desk()
    agent = desk(says("", ("refund", {"order": 7})), says("Done."))
    made = suite(repeat=3, case={"expect": {"calls": [{"tool": "refund", "outcome": "held"}]}})
    found = await played(made, stage(agent, tmp_path, far))
    assert found.passed == (3, 3)
    assert not (tmp_path / ".interlock").exists(), "the deployment's ledger is left alone"


async def test_money_is_what_the_suite_or_the_agent_says_that_tokens_cost(tmp_path: Path) -> None:
    priced = desk(says("Hello.", tokens=1000), price=Price(2_000_000, 0))
    [trial] = (await played(suite(case={}), stage(priced, tmp_path))).trials
    assert trial.run is not None
    assert trial.run.micro_usd == 2000
    made = suite(price={"input": 1_000_000, "output": 0}, case={})
    [trial] = (await played(made, stage(priced, tmp_path))).trials
    assert trial.run is not None
    assert trial.run.micro_usd == 1000


async def test_an_agent_or_a_tool_that_there_is_not_is_named(tmp_path: Path) -> None:
    where = stage(desk(says("Hello.")), tmp_path)
    with pytest.raises(BadInput, match="no agent 'desks'"):
        await played(suite(agent="desks", case={}), where)
    with pytest.raises(BadInput, match=r"no tool 'lok' here. Did you mean 'look'\?"):
        await played(suite(answers={"lok": []}, case={}), where)
    with pytest.raises(BadInput, match="no tool 'refunds'"):
        await played(suite(chaos=[{"tools": ["refunds"], "fail": 1}], case={}), where)


async def test_where_there_is_one_agent_nobody_need_name_it(tmp_path: Path) -> None:
    assert (await played(suite(agent="", case={}), stage(desk(says("Hello.")), tmp_path))).passed == (1, 1)


async def test_latency_is_the_runs_own_time(tmp_path: Path) -> None:
    clock = FrozenClock()
    agent = desk(says("", ("look", {"order": 7})), says("Done."))
    made = suite(answers=LOOK, chaos=[{"stall": 1.0}], case={"expect": {"most": {"latency_ms": 1000}}})
    found = await evaluate(made, stage(agent, tmp_path, clock=clock), None, unheard)
    [trial] = found.trials
    assert trial.run is not None
    assert trial.run.latency_ms >= 30_000, "a stalled tool takes as long as its call may"
    assert any(failure.startswith("latency_ms") for failure in trial.failures)


async def test_trials_at_the_same_time_are_told_in_their_order(tmp_path: Path) -> None:
    agent = desk(says("", ("look", {"order": 7})), says("Done."))
    made = suite(answers=LOOK, chaos=[{"fail": 0.3, "lie": 0.3}], repeat=6, case={"expect": {"end": "answer"}})
    one = await evaluate(made, stage(agent, tmp_path), None, unheard)
    many = await evaluate(made, stage(agent, tmp_path), None, unheard, 4)
    assert [(trial.number, trial.passed, trial.injected) for trial in many.trials] == [
        (trial.number, trial.passed, trial.injected) for trial in one.trials
    ]
    with pytest.raises(BadInput, match="no agent 'nobody'"):
        await evaluate(suite(agent="nobody", repeat=6, case={}), stage(agent, tmp_path), None, unheard, 4)


async def test_a_changed_policy_loses_the_case_that_it_forbids(tmp_path: Path) -> None:
    """F1: regression on a change of the policy."""
    agent = desk(says("", ("look", {"order": 7})), says("Done."))
    made = suite(answers=LOOK, case={"expect": {"calls": [{"tool": "look", "outcome": "done"}]}})
    where = stage(agent, tmp_path)
    before = kept_trials((await played(made, where)).baseline())
    (tmp_path / "policy").mkdir()
    rules = (
        '@id("all")\npermit (principal, action, resource);\n'
        '@id("no-look")\nforbid (principal, action == Action::"look", resource);\n'
    )
    (tmp_path / "policy" / "rules.cedar").write_text(rules, encoding="utf-8")
    changed = replace(where, settings=where.settings.model_copy(update={"policy": tmp_path / "policy"}))
    after = await played(made, changed)
    assert compare(before, kept_trials(after.baseline()), 1).lost == ("one",)
    assert after.trials[0].failures == ("outcome: look is refused authorize.not_available, not done",)
