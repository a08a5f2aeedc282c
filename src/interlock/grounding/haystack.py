"""Texts in which values are looked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from interlock.grounding.normal import SEPARATOR

_BLOCK_MAX: Final = 1 << 20
"""Characters from which a block is joined with no other, so that a look never copies more than twice as much."""

_FLUSH_AT: Final = 1 << 14
_NEAR: Final = 32


class Found(NamedTuple):
    """Where a needle stands.

    Attributes:
        source, pointer: In which text.
        begin, end: Which characters of it, in its normal form.
        bounded: What stands beside it makes it no part of a longer word, address or path.
        before, after: What stands beside it, a few words.
    """

    source: str
    pointer: str
    begin: int
    end: int
    bounded: bool
    before: str
    after: str


@dataclass(slots=True)
class _Block:
    """Several texts as one, with where each begins."""

    text: str
    starts: list[int]
    places: list[tuple[str, str]]


class Haystack:
    """Texts in their normal form, joined into a few blocks: a look costs what `str.find` costs over all of them.

    Adding a text costs its own size, in the mean: blocks are joined only with such as are not much larger.
    """

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._texts: list[str] = []
        self._places: list[tuple[str, str]] = []
        self._pending = 0
        self.size = 0

    def add(self, source: str, pointer: str, text: str) -> None:
        """A further text, in its normal form."""
        if not text:
            return
        self._texts.append(text)
        self._places.append((source, pointer))
        self._pending += len(text) + 1
        self.size += len(text)
        if self._pending >= _FLUSH_AT:
            self._flush()

    def __contains__(self, needle: str) -> bool:
        """Whether it stands anywhere, as a part of a word too."""
        if self._texts:
            self._flush()
        return any(needle in block.text for block in self._blocks)

    def find(self, needle: str) -> Iterator[Found]:
        """Every place where it stands, in the order of the texts."""
        if not needle:
            return
        if self._texts:
            self._flush()
        for block in self._blocks:
            at = block.text.find(needle)
            while at >= 0:
                which = bisect_right(block.starts, at) - 1
                begin, end = at - block.starts[which], at + len(needle) - block.starts[which]
                bounded, end_at = is_bounded(block.text, at, at + len(needle)), at + len(needle)
                before = block.text[max(at - _NEAR, 0) : at].rpartition(SEPARATOR)[2]
                after = block.text[end_at : end_at + _NEAR].partition(SEPARATOR)[0]
                yield Found(*block.places[which], begin, end, bounded, before, after)
                at = block.text.find(needle, at + 1)

    def texts(self) -> Iterator[str]:
        """All of it, in pieces in which no two texts meet without a separator."""
        if self._texts:
            self._flush()
        for block in self._blocks:
            yield block.text

    def _flush(self) -> None:
        starts, at = [], 0
        for text in self._texts:
            starts.append(at)
            at += len(text) + 1
        made = _Block(SEPARATOR.join(self._texts) + SEPARATOR, starts, self._places)
        self._texts, self._places, self._pending = [], [], 0
        blocks = self._blocks
        while blocks and len(blocks[-1].text) <= 2 * len(made.text) and len(blocks[-1].text) < _BLOCK_MAX:
            before = blocks.pop()
            moved = len(before.text)
            made = _Block(
                before.text + made.text,
                before.starts + [start + moved for start in made.starts],
                before.places + made.places,
            )
        blocks.append(made)


def _joined(one: str, other: str) -> bool:
    """Whether two characters side by side are of one word: letters or digits of a script that has spaces."""
    if not (one.isalnum() and other.isalnum()):
        return False
    return (one.isascii() and other.isascii()) or not (_is_unspaced(one) or _is_unspaced(other))


def _is_unspaced(letter: str) -> bool:
    """Whether it is of a script that sets no space between words: Han, Kana, Thai, Lao, Khmer, Burmese."""
    return (
        "\u0e00" <= letter <= "\u0eff"
        or "\u1000" <= letter <= "\u109f"
        or "\u1780" <= letter <= "\u17ff"
        or ("\u2e80" <= letter <= "\u9fff" or "\U00020000" <= letter <= "\U0003ffff")
    )


def is_bounded(text: str, begin: int, end: int) -> bool:
    """Whether the characters are a whole word, address or path of the text, and no part of a longer one."""
    before, after = text[begin - 1 : begin] if begin else "", text[end : end + 1]
    needle = text[begin:end]
    if _joined(before, needle[0]) or _joined(needle[-1], after):
        return False
    if "@" in needle or "." in needle:
        if before and before in "@._-+/%":
            return False
        if after and (after in "@-+%" or (after in "./?&=#" and text[end + 1 : end + 2].isalnum())):
            return False
        if needle[-1] == "/" and after.isalnum():
            return False
    return True
