"""Whether the ledger is what was written: how far it is sealed, verified on the spot, proved, and erased from.

A verification tells how far it is while it runs, as a page that goes on: at whichever worker, and without a script.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import anyio.to_thread

from interlock.api.asking import who_of
from interlock.api.who import Who
from interlock.compose import open_sinks, own_key
from interlock.console.forms import Form
from interlock.console.underway import Tell, underway
from interlock.console.view import View
from interlock.core.principal import FIRST_TENANT
from interlock.errors import MissingExtra, NotEntitled, NotFound, SettingsError
from interlock.ledger.checkpoint import compare
from interlock.ledger.findings import MEANINGS
from interlock.ledger.proofs import inclusion
from interlock.ledger.redact import redact
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log
from interlock.ledger.verify import Scope, verify

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_REASON_MAX: Final = 2000


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of the ledger as evidence."""
    site = view.site
    one = anyio.CapacityLimiter(1)  # it reads the whole ledger: a second one waits, and takes no thread of the calls

    async def state(request: Request) -> Response:
        _runs_it(who_of(request))
        said: dict[str, Any] = {"kept": isinstance(site.store, SqliteStore)}
        if isinstance(site.store, SqliteStore):
            sinks = await anyio.to_thread.run_sync(open_sinks, site.settings) if site.settings.seal.on else []
            said |= await site.store.log(partial(_state, sinks))
            _, missing = await anyio.to_thread.run_sync(own_key, site.settings.signing_key)
            said["missing"] = missing
        return view.page(request, "ledger.html", live="", **said)

    async def verified(request: Request) -> Response:
        _runs_it(who_of(request))
        work = partial(_verify, view, _kept(view), one)
        return underway(view, request, ("verify.html", "verified.html"), work)

    async def proof(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        run_id, seq = request.path_params["run_id"], _number(request.path_params["seq"])
        await _own_run(view, who, run_id)
        found = await _kept(view).log(lambda log: inclusion(log, run_id, seq))
        name = f'attachment; filename="proof-{seq}.json"'
        return Response(
            json.dumps(found, indent=1), media_type="application/json", headers={"content-disposition": name}
        )

    async def redacted(request: Request) -> Response:
        who = who_of(request)
        who.require("administer")
        form, run_id = Form(request), request.path_params["run_id"]
        await _own_run(view, who, run_id)
        events = await site.store.read(run_id)
        if form.raw("sure", 10) != "yes":
            return view.page(
                request, "redact.html", chain=run_id, events=events, reason=form.raw("reason", _REASON_MAX)
            )
        await redact(
            site.store, run_id, [event.seq for event in events], form.text("reason", _REASON_MAX), who.principal
        )
        return RedirectResponse(f"/audit/events/{run_id}", 303)

    return [
        Route("/audit/ledger", state),
        Route("/audit/ledger", verified, methods=["POST"]),
        Route("/audit/proof/{run_id}/{seq}", proof),
        Route("/audit/redact/{run_id}", redacted, methods=["POST"]),
    ]


def _number(said: str) -> int:
    """The number of an event.

    Raises:
        NotFound: It is none that a ledger has.
    """
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise NotFound(f"no event {said[:40]!r}", code="prove.no_event", remedy="See the events of the run.")
    return int(said)


def _runs_it(who: Who) -> None:
    """Refuse whoever does not run the deployment: one ledger has everybody's chains.

    Raises:
        NotEntitled: They may not operate, or are of another tenant.
    """
    who.require("operate")
    if who.tenant != FIRST_TENANT:
        raise NotEntitled(
            "the ledger as a whole is for those who run the deployment", code="ledger.tenant",
            remedy=f"Ask an operator of the tenant {FIRST_TENANT!r}; proofs of your own runs are yours.",
        )  # fmt: skip


async def _own_run(view: View, who: Who, run_id: str) -> None:
    if not await view.site.store.rows("run", {"run_id": run_id, "tenant": who.tenant}, 1):
        raise NotFound(f"no run {run_id!r}", code="run.not_found", remedy="See the list of runs.")


def _kept(view: View) -> SqliteStore:
    """The ledger's file.

    Raises:
        SettingsError: This process keeps none.
    """
    if not isinstance(view.site.store, SqliteStore):
        raise SettingsError(
            "this process keeps no ledger", code="settings.no_ledger", remedy="Set `ledger` in the settings."
        )
    return view.site.store


def _state(sinks: Sequence[Any], log: Log) -> dict[str, Any]:
    return {"events": log.events, "newest": log.newest, "made": log.count, "sinks": compare(log, sinks)}


async def _verify(view: View, store: SqliteStore, one: anyio.CapacityLimiter, tell: Tell) -> dict[str, Any]:
    settings = view.site.settings
    sinks = await anyio.to_thread.run_sync(open_sinks, settings) if settings.seal.on else []
    keys, _ = await anyio.to_thread.run_sync(own_key, settings.signing_key)
    work = partial(verify, store.path, sinks, Scope(keys=keys, progress=tell))
    found = await anyio.to_thread.run_sync(work, limiter=one)
    return {"found": found, "meanings": MEANINGS}
