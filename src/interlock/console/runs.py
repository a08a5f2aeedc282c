"""The list of runs: found by who, what and when, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from interlock.api.asking import who_of
from interlock.api.paging import place_of
from interlock.api.site import Site
from interlock.console.run_head import STATUSES, counted
from interlock.console.view import View
from interlock.core.canonical import Json
from interlock.core.times import moment
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.pages import Prefix, WithCall, during
from interlock.ledger.tables import Row

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

ROWS: Final = 40
"""Runs on one page."""

COUNTED_MAX: Final = 200
"""Calls of a run that its line counts; of more it says so."""

_AT_ONCE: Final = 2000
"""Calls of all runs of a page that are read together; where they have more, each is asked for its own."""

DRIVERS: Final = ("calls", "agent", "saga", "graph")
STANDS: Final = ("open", "finished", "cancelled")
OUTCOMES: Final = STATUSES[:-1]

_TEXT_MAX: Final = 200
_TEXTS: Final = ("id", "principal", "kind", "name", "status", "tool", "outcome", "since", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One run of the list.

    Attributes:
        row: Its row.
        words: What its user began with; None where that is not seen, or was erased.
        calls: How many of its calls stand how.
        more: It has more calls than were counted.
        took_us: Since its start, until its end or now; None for one that only claims are known of.
        micro_usd: What it was charged; None where no budget counts money.
    """

    row: Row
    words: str | None
    calls: Mapping[str, int]
    more: bool
    took_us: int | None
    micro_usd: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which runs are asked for, as it was typed: field to text, without the empty ones."""

    said: Mapping[str, str]

    def where(self, tenant: str, now_us: int) -> dict[str, object]:
        """The same as a page of the table is asked for.

        Raises:
            BadInput: A value is none of those that there are, or no time.
        """
        said = self.said
        for name, known in (("kind", DRIVERS), ("status", STANDS), ("outcome", OUTCOMES)):
            if name in said and said[name] not in known:
                raise BadInput(f"{name}: {said[name]!r}", code="http.query", remedy=f"One of {', '.join(known)}.")
        found: dict[str, object] = {"tenant": tenant}
        columns = {"principal": "principal_id", "kind": "driver", "name": "title", "status": "status"}
        found |= {column: said[name] for name, column in columns.items() if name in said}
        call: dict[str, Json] = {name: said[name] for name in ("tool", "outcome") if name in said}
        if "id" in said:
            found["run_id"] = Prefix(said["id"])
            if call:
                raise BadInput(
                    "id: a run is looked for by its id, or by what it called", code="http.query",
                    remedy="Leave one of them out.",
                )  # fmt: skip
        elif call:
            found["run_id"] = WithCall({"tenant": tenant, **call})
        times = [moment(said[name], now_us) if name in said else None for name in ("since", "until")]
        return {**found, **during("run", *times)}

    def address(self, before: int) -> str:
        """Of the page behind a position."""
        return "/runs?" + urlencode({**self.said, "before": str(before)})


def routes(view: View) -> Sequence[BaseRoute]:
    """The list of runs."""
    site = view.site

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        question, before = _question(request.query_params)
        where = question.where(who.tenant, site.now_us)
        found = await site.store.page("run", where, limit=ROWS, before=before)
        return view.page(
            request, "runs.html", live="run call approval", lines=await lines_of(site, found.rows),
            said=question.said, older=None if found.before is None else question.address(found.before),
            first=before is None, drivers=DRIVERS, stands=STANDS, outcomes=OUTCOMES,
        )  # fmt: skip

    return [Route("/runs", page)]


def _question(asked: Mapping[str, str]) -> tuple[Question, int | None]:
    said = {name: text.strip() for name in _TEXTS if (text := asked.get(name, "")).strip()}
    for name, text in said.items():
        if len(text) > _TEXT_MAX:
            raise BadInput(f"{name}: {len(text)} characters", code="http.query", remedy=f"At most {_TEXT_MAX}.")
    before = asked.get("before", "")
    position = place_of(before)
    if before and position is None:
        raise BadInput("before: no place in the list", code="http.query", remedy="Begin at the first page.")
    return Question(said=said), position


async def lines_of(site: Site, rows: Sequence[Row]) -> list[Line]:
    """What a list says of some runs, asked for all of them at once."""
    ids, store = tuple(row["run_id"] for row in rows), site.store
    if not ids:
        return []
    begun = await store.beginnings(ids, 2)
    calls = await _calls(site, ids)
    charged = await store.rows("budget", {"run_id": ids, "unit": "micro_usd"})
    found = []
    for row in rows:
        run_id = row["run_id"]
        words = next((event.fact.body["words"] for event in begun[run_id] if "words" in event.fact.body), None)
        ended_us = row["ended_us"] if row["ended_us"] is not None else site.now_us
        found.append(Line(
            row=row, words=words, calls=counted(calls[run_id][:COUNTED_MAX]), more=len(calls[run_id]) > COUNTED_MAX,
            took_us=None if row["started_us"] is None else max(ended_us - row["started_us"], 0),
            micro_usd=max((each["spent"] for each in charged if each["run_id"] == run_id), default=None),
        ))  # fmt: skip
    return found


async def _calls(site: Site, ids: Sequence[str]) -> dict[str, list[Row]]:
    """The newest calls of each run, one more than is counted where it has so many."""
    store = site.store
    found = await store.page("tool_call", {"run_id": tuple(ids)}, limit=_AT_ONCE)
    calls: dict[str, list[Row]] = {run_id: [] for run_id in ids}
    if found.before is None:
        for call in found.rows:
            calls[call["run_id"]].append(call)
        return calls
    return {
        run_id: (await store.page("tool_call", {"run_id": run_id}, limit=COUNTED_MAX + 1)).rows for run_id in ids
    }  # fmt: skip
