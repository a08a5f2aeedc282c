"""A far end in simulated time: it does what it is asked, or fails before, after, late or for ever."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn, Protocol

import anyio

from interlock.core.canonical import canonical
from interlock.core.tool import CallContext
from interlock.errors import NotSent, Rejected, TryLater
from interlock.testing.scheduler import Crashed, Scheduler, a_turn


class Fate(StrEnum):
    """What becomes of one request."""

    DONE = "done"
    SLOW = "slow"
    NOT_SENT = "not_sent"
    BUSY = "busy"
    REJECTED = "rejected"
    BROKEN_BEFORE = "broken_before"
    BROKEN_AFTER = "broken_after"
    SILENT_BEFORE = "silent_before"
    SILENT_AFTER = "silent_after"
    LATE_ANSWER = "late_answer"
    LATE_EFFECT = "late_effect"


KNOWN = frozenset({Fate.DONE, Fate.SLOW, Fate.NOT_SENT, Fate.BUSY, Fate.REJECTED})
"""After these the caller knows what became of its request."""


class Effect(NamedTuple):
    """One effect that was really taken.

    Attributes:
        call_id: Of which call.
        key: The idempotency key that came with it.
        what: Its name and its arguments.
    """

    call_id: str
    key: str
    what: str


class Watch(Protocol):
    """Is told what the far end sees and does; the reference is one."""

    def asked(self, call_id: str, known: bool) -> None:
        """A request came; `known` says whether its caller will know what became of it."""
        ...

    def effect(self, effect: Effect) -> None:
        """An effect was taken."""
        ...


class FarEnd:
    """The other side of the tools under test. Their functions call `do` where they would call a client.

    Attributes:
        effects: What was really done, in order, over one simulated run.
    """

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self._results: dict[str, Any] = {}
        self._scheduler: Scheduler
        self._watch: Watch
        self._fate: Callable[[], Fate]

    def reset(self, scheduler: Scheduler, watch: Watch, fate: Callable[[], Fate]) -> None:
        """Begin another run, in which `fate` says what becomes of each request. The simulation calls it."""
        self.effects.clear()
        self._results.clear()
        self._scheduler, self._watch, self._fate = scheduler, watch, fate

    async def read(self, context: CallContext, found: Callable[[], Any]) -> Any:
        """Answer with what is found when the question arrives; it changes nothing.

        Raises:
            NotSent, TryLater, Rejected, ConnectionError: As a client would.
        """
        return await self._answer(context, found, later=True)

    async def do(
        self, context: CallContext, what: str, arguments: dict[str, Any], *, dedupe: bool = False, final: bool = False
    ) -> Any:  # fmt: skip
        """Take an effect, as well as the fate of this request lets it, and answer `{"n": how many there are}`.

        Args:
            dedupe: Do nothing for a key that is known, and answer as the first time: what `keyed` promises.
            final: Never take an effect later than its caller waits: what `reconcile` promises, for else
                «not done» would be no answer.

        Raises:
            NotSent, TryLater, Rejected, ConnectionError: As a client would.
        """
        key = context.idempotency_key
        text = f"{what} {canonical(arguments).decode()}"

        def take() -> Any:
            if not (dedupe and key in self._results):
                effect = Effect(context.call_id, key, text)
                self.effects.append(effect)
                self._results[key] = {"n": len(self.effects)}
                self._watch.effect(effect)
            return self._results[key]

        return await self._answer(context, take, later=not final)

    def done(self, key: str) -> dict[str, Any]:
        """Whether something with this key was done, in the form that `reconcile` tools answer in."""
        found = self._results.get(key)
        return {"done": False} if found is None else {"done": True, "result": found}

    async def _answer(self, context: CallContext, take: Callable[[], Any], *, later: bool) -> Any:
        host = self._scheduler.host
        if host is not None and host.dead:
            raise Crashed
        fate = self._fate()
        if fate is Fate.LATE_EFFECT and not later:
            fate = Fate.LATE_ANSWER
        self._watch.asked(context.call_id, fate in KNOWN)
        await a_turn()
        match fate:
            case Fate.DONE:
                return take()
            case Fate.NOT_SENT:
                raise NotSent("connection refused")
            case Fate.BUSY:
                raise TryLater("503", retry_after_s=3.0)
            case Fate.REJECTED:
                raise Rejected("422", reason="the far end does not take this")
            case Fate.BROKEN_BEFORE:
                raise ConnectionError("reset before anything was done")
            case Fate.BROKEN_AFTER:
                take()
                raise ConnectionError("reset after it was done")
            case Fate.SLOW:
                await anyio.sleep(context.deadline_s / 2)
                return take()
            case Fate.LATE_ANSWER:
                found = take()
                await anyio.sleep(context.deadline_s * 1.5)
                return found
            case Fate.LATE_EFFECT:
                self._scheduler.call_later(context.deadline_s * 1.2, take)
            case Fate.SILENT_AFTER:
                take()
        await _for_ever()


async def _for_ever() -> NoReturn:
    await anyio.sleep_forever()
    raise AssertionError("for ever is over")
