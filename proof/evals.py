"""Recorded runs held against golden cases: `python -m proof.evals`.

The recorded tau-bench airline runs of the data folder are made again as runs of an agent (`proof/recorded.py`), into a
ledger that keeps them. Then a suite in which each run has its golden case, the writes that the data says are right, is
loaded from its file and held against that ledger, as `interlock eval run` does it. Issue 7, F1.

The data has labels of its own for what must come out: which writes of each run are not in the ground truth, and whether
the run solved its task. Exits 0 only where, for every run, `eval` counts just so many writes and just so many
unexpected ones, and the case passes where the task was solved and nowhere else. An answer that begins with `Error: ` is
how the recorded service said that it did not do it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from interlock import Agent, CallContext, Principal, Rejected, Settings, Tool, World, open_plane
from interlock.core.message import Message, Role
from interlock.core.tool import Offer
from interlock.evals.agreement import agreement
from interlock.evals.evaluate import Result, evaluate_recorded
from interlock.evals.judge import Word
from interlock.evals.recorded import recorded_runs
from interlock.evals.suite_file import load_suite
from interlock.evals.trial import Trial
from interlock.models.replay import ReplayModel, turns_of
from interlock.settings import LimitSettings, SealSettings
from interlock.testing import CountedIds, FrozenClock
from interlock.verification.calibrate import Share
from proof.conversations import LIMITS
from proof.recorded import FOLDER, RecordedFarEnd, RecordedRun, Suite, Turns, recorded, recorded_tool

AIRLINE = "airline"

_LIFTED = LimitSettings(calls_max=100_000, vain_max=1000, alike_max=1000, near_max=1000, turn_max=64)
"""No limit of ours may change what was recorded."""


class Labels(NamedTuple):
    """What the data says of one run.

    Attributes:
        name: Its id.
        gold: The calls that are right, with their arguments.
        writes, unexpected: How many of its calls write; how many of these are not right.
        solved: Whether it did what it was to do.
    """

    name: str
    gold: list[dict[str, Any]]
    writes: int
    unexpected: int
    solved: bool


def labels(data: Path) -> list[Labels]:
    """Of each run, in the order of the file."""
    with gzip.open(data / "tau_bench" / "traces_gpt4o_airline.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        Labels(
            row["id"], row["labels"]["ground_truth_calls"], len(row["labels"]["write_calls"]),
            len(row["labels"]["write_calls_not_in_ground_truth"]), row["labels"]["utility"],
        )
        for row in rows
    ]  # fmt: skip


async def make(suite: Suite, settings: Settings) -> list[str]:
    """Make the recorded runs again, into the ledger of the settings; their ids."""
    far_end = RecordedFarEnd()
    tools = [_tool(definition, far_end) for definition in suite.tools]
    agents = [Agent(f"run-{number}", _Replay(run, far_end), limits=LIMITS) for number, run in enumerate(suite.runs)]
    made = []
    world = World(clock=FrozenClock(), new_id=CountedIds())
    async with open_plane(settings, tools=tools, world=world, agents=agents, engine=False) as plane:
        for agent, run in zip(agents, suite.runs, strict=True):
            words = next(str(each["content"]) for each in run.messages if each["role"] == "user")
            async with plane.agent(agent.name, Principal("recorded"), words=words) as again:
                await again.result()
            made.append(again.run_id)
    return made


def golden(made: Sequence[str], said: Sequence[Labels], writes: frozenset[str]) -> dict[str, Any]:
    """The suite as a file would say it: of each run the right writes, done, and no other."""
    return {
        "suite": "tau-bench airline",
        "runs": {},
        "cases": [
            {
                "name": each.name,
                "run": run_id,
                "expect": {
                    "calls": [
                        {"tool": call["name"], "arguments": {"": {"equals": call["args"]}}, "outcome": "done"}
                        for call in each.gold
                        if call["name"] in writes
                    ],
                    "only": True,
                },
            }
            for run_id, each in zip(made, said, strict=True)
        ],
    }


async def held(data: Path, folder: Path, runs: int | None) -> tuple[Result, list[Labels]]:
    """The runs in a ledger, and their golden cases held against it; their labels beside it."""
    suite = recorded(data)[AIRLINE]
    suite = suite._replace(runs=suite.runs[:runs], tools=[_as_read(tool) for tool in suite.tools])
    said = labels(data)[:runs]
    settings = Settings(
        folder=folder, ledger=folder / "ledger.db", mode="evaluate_only", limits=_LIFTED, seal=SealSettings(on=False)
    )
    made = await make(suite, settings)
    writes = frozenset(tool["name"] for tool in suite.tools if tool["effect"] == "write")
    file = folder / "golden.json"
    file.write_text(json.dumps(golden(made, said, writes)), encoding="utf-8")
    loaded = load_suite(file)
    async with open_plane(settings, engine=False) as plane:
        found = await recorded_runs(plane.store, loaded, "default", 0)
    return await evaluate_recorded(loaded, found, None, _unheard), said


def wrong(result: Result, said: Sequence[Labels]) -> list[str]:
    """Runs of which `eval` counts something else than the data says, in words."""
    found = []
    for trial, each in zip(result.trials, said, strict=True):
        counted = trial.grade.writes if trial.grade is not None else Share(0, -1)
        if (counted.whole, counted.whole - counted.part) != (each.writes, each.unexpected):
            found.append(f"{each.name}: {counted}; by the data {each.writes} writes, {each.unexpected} not right")
        if trial.passed != each.solved:
            came = "passes" if trial.passed else "; ".join(trial.failures)[:160]
            found.append(f"{each.name}: {came}; by the data it is {'' if each.solved else 'not '}solved")
    return found


def _as_read(definition: dict[str, Any]) -> dict[str, Any]:
    """What is neither read nor write by the data's word (a sum, a transfer to a person) writes nothing."""
    return {**definition, "effect": "read" if definition["effect"] == "neither" else definition["effect"]}


def _tool(definition: dict[str, Any], far_end: RecordedFarEnd) -> Tool:
    name = definition["name"]

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        said = await far_end.answer(name, arguments)
        if str(said).startswith("Error: "):
            raise Rejected(str(said))  # how the airline's service says that it did not do it
        return said

    return recorded_tool(AIRLINE, definition, body)


class _Replay(ReplayModel):
    """The recorded model, by whose turns the far end knows what to answer."""

    def __init__(self, run: RecordedRun, far_end: RecordedFarEnd) -> None:
        super().__init__(*turns_of(run.messages))
        self._calls: Turns = run.turns
        self._far_end = far_end

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `ReplayModel`."""
        place = sum(message.role is Role.MODEL for message in messages)
        self._far_end.calls = list(self._calls[place]) if place < len(self._calls) else []
        return await super().reply(messages, tools)


async def _unheard(trial: Trial) -> None:
    pass


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.evals", description="Recorded runs against golden cases.")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs (all)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-evals-") as folder:
        result, said = anyio.run(held, options.data, Path(folder), options.runs)
    differing = wrong(result, said)
    _print(result, said, differing)
    return int(bool(differing) or not said)


def _print(result: Result, said: Sequence[Labels], differing: Sequence[str]) -> None:
    shares = result.shares
    right, writes = shares["writes_expected"].part, shares["writes_expected"].whole
    unexpected = sum(each.unexpected for each in said)
    print(f"runs in the ledger                    {len(said)}, each with a golden case")
    print(f"writes, as proposed                   eval {writes}, data {sum(each.writes for each in said)}")
    print(f"of these not in the ground truth      eval {writes - right}, data {unexpected}")
    print(f"writes in the ground truth            {_share(shares['writes_expected'])}")
    print(f"right calls that were made            {_share(shares['calls'])}")
    print(f"cases passed                          {_share(result.passed)}")
    print(f"tasks solved, by the data             {_share(Share(sum(each.solved for each in said), len(said)))}")
    words = {True: Word.PASS, False: Word.FAIL}
    pairs = [
        (words[each.solved], words[trial.passed]) for trial, each in zip(result.trials, said, strict=True)
    ]  # fmt: skip
    both = agreement(pairs)
    print(f"a case passes where the task was solved, and fails where not  {_share(both.same)}")
    if both.kappa is not None and both.kappa_interval is not None:
        low, high = both.kappa_interval
        print(f"Cohen's kappa                         {both.kappa:.2f}  [{low:.2f}, {high:.2f}]")
    print(f"runs of which eval says something else than the data: {len(differing)}")
    for line in differing[:10]:
        print(f"  {line}")


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.part} of {share.whole}  {share.value or 0:.1%}  [{low:.1%}, {high:.1%}]"


if __name__ == "__main__":
    sys.exit(main())
