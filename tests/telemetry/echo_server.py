"""An MCP server whose one tool answers with the `_meta` of the request, as it came; started as a process."""

from __future__ import annotations

import json
import sys
from typing import Any

REVISION = "2025-11-25"


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """The result of a request."""
    if message["method"] == "initialize":
        info = {"name": "echo", "version": "1"}
        return {"protocolVersion": REVISION, "capabilities": {"tools": {}}, "serverInfo": info}
    if message["method"] == "tools/list":
        return {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
    said = message["params"].get("_meta", {})
    return {"content": [{"type": "text", "text": json.dumps(said)}], "structuredContent": said}


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] not in ("initialize", "tools/list", "tools/call"):
        said = {"error": {"code": -32601, "message": "Method not found"}}
    else:
        said = {"result": answer(asked)}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}) + "\n")
    sys.stdout.flush()
