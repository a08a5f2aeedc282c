"""What a URL names, read once and strictly: what is checked is what is dialled and what is sent."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

from interlock.errors import NotSent

URL_MAX: Final = 16 << 10
"""Characters of a URL."""

_URL: Final = re.compile(r"(https?)://([^/?#]+)((?:/[^?#]*)?(?:\?[^#]*)?)")
_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class Target(NamedTuple):
    """Where a request goes.

    Attributes:
        scheme: `http` or `https`.
        host: Name in lower case without its last dot, or an address; that of version 6 without brackets.
        port: As written, or the scheme's.
        path: Path and query as they are sent, beginning with `/`.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials belong to."""
        return self.scheme, self.host, self.port


def target_of(url: str) -> Target:
    """Read a URL: http or https, a host that can be read in one way only, and visible ASCII.

    A name and password, a fragment, a backslash, an address in decimal, octal or hexadecimal form, and letters beyond
    ASCII (write `xn--…`) are refused, since clients differ in what they take them for.

    Raises:
        NotSent: With the reason, which does not repeat the URL: it may hold a secret.
    """
    if len(url) > URL_MAX or not url.isascii() or any(not "!" <= letter <= "~" for letter in url) or "\\" in url:
        raise _bad("it is too long, or has other than visible ASCII in it")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise _bad("it is not http or https, names nobody, or has a fragment")
    authority = _AUTHORITY.fullmatch(parts[2])
    if authority is None:
        raise _bad("its host has more in it than a name and a port")
    port = int(authority[2]) if authority[2] else 443 if parts[1] == "https" else 80
    if not 0 < port < 65_536:
        raise _bad("its port is none")
    path = parts[3] if parts[3].startswith("/") else "/" + parts[3]
    return Target(parts[1], _host(authority[1]), port, path)


def _host(written: str) -> str:
    if written.startswith("["):
        try:
            return str(ipaddress.IPv6Address(written[1:-1]))
        except ValueError:
            raise _bad("its host is no address of version 6") from None
    host = written.lower().removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))  # dotted decimal and nothing else
        except ValueError:
            raise _bad("its host is an address in another form than dotted decimal") from None
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise _bad("its host is no name")
    return host


def _bad(why: str) -> NotSent:
    return NotSent(f"nothing was sent to a URL that cannot be used: {why}", code="egress.url")
