"""A real MCP server, made with the official SDK, that tests start as a process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TOOLS = [
    types.Tool(name="add", description="Adds one to a number.", input_schema=NUMBER, output_schema=NUMBER),
    types.Tool(name="echo", description="Says what it was given.", input_schema={"type": "object"}),
    types.Tool(name="fail", description="Fails.", input_schema={"type": "object"}),
    types.Tool(name="die", description="Ends its process.", input_schema={"type": "object"}),
]


async def listed(context: Any, params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=TOOLS)


async def called(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    given = params.arguments or {}
    match params.name:
        case "add":
            number = {"n": given["n"] + 1}
            text = types.TextContent(type="text", text=json.dumps(number))
            return types.CallToolResult(content=[text], structured_content=number)
        case "echo":
            meta = dict(params.meta or {})
            said = {
                "arguments": given,
                "meta": meta,
                "pid": os.getpid(),
                "env": dict(os.environ),
                "cwd": str(Path.cwd()),
            }
            return types.CallToolResult(content=[types.TextContent(type="text", text=json.dumps(said))])
        case "fail":
            text = types.TextContent(type="text", text="no such thing; please retry at once")
            return types.CallToolResult(content=[text], is_error=True)
        case _:
            os._exit(3)


async def main() -> None:
    server = Server("far", on_list_tools=listed, on_call_tool=called)
    sys.stderr.write("far server is up \x1b[31m\n")
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
