"""Servers that repeat a secret beside their answer: in logs, in questions, on standard error, in a failure (T32)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import Interlock, Outcome, Settings, open_plane
from interlock.core.held import HOLDING
from interlock.core.ids import named_call_id
from interlock.core.scrub import Scrubber
from interlock.errors import NotSent
from interlock.sources.mcp_connection import Terms
from interlock.sources.mcp_link import Link
from interlock.sources.mcp_session import Connection
from interlock.sources.relay import Nobody, Relay, Way
from tests.gateway.test_behind import SERVER as BEHIND
from tests.planes import ANA

pytestmark = pytest.mark.anyio
VALUE = "sk_live_4f9aZ+/q"
REFERENCE = {"$secret": "env://FAR_KEY"}
FAR = {
    "name": "far", "command": [sys.executable, str(Path(__file__).with_name("repeating_server.py"))], "trust": True,
    "prefix": "", "effects": {"repeat": "read"}, "tools": {"repeat": {"attempts_max": 1}},
    "allow": ["sampling", "elicitation", "logging"],
}  # fmt: skip


class Front(Nobody):
    """A client in front that answers everything, and writes down what it was asked and told."""

    way = Way.DURING
    takes: Mapping[str, Any] = {"sampling": {}, "elicitation": {}}

    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.heard.append(params)
        if method == "sampling/createMessage":
            return {"role": "assistant", "content": {"type": "text", "text": "so"}, "model": "m"}
        return {"action": "accept", "content": {"colour": "red"}}

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None:
        self.heard.append(params)


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Front:
    monkeypatch.setenv("FAR_KEY", VALUE)
    return Front()


@asynccontextmanager
async def opened(folder: Path, server: dict[str, Any]) -> AsyncIterator[Interlock]:
    allow = [{"tool": name, "argument": "key", "references": ["env://FAR_KEY"]} for name in server["effects"]]
    made = Settings(
        ledger=None, folder=folder, mode="evaluate_only", servers=[server],  # type: ignore[arg-type]
        secrets={"allow": allow},
    )  # fmt: skip
    async with open_plane(made) as plane:
        yield plane


async def called(plane: Interlock, front: Front, tool: str, **arguments: Any) -> Outcome:
    async with plane.run(ANA, words="w") as run:
        with plane.fleet.relay.attach(named_call_id(run.run_id, "it"), front):
            return await run.call(tool, arguments, name="it")


async def test_what_a_server_logs_while_it_has_a_secret_is_told_to_nobody(tmp_path: Path, front: Front) -> None:
    async with opened(tmp_path, FAR) as plane:
        assert (await called(plane, front, "repeat", key=REFERENCE, way="log")).done
        assert front.heard == []
        assert (await called(plane, front, "repeat", key="in clear", way="log")).done
        assert [said["data"] for said in front.heard] == ["with in clear"]


@pytest.mark.parametrize("way", ["elicit", "sample"])
async def test_a_question_that_a_server_sends_by_itself_has_no_secret(way: str, tmp_path: Path, front: Front) -> None:
    async with opened(tmp_path, FAR) as plane:
        assert (await called(plane, front, "repeat", key=REFERENCE, way=way)).done
        assert "Is it [secret]?" in repr(front.heard) and VALUE not in repr(front.heard)


async def test_a_question_in_the_place_of_a_result_has_no_secret(tmp_path: Path, front: Front) -> None:
    server = {**BEHIND, "allow": ["elicitation"]}
    async with opened(tmp_path, server) as plane:
        assert (await called(plane, front, "ask", key="red")).done
        assert [said["message"] for said in front.heard] == ["Which? red"]
        assert (await called(plane, front, "ask", key=REFERENCE)).done
        assert "Which? [secret]" in repr(front.heard) and VALUE not in repr(front.heard)


@pytest.mark.parametrize("way", ["stderr", "die"])
async def test_what_it_writes_to_its_standard_error_is_not_kept_once_it_has_one(
    way: str, tmp_path: Path, front: Front
) -> None:
    async with opened(tmp_path, FAR) as plane:
        far = plane.fleet.server("far")
        await called(plane, front, "repeat", key="in clear", way="stderr")
        while b"in clear" not in far.errors:
            await anyio.sleep(0.01)
        outcome = await called(plane, front, "repeat", key=REFERENCE, way=way)
        await called(plane, front, "repeat", key="after it", way="stderr")
        assert VALUE.encode() not in far.errors and VALUE not in repr((outcome, outcome.as_json(), far.why))


async def test_why_a_connection_ended_is_said_without_a_secret() -> None:
    @asynccontextmanager
    async def breaks() -> AsyncIterator[Link]:
        raise ValueError(f"POST https://far.example/?key={VALUE}")
        yield

    connection = Connection(Terms(server="far"), breaks, Relay())
    with HOLDING.by("call_1", Scrubber([VALUE])), pytest.raises(NotSent, match=r"key=\[secret\]") as refused:
        await connection.keep()
    assert VALUE not in str(refused.value) + connection.why
