"""The audit: the ledger's tables asked as an auditor asks, and events as they stand in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from interlock.api.asking import who_of
from interlock.api.paging import place_of
from interlock.api.reach import row_of_run
from interlock.console.view import View, seen
from interlock.core.times import moment
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.audit import VIEWS, Question, asked_where
from interlock.ledger.pages import Page, during
from interlock.ledger.plain import plain
from interlock.ledger.tables import TABLES

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

ROWS: Final = 50
"""Rows on one page; of a download, 10,000."""

_DOWNLOAD_MAX: Final = 10_000
_ASKED: Final = ("run_id", "call_id", "principal_id", "tool", "status", "outcome", "code", "decision", "effect")
"""Columns that the form asks for, of those that a view has."""

_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "run": ("started_us", "run_id", "status", "driver", "title", "principal_id", "reason", "ended_us"),
    "step": ("started_us", "run_id", "step", "tool", "status", "outcome", "call_id"),
    "tool_call": (
        "proposed_us",
        "run_id",
        "tool",
        "effect",
        "status",
        "outcome",
        "code",
        "principal_id",
        "approval_id",
    ),
    "authz_decision": ("at_us", "run_id", "tool", "effect", "decision", "reasons", "gate", "code", "principal_id"),
    "tool_result": ("at_us", "run_id", "tool", "kind", "outcome", "code", "took_us", "attempts", "by"),
    "compensation_action": ("at_us", "run_id", "tool", "outcome", "call_id"),
    "approval": (
        "requested_us",
        "run_id",
        "tool",
        "effect",
        "status",
        "subject",
        "groups",
        "decided_by",
        "approval_id",
    ),
    "notice": ("at_us", "channel", "kind", "about", "status", "why", "attempts"),
    "eval": ("at_us", "eval_id", "suite", "how", "cases", "trials", "passed", "met", "principal_id"),
}
"""Columns of each view that fit beside one another, in the order in which they are read; files have all of them."""

_OTHER: Final = frozenset({"view", "since", "until", "before", "as"})
_EVENTS: Final = 200


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of the audit."""
    site = view.site

    async def search(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        typed = {name: seen(text).strip() for name, text in request.query_params.items()}
        asked = {name: text for name, text in typed.items() if text}
        as_file = asked.get("as", "")
        page = await _found(view, who.tenant, asked, _DOWNLOAD_MAX if as_file else ROWS)
        name = asked.get("view", "tool_call")
        if as_file:
            return _file(name, as_file, page)
        columns = [column for column in TABLES[name].columns if column != "tenant"]
        return view.page(
            request, "audit.html", views=VIEWS, name=name, asked=asked, columns=columns,
            fields=[column for column in _ASKED if column in columns],
            rows=[plain(row, *_SHOWN[name]) for row in page.rows],
            older=None if page.before is None else _address(asked, before=str(page.before)),
            files={kind: _address(asked, **{"as": kind}) for kind in ("csv", "json")}, evidence=_evidence(asked),
            live="",
        )  # fmt: skip

    async def events(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        chain = request.path_params["run_id"]
        after = _number(request.query_params.get("after", "0"))
        await row_of_run(site, who, chain)
        found = await site.store.read(chain, after, _EVENTS)
        return view.page(request, "events.html", chain=chain, events=found, after=after, most=_EVENTS)

    return [Route("/audit", search), Route("/audit/events/{run_id}", events)]


async def _found(view: View, tenant: str, asked: Mapping[str, str], limit: int) -> Page:
    """The rows that answer.

    Raises:
        BadInput: An unknown view or column, a value that cannot be, or no time.
    """
    now_us = view.site.now_us
    where = {name: text for name, text in asked.items() if name not in _OTHER}
    times = [moment(asked[name], now_us) if name in asked else None for name in ("since", "until")]
    question = Question(view=asked.get("view", "tool_call"), where=where, since_us=times[0], until_us=times[1])
    before = _number(asked["before"]) if "before" in asked else None
    columns = {**asked_where(question), "tenant": tenant, **during(question.view, *times)}
    return await view.site.store.page(question.view, columns, limit=limit, before=before)


def _file(name: str, kind: str, page: Page) -> Response:
    """The rows as a file. A cell of a table that a program for tables would take for a formula is quoted as text."""
    rows = [plain(row) for row in page.rows]
    if kind == "json":
        body, media = json.dumps(rows, indent=1), "application/json"
    elif kind == "csv":
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(TABLES[name].columns)
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
        body, media = out.getvalue(), "text/csv"
    else:
        raise BadInput(f"as: {kind!r}", code="http.query", remedy="Ask for csv or json.")
    return Response(body, media_type=media, headers={"content-disposition": f'attachment; filename="{name}.{kind}"'})


def _cell(value: Any) -> str:
    said = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"'{said}" if said[:1] in ("=", "+", "-", "@", "\t", "\r") else said


def _address(asked: Mapping[str, str], **more: str) -> str:
    return "/audit?" + urlencode({**{name: text for name, text in asked.items() if name != "as"}, **more})


def _evidence(asked: Mapping[str, str]) -> str:
    """Where the run, or the time, that is asked about can be taken as evidence."""
    names = ("run_id",) if "run_id" in asked else ("since", "until") if "since" in asked else ()
    chosen = urlencode({name: asked[name] for name in names if name in asked})
    return f"/audit/export?{chosen}" if chosen else "/audit/export"


def _number(said: str) -> int:
    if (number := place_of(said)) is None:
        raise BadInput(f"{said[:40]!r} is no number", code="http.query", remedy="Begin at the first page.")
    return number
