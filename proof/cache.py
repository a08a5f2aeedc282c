"""What the cache saves on recorded agent runs, and that it tells nobody another's result: `python -m proof.cache`.

The recorded runs of the data folder (AgentDojo, AgentDyn, tau-bench airline) are made again on the real path, with
what was recorded as the tools' answers. Issue 3, shown by 7. What is assumed, because the recordings do not say it:

- Time: they have no times. A turn of the model takes 2, 5 or 10 seconds (`--turn-s`); calls of one turn are proposed
  together. Results are good for 30 seconds (`--cache-s`).
- Principals: each run is a principal of its own. Runs are made side by side, turn by turn, so that many ask the same
  at the same moment. In `alone` each has its tenant; in `shared` fifty are in one, and a write of any of them puts
  out of date what all of them read.
- Effects: by the labels of the data folder, else by the name's verb. Every write puts all reads of its suite out of
  date. Reads of web pages carry data out and are never reused.

Each answer carries whom it was for, and how many writes of its tenant had ended when it was got. Exits 0 only where
no answer was told to another principal, and none that is older than a write whose end had been told before the call.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from anyio.lowlevel import checkpoint

from interlock import (
    CallContext,
    Interlock,
    OutcomeKind,
    Principal,
    Proposal,
    Rejected,
    Settings,
    Tool,
    World,
    open_plane,
)
from interlock.core.call import Outcome
from interlock.core.canonical import canonical
from interlock.testing import CountedIds, FrozenClock
from proof.recorded import FOLDER, Call, Turns, recorded, recorded_tool

SHARING = 50
"""Runs that are in one tenant, where tenants are shared, and that are made side by side."""


@dataclass
class Share:
    """What came of the runs of one suite.

    Attributes:
        suite: Which.
        runs, calls, reads: How many were made; reads are calls of reads that were done.
        cached: Reads that were answered without asking the tool.
        across: Answers that were got for another principal.
        stale: Answers older than a write whose end had been told before the call.
        differ: Answers from the cache that are not what was recorded for that call: the tool should not have said that
            its results are good for a while, as one whose reading changes what it says next.
        differing: The tools of which they are.
    """

    suite: str
    runs: int = 0
    calls: int = 0
    reads: int = 0
    cached: int = 0
    across: int = 0
    stale: int = 0
    differ: int = 0
    differing: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Part of the reads that were answered from the cache."""
        return self.cached / self.reads if self.reads else 0.0


class Setting(NamedTuple):
    """How the runs are made.

    Attributes:
        turn_s: Seconds between two turns.
        cache_s: Seconds that results are good for.
        shared: Whether runs share a tenant.
    """

    turn_s: float
    cache_s: float
    shared: bool


def main() -> int:
    options = _options()
    settings = [Setting(turn_s, options.cache_s, shared) for shared in (False, True) for turn_s in options.turn_s]
    rows: list[list[Share]] = []
    for suite, (tools, runs) in recorded(options.data).items():
        print(f"{suite}: {len(runs)} runs", file=sys.stderr, flush=True)
        turns = [run.turns for run in runs[: options.runs]]
        rows.append([anyio.run(measure, suite, tools, turns, setting) for setting in settings])
    _print(settings, rows)
    if options.json:
        said = [
            {**setting._asdict(), **vars(share), "share": share.share}
            for row in rows
            for setting, share in zip(settings, row, strict=True)
        ]
        options.json.write_text(json.dumps(said, indent=1) + "\n")
    found = [share for row in rows for share in row]
    return int(not found or any(share.across or share.stale for share in found))


async def measure(suite: str, definitions: Sequence[dict[str, Any]], runs: Sequence[Turns], how: Setting) -> Share:
    """Make the runs again and count."""
    share, clock = Share(suite), FrozenClock()
    far_end = _FarEnd()
    tools = [_tool(suite, definition, far_end, how.cache_s) for definition in definitions]
    settings = Settings(
        ledger=None,
        mode="evaluate_only",
        limits={"calls_max": 10_000, "alike_max": 1000, "vain_max": 1000, "near_max": 1000, "turn_max": 64},
    )  # type: ignore[arg-type]  # pydantic reads it
    world = World(clock=clock, new_id=CountedIds())
    async with open_plane(settings, tools=tools, world=world, engine=False) as plane:
        for first in range(0, len(runs), SHARING):
            some = runs[first : first + SHARING]
            replays = [
                _Replay(plane, far_end, share, turns, Principal(f"p{first + n}", _tenant(first, n, how.shared)))
                for n, turns in enumerate(some)
            ]
            await _side_by_side(replays, clock, how.turn_s)
    return share


async def _side_by_side(replays: Sequence[_Replay], clock: FrozenClock, turn_s: float) -> None:
    """Every run's first turn, then every run's second."""
    for number in range(max(len(replay.turns) for replay in replays)):
        async with anyio.create_task_group() as tasks:
            for replay in replays:
                if number < len(replay.turns):
                    tasks.start_soon(replay.turn, number)
        clock.advance(turn_s)


class _FarEnd:
    """What was recorded, for whoever asks now.

    Attributes:
        now: The recorded calls of the turn that each principal is in.
        ended: Writes of each tenant whose end was told.
    """

    def __init__(self) -> None:
        self.now: dict[str, list[Call]] = {}
        self.ended: Counter[str] = Counter()

    async def answer(self, tool: str, arguments: dict[str, Any], context: CallContext) -> object:
        ended = self.ended[context.tenant]
        await checkpoint()
        asked = canonical(arguments)
        call = next(
            call for call in self.now[context.principal_id] if call.tool == tool and canonical(call.arguments) == asked
        )
        if call.error:
            raise Rejected(call.error)
        return {"said": call.said, "for": f"{context.tenant}/{context.principal_id}", "ended": ended}


class _Replay:
    """One recorded run that is made again."""

    def __init__(
        self, plane: Interlock, far_end: _FarEnd, share: Share, turns: Turns, principal: Principal
    ) -> None:  # fmt: skip
        self.turns = turns
        self._plane = plane
        self._far_end = far_end
        self._share = share
        self._principal = principal
        self._run_id = ""
        share.runs += 1

    async def turn(self, number: int) -> None:
        calls, who = self.turns[number], self._principal
        self._far_end.now[who.id] = calls
        ended = self._far_end.ended[who.tenant]
        async with self._plane.run(who) as run:
            outcomes = await run.calls([Proposal(tool=call.tool, arguments=call.arguments) for call in calls])
            told = {event.fact.call_id: event.fact.body for event in await self._plane.store.read(run.run_id)}
        tools = {tool.name: tool for tool in self._plane.tools}
        for call, outcome in zip(calls, outcomes, strict=True):
            self._share.calls += 1
            if outcome.done and not tools[call.tool].writes:
                self._count(call, outcome, ended, "cached" in told[outcome.call_id])
            elif outcome.kind is not OutcomeKind.REFUSED and tools[call.tool].invalidates:
                self._far_end.ended[who.tenant] += 1

    def _count(self, call: Call, outcome: Outcome, ended: int, cached: bool) -> None:
        share, who = self._share, self._principal
        share.reads += 1
        share.cached += cached
        share.across += outcome.value["for"] != f"{who.tenant}/{who.id}"
        share.stale += outcome.value["ended"] < ended
        if cached and not call.error and outcome.value["said"] != call.said:
            share.differ += 1
            share.differing[call.tool] += 1


def _tenant(first: int, number: int, shared: bool) -> str:
    return f"t{first}" if shared else f"t{first + number}"


def _tool(suite: str, definition: dict[str, Any], far_end: _FarEnd, cache_s: float) -> Tool:
    name = definition["name"]

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return await far_end.answer(name, arguments, context)

    return recorded_tool(suite, definition, body, cache_s)


def _print(settings: Sequence[Setting], rows: Sequence[Sequence[Share]]) -> None:
    """The table: a row for each suite, and one for all."""
    print(f"reads answered from the cache, results good for {settings[0].cache_s:g} s, so many seconds a turn")
    names = [f"{'shared' if how.shared else 'alone'} {how.turn_s:g} s" for how in settings]
    head = "".join(f"{name:>13}" for name in names)
    print(f"{'suite':<11}{'runs':>6}{'calls':>7}{'reads':>7}{head}{'differ':>8}{'stale':>7}{'across':>8}")
    total = [Share("all") for _ in settings]
    for row in rows:
        for share, whole in zip(row, total, strict=True):
            for name in ("runs", "calls", "reads", "cached", "across", "stale", "differ"):
                setattr(whole, name, getattr(whole, name) + getattr(share, name))
    for row in [*rows, total]:
        first = row[0]
        cells = "".join(f"{share.share:>13.1%}" for share in row)
        sums = [sum(getattr(share, name) for share in row) for name in ("differ", "stale", "across")]
        print(
            f"{first.suite:<11}{first.runs:>6}{first.calls:>7}{first.reads:>7}{cells}"
            f"{sums[0]:>8}{sums[1]:>7}{sums[2]:>8}"
        )
    differing = sum((share.differing for row in rows for share in row), Counter[str]())
    answered = sum(share.reads for share in total)
    print(f"{answered} answers: {sum(share.across for share in total)} across principals, ", end="")
    print(f"{sum(share.stale for share in total)} older than a write that had ended")
    if differing:
        named = ", ".join(f"{name} {count}" for name, count in differing.most_common(5))
        print(f"differ: from the cache, and the recording has another answer, with no write between: {named}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.cache", description="What the cache saves on recorded agent runs."
    )
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each suite (all)")
    parser.add_argument("--turn-s", type=float, nargs="+", default=[2.0, 5.0, 10.0], metavar="S", help="seconds a turn")
    parser.add_argument("--cache-s", type=float, default=30.0, metavar="S", help="seconds that results are good (30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
