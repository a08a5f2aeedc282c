"""The services that the settings name, as tools."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import NamedTuple

from interlock.core.address import check_url
from interlock.core.tool import Effect, Tool
from interlock.errors import BadInput, NotSent, SettingsError
from interlock.net.reach import Reach, reach_of
from interlock.net.target import target_of
from interlock.private_files import read_secret
from interlock.service_settings import AuthSettings, ServiceSettings
from interlock.settings import Settings


class Left(NamedTuple):
    """An operation of a service that became no tool, and why."""

    service: str
    method: str
    path: str
    why: str


class Services(NamedTuple):
    """What became of the documents of all services.

    Attributes:
        tools: A tool for each operation.
        left: The operations that became none.
    """

    tools: list[Tool]
    left: list[Left]


def import_services(settings: Settings, *, tls: ssl.SSLContext | None = None) -> Services:
    """Read the document of each service. Opens no connection, and reads no secret before a call needs it.

    Args:
        tls: Whom to trust; what the machine trusts where None.

    Raises:
        SettingsError: A document, an address or a name is not acceptable.
        MissingExtra: The extra `openapi` is needed.
    """
    found = Services([], [])
    if not settings.services:
        return found
    from interlock.net.egress import trusted  # brings httpx2

    names = [*(each.name for each in settings.servers), *(each.name for each in settings.services)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SettingsError(
            f"services: {twice[0]!r} is the name of two", code="settings.service", remedy="Rename one."
        )  # fmt: skip
    trust = tls or trusted()
    for said in settings.services:
        tools, left = _import(settings, said, trust)
        found.tools.extend(tools)
        found.left.extend(left)
    return found


def _import(settings: Settings, said: ServiceSettings, trust: ssl.SSLContext) -> tuple[list[Tool], Iterator[Left]]:
    from interlock.net.egress import Egress
    from interlock.sources.openapi import Service, import_openapi
    from interlock.sources.openapi_auth import Credential
    from interlock.sources.openapi_document import read_file

    try:
        document = read_file(settings.at(said.openapi))
        base_url, reach = _where(said, document.servers)
        service = Service(
            name=said.name, base_url=base_url, prefix=said.prefixed, only=said.only, key_header=said.key_header,
            effects={pattern: Effect(effect) for pattern, effect in said.effects.items()},
            # no connection stays open: nothing needs to be closed, and none has ended unseen when a write is sent
            # it ends a little before the attempt does, so that what is known of a request is said
            egress=Egress(reach, timeout_s=said.timeout_s * 0.95, tls=trust, keep=0),
            credentials=[
                Credential(kind=each.kind, name=each.name, user=each.user, read=_reader(settings, said, each))
                for each in said.auth
            ],
            timeout_s=said.timeout_s, answer_max=said.result_bytes_max,
        )  # fmt: skip
        tools, left = import_openapi(document, service)
    except BadInput as error:
        raise SettingsError(
            f"services {said.name}: {error.args[0]}", code="settings.service", remedy=error.remedy
        ) from None
    return tools, (Left(said.name, *each) for each in left)


def _where(said: ServiceSettings, servers: list[str]) -> tuple[str, Reach]:
    """Where a service answers and what may be reached for it.

    Only an operator's own URL allows the address that it is written with: a document's allows nothing.
    """
    place = f"services {said.name}"
    reach = reach_of(said.reach, f"{place}: reach")
    url = said.base_url
    if not url and said.document_server and servers:
        url = servers[0]
    elif url:
        reach = reach.with_literal(url)
    else:
        raise SettingsError(
            f"{place}: where it answers is not known", code="settings.service",
            remedy='Write base_url = "https://host/path", or document_server = true to believe its document.',
        )  # fmt: skip
    check_url(url, f"{place}: base_url", in_clear=_is_allowed(url, reach))
    return url, reach


def _is_allowed(url: str, reach: Reach) -> bool:
    """Whether an internal host was named, to which plain http may go."""
    try:
        host = target_of(url).host
    except NotSent:
        return False
    return host in reach.hosts or any(host == str(network.network_address) for network in reach.networks)


def _reader(settings: Settings, said: ServiceSettings, auth: AuthSettings) -> Callable[[], str]:
    def read() -> str:
        try:
            return read_secret(settings.at(auth.key_file))
        except SettingsError:
            raise NotSent(f"the secret of service {said.name!r} cannot be read", code="service.secret") from None

    return read
