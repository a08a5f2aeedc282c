"""Cases over runs that a ledger has: found by their words or their id, read and never played again."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import Principal, Settings, World, open_plane
from interlock.evals.evaluate import Result, evaluate_recorded
from interlock.evals.recorded import recorded_runs
from interlock.evals.suite_file import SuiteFile
from interlock.testing import CountedIds, FrozenClock
from tests.evals.makers import Desk, desk, says, unheard

pytestmark = pytest.mark.anyio

ANA = Principal("ana", roles=frozenset({"support"}))


async def recorded(since_us: int = 0, tenant: str = "default", **said: Any) -> tuple[Result, list[str]]:
    """Three runs of an hour apart, and the suite held against them; their ids beside it."""
    far, clock = Desk(), FrozenClock()
    agent = desk(says("", ("look", {"order": 7}), tokens=10), says("It is sent."))
    world = World(clock=clock, new_id=CountedIds())
    async with open_plane(
        Settings(ledger=None), tools=far.tools(), world=world, agents=[agent], engine=False
    ) as plane:  # fmt: skip
        ids = []
        for words in ("where is order 7", "where is order 7"):
            async with plane.agent("desk", ANA, words=words) as run:
                await run.result()
            ids.append(run.run_id)
            clock.advance(3600)
        async with plane.run(ANA, words="note it") as called:
            await called.call("note", {"order": 7, "note": "late"})
            await called.call("note", '{"order": "seven"}')
        ids.append(called.run_id)
        suite = SuiteFile.model_validate({"suite": "recorded", "runs": {}} | said).made()
        before = await plane.store.read(ids[0])
        runs = await recorded_runs(plane.store, suite, tenant, since_us)
        found = await evaluate_recorded(suite, runs, None, unheard)
        assert await plane.store.read(ids[0]) == before, "nothing is written"
    return found, ids


SENT = {"tools": {"exactly": ["look"]}, "answer": {"contains": ["sent"]}, "end": "answer", "most": {"tokens": 10}}


async def test_a_case_is_held_against_every_run_with_its_words() -> None:
    found, ids = await recorded(cases=[{"name": "where", "words": "where is order 7", "expect": SENT}])
    assert found.passed == (2, 2), found.trials[0].failures
    assert [trial.run.run_id for trial in found.trials if trial.run] == ids[:2]


async def test_runs_before_a_time_are_left_out() -> None:
    since = FrozenClock().wall_us() + 1
    found, ids = await recorded(since, cases=[{"name": "where", "words": "where is order 7", "expect": SENT}])
    assert [trial.run.run_id for trial in found.trials if trial.run] == ids[1:2]


async def test_a_case_may_name_its_run_which_counts_whenever_it_was() -> None:
    found, _ = await recorded(10**18, cases=[{"name": "where", "run": "run_1", "expect": SENT}])
    assert found.passed == (1, 1)


async def test_a_run_that_no_agent_drives_is_held_against_its_calls_as_they_were_proposed() -> None:
    expect = {
        "tools": {"exactly": ["note", "note"]},
        "calls": [
            {"tool": "note", "arguments": {"/note": {"equals": "late"}}, "outcome": "done"},
            {"tool": "note", "arguments": {"/order": {"equals": "seven"}}, "outcome": "refused"},
        ],
        "end": "finished",
    }
    found, _ = await recorded(cases=[{"name": "note", "words": "note it", "expect": expect}])
    assert found.passed == (1, 1), found.trials[0].failures


async def test_a_case_of_which_there_is_no_run_fails_and_another_tenants_runs_are_none() -> None:
    case = {"name": "where", "words": "where is order 7", "expect": SENT}
    found, _ = await recorded(cases=[case, {"name": "never", "words": "never said"}])
    assert (found.passed.part, found.passed.whole) == (2, 3)
    assert found.of("never")[0].failures == ("run: the ledger has none of this case",)
    other, _ = await recorded(tenant="other", cases=[case])
    assert other.passed.part == 0
