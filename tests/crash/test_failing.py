"""Killed where a try has failed and another one, or a fallback, would follow: points that make crash does not pass."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any

import anyio
import pytest

from interlock import CallContext, Interlock, NotSent, Settings, Tool, World, open_plane, tool
from interlock.core.points import Points, pass_by
from interlock.testing import CrashAt, EffectOracle, FrozenClock
from interlock.testing.crash import end_of, fork
from tests.planes import ANA

CLASSES: dict[str, dict[str, Any]] = {"keyed": {"keyed": True}, "idempotent": {"idempotent": True}, "none": {}}


def tools(oracle: EffectOracle, declared: dict[str, Any]) -> list[Tool]:
    """`pay` is refused a connection at its first try; `down` at every one, and falls back to `pay`."""

    def pay(n: int, context: CallContext) -> int:
        """Pay a number."""
        if context.attempt == 1:
            raise NotSent("refused")
        done: int = oracle.do("pay", {"n": n}, context.idempotency_key, dedupe=True)["n"]
        return done

    def down(n: int) -> int:
        """Pay a number elsewhere."""
        raise NotSent("refused")

    return [
        tool(effect="reversible", **declared)(pay),
        tool(effect="reversible", attempts_max=1, fallback="pay", **declared)(down),
    ]


async def no_pause(seconds: float) -> None:
    """What the killed process would have waited."""


async def played(oracle: EffectOracle, declared: dict[str, Any], called: str, folder: Path, later: bool = False) -> Any:
    """Make the call, or take up what a dead process left: how its calls stand."""
    clock = FrozenClock()
    reach: Points = pass_by if later else CrashAt("fallback.before" if called == "down" else "attempt.paused")
    clock.advance(3600 * later)
    settings = Settings(ledger=folder / "ledger.db", folder=folder)
    world = World(clock=clock, pause=no_pause, reach=reach)
    plane: Interlock
    async with open_plane(settings, tools=tools(oracle, declared), world=world, engine=False) as plane:
        if not later:
            async with plane.run(ANA) as run:
                await run.call(called, {"n": 1}, name="mine")
        for due in await plane.store.due():
            await plane.advance(due.run_id)
        return {row["tool"]: row["outcome"] for row in await plane.store.rows("tool_call")}


@pytest.mark.parametrize("declared", CLASSES)
@pytest.mark.parametrize("called", ["pay", "down"])
def test_killed_between_a_try_that_failed_and_what_follows(called: str, declared: str, tmp_path: Path) -> None:
    """K1: what can be sent again is done once, what cannot is unknown; a fallback that never began did nothing."""
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        work = partial(played, oracle, CLASSES[declared], called, tmp_path)
        assert end_of(fork(lambda: anyio.run(work))) == -SIGKILL
        stands = anyio.run(partial(work, later=True))
        oracle.quiet()
        paid = oracle.new_effects()
    if called == "down":
        assert (stands, paid) == ({"down": "failed"}, [])
    elif declared == "none":
        assert (stands, paid) == ({"pay": "unknown"}, [])
    else:
        assert stands == {"pay": "done"}
        assert [effect["arguments"] for effect in paid] == [{"n": 1}]
