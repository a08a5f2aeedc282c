"""Signing in with an issuer of OpenID Connect: a code with PKCE, and an ID token that is held against what was asked.

A login that is under way stands in a sealed cookie of the browser that began it, and nowhere else: any worker takes
its callback, and one that comes from another browser is nobody's (T12). Single use is the ledger's: the session that
comes of a login bears a name made of its state.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import anyio

from interlock.api.sessions import Proof, bytes_of, text_of
from interlock.console_settings import OidcSettings
from interlock.core.canonical import canonical
from interlock.core.clock import SECOND_US, Clock
from interlock.core.principal import Principal
from interlock.errors import NotEntitled
from interlock.gateway.tokens import Issued, principal_id
from interlock.ledger.chain import Entropy
from interlock.net.egress import Egress
from interlock.net.oauth import Client, Login
from interlock.net.oauth_metadata import Grantor
from interlock.net.secrets import Box

COOKIE: Final = "__Host-interlock-login"
"""Name of the cookie of a login that is under way."""

LIFE_S: Final = 600.0
"""Seconds in which a login must come back."""

METADATA_S: Final = 600.0
"""Seconds after which the issuer's metadata are asked for again."""

_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"  # it has to come with the issuer's redirect
_PURPOSE: Final = "interlock/login/1"
_SEED: Final = 32
_TENANT_MAX: Final = 100
_TIME_MAX: Final = 1e11


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The issuer, as this process reaches it.

    Attributes:
        discover: Brings its metadata.
        client: What this deployment is to it now: its secret may have been replaced.
        egress: How it is asked.
        issued: Holds its ID tokens against its keys, and against whom they are for.
    """

    discover: Callable[[], Awaitable[Grantor]]
    client: Callable[[], Awaitable[Client]]
    egress: Egress
    issued: Issued


class Logins:
    """Begins logins with one issuer, and finishes them.

    Args:
        redirect_uri: Exactly where it sends people back.
        deployment_key: The deployment's secret.
        entropy: Random bytes.
    """

    def __init__(
        self, said: OidcSettings, provider: Provider, redirect_uri: str, deployment_key: bytes, clock: Clock,
        entropy: Entropy,
    ) -> None:  # fmt: skip
        self.said = said
        self._provider = provider
        self._redirect_uri = redirect_uri
        self._box = Box(deployment_key, _PURPOSE, entropy)
        self._clock = clock
        self._entropy = entropy
        self._grantor: tuple[Grantor, float] | None = None
        self._looking = anyio.Lock()

    async def begin(self, onward: str, *, anew: bool = False) -> tuple[str, str]:
        """Begin one.

        Args:
            onward: Path of the page that its person wanted.
            anew: Whether they must show who they are, although the issuer knows them.

        Returns:
            Where the browser goes, and the `Set-Cookie` that it is to bear.

        Raises:
            NotSent: The issuer cannot be asked, or what it says is not acceptable.
        """
        seed, made_us = self._entropy(3 * _SEED), self._clock.wall_us()
        login = self._login(await self._metadata(), await self._provider.client(), seed)
        more = {"nonce": _nonce(seed)} | ({"prompt": "login", "max_age": "0"} if anew else {})
        cookie = text_of(self._box.seal(canonical([seed.hex(), made_us, onward, anew])))
        return f"{login.url}&{urlencode(more)}", f"{COOKIE}={cookie}; {_ATTRIBUTES}; Max-Age={LIFE_S:.0f}"

    async def finish(self, cookie: str, query: str) -> tuple[Proof, str]:
        """Finish the one that this browser began.

        Args:
            cookie: What the cookie holds.
            query: Of the callback, as it came.

        Returns:
            Who they are, and the path of the page that they wanted.

        Raises:
            NotEntitled: Another browser began it, it is past, the token is not acceptable, or they are nobody here.
            NotSent: The issuer refused, cannot be asked, or the callback is not of this login.
        """
        try:
            said: Any = json.loads(self._box.open(bytes_of(cookie)))
            seed, made_us, onward, anew = bytes.fromhex(said[0]), said[1], said[2], said[3]
        except ValueError:
            raise _another("this browser began no sign-in that could end here") from None
        if not 0 <= self._clock.wall_us() - made_us < LIFE_S * SECOND_US:
            raise _another("this sign-in took too long")
        client = await self._provider.client()
        login = self._login(await self._metadata(), client, seed)
        code = login.take(query)
        tokens = await login.redeem(self._provider.egress, code)
        claims = await self._provider.issued.claims(tokens.id_token)
        self._check(claims, seed)
        since_us = self._since_us(claims, made_us if anew else None)
        person = Principal(principal_id(claims["sub"]), self._tenant(claims), self._roles(claims))
        once = seed[_SEED : 2 * _SEED].hex()
        return Proof(principal=person, by="oidc", issuer=self.said.issuer, since_us=since_us, once=once), onward

    def _login(self, grantor: Grantor, client: Client, seed: bytes) -> Login:
        """The login that this seed makes: in whatever process, the same."""
        parts = [seed[:_SEED], seed[_SEED : 2 * _SEED]]
        scopes = tuple(dict.fromkeys(("openid", *self.said.scopes)))
        return Login(grantor, client, self._redirect_uri, scopes, lambda size: parts.pop(0))

    async def _metadata(self) -> Grantor:
        async with self._looking:
            now_s = self._clock.mono_s()
            if self._grantor is None or now_s - self._grantor[1] >= METADATA_S:
                self._grantor = (await self._provider.discover(), now_s)
            return self._grantor[0]

    def _check(self, claims: Mapping[str, Any], seed: bytes) -> None:
        """Refuse a token of another login, or for somebody else too.

        Raises:
            NotEntitled: It is.
        """
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), _nonce(seed).encode()):
            raise _refused("it is of another sign-in")
        audience, party = claims["aud"], claims.get("azp")
        several = isinstance(audience, list) and len(audience) > 1
        if (several or party is not None) and party != self.said.client_id:
            raise _refused("it was given to somebody else")

    def _since_us(self, claims: Mapping[str, Any], asked_us: int | None) -> int:
        """When they showed who they are, microseconds UTC; 0 where the issuer does not say.

        Args:
            asked_us: Since when they must have; None for whenever.

        Raises:
            NotEntitled: They did not since.
        """
        said, now_us = claims.get("auth_time"), self._clock.wall_us()
        if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said < _TIME_MAX:
            said = 0
        since_us = min(int(said * SECOND_US), now_us)
        if asked_us is not None and since_us < asked_us - self.said.leeway_s * SECOND_US:
            raise _refused("the issuer did not ask them anew who they are")
        return since_us

    def _tenant(self, claims: Mapping[str, Any]) -> str:
        if not self.said.tenant_claim:
            return self.said.tenant
        tenant = claims.get(self.said.tenant_claim)
        if not isinstance(tenant, str) or not 0 < len(tenant) <= _TENANT_MAX or not tenant.isprintable():
            raise NotEntitled("the issuer does not say whose you are", code="oidc.tenant", remedy=_ASK)
        return tenant

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[str]:
        said = claims.get(self.said.roles_claim, [])
        several = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        groups = {each for each in several if isinstance(each, str)}
        roles = frozenset(role for each in self.said.groups if each.group in groups for role in each.roles)
        if not roles:
            raise NotEntitled("you are in no group that has a role here", code="oidc.nobody", remedy=_ASK)
        return roles


def unset_cookie() -> str:
    """`Set-Cookie` that ends a login, however it ended."""
    return f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0"


_ASK: Final = "Ask an administrator of this deployment."


def _nonce(seed: bytes) -> str:
    return base64.urlsafe_b64encode(seed[2 * _SEED :]).decode().rstrip("=")


def _another(why: str) -> NotEntitled:
    return NotEntitled(why, code="oidc.browser", remedy="Begin again, in this browser.")


def _refused(why: str) -> NotEntitled:
    return NotEntitled(f"the issuer's token is not accepted: {why}", code="oidc.token", remedy="Sign in again.")
