"""Suites, agents and far ends of tests: time stands still, and a stall waits no moment."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from interlock import Agent, CallContext, Proposal, Settings, Tool, World, foreign_tool
from interlock.core.message import Message, Role, Usage
from interlock.evals.evaluate import Result, evaluate
from interlock.evals.play import Stage
from interlock.evals.suite import Suite
from interlock.evals.suite_file import SuiteFile
from interlock.evals.trial import Trial
from interlock.models.replay import ReplayModel
from interlock.testing import CountedIds, FrozenClock

ORDER = {
    "type": "object",
    "properties": {"order": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["order"],
    "additionalProperties": False,
}
FOUND = {"type": "object", "properties": {"state": {"type": "string"}}, "required": ["state"]}


def suite(**said: Any) -> Suite:
    """A suite as its file would say it; `cases` may be left out where one case's parts are given as `case`."""
    case = said.pop("case", None)
    if case is not None:
        said["cases"] = [{"name": "one", "words": "look at order 7"} | case]
    return SuiteFile.model_validate(
        {"suite": "desk", "agent": "desk", "principal": {"id": "ana", "roles": ["support"]}} | said
    ).made()


def says(text: str = "", *calls: tuple[str, Mapping[str, Any]], tokens: int = 0) -> Message:
    """A turn of the model."""
    proposals = tuple(
        Proposal(tool=tool, arguments=json.dumps(arguments), id=f"c{place}")
        for place, (tool, arguments) in enumerate(calls)
    )
    usage = Usage(tokens, 0) if tokens else None
    return Message(role=Role.MODEL, text=text, proposals=proposals, usage=usage)


def desk(*turns: Message, **options: Any) -> Agent:
    """The agent under test, whose model is written down."""
    return Agent("desk", ReplayModel(*turns), **options)


class Desk:
    """A far end with three tools that writes down what reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def tools(self, **refund: Any) -> list[Tool]:
        """`look` reads, `refund` cannot be taken back, `note` can."""

        def body(name: str) -> Callable[[dict[str, Any], CallContext], Awaitable[object]]:
            async def does(arguments: dict[str, Any], context: CallContext) -> object:
                self.reached.append(name)
                return {"state": "real"}

            return does

        return [
            foreign_tool("look", "local", "Looks.", ORDER, body("look"), effect="read", output_schema=FOUND),
            foreign_tool("refund", "local", "Refunds.", ORDER, body("refund"), effect="irreversible", **refund),
            foreign_tool("note", "local", "Notes.", ORDER, body("note"), effect="reversible", **refund),
        ]


def stage(agent: Agent, folder: Path, far: Desk | None = None, clock: FrozenClock | None = None) -> Stage:
    """Where suites are played, with the tools of a module in the folder."""
    far, clock = far or Desk(), clock or FrozenClock()

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    world = World(clock=clock, new_id=CountedIds(), pause=pause)
    return Stage(settings=Settings(folder=folder, ledger=None), world=world, agents=(agent,), tools=tuple(far.tools()))


async def unheard(trial: Trial) -> None:
    """Told a trial, and does nothing."""


async def played(made: Suite, where: Stage) -> Result:
    """The suite, without a judge."""
    return await evaluate(made, where, None, unheard)
