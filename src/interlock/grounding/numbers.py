"""Numbers as people write them: digits with thousands signs, shares, fractions, and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

from interlock.grounding.typed import Unfit, number, plainly

_DIGITS: Final = re.compile(
    r"(?<![\w.,^])(?P<sign>[-+\u2212](?:(?<=\s.)\s)?)?(?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?P<power>[e^][+-]?[0-9]{1,2})?(?P<scale>k|m|b|mn|bn)?(?P<unit>[^\W\d_]{1,4}[0-9]?)?(?![\w])(?:\s?(?P<share>%|percent))?"
    r"(?:\s(?P<word>hundred|thousand|million|billion|trillion)s?\b)?"
)
_FRACTION: Final = re.compile(r"(?<![\w/.])([0-9]{1,4})/([0-9]{1,4})(?![\w/])")
_SCALES: Final = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9, "hundred": 100, "thousand": 10**3,
                  "million": 10**6, "billion": 10**9, "trillion": 10**12}  # fmt: skip
_ONES: Final = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split()
    )
}
_TENS: Final = {
    word: 10 * value for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SOLE: Final = {"once": "1", "twice": "2", "thrice": "3", "single": "1", "couple": "2", "pair": "2", "dozen": "12",
                "half": "0.5", "quarter": "0.25", "decade": "10", "century": "100"}  # fmt: skip
_WORDS: Final = "|".join((*_ONES, *_TENS, "hundred", "thousand", "million", "billion", "trillion"))
_RUN: Final = re.compile(rf"\b(?:{_WORDS})(?:(?:\s|-|\sand\s)(?:{_WORDS}))*\b")
_RUN_MAX: Final = 128
_SINGLE: Final = re.compile(rf"\b(?:{'|'.join(_SOLE)})\b")


def numbers_in(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every number in a text, in the one form of numbers, and which characters say it.

    A share is given twice: `5 %` is 5 and 0.05.

    Args:
        text: In lower case.
    """
    for found in _DIGITS.finditer(text):
        yield from ((said, found.span()) for said in _digits(found))
    for found in _FRACTION.finditer(text):
        if int(found[2]):
            yield from ((said, found.span()) for said in _exactly(Fraction(int(found[1]), int(found[2]))))
    for found in _RUN.finditer(text):
        if found.end() - found.start() <= _RUN_MAX:  # else nobody's number: a thousand thousands are an endless one
            yield str(_counted(found[0])), found.span()
    for found in _SINGLE.finditer(text):
        yield _SOLE[found[0]], found.span()


def _digits(found: re.Match[str]) -> Iterator[str]:
    try:
        amount = Decimal(number(found["number"]))
    except Unfit:
        return
    if found["power"] and found["power"][0] == "e":
        amount = amount.scaleb(int(found["power"][1:]))
    signed = -amount if found["sign"] and found["sign"][0] != "+" else amount
    for each in {signed, amount}:
        yield plainly(each)
        if scale := _SCALES.get(found["word"] or found["scale"] or ""):
            yield plainly(each * scale)
        if found["share"]:
            yield plainly(each / 100)


def _exactly(share: Fraction) -> Iterator[str]:
    exact = Decimal(share.numerator) / Decimal(share.denominator)
    if Fraction(exact) == share:
        yield plainly(exact)


def _counted(words: str) -> int:
    """What a run of number words comes to: `two hundred and five` is 205, `nineteen eighty` 1980."""
    whole, part = 0, 0
    for word in re.split(r"[\s-]+", words):
        if word == "and":
            continue
        if word == "hundred":
            part = (part or 1) * 100
        elif word in _SCALES:
            whole, part = whole + (part or 1) * _SCALES[word], 0
        else:
            value = _ONES.get(word, _TENS.get(word, 0))
            part = part * 100 + value if 10 <= part < 100 and value >= 10 else part + value
    return whole + part
