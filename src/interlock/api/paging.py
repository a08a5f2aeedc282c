"""Lists in pages: `{items, next}`, the newest first, where `next` is a cursor that says nothing to anybody else.

A cursor is a position, with a mark of the list that it belongs to: one of another list, of other filters or of another
tenant is refused. It needs no signature: whoever makes one up gets to another place of the same list, which is theirs.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from interlock.core.canonical import canonical, digest
from interlock.errors import BadInput
from interlock.ledger.pages import Where
from interlock.ledger.store import Store

LIMIT: Final = 50
LIMIT_MAX: Final = 200
"""Items of one page where nothing is said, and at most."""

_MARK: Final = 8
_POSITION: Final = 8
_DIGITS: Final = 19

Item = TypeVar("Item")


class Listed(BaseModel):
    """What every list may be asked, by query; a list adds its filters. What it does not know it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, description="Items of one page, at most.")] = LIMIT
    cursor: Annotated[
        str | None, Field(max_length=64, description="`next` of the page in front, with the same filters.")
    ] = None


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Annotated[list[Item], Field(description="The newest first, where nothing else is said.")]
    next: Annotated[str | None, Field(description="`cursor` of the page that follows; null where there is none.")]


def cursor_at(position: int, *scope: Any) -> str:
    """A cursor at a position of a list.

    Args:
        position: 0 or more, of at most 8 bytes.
        scope: What the list is: its name, its tenant, its filters; JSON values.
    """
    return urlsafe_b64encode(_mark(scope) + position.to_bytes(_POSITION)).rstrip(b"=").decode()


def position_of(cursor: str | None, *scope: Any) -> int | None:
    """The position of a cursor of this list; None for none.

    Raises:
        BadInput: It is none of this list (`http.cursor`).
    """
    if cursor is None:
        return None
    try:
        found = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        found = b""
    if len(found) != _MARK + _POSITION or cursor_at(_of(found), *scope) != cursor:
        raise BadInput(
            "cursor: none of this list with these filters", code="http.cursor",
            remedy="Send `next` of the page in front as it came, with the same filters; or begin without one.",
        )  # fmt: skip
    return _of(found)


def place_of(said: str) -> int | None:
    """The number of a position or an event, as an address or a header says it in clear; None where it is none."""
    return int(said) if said.isascii() and said.isdigit() and len(said) < _DIGITS else None


def page_document(items: list[Any], following: str | None) -> dict[str, Any]:
    """A page as it is answered."""
    return {"items": items, "next": following}


def filters_of(asked: Listed) -> dict[str, Any]:
    """What a list was asked for besides its place: the scope of its cursors."""
    return asked.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)


def _of(found: bytes) -> int:
    return int.from_bytes(found[_MARK:])


def _mark(scope: tuple[Any, ...]) -> bytes:
    return digest("interlock/cursor/1", canonical(list(scope)))[:_MARK]


async def rows_of(
    store: Store, table: str, where: Where, asked: Listed, *scope: Any
) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
    """One page of a table's rows, and the cursor of the next.

    Args:
        where: What is asked of each column, the tenant among them.
        scope: What the list is; see `cursor_at`.

    Raises:
        BadInput: The cursor is none of this list.
    """
    found = await store.page(table, where, limit=asked.limit, before=position_of(asked.cursor, *scope))
    return found.rows, None if found.before is None else cursor_at(found.before, *scope)
