"""Reads that need not ask their tool by themselves: answered from the cache, by an equal one on its way, or together.

All of it stands behind every gate before `execute`: each call was decided for itself, and has its own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from interlock.core.call import ApprovedCall, Outcome, RawResult, Stop
from interlock.core.canonical import Json, JsonLimits, canonical, check_json, reread
from interlock.core.clock import Clock
from interlock.core.tool import CallContext
from interlock.errors import BadInput
from interlock.execution.answer import Answer
from interlock.execution.attempt import Failure
from interlock.execution.cache import Asked, Cache, Kept, cache_key
from interlock.execution.together import Run, Seat
from interlock.ledger.tags import Tags

_TELLABLE = JsonLimits(bytes_max=4 << 20, string_max=4 << 20)
"""What a result may be at most (spec: 4 MiB), as the screens have it: what none lets pass is shared with nobody."""


class Reads:
    """The reads of one process.

    Args:
        cache: Where results are kept.
        clock: For their age.
    """

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._flights: dict[bytes, _Flight] = {}

    async def answer(
        self, approved: ApprovedCall, context: CallContext, tags: Tags, seat: Seat, run: Run
    ) -> Answer | Stop:
        """What came of a call: by `run`, or without it where that is as good.

        A call with an intent is always run: it has an effect, carries data out, or is what a person approved. A call
        that was made for another one is run too: policy decides by a look-up, and a retry by what the far end says,
        and neither may be about an earlier moment. One that holds a secret is nobody else's either.

        Args:
            context: What the tool's function may know of the call.
            tags: What was written under which cache tag.
            seat: The call's place among its likes.
            run: Runs a body of the tool as this call's own.
        """
        tool, call = approved.valid.tool, approved.valid.call
        if tool.needs_intent or approved.released:
            seat.leave()
            return await run(tool.body)
        if not tool.cache_s or call.parent_id or approved.valid.secrets:
            return await seat.answer(approved.valid, context, run)
        name = cache_key(approved.valid)
        while True:
            reading = await tags.reading(call.principal.tenant, tool.cache_tags)
            if reading is None:
                return await seat.answer(approved.valid, context, run)
            kept = self._cache.find(name, reading, tool.cache_s)
            if kept is not None:
                seat.leave()
                return Answer(reread(kept.text), 0, source=self._source("cached", kept.asked))
            flight = self._flights.get(name)
            if flight is None or not flight.asked.serves(reading, tool.cache_s, self._clock):
                asked = Asked(reading, self._clock.mono_s(), self._clock.wall_us(), call.run_id, call.call_id)
                return await self._lead(name, asked, approved, context, seat, run)
            seat.leave()
            await flight.over.wait()
            if flight.failed is not None:
                return flight.failed._replace(tries=0, source=self._source("shared", flight.asked))
            if flight.text is not None:
                return Answer(reread(flight.text), 0, source=self._source("cached", flight.asked))
            # it was cut off, or what it got is nothing to be shared: the first to look leads, the others follow it

    def screened(self, result: RawResult, outcome: Outcome | Stop) -> Outcome | Stop:
        """What the screens said of a result; one that they withheld is not kept."""
        if isinstance(outcome, Stop) and result.approved.valid.tool.cache_s:
            self._cache.drop(cache_key(result.approved.valid))
        return outcome

    async def _lead(
        self, name: bytes, asked: Asked, approved: ApprovedCall, context: CallContext, seat: Seat, run: Run
    ) -> Answer | Stop:  # fmt: skip
        """Ask the tool, for this call and for those that come while it is on its way."""
        flight = self._flights[name] = _Flight(asked)
        try:
            answer = await seat.answer(approved.valid, context, run)
            if isinstance(answer, Stop):
                return answer  # it names its own call
            if isinstance(answer.value, Failure):
                flight.failed = answer
            elif (text := _text(answer.value)) is not None:
                flight.text = text
                if self._flights.get(name) is flight:  # else one that was asked later has come since
                    self._cache.keep(name, Kept(asked, text))
            return answer
        finally:
            if self._flights.get(name) is flight:
                del self._flights[name]
            flight.over.set()

    def _source(self, how: str, asked: Asked) -> Mapping[str, Json]:
        age_ms = asked.age_us(self._clock) // 1000
        return {how: {"age_ms": age_ms, "run_id": asked.run_id, "call_id": asked.call_id}}


@dataclass(slots=True)
class _Flight:
    """A read on its way, which equal ones wait for.

    Attributes:
        asked: When, and by which call.
        failed: How it failed; None where it did not.
        text: What it got, canonical; None before, and where that is nothing to be shared.
        over: Set when nothing more is to come.
    """

    asked: Asked
    failed: Answer | None = None
    text: bytes | None = None
    over: anyio.Event = field(default_factory=anyio.Event)


def _text(value: object) -> bytes | None:
    """A result's canonical form; None for one that has none and that the screens will withhold."""
    try:
        check_json(value, _TELLABLE)
        return canonical(value)
    except BadInput:
        return None
