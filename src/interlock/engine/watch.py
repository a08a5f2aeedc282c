"""A watch on the event loop: says in the log who blocks it, while it is blocked."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio

from interlock.core.clock import Clock

_logger = logging.getLogger("interlock.engine")

_FRAMES = 4


class LoopWatch:
    """A thread that reports when the loop has had no turn for too long: then claims are not renewed and may lapse.

    Use as a context on the loop's thread, with `beat` running as a task of the loop.

    Args:
        patience_s: Seconds without a turn that are reported, once for each time.
        report: Told what is the matter; the log by default. Runs on the watch's thread.
    """

    def __init__(self, clock: Clock, patience_s: float, report: Callable[[str], object] = _logger.error) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._report = report
        self._turn_s = clock.mono_s()
        self._loop = threading.get_ident()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        """Start watching."""
        threading.Thread(target=self._watch, name="interlock-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Stop watching."""
        self._over.set()

    async def beat(self) -> None:
        """Note each turn, until cancelled."""
        while True:
            self._turn_s = self._clock.mono_s()
            await anyio.sleep(self._patience_s / 4)

    def _watch(self) -> None:
        told_s = self._turn_s
        while not self._over.wait(self._patience_s / 4):
            turn_s = self._turn_s
            blocked_s = self._clock.mono_s() - turn_s
            if blocked_s >= self._patience_s and turn_s > told_s:
                told_s = turn_s
                self._report(f"the event loop has been blocked for {blocked_s:.1f} s, by {self._where()}")

    def _where(self) -> str:
        """The innermost frames of the loop's thread, the innermost first."""
        frame = sys._current_frames().get(self._loop)
        stack = traceback.extract_stack(frame)[-_FRAMES:] if frame is not None else []
        return " in ".join(f"{each.name} ({each.filename}:{each.lineno})" for each in reversed(stack)) or "nobody"
