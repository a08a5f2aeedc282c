"""What tools are over in a trial: written answers in the place of far ends, and what goes wrong round them.

Every call asks the plane for its tools as they are accepted now, so that is where the bodies are put in: whatever a
server lists meanwhile, and whoever replaces the registry, no call gets a tool with another body.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from interlock.core.tool import Body, CallContext, Tool
from interlock.errors import Rejected
from interlock.evals.chaos import Injector
from interlock.evals.predicate import broken
from interlock.evals.suite import Case, Suite, WrittenAnswer
from interlock.ledger.definitions import Definitions
from interlock.ledger.store import Store
from interlock.registry.registry import Registry
from interlock.routing import FIND


class FarEnds(Definitions):
    """What is accepted of tools, over other bodies.

    Args:
        store: The ledger of the trial.
        made: Given a tool, the same definition over the body of the trial.
    """

    def __init__(self, store: Store, made: Callable[[Tool], Tool]) -> None:
        super().__init__(store)
        self._made_over = made
        self._below: Registry | None = None
        self._over: Registry | None = None

    async def current(self, registry: Registry) -> Registry:
        """See `Definitions`; the same one for as long as nothing is accepted or replaced."""
        below = self._below if registry is self._over and self._below is not None else registry
        now = await super().current(below)
        if self._over is None or now is not self._below:
            self._below, self._over = now, now.with_bodies(self._made_over)
        return self._over


def bodies(suite: Suite, case: Case, injector: Injector) -> Callable[[Tool], Tool]:
    """Makes a tool of a trial: the definition as it is, over another body. What the plane itself does stays."""

    def made(tool: Tool) -> Tool:
        if tool.starts or tool.name == FIND:
            return tool
        answers = (*case.answers.get(tool.name, ()), *suite.answers.get(tool.name, ()))
        body = tool.body if suite.reads and not answers and not tool.needs_intent else _answering(answers)
        wrapped = injector.wrapped(tool, body)
        return tool if wrapped is tool.body else replace(tool, body=wrapped, batch=None)

    return made


def _answering(answers: tuple[WrittenAnswer, ...]) -> Body:
    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        for answer in answers:
            if not broken(answer.when, arguments):
                if answer.rejected:
                    raise Rejected("the suite says so", reason=answer.rejected)
                return deepcopy(answer.value)
        raise Rejected("no answer is written", reason="the suite has no answer for this call")

    return body
