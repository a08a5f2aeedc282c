"""`[notify]`: who is told that a person is waited for, and how; a part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Chosen = Literal[
    "approval.requested", "approval.expires", "call.unknown", "call.dead_lettered", "call.not_undone", "alert.raised",
    "alert.resolved",
]  # fmt: skip
EVERY_KIND: tuple[Chosen, ...] = (
    "approval.requested", "approval.expires", "call.unknown", "call.dead_lettered", "call.not_undone",
    "alert.raised", "alert.resolved",
)  # fmt: skip


class ChannelSettings(BaseModel):
    """What every channel has.

    Attributes:
        name: What it is called in the ledger and in the ids of its notices; unique.
        kinds: What it is told of.
        groups: Only what one of these roles may decide; empty for everything.
        tenants: Only what is of these tenants; empty for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    name: Name
    kinds: tuple[Chosen, ...] = EVERY_KIND
    groups: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()


class WebhookSettings(ChannelSettings):
    """Where notices are posted.

    Attributes:
        url: Where; https, or http to this machine.
        url_file: The same from a file of mode 0600, for an address that is as good as a password. One of the two.
        secret_file: File of the secret that they are signed with, mode 0600; None for `webhook-NAME.key` beside the
            ledger, which is made where it is missing.
    """

    url: SecretStr | None = None
    url_file: Path | None = None
    secret_file: Path | None = None


class MailSettings(ChannelSettings):
    """Where notices are mailed.

    Attributes:
        host, port: The server that takes them.
        tls: `starttls`, `tls` from the first byte, or `none` to this machine.
        sender: Address that they are from; `from` in the file.
        to: Addresses that each goes to.
        user: To log in with; empty for no login.
        password_file: File of its password, mode 0600.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65_535, strict=True)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = Field(alias="from")
    to: tuple[str, ...] = Field(min_length=1)
    user: str = ""
    password_file: Path | None = None


class NotifySettings(BaseModel):
    """Who is told, and how.

    Attributes:
        link: Address that opens a request, with `{approval_id}` in it; empty for none.
        proxy: Address of a proxy for webhooks; empty for none. The environment's is not used.
        reach: Hosts, addresses and networks that webhooks may reach although they are not public; what a URL of this
            file names by its address needs no other word.
        webhooks: Channels that post.
        mail: Channels that mail.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    link: str = ""
    proxy: SecretStr = SecretStr("")
    reach: tuple[str, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()
    mail: tuple[MailSettings, ...] = ()
