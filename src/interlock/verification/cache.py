"""Verdicts that a model gave before, for the same of everything. Private to a process, bounded, and soon forgotten."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Protocol

from interlock.core.canonical import Json, canonical, digest
from interlock.core.clock import Clock
from interlock.core.tool import Effect
from interlock.verification.question import Question, Verifier
from interlock.verification.verdict import Verdict, Word

KEPT = frozenset({Effect.READ, Effect.REVERSIBLE})
"""Effects whose verdicts may be used again."""


class Declares(Verifier, Protocol):
    """A verifier that says what of a call it is given, so that nothing else can matter."""

    def declared(self, question: Question) -> dict[str, Json]:
        """All that it sees of the call but what is new each time."""
        ...


class Remembered:
    """A verifier that need not be asked twice the same. An uncertain verdict is never kept.

    A verdict answers only the same tenant, principal, tool definition, call, words, policy and verifier, for at most
    `age_s`; never a call that cannot be taken back, or a privileged one.

    Attributes:
        identity: That of the verifier.
    """

    def __init__(self, verifier: Declares, clock: Clock, *, age_s: float, entries_max: int) -> None:
        self._verifier, self._clock = verifier, clock
        self._age_s, self._entries_max = age_s, entries_max
        self._kept: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()
        self.identity = verifier.identity

    async def __call__(self, question: Question) -> Verdict:
        """See `Verifier`."""
        if question.effect not in KEPT or not self._age_s:
            return await self._verifier(question)
        key = key_of(question, self._verifier)
        now_s = self._clock.mono_s()
        if (kept := self._kept.get(key)) is not None and now_s - kept[0] < self._age_s:
            self._kept.move_to_end(key)
            return replace(kept[1], cached_ms=int((now_s - kept[0]) * 1000))
        verdict = await self._verifier(question)
        if verdict.verdict is not Word.UNCERTAIN:
            self._kept[key] = (now_s, replace(verdict, tokens=(0, 0), micro_usd=0))
            self._kept.move_to_end(key)
            if len(self._kept) > self._entries_max:
                self._kept.popitem(last=False)
        return verdict


def key_of(question: Question, verifier: Declares) -> bytes:
    """SHA-256 over everything that a verdict may depend on, each part behind its length."""
    parts = (
        question.tenant,
        question.principal,
        question.tool_hash,
        question.digest,
        question.policy,
        verifier.identity,
    )
    seen = canonical(verifier.declared(question))
    return digest("interlock/verdict/1", *(part.encode() for part in parts), seen)
