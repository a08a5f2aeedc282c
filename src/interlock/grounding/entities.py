"""Values of known kinds in a text: addresses, links, dates, amounts, numbers in digits and in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from interlock.grounding.dates import dates_in, times_in
from interlock.grounding.numbers import numbers_in
from interlock.grounding.typed import CURRENCIES, Typed, Unfit, typed

_EMAIL: Final = re.compile(r"(?<![A-Za-z0-9!#$%&'*+/=?^_`{|}~.-])[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[\w.-]*\w")
_URL: Final = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"'`«»“”]+")
_HOST: Final = re.compile(r"(?<![\w@/.-])(?:[\w-]+\.)+[a-zA-Z]{2,24}(?::[0-9]{1,5})?(?:/[^\s<>\"'`]*)?(?![\w@])")
_IBAN: Final = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_UUID: Final = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
_PHONE: Final = re.compile(r"(?<![\w+])\+?[0-9(][0-9 ().-]{5,22}[0-9](?!\w)")
_PATH: Final = re.compile(r"(?<![\w:/.~])(?:~|\.{1,2})?/[^\s<>\"'`|*?]+")
_SIGN_FIRST: Final = re.compile(r"([$€£¥₹]|\b[A-Z]{3})\s?([0-9][0-9,]*(?:\.[0-9]+)?)")
_SIGN_LAST: Final = re.compile(r"(?<![0-9,.])([0-9][0-9,]*(?:\.[0-9]+)?)\s?([€£¥₹$]|[A-Za-z]{3,8}\b)")

Span = tuple[int, int]


def entities(text: str) -> Iterator[tuple[Typed, Span]]:
    """Every value of a known kind in a text, in the one form of its kind, and which characters say it.

    Args:
        text: In its normal form, with its case.
    """
    for found in _EMAIL.finditer(text):
        yield from _read(found[0], "email", found.span())
    for found in _URL.finditer(text):
        yield from _read(_unended(found[0]), "url", found.span())
    for found in _HOST.finditer(text):
        yield from _named(_unended(found[0]), found.span())
    for pattern, kind in ((_IBAN, "iban"), (_UUID, "uuid"), (_PHONE, "phone"), (_PATH, "path")):
        for found in pattern.finditer(text):
            yield from _read(_unended(found[0]) if kind == "path" else found[0], kind, found.span())
    folded = text.lower()
    for said, span in dates_in(folded).items():
        yield Typed("date", said), span
    for said, span in times_in(folded).items():
        yield Typed("time", said), span
    for said, span in numbers_in(folded):
        yield Typed("number", said), span
    yield from _amounts(text)


def _read(text: str, shape: str, span: Span) -> Iterator[tuple[Typed, Span]]:
    try:
        made = typed(text, shape)
    except Unfit:
        return
    if made is not None:
        yield made, span


def _named(text: str, span: Span) -> Iterator[tuple[Typed, Span]]:
    """A host that is named without a scheme means what a browser makes of it."""
    yield from _read(text.partition("/")[0].partition(":")[0], "host", span)
    for scheme in ("https", "http"):
        yield from _read(f"{scheme}://{text}", "url", span)


def _amounts(text: str) -> Iterator[tuple[Typed, Span]]:
    for pattern, sign, amount in ((_SIGN_FIRST, 1, 2), (_SIGN_LAST, 2, 1)):
        for found in pattern.finditer(text):
            if found[sign].casefold() in CURRENCIES:
                yield from _read(f"{found[sign]}{found[amount]}", "money", found.span())


def _unended(text: str) -> str:
    """A link or path without the punctuation of the sentence that it ends."""
    text = text.rstrip(".,;:!?")
    over = text.count(")") + text.count("]") - text.count("(") - text.count("[")
    end = len(text)
    while over > 0 and text[end - 1] in ")]":
        over, end = over - 1, end - 1
        while text[end - 1] in ".,;:!?":
            end -= 1
    return text[:end]
