"""Lists: which rows hold the words that were searched for, and the part of them that one answer carries."""

from __future__ import annotations

from examples.service.answer import Answer
from examples.service.request import Request
from examples.service.store import Row

LIMIT_MAX = 50
PAGE = ("limit", "offset")
"""The fields that every list has."""


def page(rows: list[Row], request: Request) -> Answer:
    """At most `limit` of the rows (20 unless asked, 50 at most) from `offset` on, and how many there are."""
    limit = request.whole("limit", 1, LIMIT_MAX, default=20)
    offset = request.whole("offset", 0, default=0)
    return Answer(200, {"items": rows[offset : offset + limit], "total": len(rows)})


def holding(words: str, rows: list[Row], *columns: str) -> list[Row]:
    """The rows that have every word somewhere in these columns, in any case; all of them for no words."""
    wanted = words.casefold().split()
    texts = (" ".join(row[column] for column in columns).casefold() for row in rows)
    return [row for row, text in zip(rows, texts, strict=True) if all(word in text for word in wanted)]
