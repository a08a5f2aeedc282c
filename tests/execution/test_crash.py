"""Killed at every crash point, over SQLite, beside a far end that writes down what really happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import OutcomeKind, World
from interlock.core.call import ToolCall, ValidCall
from interlock.core.ids import named_call_id
from interlock.errors import NotFound
from interlock.execution.idempotency import idempotency_key
from interlock.ledger.chain import first_bad
from interlock.registry.validate import validate
from interlock.testing import EffectOracle, FrozenClock
from tests.planes import ANA, OPA, Stage, staged
from tests.workers import RUN_ID, counted, far_tools, killed, one_call

POINTS = {"get": 26, "put": 31, "pay": 44}
"""How many crash points a run with one call of each tool passes: a read has no intent, a held call closes twice."""

CASES = [(effect, nth) for effect, points in POINTS.items() for nth in (*range(1, points + 1), 0)]


class Far:
    """The far end as one test sees it: what was done since the test began."""

    def __init__(self, oracle: EffectOracle) -> None:
        self.port = oracle.port
        self._oracle = oracle
        self._before = len(oracle.effects())

    def effects(self) -> list[dict[str, Any]]:
        return self._oracle.effects()[self._before :]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EffectOracle]:
    with EffectOracle(tmp_path_factory.mktemp("far") / "effects.jsonl") as oracle:
        yield oracle


@pytest.fixture
def far(oracle: EffectOracle) -> Far:
    return Far(oracle)


def later(prefix: str) -> World:
    """Another process, an hour later: the first one's claim has lapsed."""
    clock = FrozenClock()
    clock.advance(3600)
    return World(clock=clock, new_id=counted(prefix))


def mine(effect: str) -> ToolCall:
    return ToolCall(
        run_id=RUN_ID, call_id=named_call_id(RUN_ID, "mine"), tool=effect, arguments={"n": 1}, principal=ANA,
        name="mine",
    )  # fmt: skip


async def check_recovered(stage: Stage, far: Far, effect: str, acknowledged: bool) -> None:
    """What the ledger says after a crash, and what becomes of it, agrees with what the far end wrote down."""
    before = far.effects()
    events = await stage.events(RUN_ID)
    assert first_bad(events) == 0
    keys = [event.fact.body["key"] for event in events if event.fact.kind == "call.intent"]
    assert len(before) <= 1
    if effect != "get":
        assert all(done["key"] in keys for done in before), "defect 35: no effect without an intent"
    if not events:
        assert before == []
        return  # it was killed before its start was on disk: there is no such run
    async with stage.plane.run(ANA, run_id=RUN_ID) as run:
        assert await stage.plane.advance(RUN_ID)
        outcome = await run.call(effect, {"n": 1}, name="mine")
    effects = far.effects()
    if effect == "get":
        assert outcome.done
        return
    assert len(effects) <= 1, "defect 53: never a second effect"
    if acknowledged:
        assert outcome.done
        assert len(effects) == 1, "no acknowledged effect is lost"
    if keys and not acknowledged:
        assert outcome.kind in (OutcomeKind.UNKNOWN, OutcomeKind.DONE), "an intent without a result is unknown"
    if outcome.kind is OutcomeKind.UNKNOWN:
        assert effects == before, "defect 44: what is unknown is not tried again"
        listed = await stage.plane.store.rows("tool_call", {"status": "unknown"})
        assert [row["call_id"] for row in listed] == [outcome.call_id]
        word = "done" if effects else "failed"
        assert (await stage.plane.settle(outcome.call_id, word, OPA, note="seen at the far end")).kind == word
    else:
        assert outcome.kind in (OutcomeKind.DONE, OutcomeKind.HELD)
        assert len(effects) == outcome.done
    check_key(stage, keys, effects, effect)


def check_key(stage: Stage, keys: list[str], effects: list[dict[str, str]], effect: str) -> None:
    """Defect 34: the key is what it was before the crash, for whoever makes the call now."""
    valid = validate(mine(effect), stage.plane.plane.registry)
    assert isinstance(valid, ValidCall)
    key = idempotency_key(stage.plane.plane.executor.deployment_key, valid)
    assert {*keys, *(done["key"] for done in effects)} <= {key}


@pytest.mark.anyio
@pytest.mark.parametrize(("effect", "nth"), CASES)
async def test_killed_at_any_point_no_effect_is_lost_doubled_or_without_intent(
    effect: str, nth: int, tmp_path: Path, far: Far
) -> None:
    """Defects 34, 35, 44, 53, 64; spec approvals 3: a consumed approval belongs to its intent."""
    ledger = tmp_path / "ledger.db"
    assert killed(one_call, str(ledger), far.port, effect, nth) == bool(nth)
    answered = ledger.with_name("acknowledged.json")
    acknowledged = answered.exists() and json.loads(answered.read_text())["outcome"] == "done"
    assert acknowledged or nth
    async with staged(*far_tools(far.port), ledger=ledger, world=later("second")) as stage:
        await check_recovered(stage, far, effect, acknowledged)


@pytest.mark.anyio
async def test_a_run_of_which_nothing_became_durable_does_not_exist(tmp_path: Path, far: Far) -> None:
    async with staged(*far_tools(far.port), ledger=tmp_path / "ledger.db", world=later("second")) as stage:
        with pytest.raises(NotFound):
            await stage.plane.advance(RUN_ID)


@pytest.mark.anyio
async def test_advancing_after_a_crash_twice_is_advancing_once(tmp_path: Path, far: Far) -> None:
    """DESIGN.md 1.3: and the unknown is said once."""
    ledger = tmp_path / "ledger.db"
    assert killed(one_call, str(ledger), far.port, "put", 16)
    async with staged(*far_tools(far.port), ledger=ledger, world=later("second")) as stage:
        for _ in range(3):
            assert await stage.plane.advance(RUN_ID)
        assert (await stage.said(RUN_ID)).count("call.unknown/unknown") == 1
        assert far.effects() == []
