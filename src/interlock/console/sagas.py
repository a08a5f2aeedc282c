"""Sagas and graphs: how far each has come, what was undone, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from interlock.agent.graph_standing import NodeStatus
from interlock.agent.graph_standing import Standing as GraphStanding
from interlock.api.asking import who_of
from interlock.api.site import Site
from interlock.console.run import before_of, saga_of
from interlock.console.run_head import Recent
from interlock.console.view import View
from interlock.core.run import RunState
from interlock.errors import MissingExtra
from interlock.ledger.tables import Row
from interlock.saga.standing import StepStatus, UndoStatus

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

ROWS: Final = 25
"""Sagas and graphs on one page: each is read from its own record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One saga or graph.

    Attributes:
        row: Its run's row.
        name, status: Its own; empty where its definition was erased.
        done, all: How many of its steps are done, of how many.
        undone: How many were undone; `left`: how many could not be.
        left: How many could not be undone.
        cause: Why it is not done, in words; empty where it is, or goes on.
    """

    row: Row
    name: str = ""
    status: str = ""
    done: int = 0
    all: int = 0
    undone: int = 0
    left: int = 0
    cause: str = ""


def routes(view: View) -> Sequence[BaseRoute]:
    """The list of sagas and graphs."""
    site = view.site
    recent = Recent(site)

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        before = before_of(request)
        where = {"tenant": who.tenant, "driver": ("saga", "graph")}
        found = await site.store.page("run", where, limit=ROWS, before=before)
        courses = [_course(site, row, await recent.state(row["run_id"], who.tenant)) for row in found.rows]
        return view.page(
            request, "sagas.html", courses=courses, older=found.before, first=before is None,
            live="run call approval operator",
        )  # fmt: skip

    return [Route("/sagas", page)]


def _course(site: Site, row: Row, run: RunState) -> Course:
    if "saga" in run.course:
        return _saga(site, row, run)
    return _graph(row, run) if "graph" in run.course else Course(row=row)


def _saga(site: Site, row: Row, run: RunState) -> Course:
    outcome = saga_of(site, run)["outcome"]
    cause = outcome.cause
    why = "" if cause is None else f"{cause.id} is {cause.status.value.replace('_', ' ')}: {cause.why}"
    return Course(
        row=row, name=outcome.name, status=outcome.status.value, all=len(outcome.steps), cause=why.rstrip(": "),
        done=sum(step.status is StepStatus.DONE for step in outcome.steps),
        undone=sum(step.undo is UndoStatus.DONE for step in outcome.steps),
        left=sum(step.undo is UndoStatus.FAILED for step in outcome.steps),
    )  # fmt: skip


def _graph(row: Row, run: RunState) -> Course:
    standing = GraphStanding(run)
    statuses = [standing.status(name) for name in standing.nodes]
    return Course(
        row=row, name=standing.graph.name, status=standing.whole.value, all=len(statuses),
        done=sum(status is NodeStatus.DONE for status in statuses),
    )  # fmt: skip
