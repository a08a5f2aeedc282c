"""What stands before a server of the Model Context Protocol, over HTTP: peers, and how long they take."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.candidate import Candidate, Opened, Setting
from bench.contextforge import PROGRAM, forged
from bench.lanes import spread
from bench.load import Client, Refused, number_served
from bench.served import Served, module, served
from bench.servers.answer import NAME
from bench.weather import ARGUMENTS

CLIENTS = (1, 8, 32)

SETTINGS = """
[gateway.local]
id = "bench"
roles = ["clerk"]

[limits]
calls_max = 100000
alike_max = 1000
vain_max = 1000
near_max = 1000

[[servers]]
name = "behind"
url = "http://127.0.0.1:{port}/mcp"
trust = true
prefix = ""
effects = {{ get_weather = "read" }}
"""
"""A deployment of defaults, but that one run may make many more calls, and alike."""


class Endpoint(NamedTuple):
    """Where calls go to.

    Attributes:
        process: What is measured.
        path, tool: Its endpoint, and what the tool is called there.
        headers: What else it wants of a client.
    """

    process: Served
    path: str = "/mcp"
    tool: str = NAME
    headers: Mapping[str, str] = {}


async def shakes_hands(port: int) -> None:
    """Whether a server answers as one of this protocol."""
    client = Client(port, Endpoint._field_defaults["path"], NAME, {})
    await client.open([])
    client.close()


def process(setting: Setting, name: str, *arguments: str) -> AbstractAsyncContextManager[Served]:
    """One of `bench.servers`, serving."""
    return served(module(name, *arguments), shakes_hands, setting.folder / name)


@asynccontextmanager
async def alone(setting: Setting, name: str) -> AsyncIterator[Opened]:
    async with process(setting, name) as server, clients(Endpoint(server), setting.size) as opened:
        yield opened


@asynccontextmanager
async def before_it(setting: Setting, name: str, *arguments: str) -> AsyncIterator[Opened]:
    async with process(setting, "bare") as server:
        url = f"http://127.0.0.1:{server.port}/mcp"
        async with process(setting, name, url, *arguments) as proxy, clients(Endpoint(proxy), setting.size) as opened:
            yield opened


@asynccontextmanager
async def interlock(setting: Setting, *, on_disk: bool) -> AsyncIterator[Opened]:
    async with process(setting, "bare") as server:
        folder = setting.folder / "deployment"
        folder.mkdir()
        file = folder / "interlock.toml"
        file.write_text(SETTINGS.format(port=server.port))

        def command(port: int) -> list[str]:
            program = str(Path(sys.executable).with_name("interlock"))
            return [program, "serve", "--settings", str(file), "--port", str(port)]

        run = command if on_disk else module("door_in_memory", str(file))
        async with (
            served(run, shakes_hands, setting.folder / "interlock") as gateway,
            clients(Endpoint(gateway), setting.size) as opened,
        ):
            yield opened


@asynccontextmanager
async def contextforge(setting: Setting) -> AsyncIterator[Opened]:
    async with (
        process(setting, "bare") as server,
        forged(setting.folder / "contextforge", f"http://127.0.0.1:{server.port}/mcp") as (
            gateway,
            path,
            tool,
            headers,
        ),
        clients(Endpoint(gateway, path, tool, headers), setting.size) as opened,
    ):
        yield opened


@asynccontextmanager
async def clients(to: Endpoint, count: int) -> AsyncIterator[Opened]:
    """So many clients that call together, each one call after the other."""
    each = [Client(to.process.port, to.path, to.tool, dict(to.headers)) for _ in range(count)]
    for client in each:
        await client.open(ARGUMENTS)
    took_ns: list[int] = []
    spent_ns: list[int] = []
    bodies: list[bytes] = []

    async def prepare() -> None:
        took_ns.clear()
        spent_ns.clear()
        bodies.clear()
        for client in each:
            await client.ready()

    async def batch(n: int) -> None:
        free = list(each)

        async def lane(first: int, calls: int) -> None:
            client = free.pop()
            for number in range(first, first + calls):
                began_ns, spending_ns = time.perf_counter_ns(), to.process.own_cpu_ns()
                body = await client.call(number)
                took_ns.append(time.perf_counter_ns() - began_ns)
                spent_ns.append(to.process.own_cpu_ns() - spending_ns)
                bodies.append(body)

        await spread(n, count, lane)

    def figures() -> Mapping[str, float]:
        numbers = sorted(map(number_served, bodies))
        if numbers != list(range(numbers[0], numbers[0] + len(bodies))):
            raise Refused(f"{len(bodies)} calls, and the server behind ran {numbers[-1] - numbers[0] + 1}")
        (p50, p99), (own_p50, own_p99) = _percentiles(took_ns), _percentiles(spent_ns)
        return {
            "p50 ms": p50 / 1e6,
            "p99 ms": p99 / 1e6,
            "p99/p50 ×": p99 / p50,
            "p99/p50 in CPU ×": own_p99 / own_p50 if own_p50 else math.nan,  # of calls too short for its clock
            "MiB": to.process.resident_mib(),
            "start s": to.process.start_s,
        }

    await check(each[0], to.tool)
    yield Opened(batch=batch, prepare=prepare, lanes=count, validates=False, cpu_ns=to.process.cpu_ns, figures=figures)
    for client in each:
        client.close()


def _percentiles(times_ns: list[int]) -> tuple[int, int]:
    """The 50th and the 99th, of at least one."""
    ranked = sorted(times_ns)
    return ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100]


async def check(client: Client, tool: str) -> None:
    """The tool is listed and answers, or nothing that is measured means anything.

    Raises:
        Refused: It is not, or does not.
    """
    listed = await client.ask("tools/list", {})
    if json.dumps(tool).encode() not in listed:
        raise Refused(f"{tool} is not listed: {listed[:300]!r}")
    number_served(await client.call(0))


FLOOR = "server alone"

CANDIDATES = (
    Candidate(
        name=FLOOR,
        suite="gateway",
        what="the server behind: the protocol by hand on raw ASGI and uvicorn, so that it is nobody's bottleneck",
        open=partial(alone, name="bare"),
        sizes=CLIENTS,
        loopback=True,
        floor=FLOOR,
        distributions=("uvicorn", "httptools"),
    ),
    Candidate(
        name="mcp sdk, server alone",
        suite="gateway",
        what="a server made with the official SDK, low level, streamable HTTP, JSON responses; nothing before it",
        open=partial(alone, name="upstream"),
        sizes=CLIENTS,
        loopback=True,
        floor=FLOOR,
        distributions=("mcp",),
    ),
    Candidate(
        name="mcp sdk, proxy",
        suite="gateway",
        what="the official SDK on both sides, with one client for all",
        open=lambda setting: before_it(setting, "sdk_proxy"),
        sizes=CLIENTS,
        loopback=True,
        floor=FLOOR,
        distributions=("mcp",),
    ),
    Candidate(
        name="fastmcp, proxy",
        suite="gateway",
        what="`create_proxy(url)`, as its documentation has it",
        open=lambda setting: before_it(setting, "fastmcp_proxy"),
        sizes=(1, 32),
        loopback=True,
        floor=FLOOR,
        distributions=("fastmcp",),
    ),
    Candidate(
        name="fastmcp, proxy with a shared client",
        suite="gateway",
        what="`create_proxy` of a client that is connected already and serves all",
        open=lambda setting: before_it(setting, "fastmcp_proxy", "shared"),
        sizes=CLIENTS,
        loopback=True,
        floor=FLOOR,
        distributions=("fastmcp",),
    ),
    Candidate(
        name="interlock serve",
        suite="gateway",
        what="the gateway with the server behind it: every call through all gates and recorded, the ledger in memory",
        open=partial(interlock, on_disk=False),
        sizes=CLIENTS,
        loopback=True,
        floor=FLOOR,
        distributions=("interlock", "mcp"),
    ),
    Candidate(
        name="interlock serve, on disk",
        suite="gateway",
        what="`interlock serve` as it is started: the same with its ledger in SQLite, synchronous=FULL",
        open=partial(interlock, on_disk=True),
        sizes=CLIENTS,
        loopback=True,
        floor=FLOOR,
        distributions=("interlock", "mcp"),
    ),
    Candidate(
        name="contextforge",
        suite="gateway",
        what="ContextForge 1.1.0 with SQLite, as its documentation starts it; a virtual server with the one tool",
        open=contextforge,
        sizes=(1, 32),
        loopback=True,
        program=PROGRAM,
        floor=FLOOR,
    ),
)
