"""The server behind: the official SDK, low level, over streamable HTTP. `python -m bench.servers.upstream PORT`."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server import Server

from bench.servers.answer import DESCRIPTION, NAME, SCHEMA, text_for
from bench.servers.serve import serve


async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name=NAME, description=DESCRIPTION, input_schema=SCHEMA)])


async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    text = text_for(params.arguments or {})
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


if __name__ == "__main__":
    server: Server[Any] = Server("upstream", on_list_tools=list_tools, on_call_tool=call_tool)
    serve(server.streamable_http_app(json_response=True))
