"""Whether the ledger is what was written: how far it is sealed, verified on the spot, proved, and erased from.

A verification tells how far it is while it runs, as a page that goes on: at whichever worker, and without a script.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio.to_thread

from interlock.api.asking import who_of
from interlock.api.bundle import kept_ledger
from interlock.api.ledger import sinks_of
from interlock.api.paging import place_of
from interlock.api.reach import looks_at_ledger, row_of_run
from interlock.api.site import Site
from interlock.api.who import Who
from interlock.compose import own_key
from interlock.console.forms import Form
from interlock.console.underway import Tell, underway
from interlock.console.view import View
from interlock.errors import MissingExtra, NotFound
from interlock.ledger.checkpoint import compare
from interlock.ledger.findings import MEANINGS
from interlock.ledger.proofs import inclusion
from interlock.ledger.redact import REASON_MAX, redact, redactable
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log
from interlock.ledger.verify import Scope, verify

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of the ledger as evidence."""
    site = view.site

    async def state(request: Request) -> Response:
        _runs_it(who_of(request))
        said: dict[str, Any] = {"kept": isinstance(site.store, SqliteStore)}
        if isinstance(site.store, SqliteStore):
            said |= await site.store.log(partial(_state, await sinks_of(site)))
            _, missing = await anyio.to_thread.run_sync(own_key, site.settings.signing_key)
            said["missing"] = missing
        return view.page(request, "ledger.html", live="", **said)

    async def verified(request: Request) -> Response:
        _runs_it(who_of(request))
        work = partial(_verify, view, kept_ledger(site))
        return underway(view, request, ("verify.html", "verified.html"), work)

    async def proof(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        run_id, seq = request.path_params["run_id"], _number(request.path_params["seq"])
        await row_of_run(site, who, run_id)
        return await proof_file(site, run_id, seq)

    async def redacted(request: Request) -> Response:
        who = who_of(request)
        who.require("administer")
        form, run_id = Form(request), request.path_params["run_id"]
        found = await redactable(site.store, run_id, None, who.principal)
        if form.raw("sure", 10) != "yes":
            return view.page(request, "redact.html", chain=run_id, found=found)
        await redact(site.store, run_id, None, form.text("reason", REASON_MAX), who.principal)
        return RedirectResponse(f"/audit/events/{run_id}", 303)

    return [
        Route("/audit/ledger", state),
        Route("/audit/ledger", verified, methods=["POST"]),
        Route("/audit/proof/{run_id}/{seq}", proof),
        Route("/audit/redact/{run_id}", redacted, methods=["POST"]),
    ]


async def proof_file(site: Site, chain: str, seq: int) -> Response:
    """The proof that an event is in the log, as a file.

    Raises:
        Conflict: This process keeps no ledger.
        NotFound, BadInput: See `proofs.inclusion`.
    """
    found = await kept_ledger(site).log(lambda log: inclusion(log, chain, seq))
    name = f'attachment; filename="proof-{seq}.json"'
    return Response(json.dumps(found, indent=1), media_type="application/json", headers={"content-disposition": name})


def _number(said: str) -> int:
    """The number of an event.

    Raises:
        NotFound: It is none that a ledger has.
    """
    if (number := place_of(said)) is None:
        raise NotFound(f"no event {said[:40]!r}", code="prove.no_event", remedy="See the events of the run.")
    return number


def _runs_it(who: Who) -> None:
    """Refuse whoever does not run the deployment: one ledger has everybody's chains.

    Raises:
        NotEntitled: They may not operate, or are of another tenant.
    """
    who.require("operate")
    looks_at_ledger(who)


def _state(sinks: Sequence[Any], log: Log) -> dict[str, Any]:
    return {"events": log.events, "newest": log.newest, "made": log.count, "sinks": compare(log, sinks)}


async def _verify(view: View, store: SqliteStore, tell: Tell) -> dict[str, Any]:
    keys, _ = await anyio.to_thread.run_sync(own_key, view.site.settings.signing_key)
    scope = Scope(keys=keys, progress=tell)
    found = await view.site.heavy.done(partial(verify, store.path, await sinks_of(view.site), scope))
    return {"found": found, "meanings": MEANINGS}
