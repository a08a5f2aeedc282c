"""What a call is about, before anybody opens it: its money, whom it goes to, then its other arguments, in one line.

A line is cut, and says so; nobody decides by it. What hides in it is shown as an escape, as everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from interlock.approvals.suggest import leaves
from interlock.approvals.where import domain_of, exactly
from interlock.core.canonical import Json
from interlock.core.visible import Stretch, one_line, visible_json
from interlock.inbox import Item
from interlock.ledger.pages import LIMIT_MAX, VALUES_MAX
from interlock.ledger.store import Store

PARTS_MAX: Final = 5
VALUE_MAX: Final = 48
NAME_MAX: Final = 40
"""Arguments of a line, and characters of a value and of a name; what is longer ends with `…`."""

_MONEY: Final = re.compile(
    r"(^|_)(amount|price|total|cents?|usd|eur|gbp|fee|cost|sum|money|balance|credit|refund|budget|salary|discount)(_|$)",
    re.IGNORECASE,
)
_CURRENCY: Final = re.compile(r"(^|_)currency(_|$)", re.IGNORECASE)
_CENTS: Final = re.compile(r"(^|_)cents?(_|$)", re.IGNORECASE)
_AMOUNT_MAX: Final = 40
_ADDRESS_MAX: Final = 320
"""Characters: a longer text is no address."""

_SEAM: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")

_TABLES: Final = {
    "held": ("approval", "approval_id"), "unknown": ("tool_call", "call_id"), "dead_letter": ("tool_call", "call_id"),
    "not_undone": ("tool_call", "call_id"),
}  # fmt: skip
"""Where an item's call stands, by the item's kind, and the column of its first id."""


class Named(NamedTuple):
    """What stands in a fixed place: a recipient with its domain, or an amount.

    Attributes:
        pointer: RFC 6901, into the arguments.
        value: As it stands there.
        said: The domain; whole units for cents; empty for neither.
    """

    pointer: str
    value: str
    said: str


class Part(NamedTuple):
    """One argument of a line.

    Attributes:
        name: Its pointer without the first slash.
        value: In JSON, with what hides as escapes.
        said: Whole units of an amount in cents; else empty.
        weighs: Whether it is money or a recipient.
    """

    name: str
    value: tuple[Stretch, ...]
    said: str
    weighs: bool


class Gist(NamedTuple):
    """What a call is about.

    Attributes:
        parts: Money first, then recipients, then the others in their order.
        more: How many arguments it has beside these.
    """

    parts: tuple[Part, ...]
    more: int

    def __str__(self) -> str:
        """One line for a terminal, with escapes for what hides."""
        said = [
            f"{one_line(part.name)}={''.join(each.text for each in part.value)}{f' ({part.said})' if part.said else ''}"
            for part in self.parts
        ]
        return ", ".join([*said, *([f"{self.more} more"] if self.more else [])])


def gist(arguments: Mapping[str, Any], roles: Mapping[str, Any]) -> Gist:
    """The line of a call.

    Args:
        roles: By pointer, what provenance says of a leaf; empty where it was not asked.
    """
    parts = {at: value for at, value in leaves(arguments).items() if at}
    amounts = {each.pointer: each.said for each in money(parts, roles)}
    weighty = dict.fromkeys((*amounts, *(each.pointer for each in recipients(parts, roles))))
    shown = [*weighty, *(at for at in parts if at not in weighty)][:PARTS_MAX]
    made = tuple(Part(_cut(at[1:], NAME_MAX), _value(parts[at]), amounts.get(at, ""), at in weighty) for at in shown)
    return Gist(made, len(parts) - len(made))


async def gists(store: Store, tenant: str, items: Iterable[Item]) -> dict[tuple[str, str], Gist]:
    """What the calls of items are about, by the item's run and first id.

    An item that stands for unlike calls has none, nor has one of no call, nor what was erased. One event is read for
    each, however long its run is.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found: dict[tuple[str, str], Gist] = {}
    wanted = [item for item in items if item.why != "flood" and item.kind in _TABLES]
    for table, column in dict.fromkeys(_TABLES.values()):
        asked = [item for item in wanted if _TABLES[item.kind] == (table, column)]
        places = await _places(store, tenant, table, column, [item.ids[0] for item in asked])
        for item in asked:
            position = next((at for run, at in places.get(item.ids[0], ()) if item.run_id in ("", run)), None)
            if position is not None and (line := await _at(store, position)) is not None:
                found[item.run_id, item.ids[0]] = line
    return found


def recipients(parts: Mapping[str, Json], roles: Mapping[str, Any]) -> Iterator[Named]:
    """Whatever looks like an address or a host, and whatever is a target by its role.

    Args:
        parts: The leaves of the arguments by their pointers.
        roles: By pointer, what provenance says of a leaf.
    """
    for at, value in parts.items():
        if not isinstance(value, str) or len(value) > _ADDRESS_MAX:
            continue
        domain = domain_of(value)
        if not domain and "://" in value[:16]:
            domain = _host(value)
        if domain:
            yield Named(at, value, domain)
        elif roles.get(at, {}).get("role") in ("target", "fetch") or _like_an_address(value):
            yield Named(at, value, "")


def money(parts: Mapping[str, Json], roles: Mapping[str, Any]) -> Iterator[Named]:
    """Whatever is an amount by its role or its name, and the currencies beside it; cents as whole units as well.

    Args:
        parts: The leaves of the arguments by their pointers.
        roles: By pointer, what provenance says of a leaf.
    """
    for at, value in parts.items():
        name = _SEAM.sub("_", at.rpartition("/")[2])
        is_amount = _MONEY.search(name) is not None or roles.get(at, {}).get("role") == "amount"
        if is_amount and isinstance(value, int | float) and not isinstance(value, bool):
            yield Named(at, json.dumps(value), f"{exactly(value) / 100:,.2f}" if _CENTS.search(name) else "")
        elif isinstance(value, str) and len(value) < _AMOUNT_MAX and (is_amount or _CURRENCY.search(name)):
            yield Named(at, value, "")


async def _places(
    store: Store, tenant: str, table: str, column: str, ids: Sequence[str]
) -> dict[str, list[tuple[str, int]]]:
    """Runs and positions of the calls or requests with these ids: an id alone is another call's in another run."""
    places: dict[str, list[tuple[str, int]]] = {}
    for first in range(0, len(ids), VALUES_MAX):
        where = {"tenant": tenant, column: tuple(ids[first : first + VALUES_MAX])}
        page = await store.page(table, where, limit=LIMIT_MAX)
        for row, position in zip(page.rows, page.positions, strict=True):
            places.setdefault(row[column], []).append((row["run_id"], position))
    return places


async def _at(store: Store, position: int) -> Gist | None:
    """The line of the event at a position; None where its content was erased."""
    ((_, event),) = await store.follow(position - 1, 1)
    body = event.fact.body
    return gist(body["arguments"], (body.get("origins") or {}).get("arguments", {})) if "arguments" in body else None


def _value(value: Json) -> tuple[Stretch, ...]:
    if not isinstance(value, str) or len(value) <= VALUE_MAX:
        return tuple(visible_json(value))
    return (*visible_json(value[:VALUE_MAX]), Stretch("…"))


def _cut(said: str, most: int) -> str:
    return said if len(said) <= most else f"{said[:most]}…"


def _host(value: str) -> str:
    try:
        return urlsplit(value).hostname or ""
    except ValueError:
        return ""


def _like_an_address(value: str) -> bool:
    return "@" in value[1:-1] and " " not in value.strip()
