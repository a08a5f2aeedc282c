"""The API as a program reaches it: over HTTP, through the gate, with keys. Every answer is held to its document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import jsonschema_rs

from interlock import Interlock, Principal, Settings, Tool, World, open_plane
from interlock.agent.agent import Agent
from interlock.api.application import application as api
from interlock.api.open_runs import OpenRuns
from interlock.api.site import Site, open_site
from interlock.console.application import application
from interlock.keys import CONSOLE, READ, TOOLS, WORDS, WRITE, Keys
from interlock.testing import FrozenClock
from tests.planes import Far

RULES = """
permit (principal, action, resource);
@id("a-person-looks") @approvers("approver")
forbid (principal, action in Action::"effect/irreversible", resource);
@id("two-people-look") @approvers("approver") @quorum("2")
forbid (principal, action in Action::"effect/privileged", resource);
"""

ANA = Principal("ana", roles=frozenset({"support"}))
HOST = Principal("host", roles=frozenset({"support"}), kind="service")
BOB = Principal("bob", roles=frozenset({"approver"}))
CAY = Principal("cay", roles=frozenset({"approver"}))
OPA = Principal("opa", roles=frozenset({"operator"}))
VERA = Principal("vera", roles=frozenset({"viewer"}))
EVE = Principal("eve", "other", roles=frozenset({"admin", "operator", "approver", "viewer"}))
EVE_AGENT = Principal("eve-agent", "other", roles=frozenset({"admin", "operator", "viewer"}))

KEYS = {
    "ana": (ANA, {TOOLS}), "host": (HOST, {TOOLS, WORDS}), "bob": (BOB, {CONSOLE}), "cay": (CAY, {CONSOLE}),
    "opa": (OPA, {WRITE}), "vera": (VERA, {READ}), "eve": (EVE, {CONSOLE}), "eve-agent": (EVE_AGENT, {TOOLS, WORDS}),
}  # fmt: skip
"""Who there is, and what their keys open: two who propose, two who approve, one who operates, one who looks; and
another tenant's, who may everything there."""


@dataclass
class Answer:
    """One answer."""

    status: int
    headers: httpx2.Headers
    body: Any

    @property
    def code(self) -> str:
        """Why it was refused; empty where it was not."""
        return self.body.get("code", "") if isinstance(self.body, dict) else ""


@dataclass
class Api:
    """An API that is open."""

    site: Site
    clock: FrozenClock
    far: Far
    client: httpx2.AsyncClient
    document: dict[str, Any]
    keys: dict[str, str]
    folder: Path
    answers: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def plane(self) -> Interlock:
        return self.site.plane

    async def ask(
        self, who: str, method: str, path: str, body: Any = None, *, text: str | None = None, **headers: str
    ) -> Answer:  # fmt: skip
        """One request and its answer, which must be as the document says.

        Args:
            who: Whose key it bears; empty for none.
            text: The body as it is sent, in the place of one that is written here.
            headers: Underscores stand for hyphens.
        """
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            given["authorization"] = f"Bearer {self.keys[who]}"
        content = text if text is not None else None if body is None else json.dumps(body)
        if content is not None:
            given.setdefault("content-type", "application/json")
        url = path if path.startswith(("/healthz", "/readyz", "/metrics")) else f"/api/v1{path}"
        found = await self.client.request(method, url, content=content, headers=given)
        text_only = found.headers.get("content-type", "").startswith(("text/plain", "application/jsonl"))
        said = found.text if text_only else json.loads(found.content) if found.content else None
        self.answers.append((method, url, found.status_code))
        self.conforms(method, found, said)
        return Answer(found.status_code, found.headers, said)

    async def key(self, person: Principal, scopes: set[str]) -> str:
        """The name of one more key."""
        name = f"{person.id}/{'+'.join(sorted(scopes))}"
        self.keys[name] = await anyio.to_thread.run_sync(Keys(self.folder / "keys.json").add, person, scopes)
        return name

    async def get(self, who: str, path: str, **headers: str) -> Answer:
        return await self.ask(who, "GET", path, **headers)

    async def post(self, who: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.ask(who, "POST", path, body, **headers)

    async def run(self, who: str = "ana", **start: Any) -> str:
        """The id of a run that was just started."""
        made = await self.post(who, "/runs", start)
        assert made.status == 201, made.body
        return str(made.body["run_id"])

    async def call(self, run_id: str, tool: str, who: str = "ana", n: int = 1, **headers: str) -> Answer:
        """A call that was proposed."""
        return await self.post(who, f"/runs/{run_id}/calls", {"tool": tool, "arguments": {"n": n}}, **headers)

    def conforms(self, method: str, found: httpx2.Response, said: Any) -> None:
        """Fail where the document does not say that this may be answered."""
        operation = self._operation(method, found.url.path)
        if operation is None:
            assert found.status_code in (401, 404, 405, 421), f"{method} {found.url.path} is in no document"
            return
        response = operation["responses"].get(str(found.status_code))
        assert response is not None, f"{method} {found.url.path} may not answer {found.status_code}: {said}"
        content = response.get("content", {})
        if said is None:
            assert not content
            return
        media = found.headers["content-type"].partition(";")[0]
        assert media in content, f"{method} {found.url.path} may not answer {media}"
        schema = {**content[media].get("schema", {}), "components": self.document["components"]}
        problem = next(iter(jsonschema_rs.Draft202012Validator(schema).iter_errors(said)), None)
        assert problem is None, f"{method} {found.url.path} {found.status_code}: {problem}"

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        parts = path.split("/")
        exact = sorted(self.document["paths"].items(), key=lambda item: item[0].count("{"))
        for template, methods in exact:
            wanted = template.split("/")
            if len(wanted) == len(parts) and all(
                want == part or want.startswith("{") for want, part in zip(wanted, parts, strict=True)
            ):
                operation: dict[str, Any] | None = methods.get(method.lower())
                return operation
        return None


def tools(far: Far) -> list[Tool]:
    return [
        far.tool("look_up", "read"),
        far.tool("note", "reversible"),
        far.tool("refund", "irreversible"),
        far.tool("delete_tenant", "privileged"),
    ]


@asynccontextmanager
async def opened(
    folder: Path, more: Sequence[Tool] = (), *, agents: Sequence[Agent] = (), engine: bool = False, **settings: Any
) -> AsyncIterator[Api]:
    """An API over a ledger in memory.

    Args:
        more: Tools beside those of each effect.
        engine: Whether what is due is done by itself.
    """
    (folder / "policy").mkdir(parents=True, exist_ok=True)
    (folder / "policy" / "rules.cedar").write_text(RULES)
    clock, far = FrozenClock(), Far()
    said = Settings(**{"folder": folder, "ledger": None, "policy": Path("policy"), **settings})
    made = await anyio.to_thread.run_sync(_made, Keys(folder / "keys.json"))
    world = World(clock=clock)
    async with (
        open_plane(said, tools=[*tools(far), *more], world=world, agents=agents, engine=engine) as plane,
        open_site(said, plane, world, folder / "keys.json") as site,
    ):
        site = replace(site, runs=OpenRuns(plane, busy_s=0.2))
        app, document = await anyio.to_thread.run_sync(lambda: (application(site), api(site).openapi()))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8722") as client:
            yield Api(site, clock, far, client, document, made, folder)


def _made(keys: Keys) -> dict[str, str]:
    return {name: keys.add(person, scopes) for name, (person, scopes) in KEYS.items()}
