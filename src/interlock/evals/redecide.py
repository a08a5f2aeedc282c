"""One run's decisions made again by a policy of now, each beside the recorded one. Nothing is dialled or written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from interlock.core.canonical import Json
from interlock.core.event import Event
from interlock.evals.again import WHY, Again, Answer
from interlock.evals.asked import Asked, Reader, terms_of


@dataclass(frozen=True, slots=True)
class Redecided:
    """One decision and what the policy says now, on the facts of then.

    Attributes:
        asked: The recorded decision.
        answer: What is said now.
    """

    asked: Asked
    answer: Answer

    @property
    def differs(self) -> bool:
        """Whether the verdict, or what a hold takes, is another now; False where it cannot be said."""
        now, was = self.answer.decision, self.asked
        if now is None:
            return False
        return now.verdict.value != was.verdict or (
            was.decision.get("mode") == "enforce" and terms_of(now) != was.terms
        )

    @property
    def text(self) -> str:
        """What is said now, and how it differs, one sentence."""
        now = self.answer.decision
        if now is None:
            return f"Asked again: it cannot be decided, {WHY[self.answer.why]}."
        said = f"{now.verdict.value.replace('_', ' ')}: {', '.join(now.reasons) or 'no reason'}"
        if not self.differs:
            return f"Asked again: the same, {said}."
        return f"Asked again: otherwise, {said}; it was {self.asked.verdict.replace('_', ' ')}."

    def as_json(self) -> dict[str, Json]:
        """For a program."""
        now = self.answer.decision
        return {
            "seq": self.asked.seq, "call_id": self.asked.call_id, "was": self.asked.verdict,
            "was_reasons": list(self.asked.reasons), "now": None if now is None else now.verdict.value,
            "now_reasons": [] if now is None else list(now.reasons), "differs": self.differs, "why": self.answer.why,
            "fact": self.answer.path,
        }  # fmt: skip


def redecide(events: Iterable[Event], again: Again) -> Iterator[Redecided]:
    """Each decision of a run, from its chain's events, read from the start."""
    reader = Reader()
    for event in events:
        asked = reader.take(event)
        if asked is not None:
            yield Redecided(asked, again.ask(asked))
