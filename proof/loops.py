"""What the limits on loops and on calls at once do to recorded agent runs: `python -m proof.loops`.

The recorded runs of the data folder (AgentDojo, AgentDyn, tau-bench airline) are made again on the real path, each with
what was recorded as its tools' answers (`proof/recorded.py`). Issue 4, shown by 3; requirement B6. A solved run is
touched, and an unsolved one stopped, when `limit.loop` or `limit.fan_out` refuses a call of it. Equal calls are those
with the same tool and arguments in the recording, whatever came of them.

The table says the same of two halves of the tasks, which a digest of the task's name tells apart: a rule that only
remembers these runs would do well on one of them. Intervals are Wilson's, 95 %.

Exits 0 only where at most 1 % of the solved runs were touched, and of the unsolved runs with four or more equal calls
at least 95 % were stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from interlock import CallContext, Principal, Proposal, Settings, Tool, World, open_plane
from interlock.core.canonical import canonical
from interlock.settings import LimitSettings
from interlock.testing import CountedIds, FrozenClock
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER, RecordedFarEnd, Suite, recorded, recorded_tool

EQUAL_MIN = 4
"""From so many equal calls on, an unsolved run should have been stopped."""

TOUCHED_MAX, STOPPED_MIN = 0.01, 0.95
"""Parts of the solved runs, and of the unsolved ones that repeat themselves."""


class Made(NamedTuple):
    """A recorded run that was made again.

    Attributes:
        source, suite, task, solved: Which it is.
        equal: Most calls with the same tool and arguments.
        widest: Most calls of one turn.
        refused: Its calls that were refused, by code.
    """

    source: str
    suite: str
    task: str
    solved: bool
    equal: int
    widest: int
    refused: Counter[str]

    @property
    def stopped(self) -> bool:
        """Whether one of the two limits refused a call."""
        return bool(self.refused["limit.loop"] or self.refused["limit.fan_out"])

    @property
    def repeats(self) -> bool:
        """Whether it is one that should have been stopped."""
        return not self.solved and self.equal >= EQUAL_MIN

    @property
    def half(self) -> int:
        """Which half its task belongs to."""
        return sha256(f"{self.suite}/{self.task}".encode()).digest()[0] % 2


def _said(share: Share) -> str:
    """Counts, the part, and Wilson's interval at 95 %."""
    low, high = share.interval
    return f"{share.part:>4} of {share.whole:>4} {share.value or 0:>7.2%}  [{low:6.2%}, {high:6.2%}]"


def touched(made: Sequence[Made]) -> Share:
    """Solved runs that were touched."""
    solved = [run for run in made if run.solved]
    return Share(sum(run.stopped for run in solved), len(solved))


def stopped(made: Sequence[Made]) -> Share:
    """Unsolved runs with four or more equal calls that were stopped."""
    repeating = [run for run in made if run.repeats]
    return Share(sum(run.stopped for run in repeating), len(repeating))


def main() -> int:
    options = _options()
    names = ("vain_max", "alike_max", "near_max", "turn_max")
    limits = {name: value for name in names if (value := getattr(options, name)) is not None}
    made: list[Made] = []
    for name, suite in recorded(options.data).items():
        print(f"{name}: {len(suite.runs)} runs", file=sys.stderr, flush=True)
        made += anyio.run(make, name, suite._replace(runs=suite.runs[: options.runs]), limits)
    _print(made, limits)
    if options.json:
        said = [run._asdict() for run in made]
        options.json.write_text(json.dumps(said, indent=1) + "\n")
    return int((touched(made).value or 0) > TOUCHED_MAX or (stopped(made).value or 0) < STOPPED_MIN)


async def make(name: str, suite: Suite, limits: Mapping[str, int] | None = None) -> list[Made]:
    """Make the runs of a suite again, one after the other, with these limits beside the defaults."""
    far_end = RecordedFarEnd()
    tools = [_tool(name, definition, far_end) for definition in suite.tools]
    settings = Settings(
        ledger=None, mode="evaluate_only", limits=LimitSettings(calls_max=10_000, **(limits or {}))
    )  # fmt: skip
    world = World(clock=FrozenClock(), new_id=CountedIds())
    made = []
    async with open_plane(settings, tools=tools, world=world, engine=False) as plane:
        for number, run in enumerate(suite.runs):
            refused: Counter[str] = Counter()
            equal: Counter[tuple[str, bytes]] = Counter()
            async with plane.run(Principal(f"p{number}", f"t{number}")) as again:
                for calls in run.turns:
                    far_end.calls = list(calls)
                    proposals = [Proposal(tool=call.tool, arguments=call.arguments) for call in calls]
                    outcomes = await again.calls(proposals)
                    refused.update(outcome.code for outcome in outcomes if outcome.code.startswith("limit."))
                    equal.update((call.tool, canonical(call.arguments)) for call in calls)
            most = max(equal.values(), default=0)
            widest = max(map(len, run.turns), default=0)
            made.append(Made(run.source, name, run.task, run.solved, most, widest, refused))
    return made


def _tool(suite: str, definition: dict[str, Any], far_end: RecordedFarEnd) -> Tool:
    name = definition["name"]

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return await far_end.answer(name, arguments)

    return recorded_tool(suite, definition, body)


def _rows(made: Sequence[Made]) -> Iterator[tuple[str, list[Made]]]:
    by_source: dict[str, list[Made]] = defaultdict(list)
    for run in made:
        by_source[run.source].append(run)
    yield from by_source.items()
    for half in (0, 1):
        yield f"half {half + 1}", [run for run in made if run.half == half]
    yield "all", list(made)


def _print(made: Sequence[Made], limits: Mapping[str, int]) -> None:
    default = LimitSettings()
    names = ("vain_max", "alike_max", "near_max", "turn_max")
    print("limits: " + ", ".join(f"{name} {limits.get(name, getattr(default, name))}" for name in names))
    print(f"{'':<10}{'solved runs touched':<40}  unsolved runs with {EQUAL_MIN} or more equal calls stopped")
    for name, runs in _rows(made):
        print(f"{name:<10}{_said(touched(runs)):<40}  {_said(stopped(runs))}")
    others = [run for run in made if not run.solved and not run.repeats]
    print(f"other unsolved runs touched: {sum(run.stopped for run in others)} of {len(others)}")
    solved = [run for run in made if run.solved]
    wide = ", ".join(
        f"{width} {sum(run.widest > width for run in solved) / max(len(solved), 1):.2%}"
        for width in (1, 2, 3, 4, 5, 6, 7, 16)
    )
    print(f"solved runs with a turn of more calls than: {wide}")
    widest = max((run.widest for run in made), default=0)
    print(f"refused for their place in a turn: {sum(run.refused['limit.fan_out'] for run in made)} calls; ", end="")
    print(f"the widest turn of a solved run has {max((run.widest for run in solved), default=0)}, of any {widest}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.loops", description="Loop limits on recorded agent runs.")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each suite (all)")
    for name in ("vain", "alike", "near", "turn"):
        parser.add_argument(f"--{name}-max", type=int, metavar="N", help=f"limits.{name}_max in the default's place")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what came of each run there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
