"""Real clients of both revisions over real HTTP: what they are offered, what they are told, who they are."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from interlock.gateway.http import bind
from tests.gateway.served import NEW, OLD, body, served
from tests.planes import Far

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("mode", [OLD, NEW])


@both
async def test_tools_are_offered_with_what_is_known_of_them_and_called(tmp_path: Path, mode: str) -> None:
    far = Far()
    output = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tools = [far.tool("get", output_schema=output), far.tool("pay", "irreversible")]
    async with served(tmp_path, tools) as gateway, gateway.client(mode=mode) as client:
        get, pay = (await client.list_tools()).tools
        assert (get.name, get.description, get.output_schema) == ("get", "Does get with a number.", output)
        assert get.input_schema["required"] == ["n"]
        assert get.annotations is not None and get.annotations.read_only_hint is True
        assert pay.annotations is not None and pay.annotations.destructive_hint is True
        result = await client.call_tool("get", {"n": 7})
        assert (result.is_error, result.structured_content) == (False, {"n": 7})
        assert result.content[0].text == '{"n": 7}'  # type: ignore[union-attr]
        [call] = await gateway.calls()
        assert (call["principal_id"], call["outcome"]) == ("ana", "done")
        assert result.meta is not None
        assert (result.meta["interlock/run"], result.meta["interlock/call"]) == (call["run_id"], call["call_id"])


@both
async def test_a_principal_is_offered_only_what_it_could_call(tmp_path: Path, mode: str) -> None:
    """T43: one asks after the other, and each gets a list of its own."""
    far = Far()
    async with served(tmp_path, [far.tool("get"), far.tool("wipe", "privileged")]) as gateway:
        gateway.obey(
            'permit (principal, action == Action::"get", resource);\n'
            'permit (principal in Role::"admin", action == Action::"wipe", resource);'
        )
        for who, names in (("cay", ["get", "wipe"]), ("ana", ["get"]), ("mute", [])):
            async with gateway.client(who, mode) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == names
        async with gateway.client("mute", mode) as client:
            assert body(await client.call_tool("get", {"n": 1}))["code"] == "gateway.scope"
        assert far.ran == []


@both
async def test_a_refused_call_says_why_and_what_to_do_to_a_model_and_to_a_program(tmp_path: Path, mode: str) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway, gateway.client(mode=mode) as client:
        result = await client.call_tool("get", {"n": "seven"})
        said = body(result)
        assert (said["outcome"], said["code"]) == ("refused", "validate.schema")
        assert said["problems"][0]["field"] == "/n"
        assert "refused (validate.schema)" in result.content[0].text  # type: ignore[union-attr]
        with pytest.raises(MCPError) as unknown:
            await client.call_tool("nix", {})
        assert (unknown.value.error.code, unknown.value.error.data["code"]) == (-32602, "validate.unknown_tool")
        assert far.ran == []


async def test_nobody_comes_in_without_a_key_that_somebody_has(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway, httpx2.AsyncClient() as http:
        for header in ("", "Bearer", "Bearer ilk_0", f"Basic {gateway.keys['ana']}", gateway.keys["ana"]):
            answer = await http.post(gateway.url, headers={"Authorization": header} if header else {}, json={})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        twice = [("Authorization", f"Bearer {gateway.keys['ana']}")] * 2
        assert (await http.post(gateway.url, headers=twice, json={})).status_code == 400


@both
async def test_a_key_that_is_revoked_opens_nothing_from_the_next_request_on(tmp_path: Path, mode: str) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway, gateway.client(mode=mode) as client:
        assert not (await client.call_tool("get", {"n": 1})).is_error
        await anyio.to_thread.run_sync(gateway.file.revoke, "ana", "default")
        with pytest.raises(MCPError):
            await client.call_tool("get", {"n": 1})
        assert len(await gateway.calls()) == 1


@both
async def test_a_held_call_runs_once_approved_and_its_client_gets_the_result_by_calling_again(
    tmp_path: Path, mode: str
) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("pay", "irreversible")]) as gateway, gateway.client(mode=mode) as client:
        held = await client.call_tool("pay", {"n": 1})
        assert body(held)["outcome"] == "held"
        assert far.ran == []
        await gateway.approve(body(held)["approval_id"])
        done = await client.call_tool("pay", {"n": 1})
        assert (done.is_error, done.structured_content) == (False, {"n": 1})
        assert far.names == ["pay"]
        assert body(await client.call_tool("pay", {"n": 1}))["outcome"] == "held", "a new call, once told"


async def test_an_answer_in_two_parts_is_not_held_back_for_an_acknowledgement() -> None:
    """Nagle's wait for the client's delayed acknowledgement was 40 ms of every call."""
    accepted: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

    class Seen(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport.get_extra_info("socket"))

    with bind("127.0.0.1", 0) as listening:
        server = await asyncio.get_running_loop().create_server(Seen, sock=listening)
        async with server, await anyio.connect_tcp("127.0.0.1", listening.getsockname()[1]):
            assert (await accepted).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@both
async def test_of_many_tools_a_client_is_offered_a_selection_and_finds_and_calls_the_others(
    tmp_path: Path, mode: str
) -> None:
    """A7."""
    far = Far()
    tools = [far.tool(f"part_{n}", description=f"Tell the price of part {n}.") for n in range(50)]
    tools.append(far.tool("feed_cat", description="Feed the cat."))
    async with served(tmp_path, tools) as gateway, gateway.client(mode=mode) as client:
        [find] = (await client.list_tools()).tools
        assert find.name == "find_tools" and "There are 51 others" in (find.description or "")
        found = await client.call_tool("find_tools", {"query": "feed the cat"})
        assert found.structured_content is not None
        assert found.structured_content["tools"][0]["name"] == "feed_cat"
        assert not (await client.call_tool("feed_cat", {"n": 1})).is_error
        assert "feed_cat" in [tool.name for tool in (await client.list_tools()).tools], "it was of use before"
    assert far.names == ["feed_cat"]
