"""Notices as signed webhooks, by Standard Webhooks 1.0, with a body that Slack shows as it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.core.clock import SECOND_US, iso
from interlock.errors import BadInput
from interlock.net.egress import Egress
from interlock.net.sent import Sent
from interlock.notices.notice import OF_ALERTS, OF_CALLS, Audience, Notice
from interlock.notices.wording import NEVER_HERE, Worded, worded

PREFIX: Final = "whsec_"
"""What a secret begins with."""

_HEADER_MAX = 150
"""Characters of a header block, by Slack's reference."""

_FIELD_MAX = 300
"""Characters of a fact; Slack takes 2,000, and an escape may take five."""

Block = dict[str, Any]


@dataclass(frozen=True)
class Webhook:
    """A channel that posts; see `Channel`.

    Attributes:
        url: Where. As good as a password where a service tells its hooks by their address alone.
        key: The bytes of its secret.
        link: Template of links; see `worded`.
    """

    name: str
    audience: Audience
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    link: str
    egress: Egress = field(repr=False)

    async def send(self, notice: Notice, at_us: int) -> Sent:
        """See `Channel.send`."""
        notice_id = notice.id_for(self.name)
        body = body_of(notice, notice_id, worded(notice, self.link))
        return await self.egress.post(self.url, body, signed(notice_id, at_us // SECOND_US, body, self.key))

    async def close(self) -> None:
        """See `Channel.close`; the client is shared, and may be closed again."""
        await self.egress.close()


def key_of(secret: str) -> bytes:
    """The key that a secret's text stands for.

    Raises:
        BadInput: It is not `whsec_` and 24 to 64 bytes in base64.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise BadInput(
            "no secret of a webhook", code="notify.secret", remedy=f"It is {PREFIX!r} and 24 to 64 bytes in base64."
        )
    return key


def secret_of(key: bytes) -> str:
    """A key as the text that is handed to its receiver."""
    return PREFIX + base64.b64encode(key).decode()


def signed(notice_id: str, at_s: int, body: bytes, key: bytes) -> dict[str, str]:
    """The headers that a body goes out with.

    Args:
        at_s: When this try is made, Unix time: a receiver refuses what is old.
    """
    mac = hmac.digest(key, f"{notice_id}.{at_s}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": notice_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def body_of(notice: Notice, notice_id: str, said: Worded) -> bytes:
    """The body: `text` and `blocks` for people, `interlock` for programs, as ASCII."""
    where = said.link or f"Open it with: {said.command}"
    document = {
        "text": _escaped(f"{said.title}. {where}"),
        "blocks": [
            {"type": "header", "text": _plain(said.title[:_HEADER_MAX])},
            *_facts(said.facts),
            {"type": "section", "text": _opening(said)},
            {"type": "context", "elements": [_plain(NEVER_HERE)]},
        ],
        "mrkdwn": False, "unfurl_links": False, "unfurl_media": False,
        "interlock": _for_programs(notice, notice_id, said),
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _for_programs(notice: Notice, notice_id: str, said: Worded) -> Block:
    """The same as data, exactly as the ledger has it: whoever shows it escapes it."""
    about = "call_id" if notice.kind in OF_CALLS else "alert_id" if notice.kind in OF_ALERTS else "approval_id"
    return {
        "id": notice_id, "kind": notice.kind.value, about: notice.ref, "tenant": notice.tenant, "run": notice.run_id,
        "tool": notice.tool, "effect": notice.effect, "subject": notice.subject, "groups": list(notice.groups),
        "quorum": notice.quorum, "count": notice.count, "since": iso(notice.at_us),
        "expires": None if notice.expires_us is None else iso(notice.expires_us),
        "link": said.link or None, "command": said.command, **({"says": notice.says} if notice.says else {}),
    }  # fmt: skip


def _facts(facts: list[tuple[str, str]]) -> list[Block]:
    """At most ten to a section, by Slack's reference; there are fewer."""
    return (
        [{"type": "section", "fields": [_plain(f"{name}: {said}"[:_FIELD_MAX]) for name, said in facts]}]
        if facts
        else []
    )


def _opening(said: Worded) -> Block:
    if not said.link:
        return _plain(f"Open it with: {said.command}")
    return {"type": "mrkdwn", "text": f"<{_escaped(said.link)}|Open the request>", "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": _escaped(text), "emoji": False}


def _escaped(text: str) -> str:
    """The three characters that mean something to Slack in every text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
