"""Like calls of one batch, answered by one invocation of their tool's batch function.

Each call takes a seat once the whole batch is decided, and comes to it or gives it up. When nobody is missing, one
of those who came runs the function for all of them, with its own attempts; if it is cut off, another does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import anyio

from interlock.core.call import Stop, ValidCall
from interlock.core.canonical import reread
from interlock.core.tool import Body, CallContext
from interlock.execution.answer import Answer
from interlock.execution.attempt import Failure, failure_of

Run = Callable[[Body], Awaitable[Answer | Stop]]
"""Runs a body as a call's own: room, breaker, attempts."""


class Seat(Protocol):
    """One call's place among its likes."""

    async def answer(self, valid: ValidCall, context: CallContext, run: Run) -> Answer | Stop:
        """What came of the call, by an invocation of its own or of all; asked once."""
        ...

    def leave(self) -> None:
        """The call does not come, or has come: nobody need wait for it. Giving it up twice is giving it up once."""
        ...


class Alone:
    """The seat of a call that has none of its kind beside it."""

    async def answer(self, valid: ValidCall, context: CallContext, run: Run) -> Answer | Stop:
        """Run the tool's function."""
        return await run(valid.tool.body)

    def leave(self) -> None:
        """Nobody waits for it."""


class Paid:
    """A seat that is come to once what the call costs is reserved.

    Args:
        seat: The seat.
        reserve: Reserves; says why the call may not be made where it cannot.
    """

    def __init__(self, seat: Seat, reserve: Callable[[], Awaitable[Stop | None]]) -> None:
        self._seat = seat
        self._reserve = reserve

    async def answer(self, valid: ValidCall, context: CallContext, run: Run) -> Answer | Stop:
        """Reserve, then come to the seat."""
        if (stop := await self._reserve()) is not None:
            self._seat.leave()
            return stop
        return await self._seat.answer(valid, context, run)

    def leave(self) -> None:
        """Give the seat up."""
        self._seat.leave()


class Company:
    """Calls of one tool and one principal that were proposed together.

    Args:
        expected: How many seats will be taken.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._complete = anyio.Event()
        self._came: list[_Member] = []
        self._under_way: anyio.Event | None = None

    def seat(self) -> CompanySeat:
        """The seat of the next call."""
        return CompanySeat(self)

    def settle(self) -> None:
        """One less is missing."""
        self._expected -= 1
        if not self._expected:
            self._complete.set()

    async def answer(self, member: _Member, run: Run) -> Answer | Stop:
        """Wait for the others; then run for all who came, or for those whom a run that was cut off left behind."""
        self._came.append(member)
        self.settle()
        try:
            await self._complete.wait()
            while member.answer is None:
                if self._under_way is None:
                    await self._run(member, run)
                else:
                    await self._under_way.wait()
            return member.answer
        finally:
            self._came.remove(member)

    async def _run(self, leader: _Member, run: Run) -> None:
        members = [member for member in self._came if member.answer is None]
        if len(members) == 1:
            leader.answer = await run(leader.valid.tool.body)
            return
        self._under_way = over = anyio.Event()
        try:
            answer = await run(_for_all(members))
            if isinstance(answer, Stop):
                leader.answer = answer  # what stopped it names its own call: each of the others finds out for itself
                return
            source = {"together": len(members)}
            for place, member in enumerate(members):
                value = answer.value if isinstance(answer.value, Failure) else answer.value[place]
                if isinstance(value, Exception):  # in a result's place: what it would be had a single call raised it
                    value = failure_of(member.valid.tool, value)
                member.answer = answer._replace(value=value, source=source)
                if member is not leader:
                    member.context.spent["ms"] = 0  # the one that ran for all has it
        finally:
            self._under_way = None
            over.set()


class CompanySeat:
    """A seat among others."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._taken = False

    async def answer(self, valid: ValidCall, context: CallContext, run: Run) -> Answer | Stop:
        """Come to the seat; without it, the call runs by itself."""
        if self._taken:
            return await run(valid.tool.body)
        self._taken = True
        return await self._company.answer(_Member(valid, context), run)

    def leave(self) -> None:
        """Give the seat up, unless it was taken."""
        if not self._taken:
            self._taken = True
            self._company.settle()


class _Member:
    """A call that came."""

    def __init__(self, valid: ValidCall, context: CallContext) -> None:
        self.valid = valid
        self.context = context
        self.answer: Answer | Stop | None = None


def _for_all(members: Sequence[_Member]) -> Body:
    """The tool's batch function as the body of one of the calls."""
    batch = members[0].valid.tool.batch
    assert batch is not None, "a company is of a tool that answers several at once"

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        contexts = [replace(member.context, attempt=context.attempt) for member in members]
        results = await batch([reread(member.valid.text) for member in members], contexts)
        if not isinstance(results, list | tuple) or len(results) != len(members):
            count = len(results) if isinstance(results, list | tuple) else f"{type(results).__name__}, no list of"
            raise TypeError(f"the batch function returned {count} results for {len(members)} calls")
        return results

    return body
