"""Crash points: named places on the path where a test may end the process. Compiled in, off by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Points = Callable[[str], None]
"""Is told the name of each point as it is passed, and may not return."""

NAMES: Final = (
    "claim.before",
    "claim.committed",
    "call.entered",
    "call.validated",
    "call.authorized",
    "call.limited",
    "call.verified",
    "call.approved",
    "intent.before",
    "intent.committed",
    "recovery.before",
    "recovery.committed",
    "attempt.before",
    "attempt.after",
    "attempt.paused",
    "ask.before",
    "ask.after",
    "result.returned",
    "call.screened",
    "close.before",
    "append.begun",
    "append.written",
    "append.committed",
    "close.committed",
    "rollback.before",
    "rollback.committed",
    "fallback.before",
    "notice.before",
    "notice.sent",
    "notice.recorded",
)
"""Every point, about in the order of a call with an effect. A point is never renamed: users' tests arm them.

Those of `append` are passed on the ledger's own thread, at the start of a transaction, before its commit and after it.
"""


def pass_by(point: str) -> None:
    """What happens at a point when nothing is armed: nothing."""
