"""Documents of OpenAPI for tests, a service that answers by one, and a plane before it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from interlock import Interlock, Settings, open_plane
from interlock.compose import World
from interlock.core.tool import CallContext, Effect, Tool
from interlock.net.egress import Egress, trusted
from interlock.net.reach import reach_of
from interlock.sources.openapi import Imported, Service, import_openapi
from interlock.sources.openapi_auth import Credential
from interlock.sources.openapi_document import read_document

TLS = trusted()

CONTEXT = CallContext(
    run_id="r", call_id="c", attempt=1, idempotency_key="key-1", principal_id="u", tenant="t", deadline_s=5
)


def document(paths: Mapping[str, Any], version: str = "3.1.0", **more: Any) -> bytes:
    return json.dumps({"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths, **more}).encode()


def operation(*parameters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"parameters": list(parameters), "responses": {"200": {"description": "ok"}}, **more}


def parameter(name: str, place: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "schema": schema or {"type": "string"}, **more}


def body(schema: Any, media: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"required": True, "content": {media: {"schema": schema, **more}}}


def imported(
    text: bytes, *, base_url: str = "http://127.0.0.1:9", effects: Mapping[str, Effect] | None = None,
    credentials: Sequence[Credential] = (), **more: Any,
) -> Imported:  # fmt: skip
    egress = Egress(reach_of(["127.0.0.1"], "here"), timeout_s=5, tls=TLS, keep=0)
    service = Service(
        name="shop", base_url=base_url, egress=egress, prefix="shop__", effects=effects or {},
        credentials=credentials, **more,
    )  # fmt: skip
    return import_openapi(read_document(text, "shop.json"), service)


def one(text: bytes, **more: Any) -> Tool:
    """The one tool of a document."""
    found = imported(text, **more)
    assert not found.left, found.left
    [tool] = found.tools
    return tool


@asynccontextmanager
async def plane_of(tools: Sequence[Tool]) -> AsyncIterator[Interlock]:
    """A plane that decides and enforces nothing, before these tools."""
    settings, world = Settings(ledger=None, mode="evaluate_only"), World(pause=at_once)
    async with open_plane(settings, tools=tools, world=world, engine=False) as plane:
        yield plane


async def at_once(seconds: float) -> None: ...
