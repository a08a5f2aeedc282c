"""How much of a long run the model is shown: which turns whole, which without their results, which as one line.

By rule and not by a model, and from sizes alone, so that any process comes to the same. Both borders move in steps: in
between, every request begins with all of the one before it, which providers' prompt caches live on.
"""

from __future__ import annotations

from typing import NamedTuple

from interlock.agent.agent import AgentLimits

CHARACTERS = 4
"""Characters that are taken for one token."""


class Size(NamedTuple):
    """About how many characters a turn takes with its results, without them, and as one line."""

    whole: int
    short: int
    line: int


class Pruning:
    """The two borders of one run.

    Args:
        limits: `results_kept`, `turns_kept` and `context_tokens_max`.

    Attributes:
        short: So many of the oldest turns are shown without their results.
        lines: So many of the oldest turns are shown as one line each.
    """

    def __init__(self, limits: AgentLimits) -> None:
        self._limits = limits
        self._sizes: list[Size] = []
        self._characters = 0
        self.short = 0
        self.lines = 0

    def hear(self, characters: int) -> None:
        """Something came that is always shown: the system prompt, the user's words."""
        self._characters += characters

    def add(self, turn: Size) -> None:
        """One more turn came, and its results."""
        self._sizes.append(turn)
        self._characters += turn.whole
        self._drop_results()
        if self._characters > self._limits.context_tokens_max * CHARACTERS:
            self._shorten()

    def _drop_results(self) -> None:
        """Those of `results_kept` turns at once."""
        kept = self._limits.results_kept
        short = max(0, (len(self._sizes) // kept - 1) * kept)
        for size in self._sizes[max(self.short, self.lines) : short]:
            self._characters -= size.whole - size.short
        self.short = max(self.short, short)

    def _shorten(self) -> None:
        """As many turns as it takes to come down to half of what there may be, but for the newest; not one by one."""
        enough = self._limits.context_tokens_max * CHARACTERS // 2
        last = len(self._sizes) - self._limits.turns_kept
        if last - self.lines < self._limits.turns_kept // 2:
            return  # what is too long is what stays: it is cut no more often for that
        while self.lines < last and self._characters > enough:
            size = self._sizes[self.lines]
            self._characters -= (size.short if self.lines < self.short else size.whole) - size.line
            self.lines += 1
