"""Search over reads and rehearsals."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import BadInput, Run
from interlock.errors import StoreUnavailable
from interlock.search import Branch, Found, Move, Search, search
from interlock.testing import FrozenClock
from tests.planes import Far, WatchedStore, staged

pytestmark = pytest.mark.anyio


async def numbers(branch: Branch) -> list[Move]:
    """From each number to twice it and one more; a write at the third place."""
    at = branch.moves[-1].arguments["n"] if branch.moves else 1
    tool = "put" if len(branch.moves) == 2 else "look"
    return [Move(tool, {"n": 2 * at}), Move(tool, {"n": 2 * at + 1})] if len(branch.moves) < 3 else []


async def highest(branch: Branch) -> float:
    """The larger the last number, the better."""
    return float(branch.moves[-1].arguments["n"])


async def found(run: Run, **more: Any) -> Found:
    """What a search comes to."""
    return await search(run, Search(**{"name": "s", "expand": numbers, "score": highest} | more))


async def test_a_search_reads_rehearses_and_changes_nothing() -> None:
    """C2: the writes of the path that it finds are made by ordinary calls, and by nobody else."""
    far = Far()
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage, stage.run() as run:
        came = await found(run)
        assert [move.arguments["n"] for move in came.best.moves] == [3, 7, 15]
        assert (came.looked, came.exhausted, set(far.names)) == (14, True, {"look"})
        assert came.best.left == (Move("put", {"n": 15}),)
        for move in came.best.left:
            assert (await run.call(move.tool, move.arguments)).done
        assert far.ran[-1] == ("put", {"n": 15})


async def test_a_search_ends_with_its_budget_and_goes_down_the_best_branch_first() -> None:
    async with staged(Far().tool("look"), Far().tool("put", "reversible")) as stage, stage.run() as run:
        came = await found(run, nodes_max=6)
        assert (came.looked, came.exhausted) == (6, False)
        assert [move.arguments["n"] for move in came.best.moves] == [3, 7, 15]
        with pytest.raises(BadInput, match="nodes_max"):
            await found(run, nodes_max=0)


async def test_what_carries_something_out_or_starts_a_run_is_only_rehearsed() -> None:
    far = Far()

    async def sends(branch: Branch) -> list[Move]:
        return [] if branch.moves else [Move("send", {"n": 1}), Move("pay", {"n": 2}), Move("none", {"n": 3})]

    tools = (far.tool("send", outward=True), far.tool("pay", "irreversible"))
    async with staged(*tools) as stage, stage.run() as run:
        came = await found(run, expand=sends)
        assert [outcome.code for outcome in came.best.outcomes] == ["rehearsal.would_hold"]
        assert (far.ran, came.looked) == ([], 3)
        assert not await stage.plane.store.rows("approval")


async def test_a_branch_that_policy_denies_is_no_branch() -> None:
    async with staged(Far().tool("look"), Far().tool("put", "reversible")) as stage:
        stage.obey('permit (principal, action == Action::"look", resource);')
        async with stage.run() as run:
            came = await found(run)
        assert [move.tool for move in came.best.moves] == ["look", "look"]


async def test_a_search_that_was_cut_off_asks_for_nothing_twice() -> None:
    """C5: what it had looked at stands in the ledger."""
    far, clock = Far(), FrozenClock()
    store = WatchedStore(clock)
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage:
        stage.store_in(store)
        async with stage.run() as run:
            store.fail_at = {6, 7}  # the two of one branch are recorded at the same time
            with pytest.raises(StoreUnavailable):
                await found(run)
            came = await found(run)
        assert [move.arguments["n"] for move in came.best.moves] == [3, 7, 15]
        assert len(far.ran) <= 6 + 1  # one may have run whose record failed: a read
