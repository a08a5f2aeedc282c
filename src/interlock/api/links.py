"""The link by which somebody signs in once, without typing a key into a page.

Opening it changes nothing, as a mail filter or a preview opens it too: the page that it shows has a button, whose post
uses it up. It is sealed under the deployment's key, so that any worker knows it, and none keeps it.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from interlock.api.sessions import Proof, bytes_of, text_of
from interlock.core.canonical import canonical
from interlock.core.clock import SECOND_US, Clock
from interlock.core.principal import ADMIN, Principal
from interlock.errors import NotEntitled
from interlock.key_ring import KeyRing
from interlock.keys import CONSOLE, Key
from interlock.ledger.chain import Entropy
from interlock.net.secrets import Box

LIFE_S: Final = 900.0
"""Seconds within which a link must be used."""

_PURPOSE: Final = "interlock/link/1"


class Links:
    """Makes and opens them. That each is used once, the ledger holds: see `Sessions.open`.

    Args:
        deployment_key: The deployment's secret.
        entropy: Random bytes.
    """

    def __init__(self, deployment_key: bytes, clock: Clock, entropy: Entropy) -> None:
        self._box = Box(deployment_key, _PURPOSE, entropy)
        self._clock = clock
        self._entropy = entropy

    def make(self, key: Key) -> str:
        """What a link of the bearer of this key holds.

        Raises:
            NotEntitled: With that key nobody signs in.
        """
        if CONSOLE not in key.scopes:
            raise NotEntitled(
                f"the key of {key.principal.id!r} is not for the console", code="auth.scope",
                remedy=f"Type a key with the scope {CONSOLE!r}.",
            )  # fmt: skip
        said = [key.principal.tenant, key.principal.id, key.id, self._clock.wall_us(), self._entropy(16).hex()]
        return text_of(self._box.seal(canonical(said)))

    def open(self, text: str) -> Proof:
        """Whom a link signs in.

        Raises:
            NotEntitled: Nobody: it is none, was changed, or is past.
        """
        try:
            said: Any = json.loads(self._box.open(bytes_of(text)))
            tenant, person, key_id, made_us, once = said
        except ValueError:
            raise _no_link() from None
        if not 0 <= self._clock.wall_us() - made_us < LIFE_S * SECOND_US:
            raise _no_link()
        return Proof(principal=Principal(person, tenant), by="link", key_id=key_id, since_us=made_us, once=once)


async def admin_link(links: Links, ring: KeyRing, now_us: int) -> str | None:
    """What a link of the first administrator holds, by tenant and id; None where none has a key for the console.

    For who can read what this process prints on a machine that nobody else reaches.
    """
    keys = [
        key for key in (await ring.all() or {}).values()
        if ADMIN in key.principal.roles and CONSOLE in key.scopes and key.open_at(now_us)
    ]  # fmt: skip
    first = min(keys, key=lambda key: (key.principal.tenant, key.principal.id, key.made_us, key.id), default=None)
    return None if first is None else links.make(first)


def link_url(base: str, text: str) -> str:
    """The address that somebody opens.

    Args:
        base: Of the console, without a slash at its end.
    """
    return f"{base}/sign-in?link={quote(text)}"


def _no_link() -> NotEntitled:
    return NotEntitled(
        "this link signs nobody in (any more)", code="auth.link", remedy="Run `interlock console link` for another one."
    )
