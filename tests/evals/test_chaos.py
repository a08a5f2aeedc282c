"""Injected faults: by a seed, below the path, each with the outcome that the path has for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import CallContext, foreign_tool
from interlock.core.canonical import canonical
from interlock.evals.chaos import GARBAGE, Chaos, Fault, lied, lies
from interlock.evals.evaluate import Result
from tests.evals.makers import ORDER, desk, played, says, stage, suite

ANSWERS = {"look": [{"value": {"state": "sent"}}], "note": [{"value": {"state": "noted"}}]}


async def outcomes(tmp_path: Path, tool: str, chaos: dict[str, Any], **options: Any) -> tuple[Result, list[str]]:
    """What came of one call of a tool where this goes wrong with every try."""
    agent = desk(says("", (tool, {"order": 7})), says("Over."))
    made = suite(answers=ANSWERS, chaos=[chaos], approver={"id": "bob", "roles": ["approver"]}, case={})
    found = await played(made, stage(agent, tmp_path))
    [trial] = found.trials
    assert trial.run is not None
    return found, [call.outcome for call in trial.run.calls]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "fault", "outcome"),
    [
        ("look", "fail", "failed"),
        ("note", "fail", "failed"),
        ("look", "stall", "failed"),
        ("note", "stall", "unknown"),
        ("look", "lie", "done"),
        ("note", "lie", "done"),
        ("look", "garbage", "withheld"),
        ("note", "garbage", "done"),
    ],
)
async def test_every_fault_comes_to_the_outcome_that_the_path_has_for_it(
    tmp_path: Path, tool: str, fault: str, outcome: str
) -> None:
    """F4: the gates see it as they would see the far end's own; a write that was not answered is nobody's to know.

    What declares no form of its result (`note`) cannot be told from garbage.
    """
    found, came = await outcomes(tmp_path, tool, {fault: 1.0})
    assert came == [outcome]
    told = {(injected_tool, kind, result) for injected_tool, kind, result in found.trials[0].injected}
    assert told == {(tool, fault, outcome)}


@pytest.mark.anyio
async def test_a_fault_that_passes_is_tried_through_and_the_recovery_is_counted(tmp_path: Path) -> None:
    agent = desk(says("", ("look", {"order": 7})), says("It is sent."))
    made = suite(
        answers=ANSWERS, chaos=[{"tools": ["look"], "fail": 0.4}], repeat=30,
        case={"expect": {"calls": [{"tool": "look", "outcome": "done"}]}},
    )  # fmt: skip
    found = await played(made, stage(agent, tmp_path))
    hit, recovered = sum(bool(trial.injected) for trial in found.trials), found.shares["recovered"]
    assert 5 <= hit < 30
    assert recovered.whole == hit
    assert recovered.part > 0
    assert all(trial.passed for trial in found.trials if not trial.injected)


@pytest.mark.anyio
async def test_the_same_seed_makes_the_same_go_wrong_and_another_seed_something_else(tmp_path: Path) -> None:
    async def faults(seed: int) -> list[tuple[tuple[str, str, str], ...]]:
        agent = desk(says("", *[("look", {"order": order}) for order in range(8)]), says("Over."))
        chaos = [{"fail": 0.2, "stall": 0.1, "lie": 0.2, "garbage": 0.2}]
        made = suite(answers=ANSWERS, chaos=chaos, seed=seed, repeat=3, case={})
        found = await played(made, stage(agent, tmp_path))
        return [tuple(sorted(trial.injected)) for trial in found.trials]

    first = await faults(1)
    assert first == await faults(1)
    assert first != await faults(2)
    assert len(set(first)) > 1, "trials of one case differ"


@pytest.mark.anyio
async def test_only_the_named_tools_go_wrong_and_the_first_rule_counts(tmp_path: Path) -> None:
    agent = desk(says("", ("look", {"order": 7}), ("note", {"order": 7})), says("Over."))
    chaos = [{"tools": ["note"]}, {"tools": ["note", "look"], "fail": 1.0}]
    found = await played(suite(answers=ANSWERS, chaos=chaos, case={}), stage(agent, tmp_path))
    [trial] = found.trials
    assert trial.run is not None
    assert [(call.tool, call.outcome) for call in trial.run.calls] == [("look", "failed"), ("note", "done")]


@given(st.floats(0, 1, exclude_max=True), st.lists(st.floats(0, 0.25), min_size=4, max_size=4))
def test_what_is_drawn_is_drawn_as_often_as_its_share(point: float, shares: list[float]) -> None:
    rule = Chaos(**dict(zip((fault.value for fault in Fault), shares, strict=True)))
    drawn = rule.drawn(point)
    assert (drawn is None) == (point >= sum(shares)) or abs(point - sum(shares)) < 1e-9
    if drawn is not None:
        assert getattr(rule, drawn.value) > 0


VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(min_size=1, max_size=4),
    lambda part: st.lists(part, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=2), part, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_a_lie_has_the_shape_of_the_truth(value: Any) -> None:
    false = lied(value)
    assert type(false) is type(value)
    if isinstance(value, dict):
        assert set(false) == set(value)  # type: ignore[call-overload]


@pytest.mark.anyio
async def test_a_lie_is_one_that_the_tools_schema_takes_so_that_it_deceives(tmp_path: Path) -> None:
    """All of it backwards would be no state that there is: the part that can be false is."""
    closed = {"type": "object", "properties": {"state": {"enum": ["sent", "lost"]}, "days": {"type": "integer"}}}

    async def unreached(arguments: dict[str, Any], context: CallContext) -> object:
        raise AssertionError("a far end was reached")

    track = foreign_tool("track", "local", "Tracks.", ORDER, unreached, effect="read", output_schema=closed)
    where = stage(desk(says("", ("track", {"order": 7})), says("Over.")), tmp_path)
    where = replace(where, tools=(*where.tools, track))
    made = suite(
        answers={"track": [{"value": {"state": "sent", "days": 3}}]}, chaos=[{"lie": 1.0}],
        case={"expect": {"calls": [{"tool": "track", "outcome": "done"}]}},
    )  # fmt: skip
    assert (await played(made, where)).passed == (1, 1)
    assert next(lie for lie in lies({"state": "sent", "days": 3}) if lie["state"] == "sent") == {  # type: ignore[index]
        "state": "sent",
        "days": 4,
    }


@pytest.mark.parametrize("value", [True, 7, "sent", [1], {"state": "sent"}])
def test_a_lie_is_none_of_the_truth(value: object) -> None:
    assert canonical(lied(value)) != canonical(value)


def test_garbage_is_no_text_that_a_service_answers() -> None:
    assert "\x00" in GARBAGE
