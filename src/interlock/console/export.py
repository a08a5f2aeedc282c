"""Runs taken as evidence: what is chosen, that it is all in clear, the file, its verifier, and the key beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio.to_thread

from interlock.api.asking import who_of
from interlock.api.bundle import BYTES_MAX, FILE, RUNS_MAX, download, runs_named, runs_started, sealer_of
from interlock.api.site import Site
from interlock.api.who import Who
from interlock.console.forms import Form
from interlock.console.view import View, seen
from interlock.core.clock import iso
from interlock.core.times import moment
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.bundle import verifier
from interlock.ledger.sqlite import SqliteStore

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_CHOICE: Final = ("run_id", "since", "until")
_SAID_MAX: Final = 200
_VERIFIER: Final = "offline.py"


def routes(view: View) -> Sequence[BaseRoute]:
    """The page on which runs are taken, and its two files."""
    site = view.site

    async def chosen(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        typed = {name: seen(request.query_params.get(name, "")).strip() for name in _CHOICE}
        said: dict[str, Any] = {"kept": isinstance(site.store, SqliteStore), "asked": typed, "choice": None}
        if said["kept"] and any(typed.values()):
            choice = _fixed(site, typed)
            runs = await _runs(site, who, choice)
            said |= {"choice": choice, "runs": len(runs), "key": await sealer_of(site).look_for_key()}
        return view.page(
            request, "export.html", live="", verifier=_VERIFIER, file=FILE, mib=BYTES_MAX >> 20, most=RUNS_MAX, **said
        )  # fmt: skip

    async def taken(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        form = Form(request)
        choice = _fixed(site, {name: form.raw(name, _SAID_MAX) for name in _CHOICE})
        return await download(site, who, await _runs(site, who, choice))

    async def program(request: Request) -> Response:
        who_of(request).require("see")
        head = {"content-disposition": f'attachment; filename="{_VERIFIER}"'}
        return Response(await anyio.to_thread.run_sync(verifier), media_type="text/x-python", headers=head)

    return [
        Route("/audit/export", chosen),
        Route("/audit/export", taken, methods=["POST"]),
        Route(f"/audit/{_VERIFIER}", program),
    ]


def _fixed(site: Site, said: Mapping[str, str]) -> Mapping[str, str]:
    """What was chosen, in words that mean the same later: a run, or a time from one moment to another.

    Raises:
        BadInput: Nothing was chosen, or both; or a time that is none.
    """
    if bool(said["run_id"]) == bool(said["since"]) or (said["run_id"] and said["until"]):
        raise BadInput("which runs", code="archive.which", remedy="Choose one run, or a time with its beginning.")
    if said["run_id"]:
        return {"run_id": said["run_id"]}
    since_us, until_us = (max(0, moment(said[name] or "0s", site.now_us)) for name in ("since", "until"))
    return {"since": iso(since_us), "until": iso(until_us)}


async def _runs(site: Site, who: Who, choice: Mapping[str, str]) -> list[str]:
    if "run_id" in choice:
        return await runs_named(site, who, [choice["run_id"]])
    return await runs_started(site, who, (moment(choice["since"], 0), moment(choice["until"], 0)))
