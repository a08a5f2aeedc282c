"""Verifiers that a test owns, and a plane that asks them."""

from __future__ import annotations

from typing import Any

from interlock.core.call import Outcome
from interlock.core.tool import Effect
from interlock.verification.question import Question
from interlock.verification.verdict import Verdict, Word
from interlock.verification.verify import Verification
from tests.planes import Stage

VERIFIED = '@id("v") @verify permit (principal, action, resource);'


class Reader:
    """Says what it is told to say, in order, and the last of it again and again.

    Attributes:
        asked: What it was asked.
        identity: See `Verifier`.
    """

    def __init__(self, *says: dict[str, Any]) -> None:
        self._says = says
        self.asked: list[Question] = []
        self.identity = "reader/1"

    async def __call__(self, question: Question) -> Verdict:
        """See `Verifier`."""
        said = self._says[min(len(self.asked), len(self._says) - 1)]
        self.asked.append(question)
        return Verdict(**{"digest": question.digest, "verifier": self.identity, **said})


APPROVED = {"verdict": Word.APPROVED}
REJECTED = {"verdict": Word.REJECTED, "concerns": ("the user said two",)}
UNCERTAIN = {"verdict": Word.UNCERTAIN, "why": "cannot tell"}


def reading(
    stage: Stage, *says: dict[str, Any], review: str = "", policy: str = VERIFIED, **thresholds: int
) -> Reader:  # fmt: skip
    """Have calls verified by a reader of one's own."""
    reader = Reader(*says)
    stage.plane.plane.verification = Verification(
        verifier=reader, review=review, thresholds={Effect(name): value for name, value in thresholds.items()}
    )
    stage.obey(policy)
    return reader


async def after(stage: Stage, run_id: str, held: Outcome) -> Outcome:
    """What became of a held call, once its run was advanced."""
    await stage.plane.advance(run_id)
    outcome = (await stage.state(run_id)).calls[held.call_id].outcome
    assert outcome is not None
    return outcome
