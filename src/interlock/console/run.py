"""One run: its timeline, the conversation that it was, and its replay step by step."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio.to_thread

from interlock.agent.graph_standing import Standing as GraphStanding
from interlock.api.asking import who_of
from interlock.api.site import Site
from interlock.console.run_head import Recent, head_of, row_of
from interlock.console.run_timeline import NOTES, steps_of, stretch_of
from interlock.console.view import View
from interlock.core.event import Event
from interlock.core.origins_said import LEVELS, lack_text
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.replay import Step, replay
from interlock.saga.outcome import outcome_of
from interlock.saga.standing import Standing as SagaStanding

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

VIEWS: Final = ("timeline", "conversation", "replay")

_KEPT_MAX: Final = 4
_KEPT_S: Final = 60.0


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of a run."""
    recent, replays = Recent(view.site), _Replays(view.site)

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        run_id = request.path_params["run_id"]
        shown = request.query_params.get("view", "timeline")
        if shown not in VIEWS:
            raise BadInput(f"view: {shown!r}", code="http.query", remedy=f"Ask for one of {', '.join(VIEWS)}.")
        if shown == "replay":  # it asks nothing of the fold: it says what does not fit into one
            said = await _replayed(view.site, replays, run_id, who.tenant, _number(request, "step"))
            return view.page(request, "run_replay.html", run_id=run_id, view=shown, **said)
        run = await recent.state(run_id, who.tenant)
        stretch = await stretch_of(view.site, run, before_of(request))
        steps, shortened = steps_of(run, stretch.entries, view.site.now_us)
        said = {
            "run": run, "head": await head_of(view.site, run), "stretch": stretch, "steps": steps,
            "shortened": shortened, "notes": NOTES, "levels": LEVELS, "lack_text": lack_text,
            **_course(view.site, run),
        }  # fmt: skip
        return view.page(
            request, f"run_{shown}.html", run_id=run_id, view=shown, live="", live_run=run_id, **said
        )  # fmt: skip

    return [Route("/runs/{run_id}", page)]


def before_of(request: Request) -> int | None:
    """Where the page that is asked for ends; None for the newest.

    Raises:
        BadInput: It is no place.
    """
    return _number(request, "before")


def _number(request: Request, name: str) -> int | None:
    """A number of an address; None where it has none.

    Raises:
        BadInput: It is none.
    """
    said = request.query_params.get(name, "")
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 13):
        raise BadInput(f"{name}: {said!r}", code="http.query", remedy="Give a number.")
    return int(said)


def _course(site: Site, run: RunState) -> Mapping[str, Any]:
    """How a saga or a graph stands, of a run that is one."""
    said: dict[str, Any] = {"saga": None, "graph": None}
    if "saga" in run.course:
        said["saga"] = saga_of(site, run)
    if "graph" in run.course:
        said["graph"] = GraphStanding(run)
    return said


def saga_of(site: Site, run: RunState) -> Mapping[str, Any]:
    """How a saga stands, and which of its steps is the point of no return."""

    def find(name: str) -> Tool | None:
        known = site.plane.plane.registry.find(name)
        return None if known is None else known.tool

    standing = SagaStanding(run, find)
    pivots = {step.id for step in standing.saga.steps if step.pivot}
    return {"outcome": outcome_of(standing), "pivots": pivots, "passed": standing.passed}


class _Replays:
    """The replays that somebody walks through, so that the next step of a long one is there at once.

    One is read again when the run goes on (an erasure is an event of it too), and after a minute: a record that was
    changed behind its back is found out then.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: OrderedDict[str, tuple[float, list[Event], list[Step]]] = OrderedDict()

    async def of(self, run_id: str) -> tuple[list[Event], list[Step]]:
        """The events of a run and the steps of its replay."""
        since_s, events, steps = self._kept.pop(run_id, (0.0, [], []))
        now_s = self._site.clock.mono_s()
        last = events[-1].seq if events else 0
        if not events or now_s - since_s > _KEPT_S or await self._site.store.read(run_id, last, 1):
            since_s, events = now_s, await self._site.store.read(run_id)
            steps = await anyio.to_thread.run_sync(lambda: list(replay(events)))
        self._kept[run_id] = (since_s, events, steps)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return events, steps


async def _replayed(site: Site, replays: _Replays, run_id: str, tenant: str, number: int | None) -> Mapping[str, Any]:
    """One step of a replay, and how the run stood behind it.

    Raises:
        NotFound: No such run of this tenant.
        LedgerError: Its record cannot be read.
    """
    row = await row_of(site, run_id, tenant)
    events, steps = await replays.of(run_id)
    here = min(max(number or 1, 1), max(len(steps), 1))
    step = steps[here - 1] if steps else None
    problem = next((each.problem for each in steps if each.problem), "")
    return {
        "row": row, "steps": steps, "here": here, "step": step, "problem": problem,
        "calls": _stood(events, step) if step is not None and not step.problem else [],
    }  # fmt: skip


def _stood(events: Sequence[Event], step: Step) -> list[Any]:
    """The run's calls as they stood once this event was recorded; none where something before it was erased."""
    before = events[: step.seq]
    if not all(event.payload for event in before):
        return []
    run = RunState(before[0].chain, before[0].tenant)
    run.absorb(before)
    return list(run.calls.values())
