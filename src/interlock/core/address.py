"""Where something may be sent: over TLS anywhere, in clear to this machine alone."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from interlock.errors import SettingsError


def check_url(url: str, place: str, *, in_clear: bool = False) -> None:
    """Refuse an address that nothing may be sent to.

    Args:
        place: What names it in the settings. The URL itself is not repeated: it may be a secret.
        in_clear: Whether plain http may go to other machines too.

    Raises:
        SettingsError: It is not https, names nobody, or has a password in it. Plain http goes to this machine alone.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise SettingsError(f"{place}: no URL", code="settings.url", remedy="Write https://host/path.")
    if parts.scheme != "https" and not (parts.scheme == "http" and (in_clear or is_loopback(host))):
        raise SettingsError(
            f"{place}: not https", code="settings.url", remedy="Use https; plain http goes to this machine alone."
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as it is written: a name that merely resolves to it is not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
