"""Failure injection: tools that fail, stall, lie or return garbage, by a seed.

What goes wrong goes wrong in a tool's body, below the path: every gate meets it as it would meet the far end's own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from interlock.core.canonical import canonical
from interlock.core.tool import Body, CallContext, Tool
from interlock.errors import TryLater
from interlock.registry.schema import compile_schema

_TURN = 1 << 64

GARBAGE = '\ufffd\x00 <html><body>502 Bad Gateway</body></html> {"partial": tru'
"""What a broken proxy might say in a service's place: no value of any service."""


class Fault(StrEnum):
    """What may go wrong with one try of a tool."""

    FAIL = "fail"
    STALL = "stall"
    LIE = "lie"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """What goes wrong, how often, with which tools.

    Attributes:
        tools: Names; every tool where empty.
        fail: Part of the tries that the far end answers with «later», and does nothing.
        stall: Part of those that are never answered, and do nothing; nobody can know that.
        lie: Part of those that are done and answered with another value of the same shape.
        garbage: Part of those that are done and answered with what is no value of the tool.
    """

    tools: frozenset[str] = frozenset()
    fail: float = 0.0
    stall: float = 0.0
    lie: float = 0.0
    garbage: float = 0.0

    def drawn(self, point: float) -> Fault | None:
        """What goes wrong at a point from 0 to 1; None where nothing does."""
        for fault in Fault:
            share = float(getattr(self, fault.value))
            if point < share:
                return fault
            point -= share
        return None


class Injected(NamedTuple):
    """One thing that was made to go wrong.

    Attributes:
        tool, call_id: Which call.
        attempt: Which try of the same arguments in this trial, from 1.
        fault: What.
    """

    tool: str
    call_id: str
    attempt: int
    fault: Fault


@dataclass(slots=True)
class Injector:
    """Wraps tools of one trial. What goes wrong depends on the seed, the trial, the call and which try of it it is.

    So calls that run together may end in any order, and the same goes wrong.

    Attributes:
        rules: What goes wrong; the first that names a tool counts for it.
        salt: Seed, case and number of the trial.
        pause: Waits; a stalled tool waits as long as its call does.
        injected: What was made to go wrong so far.
    """

    rules: Sequence[Chaos]
    salt: str
    pause: Callable[[float], Awaitable[None]]
    injected: list[Injected] = field(default_factory=list)
    _tries: Counter[bytes] = field(default_factory=Counter)

    def wrapped(self, tool: Tool, body: Body) -> Body:
        """The body with what may go wrong before and after it; itself where no rule names the tool."""
        rule = next((rule for rule in self.rules if not rule.tools or tool.name in rule.tools), None)
        if rule is None:
            return body
        matches = _matching(tool)

        async def wrapping(arguments: dict[str, Any], context: CallContext) -> object:
            fault = self._draw(rule, tool.name, arguments, context.call_id)
            if fault is Fault.FAIL:
                raise TryLater("injected: the far end answers later")
            if fault is Fault.STALL:
                await self.pause(context.deadline_s)
                raise TimeoutError("injected: no answer")
            value = await body(arguments, context)
            if fault is Fault.LIE:
                return next((lie for lie in lies(value) if matches(lie)), lied(value))
            return GARBAGE if fault is Fault.GARBAGE else value

        return wrapping

    def _draw(self, rule: Chaos, tool: str, arguments: dict[str, Any], call_id: str) -> Fault | None:
        asked = canonical([tool, arguments])
        self._tries[asked] += 1
        text = f"{self.salt}/{self._tries[asked]}/".encode() + asked
        point = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / _TURN
        fault = rule.drawn(point)
        if fault is not None:
            self.injected.append(Injected(tool, call_id, self._tries[asked], fault))
        return fault


def _matching(tool: Tool) -> Callable[[object], bool]:
    """Whether a value is one that the tool declares: a lie that its schema refuses deceives nobody."""
    if tool.output_schema is None:
        return lambda value: True
    return compile_schema(tool.output_schema).is_valid


def lies(value: object) -> Iterator[object]:
    """Other values of the same shape, the greatest lie first: all of it false, or one part alone."""
    yield lied(value)
    if isinstance(value, dict):
        for key, part in value.items():
            for lie in lies(part):
                yield {**value, key: lie}
    elif isinstance(value, list):
        for place, part in enumerate(value):
            for lie in lies(part):
                yield [*value[:place], lie, *value[place + 1 :]]


def lied(value: object) -> object:
    """Another value of the same shape: numbers one more, texts backwards, truth turned, lists without their last."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value[::-1]
    if isinstance(value, list):
        return [lied(each) for each in value[:-1]]
    if isinstance(value, dict):
        return {key: lied(part) for key, part in value.items()}
    return value
