"""What settings say that does not belong there, or goes out unprotected: places, and never the values."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from interlock.gateway_settings import is_loopback
from interlock.screening.secrets import secrets_in
from interlock.settings import Settings
from interlock.wrapping.taking import secret_looking, secret_word


def secrets_in_clear(settings: Settings) -> list[str]:
    """Keys of the settings whose value may be a secret, although it could stand in a file of its own."""
    return sorted(_clear(settings))


def _clear(settings: Settings) -> Iterator[str]:
    for said in settings.servers:
        place = f"servers.{said.name}"
        for what, values in (("env", said.env), ("headers", said.headers)):
            texts = {name: value for name, value in values.items() if isinstance(value, str)}
            yield from (f"{place}.{what}.{name}" for name, value in texts.items() if secret_looking(name, value))
        yield from (f"{place}.command[{at}]" for at, word in enumerate(said.command) if secret_word(word))
        if secret_word(said.url) or urlsplit(said.url).query:
            yield f"{place}.url"
    yield from (f"notify.webhooks.{said.name}.url" for said in settings.notify.webhooks if said.url is not None)
    if "@" in settings.notify.proxy.get_secret_value():
        yield "notify.proxy"
    yield from _by_shape(settings.model_dump(mode="json", exclude={"servers", "notify", "folder"}), "", "")


def _by_shape(value: object, place: str, name: str) -> Iterator[str]:
    """Where the screen of results would find a secret, in a text of the settings at a place."""
    if isinstance(value, str) and secrets_in(value, name):
        yield place
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _by_shape(part, f"{place}.{key}" if place else key, key)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _by_shape(part, f"{place}[{at}]", name)


def plain_endpoints(settings: Settings) -> list[tuple[str, str, bool]]:
    """Key, address and whether it is this machine alone, of everything that is spoken to without TLS.

    An address is scheme, host and port, and no more: the rest of one may be as good as a password.
    """
    found = []
    for place, url in _addresses(settings):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname:
            port = f":{parts.port}" if parts.port else ""
            found.append((place, f"http://{parts.hostname}{port}", is_loopback(parts.hostname)))
    said = settings.gateway
    found.append(("gateway.host", f"http://{said.host}:{said.port}", is_loopback(said.host)))
    found += [
        (f"notify.mail.{each.name}.tls", f"smtp://{each.host}:{each.port}", is_loopback(each.host))
        for each in settings.notify.mail if each.tls == "none"
    ]  # fmt: skip
    return sorted(found)


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    for said in settings.servers:
        yield f"servers.{said.name}.url", said.url
        if said.oauth is not None:
            yield f"servers.{said.name}.oauth.issuer", said.oauth.issuer
    for service in settings.services:
        yield f"services.{service.name}.base_url", service.base_url
    if (oauth := settings.gateway.oauth) is not None:
        yield "gateway.oauth.issuer", oauth.issuer
        yield "gateway.oauth.jwks_url", oauth.jwks_url
    for webhook in settings.notify.webhooks:
        if webhook.url is not None:
            yield f"notify.webhooks.{webhook.name}.url", webhook.url.get_secret_value()
    yield "notify.proxy", settings.notify.proxy.get_secret_value()
    yield "verify.base_url", settings.verify.base_url or ""
