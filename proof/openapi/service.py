"""A service that answers by a document: it knows nothing of the importer, and reads each request by itself."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote


class Got(NamedTuple):
    """One request as it was read: which operations it can be, and the values in its path."""

    method: str
    routes: dict[str, dict[str, str]]
    query: str
    headers: dict[str, str]
    body: bytes


class Service:
    """An HTTP server on this machine. A context manager.

    Attributes:
        got: Requests that were read; None for one that is no operation of the document.
        answer: Body of the next answer; None for an empty one with 204.
    """

    def __init__(self, paths: Mapping[str, Mapping[str, Any]]) -> None:
        self.got: list[Got | None] = []
        self.answer: Any = None
        routes = [
            (method.upper(), path, re.compile(re.sub(r"\\\{([^}]*)\\\}", "([^/]+)", re.escape(path))))
            for path, item in paths.items()
            for method in item
        ]
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                path, _, query = self.path.partition("?")
                fit: dict[str, dict[str, str]] = {}
                for method, template, pattern in routes:
                    if method == self.command and (found := pattern.fullmatch(path)):
                        names = re.findall(r"\{([^}]*)\}", template)
                        fit[template] = dict(zip(names, map(unquote, found.groups()), strict=True))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.got.append(Got(self.command, fit, query, headers, body) if fit else None)
                self._say(404 if not fit else 204 if service.answer is None else 200)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _any

            def _say(self, status: int) -> None:
                text = b"" if status != 200 or self.command == "HEAD" else json.dumps(service.answer).encode()
                self.send_response(status)
                if status == 200:
                    self.send_header("content-type", "application/json")
                if status != 204:
                    self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *given: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
