"""A service of HTTP that repeats a secret in its answers, errors and headers, and its document of OpenAPI."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proof.canaries.forms import said

TEXT = {"type": "string"}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/echo": {
            "post": {
                "operationId": "echo",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"key": TEXT, "form": TEXT, "way": TEXT},
                                "required": ["key", "form", "way"],
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "It repeats.", "content": {"application/json": {"schema": {}}}}},
            }
        }
    },
}


class _Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        arguments: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts, way = said(arguments["form"], arguments["key"]), arguments["way"]
        body = json.dumps({"parts": texts}).encode()
        self.send_response({"error": 422, "raised": 500}.get(way, 200), "x")
        self.send_header("content-type", "text/plain" if way == "raised" else "application/json")
        self.send_header("content-length", str(len(body)))
        if way == "aside":
            for number, text in enumerate(texts):
                self.send_header(f"x-echo-{number}", text.encode("ascii", "ignore").decode())
                self.send_header("set-cookie", f"k={text.encode('ascii', 'ignore').decode()}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *given: Any) -> None: ...


@contextmanager
def serving() -> Iterator[str]:
    """Its address, while it listens."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
