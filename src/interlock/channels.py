"""The channels that the settings name, and what sends through them: the one place that picks their adapters."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Sequence
from email.utils import parseaddr
from pathlib import Path

from interlock.compose import World
from interlock.core.address import check_url, is_loopback
from interlock.errors import BadInput, SettingsError
from interlock.ledger.store import Claim, Store
from interlock.net.reach import reach_of
from interlock.net.smtp import MailServer
from interlock.notices.channel import Channel
from interlock.notices.mail import Mail
from interlock.notices.notice import Audience
from interlock.notices.notifier import Means, Notifier
from interlock.notices.wording import PLACE
from interlock.notify_settings import ChannelSettings, MailSettings, WebhookSettings
from interlock.private_files import check_private, write_private
from interlock.settings import Settings


def open_channels(settings: Settings, *, tls: ssl.SSLContext | None = None) -> list[Channel]:
    """Every channel that the settings name. Reads their secrets and makes those that are missing: call it in a thread.

    Args:
        tls: Whom to trust; what the machine trusts where None.

    Raises:
        SettingsError: An address, a secret or a name is not acceptable.
        MissingExtra: Webhooks need the extra `notify`.
    """
    notify = settings.notify
    _check_link(notify.link)
    named = [each.name for each in all_of(settings)]
    if twice := [name for name in named if named.count(name) > 1]:
        raise SettingsError(
            f"notify: two channels are called {twice[0]!r}", code="settings.channel", remedy="Rename one."
        )
    channels: list[Channel] = []
    if notify.webhooks:
        channels += _webhooks(settings, tls)
    if notify.mail:
        trust = tls or ssl.create_default_context()
        channels += [_mail(settings, each, trust) for each in notify.mail]
    return channels


def open_notifier(settings: Settings, store: Store, world: World, claim: Claim) -> Notifier:
    """What tells people, through every channel that the settings name.

    Raises:
        SettingsError, MissingExtra: See `open_channels`.
    """

    def jitter() -> float:
        return int.from_bytes(world.entropy(2), "big") / 32_767.5 - 1

    means = Means(store=store, clock=world.clock, claim=claim, jitter=jitter, reach=world.reach)
    return Notifier(means, open_channels(settings))


def all_of(settings: Settings) -> Sequence[ChannelSettings]:
    """The settings of every channel, in the order of the file."""
    return (*settings.notify.webhooks, *settings.notify.mail)


def audience_of(channel: ChannelSettings) -> Audience:
    """Which notices a channel is for."""
    return Audience(
        kinds=frozenset(channel.kinds), groups=frozenset(channel.groups), tenants=frozenset(channel.tenants)
    )


def _check_link(link: str) -> None:
    if not link:
        return
    bare = link.replace(PLACE, "x")
    if link.count(PLACE) != 1 or "{" in bare or "}" in bare or set(bare) & set("<>|"):
        raise SettingsError(
            f"notify.link: not one {PLACE} in it, or others", code="settings.link",
            remedy=f"Write https://host/path/{PLACE}.",
        )  # fmt: skip
    check_url(bare, "notify.link")


def _webhooks(settings: Settings, tls: ssl.SSLContext | None) -> list[Channel]:
    from interlock.net.egress import Egress  # bring httpx2
    from interlock.notices.webhook import Webhook

    notify = settings.notify
    proxy = notify.proxy.get_secret_value()
    if proxy:
        check_url(proxy, "notify.proxy")
    urls = {each.name: _url(settings, each) for each in notify.webhooks}
    reach = reach_of(notify.reach, "notify.reach")
    for url in (*urls.values(), proxy):
        reach = reach.with_literal(url)
    egress = Egress(reach, proxy=proxy, tls=tls)
    return [
        Webhook(each.name, audience_of(each), urls[each.name], _key(settings, each), notify.link, egress)
        for each in notify.webhooks
    ]


def _url(settings: Settings, channel: WebhookSettings) -> str:
    place = f"notify.webhooks {channel.name}: url"
    if (channel.url is None) == (channel.url_file is None):
        raise SettingsError(f"{place}: neither, or both", code="settings.url", remedy="Give url or url_file.")
    url = channel.url.get_secret_value() if channel.url is not None else ""
    if channel.url_file is not None:
        url = _secret(settings.at(channel.url_file)).strip()
    check_url(url, place)
    return url


def _key(settings: Settings, channel: WebhookSettings) -> bytes:
    from interlock.notices.webhook import key_of, secret_of

    file = channel.secret_file
    where = settings.state_folder / f"webhook-{channel.name}.key" if file is None else settings.at(file)
    if not where.exists():
        write_private(where, secret_of(secrets.token_bytes(32)).encode() + b"\n", once=True)
    try:
        return key_of(_secret(where))
    except BadInput as error:
        raise SettingsError(f"{where}: {error.args[0]}", code=error.code, remedy=error.remedy) from None


def _mail(settings: Settings, channel: MailSettings, trust: ssl.SSLContext) -> Mail:
    place = f"notify.mail {channel.name}"
    if channel.tls == "none" and not is_loopback(channel.host):
        raise SettingsError(
            f"{place}: mail in clear", code="settings.mail", remedy="Use starttls or tls; none is for this machine."
        )
    for address in (channel.sender, *channel.to):
        if not _is_address(address):
            raise SettingsError(
                f"{place}: {address!r} is no address", code="settings.mail", remedy="Write name@host, one an entry."
            )
    password = _secret(settings.at(channel.password_file)).strip() if channel.password_file is not None else ""
    if bool(channel.user) != bool(password):
        raise SettingsError(
            f"{place}: user without password, or the reverse", code="settings.mail",
            remedy="Give user and password_file, or neither.",
        )  # fmt: skip
    server = MailServer(
        host=channel.host, port=channel.port, tls=channel.tls, context=trust, user=channel.user, password=password
    )
    return Mail(
        name=channel.name, audience=audience_of(channel), server=server, sender=channel.sender, to=channel.to,
        link=settings.notify.link,
    )  # fmt: skip


def _is_address(text: str) -> bool:
    """Whether this is one address and nothing else; whether anybody reads it, only the server knows."""
    local, at, host = text.rpartition("@")
    plain = text.isprintable() and not set(text) & set(' ,;:<>()[]"\\')
    return bool(plain and at and local and host and "@" not in local and parseaddr(text)[1] == text)


def _secret(file: Path) -> str:
    """What a secret file says.

    Raises:
        SettingsError: It cannot be read, or others may read it.
    """
    try:
        check_private(file)
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file}: {getattr(error, 'strerror', None) or 'not text'}", code="settings.mode",
            remedy="Let its owner read it.",
        ) from None  # fmt: skip
