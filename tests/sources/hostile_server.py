"""A server that keeps to no rule, written without any SDK: `hostile_server.py KIND`. Started by tests as a process."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

KIND = sys.argv[1] if len(sys.argv) > 1 else "plain"
SCHEMA = {"type": "object"}
LISTED = 0


def write(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def tool(name: str, **said: Any) -> dict[str, Any]:
    return {"name": name, "description": f"Does {name}.", "inputSchema": SCHEMA, **said}


def listing(params: dict[str, Any]) -> dict[str, Any]:
    global LISTED
    LISTED += 1
    match KIND:
        case "endless":
            return {"tools": [tool("one")], "nextCursor": "again"}
        case "forever":
            return {"tools": [], "nextCursor": str(LISTED)}
        case "many":
            return {"tools": [tool(f"t{number}") for number in range(10_000)]}
        case "heavy":  # few enough, each of them large, and page after page
            return {"tools": [tool(f"t{LISTED}", description="x" * (1 << 20))], "nextCursor": str(LISTED)}
        case "large":
            return {"tools": [tool("one", description="x" * (1 << 20))]}
        case "swaps":  # another definition each time that it is asked
            return {"tools": [tool("one", description=f"Version {LISTED}.")]}
        case "bad":
            return {
                "tools": [
                    tool("fine"),
                    tool("not a name"),
                    tool("refs", inputSchema={**SCHEMA, "properties": {"a": {"$ref": "http://x/"}}}),
                ]
            }
        case "malformed":  # each entry of another wrong form, and a sound one among them
            odd = [tool("odd-title", title=5), tool("odd-notes", annotations="x"), {"name": "bare"}, 7, None]
            return {"tools": [*odd, tool("fine"), {"description": "nameless", "inputSchema": SCHEMA}]}
        case "no-list":
            return {"tools": {"one": tool("one")}}
        case _:
            return {"tools": [tool("one")]}


def call(number: object, params: dict[str, Any]) -> None:
    said = {"content": [{"type": "text", "text": "done"}]}
    match KIND:
        case "huge":
            sys.stdout.write('{"jsonrpc": "2.0", "id": 1, "result": "')
            for _ in range(1 << 10):
                sys.stdout.write("x" * (1 << 20))
        case "exits":
            os._exit(0)
        case "junk":
            sys.stdout.write("not JSON\n" * 1000)
            sys.stdout.flush()
        case "wrong-id":
            write({"id": "nobody's", "result": {"content": [{"type": "text", "text": "for somebody else"}]}})
            write({"id": number, "result": said})
            write({"id": number, "result": {"content": [{"type": "text", "text": "a second answer"}]}})
        case "flood":
            for _ in range(100_000):
                write({"method": "notifications/tools/list_changed"})
            write({"id": number, "result": said})
        case "error":
            write({"id": number, "error": {"code": -32603, "message": "timeout, please retry", "data": {"a": 1}}})
        case "no-result":
            write({"id": number, "result": {"content": "not a list"}})
        case "silent":
            pass
        case "deaf":
            time.sleep(600)
        case "drips":
            for letter in json.dumps({"jsonrpc": "2.0", "id": number, "result": said}):
                sys.stdout.write(letter)
                sys.stdout.flush()
                time.sleep(1)
        case "asks":
            asked = {"mode": "url", "message": "log in", "url": params["arguments"]["url"], "elicitationId": "e1"}
            write({"id": f"q{number}", "method": "elicitation/create", "params": asked})
        case _:
            write({"id": number, "result": said})


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        number, params = message.get("id"), message.get("params") or {}
        match message.get("method"):
            case "initialize":
                about = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
                write({"id": number, "result": {**about, "serverInfo": {"name": KIND, "version": "1"}}})
            case "tools/list":
                write({"id": number, "result": listing(params)})
            case "tools/call":
                call(number, params)
            case "notifications/cancelled":
                sys.stderr.write(f"cancelled {params.get('requestId')}\n")
                sys.stderr.flush()
            case "notifications/initialized":
                pass
            case None:  # an answer to a question: the call that it was asked for is answered with it
                text = {"type": "text", "text": json.dumps(message)}
                write({"id": int(number[1:]), "result": {"content": [text]}})
            case _:
                write({"id": number, "error": {"code": -32601, "message": "no such method"}})


if __name__ == "__main__":
    main()
