"""The service over HTTP/1.1 on loopback: one request in, one JSON answer out, or a fault's silence."""

from __future__ import annotations

import hmac
import json
import select
import socketserver
import sys
import traceback
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from examples.service.answer import Answer, Problem
from examples.service.endpoint import Endpoint, admin, find
from examples.service.faults import (
    DROP_BEFORE,
    ERROR_AFTER_EFFECT,
    REFUSE,
    STALL_AFTER_EFFECT,
    STALL_BEFORE,
    Faults,
)
from examples.service.request import Request, parse_body, parse_key, parse_query
from examples.service.store import Store

HOST = "127.0.0.1"
BODY_BYTES_MAX = 64 * 1024
SOCKET_TIMEOUT_S = 300
"""How long a connection may be silent, within a request or between two."""

STALL_S_MAX = 120
"""How long a stalled request is held if its caller does not hang up first."""


class Tokens(NamedTuple):
    """Bearer tokens: the caller's opens /v1 and the admin's /admin, neither the other's."""

    caller: str
    admin: str


class ServiceServer(ThreadingHTTPServer):
    """The HTTP server; one thread a connection.

    Args:
        port: 0 is any free one.
        public: What its callers may ask; what its administrator may ask comes with it.
    """

    request_queue_size = 128

    def __init__(self, port: int, store: Store, tokens: Tokens, public: Sequence[Endpoint]) -> None:
        self.store = store
        self.tokens = tokens
        self.faults = Faults([endpoint.name for endpoint in public])
        self.endpoints = (*public, *admin(self.faults))
        super().__init__((HOST, port), Exchange)

    def server_bind(self) -> None:
        """Bind, without the look-up of our own host name that `HTTPServer` adds and that can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is no news; anything else is a bug and belongs on standard error."""
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


class Exchange(BaseHTTPRequestHandler):
    """One connection."""

    server: ServiceServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ExampleService/1", ""
    timeout = SOCKET_TIMEOUT_S
    disable_nagle_algorithm = True  # or the body waits until the headers are acknowledged, some 40 ms

    def do_GET(self) -> None:
        """Read something."""
        self._exchange()

    def do_POST(self) -> None:
        """Change something."""
        self._exchange()

    def do_DELETE(self) -> None:
        """Remove something."""
        self._exchange()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the effects table is the record."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself, in our form."""
        self.close_connection = True
        self._send(Problem(code, "bad_http", message or "This is not a request.").answer())

    def _exchange(self) -> None:
        try:
            answer = self._answer()
        except Problem as problem:
            answer = problem.answer()
        except OSError:
            raise  # the caller is gone; the library closes the connection
        except Exception:
            traceback.print_exc()
            answer = _internal_error()
        if answer is None:
            self.close_connection = True
        else:
            self._send(answer)

    def _answer(self) -> Answer | None:
        """What to say; None to hang up without a word."""
        body = self._read_body()
        path, _, query = self.path.partition("?")
        self._check_token(path)
        endpoint, in_path = find(self.server.endpoints, self.command, path)
        in_query, in_body = parse_query(query), self._parse_body(body)
        _refuse_unknown(in_query, endpoint.fields if self.command == "GET" else ())
        _refuse_unknown(in_body, endpoint.fields)
        key = parse_key(self.headers.get_all("Idempotency-Key", []))

        spend = self.server.faults.spend
        if spend(endpoint.name, DROP_BEFORE):
            return None
        if spend(endpoint.name, REFUSE):
            raise Problem(409, "not_at_present", "This cannot be done at present; nothing was.")
        if spend(endpoint.name, STALL_BEFORE):
            return self._stall()
        answer = endpoint.run(self.server.store, Request(in_query | in_path, in_body, key))
        if spend(endpoint.name, ERROR_AFTER_EFFECT):
            return _internal_error()
        if spend(endpoint.name, STALL_AFTER_EFFECT):
            return self._stall()
        return answer

    def _stall(self) -> None:
        """Say nothing until the caller hangs up."""
        select.select([self.connection], [], [], STALL_S_MAX)  # readable as soon as it does

    def _read_body(self) -> bytes:
        """The body, read before anything is refused, so that the next request begins where this one ends."""
        lengths = self.headers.get_all("Content-Length", [])
        try:
            if "Transfer-Encoding" in self.headers or (self.command == "POST" and not lengths):
                raise Problem(411, "length_required", "A body needs its Content-Length.")
            if not lengths:
                return b""
            if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
                raise Problem(400, "bad_http", "Content-Length must be one whole number.")
            if len(lengths[0]) > 9 or int(lengths[0]) > BODY_BYTES_MAX:
                raise Problem(413, "body_too_large", f"A body has at most {BODY_BYTES_MAX} bytes.")
        except Problem:
            self.close_connection = True
            raise
        body = self.rfile.read(int(lengths[0]))
        if len(body) < int(lengths[0]):
            raise ConnectionResetError("the caller hung up within the body")
        return body

    def _parse_body(self, body: bytes) -> dict[str, object]:
        if self.command != "POST":
            if body:
                raise Problem(400, "body_not_expected", f"A {self.command} has no body here.")
            return {}
        if self.headers.get_content_type() != "application/json":
            raise Problem(415, "unsupported_media_type", "Send the body as application/json.")
        return parse_body(body)

    def _check_token(self, path: str) -> None:
        caller, admin = self.server.tokens
        wanted, other = (admin, caller) if path.startswith("/admin/") else (caller, admin)
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not (_same(given, wanted) or _same(given, other)):
            raise Problem(401, "unauthorized", "A valid bearer token is required.")
        if not _same(given, wanted):
            raise Problem(403, "forbidden", "This token is for another part of the service.")

    def _send(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", f"application/{'json' if answer.status < 400 else 'problem+json'}")
        self.send_header("Content-Length", str(len(body)))
        if answer.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        if answer.status == 405:
            self.send_header("Allow", str(answer.body["methods"]))
        if answer.replayed:
            self.send_header("Idempotent-Replayed", "true")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _refuse_unknown(given: Iterable[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise Problem(400, "unknown_parameter", f"{name} is no field here.", field=name, known=list(known))


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _internal_error() -> Answer:
    return Problem(500, "internal_error", "Something went wrong; whether it was done is not known.").answer()
