"""Which names this door answers to, and whose pages may reach it: exact lists, on whatever address it listens.

A page in a browser on this machine can send requests here: by a name of its own that it lets point here (the `Host`
says so), or from elsewhere (the `Origin` says so). What neither list has is refused before anything else is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from interlock.errors import BadInput
from interlock.gateway.asgi import Scope, header

_LOCAL = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Addresses:
    """What `Host` and `Origin` may be.

    Attributes:
        hosts: Each as a client writes it, with its port unless that is the scheme's own, in lower case; None for the
            address that the connection came to, and `localhost` where that is this machine's own. Empty: none.
        origins: Scheme, host and port; None for those of the same hosts over HTTP. Empty: none. A request without an
            `Origin` is no page's.
    """

    hosts: frozenset[str] | None = None
    origins: frozenset[str] | None = None

    def check(self, scope: Scope) -> None:
        """Refuse what came by another name, or from another page.

        Raises:
            BadInput: It did (`http.host`, `http.origin`).
        """
        own = _own(scope) if self.hosts is None or self.origins is None else frozenset()
        hosts = own if self.hosts is None else self.hosts
        if header(scope, b"host").lower() not in hosts:
            raise BadInput("this name is not served here", code="http.host", remedy="Name it under `gateway.hosts`.")
        origins = {f"http://{host}" for host in own} if self.origins is None else self.origins
        origin = header(scope, b"origin")
        if (origin or _has(scope, b"origin")) and origin.lower() not in origins:
            raise BadInput(
                "pages of this origin are not let in", code="http.origin", remedy="Name it under `gateway.origins`."
            )


def addresses(hosts: Iterable[str] | None, origins: Iterable[str] | None) -> Addresses:
    """The lists as the settings say; None where they say nothing."""
    return Addresses(
        None if hosts is None else frozenset(host.lower() for host in hosts),
        None if origins is None else frozenset(origin.lower() for origin in origins),
    )


def _own(scope: Scope) -> frozenset[str]:
    """How a client names the very address that it connected to, which the socket says and no header."""
    server = scope.get("server")
    if not server or server[1] is None:
        return frozenset()
    port = server[1]
    address = ip_address(server[0].partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    own = f"[{address}]" if address.version == 6 else str(address)
    names = _LOCAL if address.is_loopback else (own,)
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())


def _has(scope: Scope, name: bytes) -> bool:
    return any(key == name for key, _ in scope["headers"])
