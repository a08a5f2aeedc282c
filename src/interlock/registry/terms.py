"""Texts as terms for full-text search: words in lower case, names taken apart, English endings folded.

Coarse on purpose: what is found is offered to a model, and a model may search again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_SEAM: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a name such as `getHTTPStatus` is taken apart."""

_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
"""Scripts that are written without spaces: each two letters in a row are a term."""

_STOP: Final = frozenset(
    "a an and are as at be by can could do does for from has have how i if in is it its me my of on or our please so "
    "some that the their them then there these they this to was we what when where which who will with would you your "
    "should".split()
)

_ENDINGS: Final = (
    ("ies", "y", 5), ("sses", "ss", 5), ("ing", "", 6), ("edly", "", 7), ("ed", "", 5), ("ers", "", 6), ("er", "", 5),
    ("ions", "", 7), ("ion", "", 6), ("ly", "", 5), ("es", "", 5), ("s", "", 4),
)  # fmt: skip
"""Ending, what stands in its place, and from how many letters on."""


def terms(text: str) -> list[str]:
    """The terms of a text, in its order, repeated as they are there."""
    words = map(str.casefold, _WORD.findall(_SEAM.sub(" ", text)))
    return [term for word in words if word not in _STOP for term in _parts(word)]


def _parts(word: str) -> Iterator[str]:
    if not word.isascii() and _UNSPACED.search(word) and len(word) > 1:
        yield from (word[at : at + 2] for at in range(len(word) - 1))
    else:
        yield _stem(word)


def _stem(word: str) -> str:
    """The word without its ending: `searches`, `searching` and `searched` are one term."""
    if len(word) <= 3 or not word.isascii():
        return word
    for ending, instead, least in _ENDINGS:
        if word.endswith(ending) and len(word) >= least:
            if not word.endswith("ss"):
                word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-2] if len(word) > 4 and word.endswith("at") else word
