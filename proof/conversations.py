"""Recorded conversations of real models, through the agent's loop: `python -m proof.conversations`.

Each recorded run of the data folder (AgentDojo, AgentDyn, tau-bench airline) is a run of an agent whose model says what
was recorded and whose tools answer what was recorded (`proof/recorded.py`), under the default policy and limits. Issue
5, shown by 5. What is left out: turns that only talk to the user, who does not reply here, but for the last one.

For every run: each proposed call is decided and has a record of its own that is closed or waits; each is answered in
one message of role tool that bears its id; each that is not valid is answered with an error that says what to repair.
Exits 0 only where that holds for all, nothing was raised, and at least 1,000 runs were made.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from interlock import (
    Agent,
    AgentLimits,
    CallContext,
    Interlock,
    Principal,
    Settings,
    Tool,
    World,
    open_plane,
)
from interlock.core.message import Message, Role
from interlock.core.run import RunState, speaker
from interlock.core.tool import Offer
from interlock.models.replay import ReplayModel, turns_of
from interlock.testing import CountedIds, FrozenClock
from proof.recorded import FOLDER, RecordedFarEnd, RecordedRun, Suite, Turns, recorded, recorded_tool

RUNS_MIN = 1000

LIMITS = AgentLimits(turns_max=200)
"""More turns than any recording has: what ends a run early is the limit on loops."""


@dataclass
class Made:
    """What came of the runs of one suite.

    Attributes:
        suite: Which.
        runs, turns, calls: How many; calls as proposed.
        outcomes: Outcome of each call, by kind.
        refused: Code of each refusal.
        ends: How the runs ended.
        invalid: Calls that the schema or the parser refused.
        wrong: What does not hold, in words.
    """

    suite: str
    runs: int = 0
    turns: int = 0
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    invalid: int = 0
    wrong: list[str] = field(default_factory=list)


async def make(name: str, suite: Suite) -> Made:
    """Make the runs of a suite again, one after the other."""
    made, far_end = Made(name), RecordedFarEnd()
    tools = [_tool(name, definition, far_end) for definition in suite.tools]
    replays = [_Replay(run, far_end) for run in suite.runs]
    agents = [Agent(f"run-{number}", replay, limits=LIMITS) for number, replay in enumerate(replays)]
    world = World(clock=FrozenClock(), new_id=CountedIds())
    async with open_plane(Settings(ledger=None), tools=tools, world=world, agents=agents, engine=False) as plane:
        for number, run in enumerate(suite.runs):
            try:
                await _one(plane, f"run-{number}", run, made)
            except Exception:  # what this is to find
                made.wrong.append(f"run {number} raised {traceback.format_exc(limit=3)}")
            made.wrong += [f"run {number}: {wrong}" for wrong in replays[number].wrong]
    return made


async def _one(plane: Interlock, agent: str, run: RecordedRun, made: Made) -> None:
    words = next((str(each["content"]) for each in run.messages if each["role"] == "user"), "")
    principal = Principal(agent, agent, roles=frozenset({"support"}))
    async with plane.agent(agent, principal, words=words) as again:
        result = await again.result()
    conversation = await plane.plane.ledger.conversation(again.run_id, agent)
    made.runs += 1
    made.turns += result.turns
    made.ends[result.end.value] += 1
    for wrong in _count(conversation.state, made):
        made.wrong.append(f"{agent}: {wrong}")


def _count(run: RunState, made: Made) -> Iterator[str]:
    """Count what came of each proposed call; what is missing of one."""
    assert run.transcript is not None
    for turn in run.transcript.turns:
        for asked in turn.calls:
            made.calls += 1
            call = speaker(run, asked.call_id)
            outcome = call.outcome if call is not None else None
            if outcome is None:
                yield f"{asked.tool} has no record"
                continue
            made.outcomes[outcome.kind.value] += 1
            if outcome.kind.value == "refused":
                made.refused[outcome.code] += 1
            if outcome.code.startswith("validate."):
                made.invalid += 1
                if not (outcome.message and (outcome.problems or outcome.next_step)):
                    yield f"{asked.tool} is not valid, and nothing says what to repair: {outcome}"


class _Replay(ReplayModel):
    """The recorded model, which also looks at what it is told."""

    def __init__(self, run: RecordedRun, far_end: RecordedFarEnd) -> None:
        super().__init__(*turns_of(run.messages))
        self._calls: Turns = run.turns
        self._far_end = far_end
        self.wrong: list[str] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `ReplayModel`; the tools are told which turn it is."""
        place = sum(message.role is Role.MODEL for message in messages)
        self._far_end.calls = list(self._calls[place]) if place < len(self._calls) else []
        self.wrong += _unpaired(messages)
        return await super().reply(messages, tools)


def _unpaired(messages: Sequence[Message]) -> Iterator[str]:
    """Calls of the last turn that are not answered by one message each, in their order, in an envelope."""
    last = max((place for place, each in enumerate(messages) if each.role is Role.MODEL), default=None)
    if last is None:
        return
    answers = [message for message in messages[last + 1 :] if message.role is Role.TOOL]
    if [answer.answers for answer in answers] != [proposal.id for proposal in messages[last].proposals]:
        yield f"turn {last}: calls and results are not pairs"
    for answer in answers:
        if json.loads(answer.text)["kind"] != "tool_result":
            yield f"turn {last}: a result is in no envelope"


def _tool(suite: str, definition: dict[str, Any], far_end: RecordedFarEnd) -> Tool:
    name = definition["name"]

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return await far_end.answer(name, arguments)

    return recorded_tool(suite, definition, body)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.conversations", description="Recorded runs in the loop.")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each suite (all)")
    options = parser.parse_args()
    made: list[Made] = []
    for name, suite in recorded(options.data).items():
        print(f"{name}: {len(suite.runs)} runs", file=sys.stderr, flush=True)
        made.append(anyio.run(make, name, suite._replace(runs=suite.runs[: options.runs])))
    _print(made)
    few = options.runs is None and sum(each.runs for each in made) < RUNS_MIN
    return int(few or any(each.wrong for each in made))


def _print(made: Sequence[Made]) -> None:
    kinds = ("done", "refused", "failed", "held", "unknown", "withheld")
    print(
        f"{'suite':<11}{'runs':>6}{'turns':>8}{'calls':>8}"
        + "".join(f"{kind:>9}" for kind in kinds)
        + f"{'invalid':>9}"
    )
    total = Made("all")
    for each in made:
        for name in ("runs", "turns", "calls", "invalid"):
            setattr(total, name, getattr(total, name) + getattr(each, name))
        for counter in ("outcomes", "refused", "ends"):
            getattr(total, counter).update(getattr(each, counter))
    for each in [*made, total]:
        print(
            f"{each.suite:<11}{each.runs:>6}{each.turns:>8}{each.calls:>8}"
            + "".join(f"{each.outcomes[kind]:>9}" for kind in kinds)
            + f"{each.invalid:>9}"
        )
    print("refused: " + ", ".join(f"{code} {count}" for code, count in total.refused.most_common()))
    print("ended: " + ", ".join(f"{end} {count}" for end, count in total.ends.most_common()))
    wrong = [wrong for each in made for wrong in each.wrong]
    print(f"not as it should be: {len(wrong)}")
    for each in wrong[:10]:
        print(f"  {each}")


if __name__ == "__main__":
    sys.exit(main())
