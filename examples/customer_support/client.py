"""The way to the shop's service, and the way to its customers: HTTP and SMTP."""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage

import interlock
from examples.client import Client

URL, TOKEN, SMTP = "SUPPORT_SERVICE_URL", "SUPPORT_SERVICE_TOKEN", "SUPPORT_SMTP"
"""Environment variables that say where the service is, let us in, and say where mail goes: `127.0.0.1:2525`."""

SENDER = "help@larkspur-tents.example"

REASONS = {
    "order_not_found": "there is no order with this number",
    "ticket_not_found": "there is no ticket with this number",
    "customer_not_found": "there is no such customer",
    "refund_exceeds_order": "this is more than is left of what was paid",
    "invalid_parameter": "the service does not accept one of the values",
    "idempotency_key_reused": "the service knows this call's key from another request",
    "unauthorized": "the service does not let this deployment in",
    "forbidden": "the service does not let this deployment in",
}
"""Refusals that the service documents, in our words: its own are no text for a model."""

_NOT_TAKEN = "the mail server does not take it"

_SERVICE = Client(URL, TOKEN, REASONS)

get, look_up, post = _SERVICE.get, _SERVICE.look_up, _SERVICE.post


def mail(context: interlock.CallContext, to: str, subject: str, text: str) -> None:
    """Send one mail. Its id is the call's key, so that whoever looks for it later finds it.

    Raises:
        interlock.NotSent: No connection came about.
        interlock.Rejected: The server answered that it does not take it.
    """
    host, _, port = os.environ.get(SMTP, "").partition(":")
    if not port:
        raise interlock.NotSent(f"{SMTP} does not say where mail goes")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, to, subject
    message["Message-ID"] = f"<{context.idempotency_key}@{SENDER.partition('@')[2]}>"
    message.set_content(text)
    try:
        server = smtplib.SMTP(host, int(port), "support.example", context.deadline_s)
    except OSError as error:
        raise interlock.NotSent(f"{host}:{port}: {error}") from error
    try:
        server.send_message(message)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
        raise interlock.Rejected(str(error), reason=_NOT_TAKEN) from error
    except smtplib.SMTPDataError as error:
        if not 400 <= error.smtp_code < 600:
            raise  # an answer that broke off has a code, too: 2, of 250
        raise interlock.Rejected(str(error), reason=_NOT_TAKEN) from error
    finally:
        server.close()  # without a QUIT, whose answer could only put in doubt what was accepted
