"""Values that are made of grounded ones: days by a count or a word, and texts put together of pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from heapq import nsmallest
from typing import Final

from interlock.core.provenance import WORDS, Evidence, Level
from interlock.grounding.dates import moved
from interlock.grounding.index import Index
from interlock.grounding.typed import Typed

_TOKEN: Final = re.compile(r"\w+")
_SPACED: Final = re.compile(r"[\w' -]+")
_PIECES_MAX: Final = 4
_PIECE_MIN: Final = 3
_TOKENS_MAX: Final = 24
_COVERED: Final = 0.95
_US: Final = 1_000_000
_POOL_MAX: Final = 64
_CENT: Final = Decimal("0.01")
_AMOUNT_MAX: Final = Decimal(10) ** 12
_SUMS: Final = frozenset(
    "sum total difference plus minus add added adding more less increase increased decrease decreased raise raised"
    " reduce reduced extra together combined remaining discount higher lower bigger smaller subtract deduct".split()
)
"""Words of a user who wants something worked out."""


def day_of(index: Index, text: str, now_us: int) -> tuple[Level, Evidence] | None:
    """Where a date or moment comes from: a date of the words or of a record, a day word, a count of days from one."""
    day, _, clock = text.partition("T")
    found = _day(index, day, now_us)
    if found is None or not clock or clock == "00:00":
        return found
    time = Typed("time", clock)
    if where := index.words.entities.get(time):
        return min(found[0], Level.USER), found[1] if found[1].source != WORDS else where
    return None


def _day(index: Index, day: str, now_us: int) -> tuple[Level, Evidence] | None:
    words, year = index.words.entities, datetime.fromtimestamp(now_us / _US, UTC).year
    if where := words.get(Typed("date", day)):
        return Level.USER, where
    if day[:4].isdigit() and abs(int(day[:4]) - year) <= 1 and (where := words.get(Typed("date", f"-{day[4:]}"))):
        return Level.USER, where
    if held := index.records.field((Typed("date", day),)):
        return held[1], held[0].places[0]
    if where := index.words.days(now_us).get(day):
        return Level.USER, where
    for days, where in index.words.spans():
        for start in filter(None, (moved(day, -days), moved(day, days))):
            if Typed("date", start) in words:
                return Level.USER, where
            if (held := index.records.field((Typed("date", start),))) and held[1] >= Level.ANCHORED:
                return held[1], where
    return None


def made_of(index: Index, amount: Typed) -> tuple[Level, tuple[Evidence, ...]] | None:
    """Where an amount comes from that is worked out: a sum, a difference or a share of two numbers.

    One of them is the user's, who says what is to be done with the other: the user's as well, or a trusted field. Its
    level is the least of theirs. Only what the user asks for is worked out: a share of what they give in hundredths
    (`10 %`), a sum or difference where they speak of one; else nearly every number is made of some two others.
    """
    wanted = _decimal(amount)
    sums = not _SUMS.isdisjoint(index.words.tokens)
    own = [(number, where, index.words.is_share(where)) for said, where in index.words.entities.items()
           if (number := _decimal(said)) is not None]  # fmt: skip
    if wanted is None or not (sums or any(share for _, _, share in own)):
        return None
    fields = nsmallest(_POOL_MAX, index.records.numbers(), key=lambda each: (-each[1], each[0]))
    best: tuple[Level, tuple[Evidence, ...]] | None = None
    for mine, where, share in own[:_POOL_MAX]:
        others = [(number, Level.USER, place) for number, place, _ in own[:_POOL_MAX] if place != where]
        for other, level, place in (*others, *fields):
            if (
                (best is None or level > best[0])
                and wanted > 0
                and wanted in _made(mine, other, sums=sums, share=share)
            ):
                best = level, (where, place)
    return best


def _made(mine: Decimal, other: Decimal, *, sums: bool, share: bool) -> Iterator[Decimal]:
    """What two numbers come to, to the hundredth."""
    if sums and not share:
        yield from (result.quantize(_CENT) for result in (mine + other, mine - other, other - mine))
    if share:
        part = mine * other / 100
        yield from (result.quantize(_CENT) for result in (part, other + part, other - part))


def _decimal(value: Typed) -> Decimal | None:
    """The amount of a number or of money, to the hundredth."""
    if value.kind not in ("number", "money"):
        return None
    amount = Decimal(value.text.rpartition(" ")[2])
    return amount.quantize(_CENT) if abs(amount) < _AMOUNT_MAX else None


def covered(index: Index, plain: str, *, whole: bool = False) -> tuple[Level, tuple[Evidence, ...]] | None:
    """Where the pieces come from of which a text is put together: at most four, that make up nearly all of it.

    A piece stands whole in the user's words or is a trusted field. Its level is the least of theirs.

    Args:
        whole: They must make up all of it, with nothing but spaces between: `acme.example.co` is not made of what
            `acme.example` is.
    """
    tokens = [found.span() for found in _TOKEN.finditer(plain.replace("_", " "))]
    if not 2 <= len(tokens) <= _TOKENS_MAX or "@" in plain or "://" in plain:
        return None
    spaced = plain.replace("_", " ")
    if whole and not _SPACED.fullmatch(spaced):
        return None
    at, level, places, missed = 0, Level.USER, list[Evidence](), 0
    while at < len(tokens):
        for end in range(len(tokens), at, -1):
            piece = spaced[tokens[at][0] : tokens[end - 1][1]]
            if found := _piece(index, piece):
                level = min(level, found[0])
                places.append(found[1])
                at = end
                break
        else:
            missed += tokens[at][1] - tokens[at][0]
            at += 1
        if len(places) > _PIECES_MAX:
            return None
    size = sum(end - begin for begin, end in tokens)
    enough = not missed if whole else size - missed >= _COVERED * size
    return (level, tuple(places)) if places and enough else None


def _piece(index: Index, piece: str) -> tuple[Level, Evidence] | None:
    if len(piece) < _PIECE_MIN:
        return None
    if index.words.tokens.issuperset(_TOKEN.findall(piece)) and (where := index.words.stands(piece)):
        return Level.USER, where
    held = index.records.field((piece,))
    return (held[1], held[0].places[0]) if held else None
