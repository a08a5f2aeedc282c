"""A far end on this machine that answers anything with what it is told to, and counts who comes."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self


@dataclass(frozen=True)
class Reply:
    """What it says next.

    Attributes:
        cut: Bytes of the answer after which the connection ends.
        hang: Whether nothing comes until it is closed.
        endless: Whether the body never ends.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    cut: int | None = None
    hang: bool = False
    endless: bool = False


class Asked(NamedTuple):
    """One request as it came in: the target to the byte, headers by name in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class FarEnd:
    """An HTTP server. A context manager.

    Attributes:
        replies: What it says next; what `answers` says where nothing is left.
        asked: Every request, in order.
        connections: How many were made.
        written: Bytes of endless bodies.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None,
        answers: Callable[[Asked], Reply] = lambda asked: Reply(),
    ) -> None:  # fmt: skip
        self.replies: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.connections = self.written = 0
        self._closed = threading.Event()
        end = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                end.connections += 1
                super().setup()

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                asked = Asked(
                    self.command, self.path, {name.lower(): said for name, said in self.headers.items()}, body
                )
                end.asked.append(asked)
                with suppress(OSError):
                    self._answer(end.replies.popleft() if end.replies else answers(asked))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _any

            def _answer(self, reply: Reply) -> None:
                if reply.hang:
                    end._closed.wait(10)
                if reply.hang or reply.cut is not None:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"[: reply.cut or 0])
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, said in reply.headers.items():
                    self.send_header(name, said)
                if not reply.endless:
                    self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)
                while reply.endless:
                    self.wfile.write(b"x" * 65536)
                    end.written += 65536

            def log_message(self, format: str, *given: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that leaves is no news
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://{host}:{self.port}/"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def said(value: object, status: int = 200) -> Reply:
    """A reply of JSON."""
    return Reply(status, {"content-type": "application/json"}, json.dumps(value).encode())
