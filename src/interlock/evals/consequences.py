"""What of a run's later facts depends on an earlier decision that is another now, or that nobody can say.

The calls are taken as made: what a model would have proposed after another answer, nobody knows. What is followed is
what the path itself makes of an answer: counters, what had been looked up, where values came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from interlock.core.tool import Tool
from interlock.evals.asked import Asked, Terms
from interlock.policy.memo import Path

_BY_DEFINITION: Final = frozenset({"saga", "graph"})
"""Drivers that compute a call from what came of the ones before: after another answer it is another call, or none."""


class Consequences:
    """One run under one policy, decision by decision in the order of its chain.

    Attributes:
        changed: Whether anything before is, or may be, decided otherwise.
    """

    def __init__(self) -> None:
        self.changed = False
        self._other: set[str] = set()  # calls that go, or may go, another way
        self._counts = False  # whether other calls are made, or other ones found valid
        self._wrote = False

    def unmade(self, asked: Asked, driver: str) -> bool:
        """Whether the call itself hangs on a decision before that is another: it might not be made, or not again.

        Args:
            driver: What says which calls the run makes.
        """
        if not self.changed:
            return False
        return asked.parent in self._other or driver in _BY_DEFINITION or (asked.again and asked.call_id in self._other)

    def reach(self, asked: Asked, reads: Iterable[Path]) -> bool:
        """Whether facts that the rules read hang on a decision before that is another.

        Args:
            reads: What the rules that concern its tool can read.
        """
        if not self.changed:
            return False
        if asked.call_id in self._other:
            return True  # what was looked up for it was decided otherwise
        return any(self._depends(path, asked) for path in reads)

    def note(self, asked: Asked, now: Terms | None, tool: Tool | None) -> None:
        """Go by what a decision comes to under the policy: the same as then, something else, or nobody knows (None).

        Args:
            tool: The definition; None where it is not known.
        """
        if now == asked.terms:
            return
        self.changed = True
        self._other.add(asked.call_id)
        if asked.parent:
            self._other.add(asked.parent)
        self._wrote = self._wrote or tool is None or tool.writes
        if tool is None or tool.entities or tool.fallback or tool.reconcile or tool.starts:
            self._counts = True

    def unasked(self, gate: str) -> None:
        """A call did not come as far as policy: what was said before may be why, unless it was no valid call."""
        if self.changed and gate != "validate":
            self._counts = True

    def start_otherwise(self) -> None:
        """The run was started by a call that goes another way."""
        self.changed = self._counts = self._wrote = True

    def _depends(self, path: Path, asked: Asked) -> bool:
        match path:
            case ("context", "provenance", "profiled" | "words_seen", *_):
                return False
            case ("context", "provenance", "lacks", *_):
                return asked.judged
            case ("context", "provenance", *_) | ("context", "session", "refusals", *_):
                return True
            case ("context",) | ("context", "session"):
                return True
            case ("context", "session", "calls" | "tool_calls" | "writes", *_):
                return self._counts
            case ("resource", *_):
                acts = (asked.facts or {}).get("resource", {}).get("type", "Server") != "Server"
                return acts and self._wrote
        return False
