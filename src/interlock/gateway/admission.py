"""Who may come in: a key in the `Authorization` header, or whoever this machine's callers are by the settings."""

from __future__ import annotations

from typing import Protocol

from interlock.core.principal import Principal
from interlock.errors import SettingsError
from interlock.gateway_settings import GatewaySettings, is_loopback
from interlock.key_ring import KeyRing
from interlock.keys import Key


class Admission(Protocol):
    """Says whose a request is."""

    async def admit(self, authorization: str) -> Key:
        """Whose it is, and what it opens.

        Args:
            authorization: The header as it came; empty for none.

        Raises:
            NotEntitled: Nobody's.
            InterlockError: It cannot be found out.
        """
        ...


class KeyAdmission:
    """By the deployment's own keys.

    Args:
        local: Who a request without any `Authorization` is; None for nobody.
    """

    def __init__(self, ring: KeyRing, local: Key | None) -> None:
        self._ring = ring
        self._local = local

    async def admit(self, authorization: str) -> Key:
        """See `Admission`."""
        if not authorization and self._local is not None:
            return self._local
        scheme, _, key = authorization.partition(" ")
        return await self._ring.find(key.strip() if scheme.lower() == "bearer" else "")


def local_key(settings: GatewaySettings) -> Key | None:
    """Whoever a caller without a key is, by the settings; None for nobody."""
    said = settings.local
    return None if said is None else Key(Principal(said.id, roles=frozenset(said.roles)))


def check_reach(settings: GatewaySettings, host: str, *, keys: bool) -> None:
    """Refuse to be reached from elsewhere by whoever has no key.

    Args:
        host: Where it is to listen.
        keys: Whether anybody has a key.

    Raises:
        SettingsError: It would listen beyond this machine, and let in callers without a key, or there is no key.
    """
    if is_loopback(host):
        if settings.local is None and not keys:
            raise SettingsError(
                "gateway: nobody has a key, and no local principal is set", code="gateway.nobody",
                remedy="Run `interlock init`, or set `id` under [gateway.local].",
            )  # fmt: skip
        return
    if settings.local is not None:
        raise SettingsError(
            f"gateway.host: {host!r} is not this machine alone, and callers without a key are let in",
            code="gateway.open", remedy="Remove [gateway.local], or listen on 127.0.0.1.",
        )  # fmt: skip
    if not keys:
        raise SettingsError(
            f"gateway.host: {host!r} is not this machine alone, and nobody has a key", code="gateway.open",
            remedy="Run `interlock keys add`, or listen on 127.0.0.1.",
        )  # fmt: skip
