"""A body of an event, read as it is found: erased, of another release or mangled.

What is not of the type that it should be is as if it were not there, so that no event that a ledger can hold ends the
counting of events, or their export.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def text(found: object) -> str:
    """A text; empty where it is none."""
    return found if isinstance(found, str) else ""


def part(body: object, *path: str) -> dict[str, Any]:
    """What stands in a body at a path; empty where no object does."""
    for each in path:
        body = body.get(each) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}


def items(found: object) -> Sequence[Any]:
    """What stands in a list; nothing where it is none."""
    return found if isinstance(found, list | tuple) else ()


def number(found: object) -> int | None:
    """A count or a duration of an event; None where it is none, or one below 0, which no count grows by."""
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None
