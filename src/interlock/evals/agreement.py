"""How far a judge agrees with people: labelled answers in; agreement, Cohen's kappa and the confusion out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from interlock.core.canonical import Json, parse_json
from interlock.errors import BadInput
from interlock.evals.judge import Word
from interlock.verification.calibrate import Share

_KEYS = ("question", "answer", "rubric", "label")
_Z = 1.959964
"""Standard deviations of a 95 % interval."""


class Labelled(NamedTuple):
    """One answer that a person has graded.

    Attributes:
        question, answer, rubric: As a judge is given them.
        label: What the person said: `pass` or `fail`.
    """

    question: str
    answer: str
    rubric: str
    label: Word


def read_labelled(text: str | bytes) -> Labelled:
    """One line of a file of labelled answers.

    Raises:
        BadInput: It is not strict JSON, or a key is missing, unknown or no text; the message names it.
    """
    said = parse_json(text)
    if not isinstance(said, dict):
        raise _bad("no object")
    if strange := sorted(set(said) - set(_KEYS)):
        raise _bad(f"unknown key {strange[0]!r}")
    for key in _KEYS:
        if not isinstance(said.get(key), str):
            raise _bad(f"{key}: no text")
    if said["label"] not in (Word.PASS, Word.FAIL):
        raise _bad("label: neither pass nor fail")
    return Labelled(said["question"], said["answer"], said["rubric"], Word(said["label"]))


def _bad(what: str) -> BadInput:
    return BadInput(what, code="eval.label", remedy=f"Write {', '.join(_KEYS)}, the label pass or fail.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two agree.

    Attributes:
        counts: What the person and the judge said, to how often; no verdict of the judge is a word of its own.
    """

    counts: dict[tuple[Word, Word], int]

    @property
    def same(self) -> Share:
        """Answers of which both said the same, of all; no verdict is no agreement."""
        return Share(sum(count for (label, said), count in self.counts.items() if label is said), self._whole)

    @property
    def none(self) -> Share:
        """Answers of which the judge gave no verdict."""
        return Share(sum(count for (_, said), count in self.counts.items() if said is Word.NONE), self._whole)

    @property
    def wrongly_passed(self) -> Share:
        """Of the answers that the person failed, those that the judge passed: the dangerous mistake."""
        failed = sum(count for (label, _), count in self.counts.items() if label is Word.FAIL)
        return Share(self.counts.get((Word.FAIL, Word.PASS), 0), failed)

    @property
    def kappa(self) -> float | None:
        """Cohen's: agreement beyond chance, from -1 to 1; None where chance alone explains all of it."""
        observed, expected = self._observed, self._expected
        return None if expected >= 1 else (observed - expected) / (1 - expected)

    @property
    def kappa_interval(self) -> tuple[float, float] | None:
        """Of 95 %, by the large-sample error of Fleiss, Cohen and Everitt (1969); None where there is no kappa."""
        kappa = self.kappa
        if kappa is None:
            return None
        expected, whole = self._expected, self._whole
        row, column = self._margins()
        diagonal = sum(
            self._part(word, word) * (1 - (row[word] + column[word]) * (1 - kappa)) ** 2 for word in Word
        )  # fmt: skip
        off = (1 - kappa) ** 2 * sum(
            self._part(label, said) * (column[label] + row[said]) ** 2
            for label in Word for said in Word if label is not said
        )  # fmt: skip
        inside = diagonal + off - (kappa - expected * (1 - kappa)) ** 2
        error = sqrt(max(0.0, inside) / whole) / (1 - expected)
        return max(-1.0, kappa - _Z * error), min(1.0, kappa + _Z * error)

    def as_json(self) -> dict[str, Json]:
        """All of it."""
        return {
            "answers": self._whole, "agreement": self.same.as_json(), "no_verdict": self.none.as_json(),
            "wrongly_passed": self.wrongly_passed.as_json(), "kappa": self.kappa,
            "kappa_interval": None if self.kappa_interval is None else list(self.kappa_interval),
            "confusion": [
                {"person": label.value, "judge": said.value, "answers": self.counts.get((label, said), 0)}
                for label in (Word.PASS, Word.FAIL) for said in Word
            ],
        }  # fmt: skip

    @property
    def _whole(self) -> int:
        return sum(self.counts.values())

    @property
    def _observed(self) -> float:
        return self.same.value or 0.0

    @property
    def _expected(self) -> float:
        row, column = self._margins()
        return sum(row[word] * column[word] for word in Word) if self._whole else 1.0

    def _part(self, label: Word, said: Word) -> float:
        return self.counts.get((label, said), 0) / self._whole

    def _margins(self) -> tuple[dict[Word, float], dict[Word, float]]:
        """Parts of the answers that the person, and that the judge, gave each word."""
        row = {word: sum(self._part(word, said) for said in Word) for word in Word} if self._whole else {}
        column = {word: sum(self._part(label, word) for label in Word) for word in Word} if self._whole else {}
        return row, column


def agreement(read: Sequence[tuple[Word, Word]]) -> Agreement:
    """How far a judge agrees.

    Args:
        read: For each answer what the person and what the judge said.
    """
    return Agreement(counts=dict(Counter(read)))
