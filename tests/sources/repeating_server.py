"""A server that repeats what it is given by every way beside its answer; started by tests as a process.

`repeating_server.py`: of the revisions with a handshake. In a log, in questions, in a failure, on its standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def write(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(number: object, arguments: dict[str, Any]) -> None:
    key, way = arguments["key"], arguments["way"]
    match way:
        case "log":
            write({"method": "notifications/message", "params": {"level": "error", "data": f"with {key}"}})
        case "stderr":
            sys.stderr.write(f"with {key}\n")
            sys.stderr.flush()
        case "elicit":
            schema = {"type": "object", "properties": {"colour": {"type": "string", "description": key}}}
            asked = {"mode": "form", "message": f"Is it {key}?", "requestedSchema": schema}
            write({"id": f"q{number}", "method": "elicitation/create", "params": asked})
            return
        case "sample":
            said = {"role": "user", "content": {"type": "text", "text": f"Is it {key}?"}}
            write(
                {"id": f"q{number}", "method": "sampling/createMessage", "params": {"messages": [said], "maxTokens": 9}}
            )
            return
        case "die":
            sys.stderr.write(f"with {key}\n")
            sys.stderr.flush()
            sys.exit(3)
    write({"id": number, "result": {"content": [{"type": "text", "text": "done"}]}})


def main() -> None:
    text = {"type": "string"}
    schema = {"type": "object", "properties": {"key": text, "way": text}, "required": ["key", "way"]}
    for line in sys.stdin:
        message = json.loads(line)
        number = message.get("id")
        match message.get("method"):
            case "initialize":
                about = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}}}
                write({"id": number, "result": {**about, "serverInfo": {"name": "far", "version": "1"}}})
            case "tools/list":
                tool = {"name": "repeat", "description": "Repeats.", "inputSchema": schema}
                write({"id": number, "result": {"tools": [tool]}})
            case "tools/call":
                call(number, message["params"]["arguments"])
            case "logging/setLevel":
                write({"id": number, "result": {}})
            case None:  # an answer to a question: the call that it was asked for is over with it
                write({"id": int(number[1:]), "result": {"content": [{"type": "text", "text": "answered"}]}})
            case str(method) if not method.startswith("notifications/"):
                write({"id": number, "error": {"code": -32601, "message": "no such method"}})


if __name__ == "__main__":
    main()
