"""The HTTP API as one application: its routes, and an error as a document that says what to do."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import Any, Final

from interlock.api import (
    approvals,
    calls,
    evals,
    figures,
    grants,
    health,
    ledger,
    policies,
    runs,
    switches,
    tools,
    watch,
    whoami,
)  # fmt: skip
from interlock.api.document import documented
from interlock.api.problem import MEDIA, problem, status_of
from interlock.api.site import Site
from interlock.errors import BadInput, InterlockError, MissingExtra

try:
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

PREFIX: Final = "/api/v1"
"""What every path of the API begins with, but for those of health and metrics."""

ROUTERS: Final = (
    health.router,
    watch.router,
    runs.router,
    calls.router,
    approvals.router,
    grants.router,
    switches.router,
    whoami.router,
    tools.router,
    policies.router,
    evals.router,
    ledger.router,
    figures.router,
    figures.metrics_router,
)
"""Every part of the API."""

OPEN: Final = (("GET", "/healthz"), ("GET", "/readyz"))
"""Routes that everybody may reach; the gate opens these and no other."""


def application(site: Site) -> FastAPI:
    """The API over a site. It is served behind a gate, and trusts the `Who` that the gate leaves in the scope."""
    app = _routed()
    app.state.site = site
    app.add_exception_handler(InterlockError, _told)
    app.add_exception_handler(RequestValidationError, _unread)
    app.add_exception_handler(HTTPException, _no_route)
    return app


def described() -> dict[str, Any]:
    """The OpenAPI document of the API."""
    return _routed().openapi()


def _routed() -> FastAPI:
    app = FastAPI(
        title="Interlock", version=version("interlock"), docs_url=None, redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        description="Calls of agents, decided and recorded: run, watch, approve, settle and audit them.",
    )  # fmt: skip
    app.openapi = partial(documented, app, frozenset(path for _, path in OPEN))  # type: ignore[method-assign]
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InterlockError), "it is registered for these"
    return JSONResponse(problem(error, request.url.path), status_of(error), media_type=MEDIA)


async def _unread(request: Request, error: Exception) -> JSONResponse:
    """What cannot be read, with each place: the value itself is not repeated."""
    assert isinstance(error, RequestValidationError), "it is registered for these"
    problems = [
        {"field": ".".join(str(part) for part in each["loc"]), "message": each["msg"]} for each in error.errors()
    ]
    first = problems[0] if problems else {"field": "body", "message": "cannot be read"}
    said = BadInput(f"{first['field']}: {first['message']}", code="http.value", remedy="Mend what `problems` names.")
    return JSONResponse(problem(said, request.url.path) | {"status": 422, "title": "Unprocessable Content",
                                                           "problems": problems}, 422, media_type=MEDIA)  # fmt: skip


async def _no_route(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException), "it is registered for these"
    said = BadInput(str(error.detail), code="http.method" if error.status_code == 405 else "http.path")
    return JSONResponse(problem(said, request.url.path), status_of(said), headers=error.headers, media_type=MEDIA)
