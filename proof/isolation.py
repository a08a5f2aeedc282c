"""Whether an answer ever reaches another client: `python -m proof.isolation`, or `make isolation`.

64 clients, each with a key of its own, call one gateway at the same time, all with the same JSON-RPC ids; half of them
by the revision of 2026, half in sessions of the older ones. Each call bears a number that no other has, and each answer
must bear that number, and nobody else's. Exits 0 only if every answer was its asker's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from proof.gateway_process import Deployment, Serving, Wire, deploy, http, messages_of, serving

CLIENTS = 64
_NEW = "2026-07-28"
_META = {"io.modelcontextprotocol/protocolVersion": _NEW, "io.modelcontextprotocol/clientCapabilities": {}}


async def isolate(folder: Path, calls: int, seen: Counter[str]) -> None:
    """Make so many calls, evenly by all clients; counts what each answer was."""
    names = [f"client{number}" for number in range(CLIENTS)]
    deployment = await anyio.to_thread.run_sync(deploy, folder, names)
    async with serving(deployment) as gateway, anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(_client, gateway, deployment, number, calls // CLIENTS, seen)


async def _client(gateway: Serving, deployment: Deployment, number: int, calls: int, seen: Counter[str]) -> None:
    key = deployment.keys[f"client{number}"]
    new = number % 2 == 0
    async with await anyio.connect_tcp(*gateway.address) as stream:
        wire = Wire(stream)

        async def ask(said: dict[str, Any], **head: str) -> tuple[dict[str, str], list[Any]]:
            await stream.send(http(gateway.address, key, json.dumps({"jsonrpc": "2.0", **said}).encode(), **head))
            with anyio.fail_after(120):
                answer = await wire.read()
            return answer.head, messages_of(answer)

        head = {"mcp_protocol_version": _NEW, "mcp_method": "tools/call", "mcp_name": "note"}
        if not new:
            client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
            came, _ = await ask({"id": 0, "method": "initialize", "params": client})
            head = {"mcp_session_id": came["mcp-session-id"]}
            await ask({"method": "notifications/initialized"}, **head)
        for turn in range(calls):
            mine = turn * CLIENTS + number
            params = {"name": "note", "arguments": {"n": mine}} | ({"_meta": _META} if new else {})
            _, answers = await ask({"id": turn, "method": "tools/call", "params": params}, **head)
            seen[_judged(answers, turn, mine)] += 1


def _judged(answers: list[Any], asked: int, mine: int) -> str:
    [answer] = answers
    said = answer.get("result", {}).get("structuredContent", {})
    if answer.get("id") != asked or ("n" in said and said["n"] != mine):
        return "another's"
    return "its own" if said.get("n") == mine else f"none ({said.get('code', answer.get('error'))})"


def main() -> int:
    """Isolate, and print what was seen."""
    words = argparse.ArgumentParser(prog="python -m proof.isolation", description=__doc__)
    words.add_argument("--calls", type=int, default=100_000, help="how many, by all clients together")
    said = words.parse_args()
    seen, begun = Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interlock-isolation-") as folder:
        anyio.run(partial(isolate, Path(folder), said.calls, seen))
    took = time.monotonic() - begun
    print(f"{CLIENTS} clients, {seen.total():,} calls with equal ids, in {took:.0f} s")
    print("answers: " + ", ".join(f"{what}: {times:,}" for what, times in sorted(seen.items())))
    held = set(seen) == {"its own"}
    print("held" if held else "NOT HELD")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
