"""Notices as mail: plain text, one message for all recipients of a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from interlock.core.clock import SECOND_US
from interlock.net.sent import Sent
from interlock.net.smtp import MailServer, hand_in
from interlock.notices.notice import Audience, Notice
from interlock.notices.wording import NEVER_HERE, worded


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A channel that mails; see `Channel`.

    Attributes:
        server: Where it is handed in.
        sender: Address that it is from.
        to: Addresses that it goes to.
        link: Template of links; see `worded`.
    """

    name: str
    audience: Audience
    server: MailServer = field(repr=False)
    sender: str
    to: Sequence[str]
    link: str

    async def send(self, notice: Notice, at_us: int) -> Sent:
        """See `Channel.send`."""
        message = message_of(notice, self, at_us)
        return await hand_in(self.server, message, parseaddr(self.sender)[1], [parseaddr(each)[1] for each in self.to])

    async def close(self) -> None:
        """See `Channel.close`; a connection lives for one message."""


def message_of(notice: Notice, mail: Mail, at_us: int) -> EmailMessage:
    """The message. Its id is the notice's: a second copy is known by it.

    The policy refuses a header with a line end in it; what could bring one in was made inert before.
    """
    said = worded(notice, mail.link)
    message = EmailMessage(policy=SMTP)
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Subject"] = f"[Interlock] {said.title}"
    message["Date"] = format_datetime(datetime.fromtimestamp(at_us / SECOND_US, UTC))
    message["Message-ID"] = f"<{notice.id_for(mail.name)}@{parseaddr(mail.sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Interlock-Kind"] = notice.kind.value
    width = max((len(name) for name, _ in said.facts), default=0) + 2
    facts = [f"{name + ':':<{width}}{value}" for name, value in said.facts]
    lines = [said.title, "", *facts, *([""] if facts else [])]
    lines += [f"Open the request: {said.link}"] if said.link else [f"Open it with: {said.command}"]
    message.set_content("\n".join([*lines, "", NEVER_HERE, ""]), cte="quoted-printable")
    return message
