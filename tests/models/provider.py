"""A provider's server on this machine: it speaks the wire format over real HTTP and answers what a test told it to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any, NamedTuple

CLOSE = "close"
"""What an answer says that is none: the connection is reset."""


ODD = (1, 2, 3, 5, 7, 11, 13, 64)
"""Bytes of a stream's pieces, over and over: they end anywhere."""


class Stream(NamedTuple):
    """Server-sent events.

    Attributes:
        events: As bytes.
        broken: Whether the connection is reset after them.
    """

    events: tuple[bytes, ...]
    broken: bool = False

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of odd sizes."""
        whole, sizes = b"".join(self.events), cycle(ODD)
        while whole:
            size = next(sizes)
            yield whole[:size]
            whole = whole[size:]


class Said(NamedTuple):
    """One answer.

    Attributes:
        status: HTTP status.
        body: An object, or bytes as they are; `CLOSE` for a reset; a `Stream` piece by piece.
        headers: Besides the usual ones.
        wait: Set when the answer may go out; None for at once.
    """

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()
    wait: threading.Event | None = None


Answers = Callable[[dict[str, Any]], Said]


class Provider:
    """What was asked of it.

    Attributes:
        url: Where it is.
        asked: Bodies of the requests.
        headers: Their headers, in lower case.
        paths: Their paths.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[Said | Answers] = []


@contextmanager
def provider(*answers: Said | Answers) -> Iterator[Provider]:
    """A server that gives these answers one after the other, and the last again and again."""
    told = Provider()
    told.answers = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said = told.answers[min(len(told.asked), len(told.answers) - 1)]
            told.asked.append(body)
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            told.paths.append(self.path)
            said = said if isinstance(said, Said) else said(body)
            if said.wait is not None:
                said.wait.wait(10)
            if said.body == CLOSE:
                return self.reset()
            if isinstance(said.body, Stream):
                return self.stream(said.status, said.body)
            whole = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in (("content-type", "application/json"), *said.headers):
                self.send_header(name, value)
            self.send_header("content-length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole)

        def stream(self, status: int, stream: Stream) -> None:
            self.send_response(status)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in stream.pieces():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            if stream.broken:
                return self.reset()
            self.wfile.write(b"0\r\n\r\n")

        def reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def finish(self) -> None:
            if self.connection.fileno() >= 0:
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # whoever asked has gone

    server = Server(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def openai(text: str | None = "ok", *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion."""
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-test",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28},
    }  # fmt: skip


def anthropic(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """A message of the Messages API."""
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test",
        "content": list(content) or [{"type": "text", "text": "ok"}], "stop_reason": stop, "stop_sequence": None,
        "usage": {"input_tokens": 21, "output_tokens": 7},
    }  # fmt: skip
