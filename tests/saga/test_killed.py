"""A saga of five steps that fails at each in turn, killed: it ends as it would have, and the far end did the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any

import anyio
import pytest

from interlock import CallContext, Rejected, Settings, Tool, World, open_plane, tool
from interlock.core.points import Points, pass_by
from interlock.saga.outcome import SagaOutcome
from interlock.testing import CrashAt, EffectOracle, FrozenClock
from interlock.testing.crash import end_of, fork
from proof.sagas import ANA, SAGA, SAGAS, STEPS, lives, tried
from tests.planes import OPA

EVERY = 23
"""Of the points of each saga, one in so many; `python -m proof.sagas` takes them all."""


@pytest.mark.parametrize("shape", SAGAS)
@pytest.mark.parametrize("refuses", ["", *STEPS])
def test_killed_at_any_point_a_saga_ends_as_it_would_have(refuses: str, shape: str) -> None:
    """C4, defects 36 and 41; issue 5, shown by 1: same end, same effects, nothing left due."""
    whole = anyio.run(tried, shape, refuses)
    assert whole.outcome.status == ("compensated" if refuses else "completed")
    for each in lives(shape, refuses, EVERY, 0, offset=STEPS.index(refuses) if refuses else 7):
        trial = anyio.run(tried, shape, refuses, *each)
        assert trial.end == whole.end, f"killed at {each}, {trial.where}"


def test_whoever_goes_on_can_be_killed_too() -> None:
    """K4: inside the recovery as well."""
    whole = anyio.run(tried, "line", "deposit")
    for each in list(lives("line", "deposit", 29, 31))[:30]:
        assert anyio.run(tried, "line", "deposit", *each).end == whole.end, f"killed at {each}"


def tools(oracle: EffectOracle) -> list[Tool]:
    """The tools of the saga over a far end in a process of its own; the last step is refused."""

    def made(name: str, **options: Any) -> Tool:
        def does(n: int, context: Any) -> dict[str, int]:
            if name == STEPS[-1]:
                raise Rejected("409", reason="not now")
            oracle.do(name, {"n": n}, context.idempotency_key, dedupe=True)
            return {"n": n}

        does.__annotations__ = {"n": int, "context": CallContext, "return": dict[str, int]}
        does.__doc__ = f"Do {name}."
        return tool(name=name, effect="reversible", keyed=True, **options)(does)

    undone = {name: {"compensate": f"un{name}", "compensate_with": {"n": "/result/n"}} for name in STEPS[:-1]}
    return [*(made(name, **undone.get(name, {})) for name in STEPS), *(made(f"un{name}") for name in STEPS[:-1])]


async def played(oracle: EffectOracle, folder: Path, reach: Points, later: bool) -> SagaOutcome | None:
    """Start the saga, or go on with what a dead process left."""
    clock = FrozenClock()
    clock.advance(3600 * later)
    (folder / "policy.cedar").write_text("permit (principal, action, resource);")
    settings = Settings(ledger=folder / "ledger.db", folder=folder, policy=folder / "policy.cedar")
    world = World(clock=clock, reach=reach)
    async with open_plane(settings, tools=tools(oracle), world=world, engine=False) as plane:
        if not later:
            async with plane.saga(SAGA, ANA, {"n": 7}) as saga:
                return await saga.outcome()
        for due in await plane.store.due():
            await plane.advance(due.run_id)
        for call in await plane.store.rows("tool_call", {"status": "unknown"}):
            await plane.settle(call["call_id"], "failed", OPA, note="nothing of it is there")
        rows = await plane.store.rows("run")
        return await plane.saga_outcome(rows[0]["run_id"]) if rows else None


@pytest.mark.parametrize(
    ("point", "nth"),
    [("claim.committed", 1), ("attempt.after", 2), ("append.committed", 9), ("intent.committed", 5),
     ("result.returned", 6), ("append.begun", 13), ("close.committed", 8), ("append.committed", 19)],
)  # fmt: skip
def test_a_process_that_is_really_killed_is_gone_on_with_by_another(point: str, nth: int, tmp_path: Path) -> None:
    """K1, K2 of a saga: `kill -9` over SQLite, the far end in a process of its own."""
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        first = partial(played, oracle, tmp_path, CrashAt(point, nth), False)
        assert end_of(fork(lambda: anyio.run(first))) == -SIGKILL
        outcome = anyio.run(partial(played, oracle, tmp_path, pass_by, True))
        oracle.quiet()
        done = [effect["effect"] for effect in oracle.new_effects()]
    assert outcome is not None and outcome.status == "compensated"
    assert done == [*STEPS[:-1], *(f"un{name}" for name in reversed(STEPS[:-1]))]
