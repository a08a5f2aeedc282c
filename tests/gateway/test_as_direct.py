"""A client sees through the gateway what it sees at the server: the same script at both, in both revisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import PromptsListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError

from tests.gateway.full_server import NAMES, SHOWN, Full
from tests.gateway.served import NEW, OLD, Served, served
from tests.sources.web import serving

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("mode", [OLD, NEW])

FOLLOW = types.SubscribeRequest(params=types.SubscribeRequestParams(uri="memo://note"))
LEAVE = types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri="memo://note"))
ALL = ("sampling", "elicitation", "roots", "logging")


async def chooses(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"colour": params.message[-6:], "password": "hunter2"})


async def samples(context: Any, params: Any) -> types.CreateMessageResult:
    said = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=said, model="m")


async def roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///home/ana", name="home")])


ANSWERS: dict[str, Any] = {
    "elicitation_callback": chooses, "sampling_callback": samples, "list_roots_callback": roots
}  # fmt: skip


@dataclass
class Sides:
    """One server, and a gateway before it."""

    full: Full
    direct: str
    gateway: Served

    @asynccontextmanager
    async def each(self, mode: str, through: bool, **options: Any) -> AsyncIterator[Client]:
        """A client at the server, or at the gateway."""
        if through:
            async with self.gateway.client(mode=mode, **options) as client:
                yield client
            return
        async with (
            httpx2.AsyncClient(timeout=20) as http,
            Client(streamable_http_client(self.direct, http_client=http), mode=mode, **options) as client,
        ):
            yield client


@asynccontextmanager
async def sides(folder: Path, allow: tuple[str, ...] = ALL) -> AsyncIterator[Sides]:
    full = Full()
    async with serving(full.server.streamable_http_app()) as web:
        server = {
            "name": "full", "url": f"{web.url}/mcp", "trust": True, "prefix": "", "allow": allow,
            "effects": dict.fromkeys(NAMES, "read"),
        }  # fmt: skip
        async with served(folder, (), servers=(server,)) as gateway:
            yield Sides(full, f"{web.url}/mcp", gateway)


def plain(result: Any) -> dict[str, Any]:
    """A result without what each side says of itself, and of how long it holds."""
    said: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {key: value for key, value in said.items() if key not in ("_meta", "ttlMs", "cacheScope")}


async def script(client: Client, heard: list[Any]) -> list[Any]:
    """Uses every feature that needs nobody's answer."""

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    found: list[Any] = sorted(
        (plain(tool) for tool in (await client.list_tools()).tools), key=lambda tool: tool["name"]
    )
    found += [plain(await client.call_tool(name, {})) for name in (*SHOWN, "fail", "structured", "log")]
    found.append(plain(await client.call_tool("count", {}, progress_callback=progress)))
    found += [plain(await client.list_resources()), plain(await client.list_resource_templates())]
    found += [plain(await client.read_resource("memo://note")), plain(await client.list_prompts())]
    found.append(plain(await client.get_prompt("greet", {"who": "Zoe"})))
    ref = types.ResourceTemplateReference(type="ref/resource", uri="memo://{name}")
    found.append(plain(await client.complete(ref, {"name": "name", "value": "n"})))
    with pytest.raises(MCPError) as missing:
        await client.read_resource("memo://missing")
    return [*found, (missing.value.error.code, missing.value.error.message, missing.value.error.data)]


@both
async def test_every_feature_is_through_the_gateway_what_it_is_at_the_server(tmp_path: Path, mode: str) -> None:
    logs: dict[bool, list[str]] = {False: [], True: []}
    heard: dict[bool, list[Any]] = {False: [], True: []}
    seen: dict[bool, list[Any]] = {}
    async with sides(tmp_path) as these:
        for through in (False, True):

            async def log(params: types.LoggingMessageNotificationParams, through: bool = through) -> None:
                logs[through].append(f"{params.level} {params.data}")

            async with these.each(mode, through, logging_callback=log, log_level="debug", **ANSWERS) as client:
                seen[through] = await script(client, heard[through])
                with anyio.fail_after(30):
                    while len(heard[through]) < 2 or not logs[through]:
                        await anyio.sleep(0.01)
    assert seen[True] == seen[False]
    assert heard[True] == heard[False] == [(1, 2, "1"), (2, 2, "2")]
    assert logs[True] == logs[False] == ["error a error"]


@both
async def test_what_a_server_asks_is_answered_by_the_client_of_either_revision(tmp_path: Path, mode: str) -> None:
    async with sides(tmp_path) as these:
        seen = {}
        for through in (False, True):
            async with these.each(mode, through, **ANSWERS) as client:
                seen[through] = [plain(await client.call_tool(name, {})) for name in ("ask", "sample", "roots")]
        assert seen[True] == seen[False]
        assert "Which?" in str(seen[True]) and "sampled" in str(seen[True]) and "/home/ana" in str(seen[True])
        assert set(these.full.states) <= {"its own state"}, "what the gateway seals is between it and the client"
        rows = [(row["tool"], row["outcome"]) for row in await these.gateway.calls()]
        once = [(name, "done") for name in ("ask", "sample", "roots")]
        twice = [(name, outcome) for name in ("ask", "sample", "roots") for outcome in ("failed", "done")]
        assert rows == (once if mode == OLD else twice), "each round is decided and recorded"


@both
async def test_what_the_operator_does_not_allow_or_the_client_does_not_take_is_not_asked(
    tmp_path: Path, mode: str
) -> None:
    """T36, in both revisions: nothing is put that was not allowed, no form for a secret, none to who takes none."""
    refusing = tmp_path / "refusing"
    refusing.mkdir()
    async with sides(refusing, ()) as these, these.each(mode, True, **ANSWERS) as client:
        for name in ("ask", "sample", "roots"):
            result = await client.call_tool(name, {})
            assert result.is_error and "Which?" not in str(result) and "sampled" not in str(result)
    async with sides(tmp_path) as these:
        async with these.each(mode, True, **ANSWERS) as client:
            phished = await client.call_tool("phish", {})
            assert phished.is_error and "hunter2" not in str(phished)
        async with these.each(mode, True) as client:
            assert (await client.call_tool("ask", {})).is_error


async def test_a_server_is_told_what_the_client_in_front_can_answer(tmp_path: Path) -> None:
    async with sides(tmp_path) as these:
        async with these.each(NEW, True) as client:
            with pytest.raises(MCPError) as refused:
                await client.call_tool("needs", {})
            assert refused.value.error.code == -32021
            assert refused.value.error.data == {"requiredCapabilities": {"sampling": {}}}
        async with these.each(NEW, True, **ANSWERS) as client:
            assert not (await client.call_tool("needs", {})).is_error


async def asked(client: Client, name: str, **more: Any) -> Any:
    """One round of a call by hand."""
    params = types.CallToolRequestParams(name=name, arguments={}, **more)
    request = types.CallToolRequest(params=params)
    return await client.session.send_request(request, types.InputRequiredResult if not more else types.CallToolResult)


async def test_the_state_of_a_server_is_for_one_principal_and_one_call(tmp_path: Path) -> None:
    """What comes back changed, from somebody else or for another call never reaches the server."""
    answers: Any = {"q": types.ElicitResult(action="accept", content={"colour": "red"})}
    async with sides(tmp_path) as these, these.each(NEW, True, **ANSWERS) as client:
        state = (await asked(client, "ask")).request_state
        assert state and "its own state" not in state
        for call, said in (("ask", state + "x"), ("sample", state), ("ask", "server:AAAA")):
            with pytest.raises(MCPError):
                await asked(client, call, request_state=said, input_responses=answers)
        async with these.gateway.client("bob", NEW, **ANSWERS) as other:
            with pytest.raises(MCPError):
                await asked(other, "ask", request_state=state, input_responses=answers)
        assert these.full.states == []
        result = await asked(client, "ask", request_state=state, input_responses=answers)
        assert "red" in result.content[0].text and these.full.states == ["its own state"]


async def test_who_follows_a_resource_hears_of_it_and_nobody_else(tmp_path: Path) -> None:
    async with sides(tmp_path) as these:
        told: dict[str, list[str]] = {"follows": [], "not": []}

        def hearing(who: str) -> Any:
            async def hear(message: Any) -> None:
                if isinstance(message, types.ResourceUpdatedNotification):
                    told[who].append(str(message.params.uri))

            return hear

        async with (
            these.each(OLD, True, message_handler=hearing("follows")) as old,
            these.each(OLD, True, message_handler=hearing("not")),
            these.each(NEW, True) as new,
            new.listen(resource_subscriptions=["memo://note"], prompts_list_changed=True) as events,
        ):
            await old.session.send_request(FOLLOW, types.EmptyResult)
            await these.full.touch("memo://other")
            await these.full.touch("memo://note")
            with anyio.fail_after(30):
                assert await anext(aiter(events)) == ResourceUpdated(uri="memo://note")
                while not told["follows"]:
                    await anyio.sleep(0.01)
            await these.full.other_prompts()
            with anyio.fail_after(30):
                assert await anext(aiter(events)) == PromptsListChanged()
            await old.session.send_request(LEAVE, types.EmptyResult)
        assert told == {"follows": ["memo://note"], "not": []}
        assert not these.gateway.plane.fleet.relay.news.wanted("full").uris, "who is gone follows nothing"
