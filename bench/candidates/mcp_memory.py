"""MCP in memory: the official SDK and FastMCP, client and server in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, get_weather


@asynccontextmanager
async def sdk(_: Setting) -> AsyncIterator[Opened]:
    from mcp import Client
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench")
    server.tool()(get_weather)
    async with Client(server) as client:
        yield _opened(client)


@asynccontextmanager
async def fastmcp(_: Setting) -> AsyncIterator[Opened]:
    from fastmcp import Client, FastMCP

    server = FastMCP("bench")
    server.tool(get_weather)
    async with Client(server) as client:
        yield _opened(client)


def _opened(client: Any) -> Opened:
    async def batch(n: int) -> None:
        for i in range(n):
            await client.call_tool("get_weather", ARGUMENTS[i & LAST])

    return Opened(batch=batch, once=lambda arguments: client.call_tool("get_weather", arguments))


CANDIDATES = (
    Candidate(
        name="mcp sdk, in memory",
        suite="call",
        what="`mcp.Client(MCPServer)`, the SDK's default in-process way",
        open=sdk,
        floor="pydantic",
        distributions=("mcp",),
    ),
    Candidate(
        name="fastmcp, in memory",
        suite="call",
        what="`fastmcp.Client(FastMCP)`",
        open=fastmcp,
        floor="pydantic",
        distributions=("fastmcp",),
    ),
)
