"""The gateway in a process of its own, as a client starts it: over stdio, over HTTP, killed, asked to end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from interlock import Principal
from interlock.keys import Keys
from tests.gateway.served import NEW, OLD, body

pytestmark = pytest.mark.anyio
INTERLOCK = Path(sys.executable).with_name("interlock")
TOOLS = '''
import interlock

@interlock.tool(effect="irreversible", keyed=True)
def pay(n: int) -> dict[str, int]:
    """Pay."""
    print("paid")  # whatever a tool prints is no word of the protocol
    with open("paid", "a") as out:
        out.write(f"{n}\\n")
    return {"n": n}
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A deployment with one tool, and the keys of Ana, who calls, and Maria, who approves, in `keys`."""
    (tmp_path / "pay_tools.py").write_text(TOOLS)
    (tmp_path / "interlock.toml").write_text('tools = ["pay_tools"]\nlease_s = 1\ndrain_s = 1\n')
    keys = Keys(tmp_path / ".interlock" / "keys.json")
    people = {"root": {"admin"}, "ana": {"support"}, "maria": {"approver"}}
    given = {name: keys.add(Principal(name, roles=frozenset(roles))) for name, roles in people.items()}
    (tmp_path / "keys").write_text(json.dumps(given))
    return tmp_path


def environment(folder: Path, who: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")}
    key = json.loads((folder / "keys").read_text())[who] if who else ""
    return env | {"INTERLOCK_KEY": key, "XDG_CONFIG_HOME": str(folder / "config"), "PYTHONUNBUFFERED": "1"}


async def approve(folder: Path, approval_id: str) -> None:
    words = [INTERLOCK, "approvals", "approve", approval_id, "--yes", "--json"]
    done = await anyio.run_process(words, cwd=folder, env=environment(folder, "maria"), check=False)
    assert done.returncode == 0, done


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """A gateway over HTTP, and where it is."""

    def start() -> tuple[str, subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [INTERLOCK, "serve", "--port", "0"], cwd=folder, env=environment(folder, ""), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        found = re.search(rb"http://\S+", process.stdout.readline())
        assert found, process.stdout.read()
        return found[0].rstrip(b";").decode(), process

    url, process = await anyio.to_thread.run_sync(start)
    try:
        yield url, process
    finally:
        process.kill()
        await anyio.to_thread.run_sync(process.wait)
        if process.stdout is not None:
            process.stdout.close()


@asynccontextmanager
async def client_of(folder: Path, url: str, mode: str) -> AsyncIterator[Client]:
    key = environment(folder, "ana")["INTERLOCK_KEY"]
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", [OLD, NEW])
async def test_over_stdio_a_call_is_held_approved_in_another_process_and_its_client_gets_the_result(
    folder: Path, mode: str
) -> None:
    started = StdioServerParameters(
        command=str(INTERLOCK), args=["gateway", "stdio"], env=environment(folder, "ana"), cwd=folder
    )
    async with Client(stdio_client(started), mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["pay"]
        held = body(await client.call_tool("pay", {"n": 1}))
        assert held["outcome"] == "held"
        await approve(folder, held["approval_id"])
        assert (await client.call_tool("pay", {"n": 1})).structured_content == {"n": 1}
        assert (folder / "paid").read_text() == "1\n"


async def test_stdout_carries_nothing_but_the_protocol_and_the_process_ends_with_its_input(folder: Path) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {},
    }}}  # fmt: skip
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {**hello["params"], "name": "pay", "arguments": {}},
    }

    def talk() -> tuple[list[dict[str, Any]], int]:
        process = subprocess.Popen(
            [INTERLOCK, "gateway", "stdio"], cwd=folder, env=environment(folder, "ana"), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"no JSON\n" + json.dumps(hello).encode() + b"\n" + json.dumps(call).encode() + b"\n")
        process.stdin.flush()
        answers = []
        while not any(answer.get("id") == 2 for answer in answers):
            answers.append(json.loads(process.stdout.readline()))
        rest, _ = process.communicate()
        return [*answers, *map(json.loads, rest.splitlines())], process.returncode

    answers, code = await anyio.to_thread.run_sync(talk)
    assert code == 0
    assert sorted(answer["id"] for answer in answers if "result" in answer) == [1, 2]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)


def asked_at(revision: str) -> list[dict[str, Any]]:
    """What a client of a revision says that asks for a call, and for the list of tools."""
    meta = {"io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {}}
    given: dict[str, Any] = {"_meta": meta} if revision == NEW else {}
    hello: dict[str, Any] = {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "printf", "version": "1"}
    }  # fmt: skip
    first: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": hello}, {"method": "notifications/initialized"}
    ]  # fmt: skip
    then: list[dict[str, Any]] = [
        {"id": 1, "method": "tools/list", "params": given},
        {"id": 2, "method": "tools/call", "params": {**given, "name": "pay", "arguments": {"n": 1}}},
    ]
    return [{"jsonrpc": "2.0", **each} for each in [*(first if revision == OLD else []), *then]]


@pytest.mark.parametrize(("mode", "most"), [(OLD, 1), (OLD, 4), (NEW, 1), (NEW, 2)])
async def test_what_was_asked_before_the_input_ended_is_answered(folder: Path, mode: str, most: int) -> None:
    """As of `printf … | interlock gateway stdio`: the end of the input is there with the request, or before it."""
    said = asked_at(mode)[:most]
    text = "".join(json.dumps(each) + "\n" for each in said).encode()
    words = [INTERLOCK, "gateway", "stdio"]
    done = await anyio.run_process(words, input=text, cwd=folder, env=environment(folder, "ana"), check=False)
    assert done.returncode == 0
    answers = [each for each in map(json.loads, done.stdout.splitlines()) if "result" in each]
    assert sorted(each["id"] for each in answers) == [each["id"] for each in said if "id" in each]


async def test_without_a_key_nothing_is_served_over_stdio(folder: Path) -> None:
    words = [INTERLOCK, "gateway", "stdio"]
    done = await anyio.run_process(words, cwd=folder, env=environment(folder, ""), check=False)
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"interlock login" in done.stderr


@pytest.mark.parametrize("mode", [OLD, NEW])
async def test_a_client_gets_what_became_of_its_held_call_also_after_the_gateway_was_killed(
    folder: Path, mode: str
) -> None:
    """By what it was given, and by its own name of the call and the run."""
    meta: dict[str, Any] = {"interlock/idempotency-key": "order-7"}
    async with serving(folder) as (url, process), client_of(folder, url, mode) as client:
        held = await client.call_tool("pay", {"n": 1}, meta=meta)
        process.send_signal(signal.SIGKILL)
        await anyio.to_thread.run_sync(process.wait)
    assert held.meta is not None
    await approve(folder, body(held)["approval_id"])
    async with serving(folder) as (url, _), client_of(folder, url, mode) as client:
        given = {key: held.meta[f"interlock/{key}"] for key in ("continuation", "run")}
        done = await client.call_tool("pay", {"n": 1}, meta={"interlock/continuation": given["continuation"]})
        assert done.structured_content == {"n": 1}
        named = await client.call_tool("pay", {"n": 1}, meta={**meta, "interlock/run": given["run"]})
        assert named.structured_content == {"n": 1}
    assert (folder / "paid").read_text() == "1\n"


async def test_asked_to_end_it_drains_and_says_so(folder: Path) -> None:
    async with serving(folder) as (url, process), client_of(folder, url, OLD) as client:
        assert body(await client.call_tool("pay", {"n": 1}))["outcome"] == "held"
        process.send_signal(signal.SIGTERM)
        out, _ = await anyio.to_thread.run_sync(process.communicate)
        assert process.returncode == 0
        assert out.decode().splitlines()[-1] == "Ended."
