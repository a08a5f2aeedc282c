"""The official SDK on both sides, one client for all: `python -m bench.servers.sdk_proxy PORT URL`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.server import Server

from bench.servers.serve import serve


@asynccontextmanager
async def connected(_: Any) -> AsyncIterator[Client]:
    async with Client(sys.argv[2]) as client:
        yield client


async def list_tools(context: Any, __: Any) -> types.ListToolsResult:
    return await context.lifespan_context.list_tools()


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    return await context.lifespan_context.call_tool(params.name, params.arguments)


if __name__ == "__main__":
    server: Server[Client] = Server("proxy", lifespan=connected, on_list_tools=list_tools, on_call_tool=call_tool)
    serve(server.streamable_http_app(json_response=True))
