"""The door over HTTP as the settings say: who is let in, by which names, and what stands before it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio.to_thread

from interlock.core.clock import Clock
from interlock.errors import SettingsError
from interlock.gateway.address import addresses
from interlock.gateway.admission import Admission, KeyAdmission, local_key
from interlock.gateway.door import Door
from interlock.gateway.guard import Protection
from interlock.gateway.http import HttpDoor
from interlock.gateway.issuer import Fetch, IssuerKeys
from interlock.gateway_settings import OauthSettings
from interlock.key_ring import KeyRing
from interlock.settings import Settings

_KEYS_MAX = 256 << 10


async def http_door(door: Door, settings: Settings, keys_file: Path, clock: Clock) -> HttpDoor:
    """The door with its guard.

    Raises:
        SettingsError: What the settings say of tokens cannot be.
    """
    said = settings.gateway
    admission: Admission = KeyAdmission(KeyRing(keys_file, clock), local_key(said))
    protection = Protection(addresses=addresses(said.hosts, said.origins))
    if said.oauth is not None:
        from interlock.gateway.tokens import TokenAdmission, challenge, documents  # brings the library of JWT

        keys = IssuerKeys(await issuer_document(settings, said.oauth), clock)
        admission = TokenAdmission(said.oauth, keys, admission, clock)
        protection = Protection(
            addresses=protection.addresses, challenge=challenge(said.oauth), documents=documents(said.oauth)
        )
    return HttpDoor(door, admission, said.path, protection)


async def issuer_document(settings: Settings, said: OauthSettings) -> Fetch:
    """What brings the document with an issuer's keys: from a file, or from its address."""
    if said.jwks_file is not None:
        file = anyio.Path(settings.at(said.jwks_file))
        return file.read_bytes
    from interlock.net.egress import Ask, Egress  # brings httpx2
    from interlock.net.reach import reach_of

    reach = reach_of(said.reach, "gateway.oauth.reach")
    egress = await anyio.to_thread.run_sync(partial(Egress, reach, keep=0))

    async def fetch() -> bytes:
        ask = Ask(method="GET", url=said.jwks_url, headers={"accept": "application/json"}, answer_max=_KEYS_MAX)
        got = await egress.send(ask)
        if got.status != 200:
            raise SettingsError(f"the issuer's keys: HTTP {got.status}", code="token.keys")
        return got.body

    return fetch
