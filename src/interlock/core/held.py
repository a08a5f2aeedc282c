"""The secrets that calls of this process hold now, for as long as their attempts last.

What a far end says beside its answer (progress, questions, its log, what a library logs) comes by other ways than the
call; whoever hands it on asks here what may not be in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from interlock.core.scrub import Scrubber


class Holding:
    """Which calls hold secrets, and what takes them out of texts."""

    def __init__(self) -> None:
        self._calls: dict[str, Scrubber] = {}

    def __repr__(self) -> str:
        """Says no more than how many."""
        return f"Holding({len(self._calls)})"

    def __bool__(self) -> bool:
        """Whether any call holds one."""
        return bool(self._calls)

    @contextmanager
    def by(self, call_id: str, scrubber: Scrubber) -> Iterator[None]:
        """Let a call hold what the scrubber takes out, until the block is left."""
        self._calls[call_id] = scrubber
        try:
            yield
        finally:
            del self._calls[call_id]

    def held_by(self, call_id: str) -> bool:
        """Whether this call holds one."""
        return call_id in self._calls

    def clean(self, value: Any) -> Any:
        """A JSON value without any of them.

        Raises:
            ValueError: It is within itself, or too deep.
        """
        for scrubber in tuple(self._calls.values()):
            value = scrubber.value(value)
        return value


HOLDING: Final = Holding()
"""Those of this process."""
