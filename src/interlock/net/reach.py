"""Where a connection may go: to public addresses, and to what the operator allowed besides."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from interlock.errors import SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, text.split()))


_INTERNAL: Final = _networks("10.0.0.0/8 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 ::1/128 fc00::/7")
"""This machine and private networks: a host that the operator allowed may be there."""

_NEVER: Final = _networks(
    # unspecified, link-local with the clouds' metadata, protocol assignments, documentation, benchmarks, multicast,
    # reserved; and the one public address at which a cloud tells machines their secrets
    "0.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24"
    " 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 100.100.100.200/32 fd00:ec2::/32 fd20:ce::/32"
    # of version 6: special purposes with Teredo, documentation, link-local, and what has one of version 4 within
    " 2001::/23 2001:db8::/32 2002::/16 3fff::/20 fe80::/10 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48"
)
"""Where nothing goes by a name, not even by an allowed one: only a network that the operator wrote for it leads there,
and none that merely has it within, such as 0.0.0.0/0.
"""

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""Public addresses of version 6. Outside stand the mapped, translated (NAT64) and link-local ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What may be connected to beside public addresses.

    Attributes:
        hosts: Names, in lower case, that may be on this machine or in a private network.
        networks: Addresses that are allowed whoever has them.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def objection(self, host: str, address: Address) -> str:
        """Why an address that a host has may not be connected to; empty where it may."""
        never = next((network for network in _NEVER if address in network), None)
        if any(address in network and (never is None or _within(network, never)) for network in self.networks):
            return ""
        if never is not None:
            return "link-local, special or reserved"
        if any(address in network for network in _INTERNAL):
            return "" if host in self.hosts else "of this machine or a private network"
        if isinstance(address, ipaddress.IPv6Address) and (address not in _UNICAST or _has_another_within(address)):
            return "not public, or another address in disguise"
        return "" if address.is_global and not address.is_multicast else "not public"

    def with_literal(self, url: str) -> Reach:
        """The same, and the host of this URL where it is written as an address, or as `localhost`.

        For an operator's own URL alone: who writes an address means it, who writes a name does not know where it
        will lead tomorrow.
        """
        host = (urlsplit(url).hostname or "").rstrip(".")
        if host == "localhost":
            return Reach(hosts=self.hosts | {host}, networks=self.networks)
        try:
            literal = ipaddress.ip_network(host)
        except ValueError:
            return self
        return Reach(hosts=self.hosts, networks=(*self.networks, literal))


PUBLIC: Final = Reach()
"""Public addresses and nothing else."""


def reach_of(allowed: Iterable[str], place: str) -> Reach:
    """Read what an operator allows: names of hosts, addresses and networks.

    Args:
        place: What names it in the settings.

    Raises:
        SettingsError: One of them is neither.
    """
    hosts, networks = set[str](), list[Network]()
    for each in allowed:
        try:
            networks.append(ipaddress.ip_network(each))
        except ValueError:
            if not _is_name(each):
                raise SettingsError(
                    f"{place}: {each!r} is no host and no network", code="settings.reach",
                    remedy="Write db.internal, 10.1.2.3 or 10.1.0.0/16.",
                ) from None  # fmt: skip
            hosts.add(each.lower().rstrip("."))
    return Reach(hosts=frozenset(hosts), networks=tuple(networks))


def _within(network: Any, other: Any) -> bool:
    """Whether a network is a part of another one of its version."""
    return bool(network.subnet_of(other))


def _is_name(text: str) -> bool:
    """Whether this is the name of a host: one that ends in a number is an address, and was none."""
    labels = text.rstrip(".").split(".")
    plain = all(label and label.isascii() and label.replace("-", "").replace("_", "").isalnum() for label in labels)
    return plain and not labels[-1][:1].isdigit()


def _has_another_within(address: ipaddress.IPv6Address) -> bool:
    """Whether it is of ISATAP, which any network's prefix may stand before: the last half holds one of version 4."""
    return (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE
