"""An MCP server that repeats a secret by every way that it has; started as a process, over its standard streams."""

from __future__ import annotations

import json
import sys
from typing import Any

from proof.canaries.forms import said

TEXT = {"type": "string"}
SCHEMA = {
    "type": "object", "properties": {"key": TEXT, "form": TEXT, "way": TEXT}, "required": ["key", "form", "way"],
}  # fmt: skip


def write(message: dict[str, Any]) -> None:
    """One message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(number: object, params: dict[str, Any]) -> None:
    """Repeat the secret."""
    arguments = params["arguments"]
    texts, way = said(arguments["form"], arguments["key"]), arguments["way"]
    if way == "aside":
        token = params.get("_meta", {}).get("progressToken")
        for done, text in enumerate(texts):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
            write({"method": "notifications/message", "params": {"level": "error", "data": text}})
            if token is not None:
                progress = {"progressToken": token, "progress": done, "message": text}
                write({"method": "notifications/progress", "params": progress})
    if way == "raised":
        write({"id": number, "error": {"code": -32000, "message": "x" * 185 + texts[0], "data": texts}})
        return
    content = [{"type": "text", "text": text} for text in texts]
    result = {"content": content, "isError": way == "error", "structuredContent": {"parts": texts}}
    write({"id": number, "result": {**result, "_meta": {"texts": texts}}})


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                write({"id": message["id"], "result": {
                    "protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}},
                    "serverInfo": {"name": "far", "version": "1"},
                }})  # fmt: skip
            case "tools/list":
                tool = {"name": "echo", "description": "Repeats.", "inputSchema": SCHEMA}
                write({"id": message["id"], "result": {"tools": [tool]}})
            case "tools/call":
                call(message["id"], message["params"])
            case _ if "id" in message:
                unknown = message.get("method") not in ("ping", "logging/setLevel")
                error = {"error": {"code": -32601, "message": "unknown"}}
                write({"id": message["id"], **(error if unknown else {"result": {}})})


if __name__ == "__main__":
    main()
