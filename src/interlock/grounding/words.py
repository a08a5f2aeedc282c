"""The user's own words in a run: what values they name and which tools they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from interlock.core.provenance import WORDS, Evidence
from interlock.grounding.dates import days_meant, spans_in
from interlock.grounding.entities import entities
from interlock.grounding.haystack import Found, Haystack
from interlock.grounding.normal import normal
from interlock.grounding.typed import Typed, url

_TOKEN: Final = re.compile(r"\w+")
_REFUSED: Final = re.compile(
    r"\b(?:not|n't|never|without|no|nicht|nie)\W+(?:\w+\W+){0,2}\Z|n['\u2019]t\W+(?:\w+\W+){0,2}\Z"
)
_NUMBERED: Final = re.compile(r"(?:#|\b(?:no\.?|nr\.?|number|id|ids)(?: is| of)?)[\s:=]*[\"'`]?\Z")
_QUOTED: Final = frozenset(zip("\"'`\u201c\u2018\u00ab", "\"'`\u201d\u2019\u00bb", strict=True))
_BETWEEN_MAX: Final = 6
_DAY_US: Final = 86_400_000_000
_PLAIN_MAX: Final = 4
_NAME: Final = 3
_RUN_ON: Final = re.compile(r"(?<=[a-z0-9])\.(?=[A-Z][a-z])")
_DIGITS_MAX: Final = 6
_WORDS_NEAR: Final = 3


class Words:
    """What the user said, incrementally. Pasted matter is kept elsewhere."""

    def __init__(self) -> None:
        self.text = Haystack()
        self.exact = Haystack()
        self.tokens: set[str] = set()
        self.entities: dict[Typed, Evidence] = {}
        self.hosts: set[Typed] = set()
        self._said = 0
        self._messages: dict[str, str] = {}
        self._exactly: dict[str, str] = {}
        self._spans: list[tuple[int, Evidence]] = []
        self._days: tuple[tuple[int, int], dict[str, Evidence]] = ((0, -1), {})
        self._asked: dict[tuple[tuple[str, ...], int], bool] = {}

    def say(self, text: str) -> set[str]:
        """Take further words in; their tokens."""
        folded, self._said = normal(text), self._said + 1
        pointer = f"/{self._said - 1}"
        self.text.add(WORDS, pointer, folded)
        self._messages[pointer] = folded
        self._spans += [(days, Evidence(WORDS, pointer, *span)) for days, span in spans_in(folded)]
        exact = normal(text, exact=True)
        self.exact.add(WORDS, pointer, exact)
        self._exactly[pointer] = exact
        for found, (begin, end) in (*entities(exact), *_before_a_stop(exact)):
            self.entities.setdefault(found, Evidence(WORDS, pointer, begin, end))
            if found.kind == "url":
                self.hosts.add(Typed("host", url(found.text).host))
        tokens = set(_TOKEN.findall(folded))
        self.tokens |= tokens
        return tokens

    def marks(self, text: str) -> Evidence | None:
        """Where the words name a short value in just its own letters, which no other word of a sentence has.

        Such are capitals (`JFK`, `USD`) in a message that is not all in capitals, and letters with digits (`p4`).
        """
        letters = [mark for mark in text if mark.isalpha()]
        shouted = len(letters) > 1 and all(map(str.isupper, letters))
        if not shouted and not (letters and any(map(str.isdigit, text))):
            return None
        for found in self.exact.find(normal(text, exact=True)):
            if found.bounded and not (shouted and (found.before + found.after).isupper()):
                return Evidence(WORDS, found.pointer, found.begin, found.end)
        return None

    def names(self, needle: str, *, nouns: tuple[str, ...] = (), exact: bool = False) -> Evidence | None:
        """Where the words name a value, whole; a short one only beside a noun of its argument.

        Args:
            needle: The value in its normal form.
        """
        short = is_short(needle)
        for found in (self.exact if exact else self.text).find(needle):
            if found.bounded and (not short or _beside(found, nouns)):
                return Evidence(WORDS, found.pointer, found.begin, found.end)
        return None

    def bears(self, name: str) -> Evidence | None:
        """Where the words have a name of three letters, written as one: no other word of a sentence is `Eve`."""
        if len(name) != _NAME or not name.isalpha() or not name.istitle():
            return None
        return next((Evidence(WORDS, found.pointer, found.begin, found.end)
                     for found in self.exact.find(normal(name, exact=True)) if found.bounded), None)  # fmt: skip

    def calls(self, name: str) -> bool:
        """Whether the words write a name as one, with a capital; in a message of small letters any word may be one.

        Args:
            name: In its normal form.
        """
        for found in self.text.find(name):
            exact = self._exactly[found.pointer]
            written = exact[found.begin : found.end]
            if found.bounded and (exact.islower() or (written.casefold() == name and written[:1].isupper())):
                return True
        return False

    def stands(self, needle: str) -> Evidence | None:
        """Where the words have it whole, however short it is."""
        return next((Evidence(WORDS, found.pointer, found.begin, found.end)
                     for found in self.text.find(needle) if found.bounded), None)  # fmt: skip

    def message(self, pointer: str) -> str:
        """The own words of one message, in their normal form; empty where there is none."""
        return self._messages.get(pointer, "")

    def is_share(self, where: Evidence) -> bool:
        """Whether what stands there is given in hundredths."""
        return self.message(where.pointer)[where.begin : where.end].endswith(("%", "percent"))

    def days(self, now_us: int) -> dict[str, Evidence]:
        """Days that day words mean on the day of the run's clock, and where they stand."""
        key = (now_us // _DAY_US, self._said)
        if self._days[0] != key:
            self._days = (
                key,
                {
                    day: Evidence(WORDS, pointer, *span)
                    for pointer, text in reversed(self._messages.items())
                    for day, span in days_meant(text, now_us).items()
                },
            )
        return self._days[1]

    def spans(self) -> list[tuple[int, Evidence]]:
        """Whole days that the words count out, and where."""
        return self._spans

    def asks(self, phrases: tuple[str, ...]) -> bool:
        """Whether the words ask for what one of the phrases means."""
        key = (phrases, self._said)
        if key not in self._asked:
            self._asked[key] = any(self._says(phrase) for phrase in phrases)
        return self._asked[key]

    def _says(self, phrase: str) -> bool:
        pattern = _phrase(normal(phrase))
        return any(
            not _REFUSED.search(text[max(0, found.start() - 40) : found.start()])
            for text in self.text.texts()
            for found in pattern.finditer(text)
        )


def _before_a_stop(exact: str) -> Iterator[tuple[Typed, tuple[int, int]]]:
    """What stands before a full stop that has no space behind it: `See www.acme.com.They know`."""
    if _RUN_ON.search(exact):
        yield from (
            (found, span) for found, span in entities(_RUN_ON.sub(" ", exact)) if found.kind in ("url", "email")
        )


def is_short(needle: str) -> bool:
    """Whether a value is too short to be told from what stands in any text."""
    return len(needle) < _PLAIN_MAX or (needle.isdigit() and len(needle) < _DIGITS_MAX)


def _beside(found: Found, nouns: tuple[str, ...]) -> bool:
    """Whether one of the nouns or a sign for a number stands next to it, or it stands alone in quotation marks."""
    if _NUMBERED.search(found.before) or (found.before[-1:], found.after[:1]) in _QUOTED:
        return True
    near = {*_TOKEN.findall(found.before)[-_WORDS_NEAR:], *_TOKEN.findall(found.after)[:_WORDS_NEAR]}
    return any(noun in near or f"{noun}s" in near for noun in nouns)


@lru_cache(1024)
def _phrase(phrase: str) -> re.Pattern[str]:
    parts = phrase.split()
    pattern = r"(?<!\w)"
    for at, part in enumerate(parts):
        if part == "*":
            pattern += rf"(?:\w+\W+){{0,{_BETWEEN_MAX}}}?"
        else:
            pattern += re.escape(part).replace(r"\*", r"\w*") + (r"(?!\w)" if at == len(parts) - 1 else r"(?!\w)\W+")
    return re.compile(pattern)
