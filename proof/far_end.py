"""A far end over real HTTP that answers by a script: what services answer when they are busy, broken or done."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self


class Reply(NamedTuple):
    """How one request is answered.

    Attributes:
        status: The status.
        does: Whether the effect is done before.
        headers: Headers besides.
    """

    status: int = 200
    does: bool = True
    headers: tuple[tuple[str, str], ...] = ()


Script = Callable[[Any], Reply]
"""Given the request's body, how it is answered."""


class HttpFarEnd:
    """Listens on loopback in threads of this process, as a context manager.

    Args:
        script: How each request is answered.
        dedupe: Whether an effect whose key is known is answered and not done again.

    Attributes:
        effects: Key and body of every effect, in order.
        asked: Requests that came, by key.
    """

    def __init__(self, script: Script = lambda body: Reply(), *, dedupe: bool = False) -> None:
        self.script = script
        self.dedupe = dedupe
        self.effects: list[tuple[str, Any]] = []
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        far_end = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                far_end._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", 0))
        text = request.rfile.read(length)
        if len(text) < length:
            return  # half a request asks for nothing
        key = request.headers.get("Idempotency-Key", "")
        with self._lock:
            self.asked[key] += 1
            body = json.loads(text)
            reply = self.script(body)
            if reply.does and not (self.dedupe and any(known == key for known, _ in self.effects)):
                self.effects.append((key, body))
            number = next((at for at, (known, _) in enumerate(self.effects, 1) if known == key), 0)
        said = json.dumps({"n": number}).encode()
        request.send_response(reply.status)
        for name, value in reply.headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(said)))
        request.end_headers()
        request.wfile.write(said)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is no news here."""
