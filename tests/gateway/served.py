"""A gateway that a test owns, served over real HTTP on loopback, and real clients of the SDK in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from interlock import Interlock, Principal, Settings, Tool, World, open_plane
from interlock.gateway.crowd import Crowd
from interlock.gateway.door import Door, open_door
from interlock.gateway.front import http_door
from interlock.gateway.guard import Guard
from interlock.gateway.http import HttpDoor, bind, serve_door
from interlock.gateway.sessions import Sessions
from interlock.keys import TOOLS, Keys
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from tests.planes import ANA, BOB, CAY, saying

OLD, NEW = "legacy", "2026-07-28"
"""How a client opens: with the handshake of 2025-11-25, or with nothing but its requests."""

ZOE = Principal("zoe")


@dataclass
class Served:
    """A gateway at work."""

    url: str
    plane: Interlock
    door: Door
    http: HttpDoor
    keys: dict[str, str]
    file: Keys

    @asynccontextmanager
    async def client(self, who: str = "ana", mode: str = NEW, **options: Any) -> AsyncIterator[Client]:
        """A connected client that sends somebody's key."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=mode, **options) as client:
                yield client

    def guard(self, *, body_s: float = 20, at_once: int = 32, sessions_of_one: int = 64) -> None:
        """Put smaller bounds in force, before anything is asked."""
        guard = self.http.application
        assert isinstance(guard, Guard)
        guard._protection = replace(guard._protection, body_s=body_s)
        guard._crowd, guard._sessions = Crowd(at_once), Sessions(sessions_of_one)

    async def approve(self, approval_id: str) -> None:
        """Let somebody else approve a held call."""
        asked = await self.plane.approval(approval_id)
        await self.plane.answer(approval_id, saying(asked.request), BOB)

    def obey(self, text: str) -> None:
        """Put another policy in force."""
        self.plane.plane.policy = Policy([Source("test.cedar", text)], self.plane.plane.registry.tools)

    async def calls(self) -> list[dict[str, Any]]:
        """The rows of every call."""
        return await self.plane.store.rows("tool_call")


@asynccontextmanager
async def served(
    folder: Path, tools: Iterable[Tool], *, world: World | None = None, servers: Sequence[Any] = (),
    provenance: Any = None, telemetry: Any = None, **gateway: Any,
) -> AsyncIterator[Served]:  # fmt: skip
    """A gateway over these tools: Ana calls, Bob approves, Zoe has no role, and the host may say the user's words."""
    given: dict[str, Any] = {"servers": servers, "gateway": {"wait_s": 5, **gateway}, "lease_s": 1, "drain_s": 1}
    given |= {} if provenance is None else {"provenance": provenance}
    given |= {} if telemetry is None else {"telemetry": telemetry}
    settings = Settings(folder=folder, ledger=folder / "l.db", **given)
    ring = settings.state_folder / "keys.json"
    file = Keys(ring)
    keys = await anyio.to_thread.run_sync(_keys, file)
    world = world or World()
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    stop = anyio.Event()
    with listening:
        async with open_plane(settings, tools=tools, world=world) as plane, open_door(settings, plane, world) as door:
            http = await http_door(door, settings, ring, world.clock)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(serve_door, http, http.application, listening, stop, 1.0))
                try:
                    yield Served(url, plane, door, http, keys, file)
                finally:
                    stop.set()


def _keys(file: Keys) -> dict[str, str]:
    keys = {person.id: file.add(person) for person in (CAY, ANA, BOB, ZOE)}
    keys["host"] = file.add(Principal("host", roles=ANA.roles, kind="service"), (TOOLS, "attest:words"))
    keys["mute"] = file.add(Principal("mute", roles=ANA.roles), ())
    return keys


def body(result: Any) -> dict[str, Any]:
    """What a result says of a call that is not done."""
    assert result.is_error, result
    said: dict[str, Any] = result.structured_content
    return said
