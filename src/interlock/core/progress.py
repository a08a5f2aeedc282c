"""How far a call is, by its tool's word: told to whoever listens in this process, and kept nowhere.

What a tool says of itself is data for people. It settles nothing, is in no ledger, and no gate reads it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio.from_thread
from anyio.lowlevel import EventLoopToken, current_token

from interlock.core.clock import Clock
from interlock.core.visible import one_line
from interlock.errors import ToolError

AMOUNT_MAX = 2**53
"""The most that can be said to be done: whole numbers up to here are exact wherever JSON is read."""

MESSAGE_MAX = 512
"""Characters of one message that are told."""

PAUSE_S = 0.01
"""Seconds between two reports of one call that one listener is told; what comes sooner is dropped."""

_CALLS_MAX = 256
"""Calls of a run whose last report one listener's pause is counted from."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One report.

    Attributes:
        done: So much, 0 to 2**53, in whatever the tool counts. A call that is tried again begins again.
        total: Of so much; None where the tool does not know. It need not be more than `done`.
        message: The tool's words on one line, with an escape for what a reader would not see or would misread. Data:
            never markup, a link or an instruction.
    """

    done: float
    total: float | None = None
    message: str = ""

    @classmethod
    def said(cls, done: object, total: object = None, message: object = "") -> Progress:
        """A report of what a tool said.

        Raises:
            ToolError: It is no amount, or no text.
        """
        if not isinstance(message, str):
            raise ToolError(
                f"message: {type(message).__name__}, no text", code="tool.progress", remedy="Say it in a string."
            )
        text = message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
        return cls(_amount("done", done), None if total is None else _amount("total", total), one_line(text))

    @property
    def whole(self) -> bool:
        """Whether all of it is done."""
        return self.total is not None and self.done >= self.total


Heard = Callable[[Progress], object]
"""Told each report of one call; called in the thread in which it began to listen, and must not wait."""

HeardOfRun = Callable[[str, Progress], object]
"""The same for a run, with the id of the call before the report."""


class ProgressListeners:
    """Who listens to which call or run in this process. Nobody keeps what is said while nobody listens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._to: dict[str, tuple[_Listener, ...]] = {}

    @contextmanager
    def to(self, call_id: str, heard: Heard) -> Iterator[None]:
        """Hear one call's reports for as long as the block lasts; several may."""
        with self.to_run(call_id, lambda _, progress: heard(progress)):
            yield

    @contextmanager
    def to_run(self, run_id: str, heard: HeardOfRun) -> Iterator[None]:
        """Hear the reports of every call of a run for as long as the block lasts; several may."""
        listener = _Listener(heard, self._clock)
        self._to[run_id] = (*self._to.get(run_id, ()), listener)
        try:
            yield
        finally:
            left = tuple(each for each in self._to[run_id] if each is not listener)
            if left:
                self._to[run_id] = left
            else:
                del self._to[run_id]

    def tell(self, run_id: str, call_id: str, progress: Progress) -> None:
        """Tell whoever listens to the call or to its run; from any thread, and never raises."""
        if self._to:
            for listener in (*self._to.get(call_id, ()), *self._to.get(run_id, ())):
                listener.tell(call_id, progress)


class _Listener:
    """One who listens, told so often and no more."""

    def __init__(self, heard: HeardOfRun, clock: Clock) -> None:
        self._heard = heard
        self._clock = clock
        self._thread = threading.get_ident()
        self._token = _token()
        self._last: dict[str, tuple[float, bool]] = {}

    def tell(self, call_id: str, progress: Progress) -> None:
        if not self._due(call_id, progress):
            return
        try:
            if self._token is None or threading.get_ident() == self._thread:
                self._heard(call_id, progress)
            else:  # a sync tool speaks from a thread of its own
                anyio.from_thread.run_sync(self._heard, call_id, progress, token=self._token)
        except Exception:  # whoever listens is no part of the call: what goes wrong there is none of the tool's
            return

    def _due(self, call_id: str, progress: Progress) -> bool:
        """Whether the pause is over; the first report that says that all is done does not wait for it."""
        now_s = self._clock.mono_s()
        last_s, whole = self._last.get(call_id, (-math.inf, False))
        if now_s - last_s < PAUSE_S and (whole or not progress.whole):
            return False
        if len(self._last) >= _CALLS_MAX:
            self._last.clear()
        self._last[call_id] = (now_s, progress.whole)
        return True


def _amount(name: str, said: Any) -> float:
    if type(said) not in (int, float) or not 0 <= said <= AMOUNT_MAX:  # NaN is in no order
        raise ToolError(f"{name}: {said!r} is no amount", code="tool.progress", remedy=f"Say 0 to {AMOUNT_MAX}.")
    amount: float = said
    return amount


def _token() -> EventLoopToken | None:
    """What finds back into this thread's event loop; None where it runs none."""
    try:
        return current_token()
    except anyio.NoEventLoopError:
        return None
