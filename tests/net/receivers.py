"""Real local servers that notices reach: one that speaks HTTP, one that speaks SMTP; and a certificate for both."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import socket
import ssl
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Answer(NamedTuple):
    """What the receiver says next."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"


@dataclass
class Posted:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def about(self) -> dict[str, Any]:
        return dict(self.said["interlock"])

    def is_signed(self, key: bytes = KEY) -> bool:
        """As a receiver checks it, by the text of Standard Webhooks."""
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return any(hmac.compare_digest(wanted, given) for given in self.headers["webhook-signature"].split(" "))


class Receiver:
    """An HTTP server that writes down what is posted, and acts once on each id. A context manager.

    Attributes:
        posted: Every request, in order.
        acted: Ids that it acted on: a second copy changes nothing.
        answers: What it says next; 200 where nothing is left.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self.acted: dict[str, Posted] = {}
        self.answers: deque[Answer] = deque()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                received = Posted(self.path, {name.lower(): said for name, said in self.headers.items()}, body)
                receiver.posted.append(received)
                if "webhook-id" in received.headers:
                    receiver.acted.setdefault(received.id, received)
                answer = receiver.answers.popleft() if receiver.answers else Answer(200)
                with suppress(OSError):
                    self.send_response(answer.status)
                    for name, said in answer.headers:
                        self.send_header(name, said)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)

            def log_message(self, format: str, *given: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that leaves is no news
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/hooks/T0/s3cr3t"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class Mailed:
    """One message as it was handed in."""

    sender: str
    recipients: list[str]
    content: bytes
    in_tls: bool
    login: str

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.content, policy=SMTP)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass
class MailReceiver:
    """An SMTP server as small as it can be, one connection at a time. A context manager.

    Attributes:
        tls: For STARTTLS, or from the first byte where `from_start`.
        replies: What it says next to a verb: `{"DATA": ["451 later"]}`; what belongs there where nothing is left.
        login: `user:password` that it takes; empty for no login.
    """

    tls: ssl.SSLContext | None = None
    from_start: bool = False
    login: str = ""
    replies: dict[str, list[str]] = field(default_factory=dict)
    mailed: list[Mailed] = field(default_factory=list)
    port: int = 0
    _upgraded: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            with suppress(OSError, ssl.SSLError):
                if self.from_start and self.tls is not None:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                self._converse(connection)
            connection.close()
            while self._upgraded:
                self._upgraded.pop().close()

    def _converse(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        mailed = Mailed("", [], b"", self.from_start, "")

        def say(verb: str, usual: str) -> bool:
            said = self.replies.get(verb, [])
            reply = said.pop(0) if said else usual
            connection.sendall(reply.encode() + b"\r\n")
            return reply[0] in "23"

        say("CONNECT", "220 here")
        while line := lines.readline().decode().rstrip("\r\n"):
            verb = line.partition(" ")[0].upper()
            if verb == "EHLO":
                offered = "250-here\r\n" + ("250-STARTTLS\r\n" if self.tls and not mailed.in_tls else "")
                say(verb, offered + ("250-AUTH PLAIN\r\n" if self.login else "") + "250 8BITMIME")
            elif verb == "STARTTLS":
                if say(verb, "220 go") and self.tls is not None:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                    self._upgraded.append(connection)
                    lines, mailed.in_tls = connection.makefile("rb"), True
            elif verb == "AUTH" and self.replies.get(verb):
                say(verb, "")
            elif verb == "AUTH":
                user, password = base64.b64decode(line.split()[2]).decode().split("\0")[1:]
                well = f"{user}:{password}" == self.login
                mailed.login = user
                say(verb, "235 in" if well else "535 5.7.8 no such s3cr3t")
            elif verb == "MAIL":
                mailed.sender = line[10:].partition(">")[0].lstrip("<")
                say(verb, "250 ok")
            elif verb == "RCPT":
                if say(verb, "250 ok"):
                    mailed.recipients.append(line[8:].partition(">")[0].lstrip("<"))
            elif verb == "DATA":
                if say(verb, "354 go"):
                    content = b""
                    while (part := lines.readline()) not in (b".\r\n", b""):
                        content += part[1:] if part.startswith(b"..") else part
                    mailed.content = content
                    self.mailed.append(mailed)
                    say("END", "250 taken")
            else:
                say(verb, "250 ok")


@dataclass
class Trust:
    """A certificate of 127.0.0.1 and localhost, for a server and for who trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def trust(folder: Path) -> Trust:
    """Make a certificate in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now.replace(year=2100))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return Trust(server, ssl.create_default_context(cadata=pem.decode()))
