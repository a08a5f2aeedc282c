"""How people sign in and what programs come with, as the settings say: opened once for each process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio.to_thread

from interlock.api.links import Links
from interlock.api.oidc import Logins, Provider
from interlock.api.sessions import Sessions, Terms
from interlock.app import Interlock
from interlock.compose import World
from interlock.console_settings import OidcSettings
from interlock.core.clock import Clock
from interlock.errors import NotSent, SettingsError
from interlock.gateway.admission import Admission as Programs
from interlock.gateway.admission import KeyAdmission
from interlock.gateway.front import issuer_document
from interlock.gateway.issuer import IssuerKeys
from interlock.key_ring import KeyRing
from interlock.net.egress import Ask, Egress
from interlock.net.oauth import Client
from interlock.net.oauth_metadata import asked, discover_issuer
from interlock.net.reach import reach_of
from interlock.private_files import read_secret
from interlock.settings import Settings
from interlock.sign_ins import SignedIn

CALLBACK: Final = "/sign-in/callback"
"""Where an issuer sends people back."""

_KEYS_MAX: Final = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How somebody shows who they are.

    Attributes:
        sessions: Of people in browsers.
        links: By which they sign in once.
        logins: With an issuer; None where nobody's people sign in.
        programs: Whose keys and tokens are.
    """

    sessions: Sessions
    links: Links
    logins: Logins | None
    programs: Programs


async def open_identity(settings: Settings, plane: Interlock, ring: KeyRing, world: World) -> Identity:
    """Everything of it, for an open plane.

    Raises:
        SettingsError: What the settings say of tokens or of an issuer cannot be.
    """
    said, key = settings.console, plane.plane.executor.deployment_key
    terms = Terms(life_s=said.session_hours * 3600, idle_s=said.idle_minutes * 60)
    logins = None
    if said.oidc is not None:
        terms = Terms(life_s=terms.life_s, idle_s=terms.idle_s, issuer=said.oidc.issuer, roles=said.oidc.given)
        provider = await _provider(settings, said.oidc, world.clock)
        logins = Logins(said.oidc, provider, said.public_url + CALLBACK, key, world.clock, world.entropy)
    return Identity(
        sessions=Sessions(SignedIn(plane.store), ring, key, world.clock, world.entropy, terms),
        links=Links(key, world.clock, world.entropy), logins=logins,
        programs=await _programs(settings, ring, world.clock),
    )  # fmt: skip


async def _programs(settings: Settings, ring: KeyRing, clock: Clock) -> Programs:
    """Keys, and where the settings say so tokens: never those that are for the gateway (threat T24).

    Raises:
        SettingsError: Both doors would take the same tokens.
    """
    keys = KeyAdmission(ring, None)
    said, gateway = settings.console.tokens, settings.gateway.oauth
    if said is None:
        return keys
    if gateway is not None and said.audience == gateway.audience:
        raise SettingsError(
            "console.tokens.audience: the gateway's own", code="console.audience",
            remedy="Give the API an audience of its own: what an agent bears must not open it.",
        )  # fmt: skip
    from interlock.gateway.tokens import TokenAdmission  # brings the library of JWT

    return TokenAdmission(said, IssuerKeys(await issuer_document(settings, said), clock), keys, clock)


async def _provider(settings: Settings, said: OidcSettings, clock: Clock) -> Provider:
    from interlock.gateway.tokens import Issued  # brings the library of JWT
    from interlock.gateway.tokens import Terms as TokenTerms

    reach = reach_of(said.reach, "console.oidc.reach")
    egress = await anyio.to_thread.run_sync(partial(Egress, reach, keep=0))

    async def client() -> Client:
        secret = ""
        if said.client_secret_file is not None:
            secret = await anyio.to_thread.run_sync(read_secret, settings.at(said.client_secret_file))
        return Client(id=said.client_id, secret=secret)

    async def keys() -> bytes:
        grantor = await discover_issuer(egress, reach, said.issuer)
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        got = await asked(egress, Ask(method="GET", url=grantor.keys_url, headers=headers, answer_max=_KEYS_MAX))
        if got.status != 200:
            raise NotSent(f"the issuer's keys: HTTP {got.status}", code="oauth.metadata")
        return got.body

    terms = TokenTerms(said.issuer, said.client_id, said.algorithms, said.leeway_s)
    return Provider(
        discover=partial(discover_issuer, egress, reach, said.issuer), client=client, egress=egress,
        issued=Issued(terms, IssuerKeys(keys, clock), clock),
    )  # fmt: skip
