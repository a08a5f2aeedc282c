"""Crash points: named places on the path where a test may end the process. Compiled in, off by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Points = Callable[[str], None]
"""Is told the name of each point as it is passed, and may not return."""

NAMES: Final = (
    "intent.before",
    "intent.committed",
    "attempt.before",
    "attempt.after",
    "result.returned",
    "close.before",
    "close.committed",
)
"""Every point, in the order of a call with an effect. A point is never renamed: users' tests arm them."""


def pass_by(point: str) -> None:
    """What happens at a point when nothing is armed: nothing."""
