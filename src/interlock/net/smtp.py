"""Mail out, through one server. The standard library's client, which blocks: in a thread."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal

import anyio
import anyio.to_thread

from interlock.net.sent import Sent, Verdict

TIMEOUT_S = 30.0
"""Seconds that one message may take, and any one step of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        host, port: Where it listens.
        tls: `starttls` and `tls` send nothing where there is no TLS with a certificate that holds; `none` is for this
            machine alone.
        context: Whom to trust.
        user, password: To log in with; empty where it asks for none.
    """

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    context: ssl.SSLContext
    user: str = ""
    password: str = field(default="", repr=False)


async def hand_in(server: MailServer, message: EmailMessage, sender: str, recipients: Sequence[str]) -> Sent:
    """Hand a message in for all recipients. Never raises for what a network or a server does."""
    session = _Session(server)
    done = Sent(Verdict.LATER, "no answer in time")
    with anyio.move_on_after(TIMEOUT_S):
        try:
            done = await anyio.to_thread.run_sync(
                session.hand_in, message, sender, recipients,
                abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1),
            )  # fmt: skip
        finally:
            session.end()
    return done


class _Session:
    """One connection, in a thread that can be ended from outside."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._client: smtplib.SMTP | None = None

    def hand_in(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> Sent:
        """See `hand_in`; blocks."""
        try:
            client = self._client = self._connected()
            try:
                self._log_in(client)
                refused = client.send_message(message, sender, recipients)
            finally:
                client.close()  # without a QUIT, whose answer could only put in doubt what was accepted
        except smtplib.SMTPRecipientsRefused as error:
            return _judged(min(code for code, _ in error.recipients.values()), "every recipient: ")
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
            return Sent(Verdict.LATER, f"no login, or no TLS that holds: {type(error).__name__}")  # can be mended here
        except smtplib.SMTPResponseException as error:  # its text is the server's: not repeated
            return _judged(error.smtp_code)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # a ValueError is a challenge that is no base64, or a name or password that cannot be written
            return Sent(Verdict.LATER, f"no answer: {type(error).__name__}")
        left_out = f"; {len(refused)} of {len(recipients)} recipients refused" if refused else ""
        return Sent(Verdict.ACCEPTED, f"answered 250{left_out}")

    def end(self) -> None:
        """Let go of the connection, so that no thread waits for it."""
        if self._client is not None and self._client.sock is not None:
            with suppress(OSError):
                self._client.sock.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.tls == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=server.context)
        return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)

    def _log_in(self, client: smtplib.SMTP) -> None:
        server = self._server
        if server.tls == "starttls":
            client.starttls(context=server.context)
        if server.user:
            client.login(server.user, server.password)


def _judged(code: int, whom: str = "") -> Sent:
    """What a server's refusal means: 5xx is for good, everything else for now."""
    return Sent(Verdict.REFUSED if 500 <= code < 600 else Verdict.LATER, f"{whom}answered {code}")
