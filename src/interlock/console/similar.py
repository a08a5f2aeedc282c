"""The last call like this one that people approved, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from interlock.approvals.suggest import leaves
from interlock.asked import Asked, asked_of
from interlock.console.request import Text, shown_value
from interlock.core.canonical import Json
from interlock.errors import NotFound
from interlock.ledger.store import Store

_LOOKED_AT: Final = 20
"""Requests that are looked at, the newest: those before may be of another server's tool, or erased."""

_APPROVED: Final = ("approved", "consumed")
_NONE: Final = object()


class Change(NamedTuple):
    """One part of the arguments that differs.

    Attributes:
        what: `added`, `removed` or `changed`.
        pointer: RFC 6901, into the arguments.
        was, now: The values; None for a part that is not there.
    """

    what: str
    pointer: str
    was: Text | None
    now: Text | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """The last approved call like this one.

    Attributes:
        approval_id: Its request.
        subject: On whose behalf it was.
        decided_us: When it was approved.
        approvers: By whom.
        redefined: The tool's definition was another one.
        changes: What differs in the arguments; nothing where they are equal.
    """

    approval_id: str
    subject: str
    decided_us: int
    approvers: tuple[str, ...]
    redefined: bool
    changes: tuple[Change, ...]


async def last_similar(store: Store, asked: Asked) -> Similar | None:
    """The newest approved request for the same tool before this one: on the same behalf, else anybody's of the tenant.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    request, tenant = asked.state.request, asked.subject.tenant
    for more in ({"subject": asked.subject.id}, {}):
        where = {"tenant": tenant, "tool": request["tool"]["name"], "status": _APPROVED, **more}
        for row in (await store.page("approval", where, limit=_LOOKED_AT)).rows:
            if row["requested_us"] >= request["requested_us"] or row["approval_id"] == asked.state.approval_id:
                continue
            try:
                before = await asked_of(store, approval_id=row["approval_id"], tenant=tenant)
            except NotFound:
                continue  # erased
            if before.state.request["tool"]["server"] == request["tool"]["server"]:
                return _compared(row, before, asked)
    return None


def _compared(row: dict[str, Any], before: Asked, asked: Asked) -> Similar:
    was, now = before.state.request, asked.state.request
    return Similar(
        approval_id=before.state.approval_id, subject=before.subject.id, decided_us=row["decided_us"] or 0,
        approvers=tuple(before.state.approvals), redefined=was["tool"]["hash"] != now["tool"]["hash"],
        changes=tuple(_changes(was["arguments"], now["arguments"])),
    )  # fmt: skip


def _changes(was: Json, now: Json) -> list[Change]:
    before, after = leaves(was), leaves(now)
    found = []
    for at in dict.fromkeys((*after, *before)):
        old, new = before.get(at, _NONE), after.get(at, _NONE)
        if old is new or (type(old) is type(new) and old == new):
            continue
        what = "added" if old is _NONE else "removed" if new is _NONE else "changed"
        found.append(Change(what, at, _shown(old, f"was {at}"), _shown(new, f"now {at}")))
    return found


def _shown(value: Any, name: str) -> Text | None:
    return None if value is _NONE else shown_value(value, name)
