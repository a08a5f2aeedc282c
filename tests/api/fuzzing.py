"""Requests that schemathesis makes of the OpenAPI document, asked of the whole application: gate, API and console.

In process, over ASGI; each answer is held to the document by schemathesis itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import requests
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import assume
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from interlock import Principal
from interlock.api.application import described
from interlock.keys import CONSOLE, TOOLS, WORDS
from tests.api.stand import Api, opened

ADA: Final = Principal("ada", roles=frozenset({"admin", "operator", "approver", "viewer"}))
HOST: Final = Principal("host", roles=frozenset({"support"}), kind="service")

CHECKS: Final = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
)  # fmt: skip
"""No 5xx; no status, content type, header or body that the document has not; nothing taken that it says is wrong."""

ENDLESS: Final = "GET /api/v1/events"
"""The one route whose answer has no end."""


def document() -> dict[str, Any]:
    """The document without who may ask: keys are not made up here."""
    found = described()
    for methods in found["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    return found


_REJECTED: Final = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 431)
"""Statuses that say that a request was not taken as it came."""

_CONFIG: Final = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": list(_REJECTED)}}}
)


def operations(said: dict[str, Any]) -> dict[str, Any]:
    """Every route of a document by its label, as `schemathesis.APIOperation`."""
    found = schemathesis.openapi.from_dict(said, config=_CONFIG).get_all_operations()
    return {each.ok().label: each.ok() for each in found}


OPERATIONS: Final = operations(document())
"""Every route by its label."""

ASKED: Final = frozenset(
    f"{method.upper()} {path}"
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if operation.get("parameters") or "requestBody" in operation
)
"""Labels of those that take anything, so that something of it can be wrong."""


@dataclass
class Fuzzed:
    """An application that is open, with one of each thing in it.

    Attributes:
        api: The application, and whose keys there are.
        ids: Names of what there is, by the parameter of a path that takes one.
    """

    api: Api
    portal: BlockingPortal
    ids: dict[str, str]

    def ask(self, case: Any, who: str) -> int:
        """Send a request, and hold its answer to the document; its status.

        Args:
            case: A `schemathesis.Case`.
            who: Whose key it bears; empty for none.
        """
        self.api.clock.advance(1.0)  # whoever comes with no key too often is told to wait
        prepared = requests.Request(**case.as_transport_kwargs(base_url=str(self.api.client.base_url))).prepare()
        headers = [(_raw(name), _raw(value)) for name, value in prepared.headers.items()]
        headers = [
            (name, value) for name, value in headers if name.lower() not in (b"authorization", b"content-length")
        ]
        if who:
            headers.append((b"authorization", f"Bearer {self.api.keys[who]}".encode()))
        try:
            url = httpx2.URL(prepared.url or "")
        except httpx2.InvalidURL:
            assume(False)
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        said = self.portal.call(self._send, case.method, url, headers, body)
        answer = schemathesis.Response(
            said.status_code, {name: said.headers.get_list(name) for name in said.headers}, said.content, prepared, 0.0,
            verify=False,
        )  # fmt: skip
        assert not who or said.status_code != 401, "a key is a key"
        case.validate_response(answer, checks=list(CHECKS))
        return int(said.status_code)

    async def _send(
        self, method: str, url: httpx2.URL, headers: Sequence[tuple[bytes, bytes]], body: bytes | None
    ) -> httpx2.Response:  # fmt: skip
        return await self.api.client.request(method, url, headers=list(headers), content=body)


@contextmanager
def fuzzed(folder: Path) -> Iterator[Fuzzed]:
    """An application over a ledger in a file, on a loop in a thread of its own."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(opened(folder, ledger=Path("ledger.db"))) as api,
    ):
        yield Fuzzed(api, portal, portal.call(_furnished, api))


async def _furnished(api: Api) -> dict[str, str]:
    """One of each thing, and two more keys: one that may everything of the console, and one that proposes."""
    for person, scopes, name in ((ADA, {CONSOLE}, "ada"), (HOST, {TOOLS, WORDS}, "host")):
        api.keys[name] = api.keys[await api.key(person, scopes)]
    run_id = await api.run("host", words="refund 7")
    held = (await api.call(run_id, "refund", "host")).body
    terms = {"tool": "refund", "where": {"/n": {"equals": 1}}, "uses": 1, "lasts_s": 60, "reason": "it is safe"}
    grant = (await api.post("ada", "/grants", terms)).body
    held_against = {"suite": "desk", "cases": [{"name": "one", "run": run_id}], "record": True}
    kept = (await api.post("ada", "/evals", held_against)).body["kept"]
    await api.plane.seal()
    return {
        "run_id": run_id, "call_id": held["call_id"], "approval_id": held["approval_id"], "grant_id": grant["grant_id"],
        "name": "refund", "seq": "1", "view": "run", "eval_id": kept["eval_id"],
    }  # fmt: skip


def _raw(said: str | bytes) -> bytes:
    return said if isinstance(said, bytes) else said.encode("latin-1", "replace")
