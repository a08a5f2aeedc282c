"""Where the customers' mail arrives: an SMTP receiver on loopback, and each mail an effect like any other.

It takes what RFC 5321 calls the minimum, from one sender to one recipient. A mail counts as arrived when its end was
answered with 250, and is in the file by then. Of several mails with one Message-ID it keeps the first.
"""

from __future__ import annotations

import re
import socketserver
import sqlite3
import threading
from collections.abc import Mapping
from email import message_from_bytes, policy

from examples.service.answer import Answer, Problem
from examples.service.request import Request
from examples.service.store import Store, created

HOST = "127.0.0.1"
BYTES_MAX = 64 * 1024
LINE_MAX = 1000
SILENCE_S = 60.0

_ADDRESS = re.compile(rb"(?:FROM|TO):\s*<([!-~]{1,200})>", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<([!-~]{1,200})@[!-~]+>")


def receive_mail(store: Store) -> Mapping[str, object]:
    """Listen beside the service, for as long as its process lives; the port for its ready line."""
    server = _Receiver((HOST, 0), _Exchange)
    server.store = store
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return {"smtp_port": server.server_address[1]}


def arrived(store: Store, request: Request) -> Answer:
    """One mail has come."""
    sender, recipient = request.text("from", 200), request.text("to", 200)
    subject, text = request.text("subject", 200), request.text("text", BYTES_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        mail = {"sender": sender, "recipient": recipient, "subject": subject, "text": text}
        return created(db, "mails", mail | {"at": store.timestamp()})

    return store.change("send_mail", request, do)


class _Receiver(socketserver.ThreadingTCPServer):
    """One thread a connection."""

    daemon_threads = True
    store: Store


class _Exchange(socketserver.StreamRequestHandler):
    """One connection."""

    server: _Receiver
    timeout = SILENCE_S

    def handle(self) -> None:
        """One command after the other, until the sender has enough."""
        self._say("220 support.example")
        sender = recipient = b""
        while line := self.rfile.readline(LINE_MAX):
            verb = line[:4].upper().strip()
            address = _ADDRESS.search(line)
            if verb == b"DATA" and sender and recipient:
                self._say("354 go on")
                self._say(self._taken(sender, recipient))
                sender = recipient = b""
            elif verb == b"MAIL" and address:
                sender = address[1]
                self._say("250 ok")
            elif verb == b"RCPT" and address and not recipient:
                recipient = address[1]
                self._say("250 ok")
            elif verb == b"QUIT":
                return self._say("221 bye")
            elif verb in (b"HELO", b"EHLO", b"RSET", b"NOOP"):
                self._say("250 ok")
            else:
                self._say("503 not now")

    def _taken(self, sender: bytes, recipient: bytes) -> str:
        """Read a mail to its end, keep it, and say so."""
        lines: list[bytes] = []
        while (line := self.rfile.readline(LINE_MAX)).rstrip(b"\r\n") != b".":
            if not line:
                raise ConnectionResetError("the sender hung up within the mail")
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            if sum(map(len, lines)) > BYTES_MAX:
                raise ConnectionResetError("more than a mail may have")
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        named = _MESSAGE_ID.fullmatch(str(mail["Message-ID"] or "").strip())
        body = mail.get_body(("plain",))
        said = {
            "from": sender.decode(), "to": recipient.decode(), "subject": str(mail["Subject"] or "-"),
            "text": "\n".join(str(body.get_content()).splitlines()).strip() if body is not None else "-",
        }  # fmt: skip
        try:
            arrived(self.server.store, Request({}, said, named[1] if named else None))
        except Problem as problem:
            return f"554 {problem.code}"
        return "250 kept"

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
