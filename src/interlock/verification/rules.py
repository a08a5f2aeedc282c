"""A verifier of rules: pure functions that look at one call and say what speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from interlock.core.canonical import Json
from interlock.verification.question import Earlier, Question, Verifier
from interlock.verification.verdict import CONCERN_MAX, CONCERNS_MAX, Verdict, Word


class View(NamedTuple):
    """What a rule sees, and all that it sees.

    Attributes:
        tool: Name of the tool.
        effect: `read`, `reversible`, `irreversible` or `privileged`.
        arguments: As validated; read only by agreement.
        words: The user's own words; None where they are not seen.
        earlier: What the run did before, oldest first, with outcomes and results.
    """

    tool: str
    effect: str
    arguments: Mapping[str, Any]
    words: str | None
    earlier: tuple[Earlier, ...]


class Concern(NamedTuple):
    """What speaks against a call.

    Attributes:
        text: One sentence. The model that proposed the call reads it.
        correction: The arguments, whole, that the rule would have had instead; None for none.
    """

    text: str
    correction: Mapping[str, Json] | None = None


Rule = Callable[[View], Concern | str | None]
"""Same view, same answer: no clock, no network, no memory. None where it has nothing against the call."""


class RulesVerifier:
    """Asks every rule. One concern rejects; a rule that fails leaves it uncertain; else it is approved.

    Attributes:
        identity: See `Verifier`.
    """

    def __init__(self, rules: Sequence[Rule], identity: str) -> None:
        self._rules = tuple(rules)
        self.identity = identity

    async def __call__(self, question: Question) -> Verdict:
        """See `Verifier`."""
        view = View(
            question.tool, question.effect, question.arguments, question.words, await question.earlier()
        )  # fmt: skip
        concerns: list[Concern] = []
        failed: list[str] = []
        for rule in self._rules:
            try:
                said = rule(view)
            except Exception as error:  # a rule is the operator's code: whatever it raises, it has not approved
                failed.append(f"{rule.__name__} raised {type(error).__name__}")
                continue
            if said is not None:
                concerns.append(said if isinstance(said, Concern) else Concern(said))
        word = Word.REJECTED if concerns else Word.UNCERTAIN if failed else Word.APPROVED
        return Verdict(
            verdict=word,
            digest=question.digest,
            verifier=self.identity,
            concerns=tuple(concern.text[:CONCERN_MAX] for concern in concerns[:CONCERNS_MAX]),
            correction=next((concern.correction for concern in concerns if concern.correction is not None), None),
            why="; ".join(failed),
        )


class AllOf:
    """Several verifiers, one after the other: all must approve. The first that rejects ends it.

    Attributes:
        identity: See `Verifier`.
    """

    def __init__(self, *verifiers: Verifier) -> None:
        assert verifiers, "nobody is asked"
        self._verifiers = verifiers
        self.identity = "+".join(verifier.identity for verifier in verifiers)

    async def __call__(self, question: Question) -> Verdict:
        """The word of the least convinced; the lowest confidence of those who said one; what all of it cost."""
        said: list[Verdict] = []
        for verifier in self._verifiers:
            said.append(await verifier(question))
            if said[-1].verdict is Word.REJECTED:
                break
        words = {verdict.verdict for verdict in said}
        word = next(word for word in (Word.REJECTED, Word.UNCERTAIN, Word.APPROVED) if word in words)
        sure = [verdict.confidence for verdict in said if verdict.confidence is not None]
        last = said[-1]
        return Verdict(
            verdict=word,
            digest=last.digest if all(verdict.digest == last.digest for verdict in said) else "",
            verifier=self.identity,
            concerns=tuple(concern for verdict in said for concern in verdict.concerns)[:CONCERNS_MAX],
            correction=next((verdict.correction for verdict in said if verdict.correction is not None), None),
            confidence=min(sure, default=None),
            why="; ".join(verdict.why for verdict in said if verdict.why),
            nonce=last.nonce,
            input_digest=last.input_digest,
            tokens=(sum(verdict.tokens[0] for verdict in said), sum(verdict.tokens[1] for verdict in said)),
            micro_usd=sum(verdict.micro_usd for verdict in said),
            cached_ms=max((verdict.cached_ms for verdict in said if verdict.cached_ms is not None), default=None),
        )
