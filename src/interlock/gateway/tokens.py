"""Tokens of an issuer (OAuth 2.1, RFC 9068 and RFC 9728): this door is a resource server. A leaf: it has JWT.

A token is looked at and goes no further: neither it nor anything of it is sent to a server behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from interlock.core.canonical import Json
from interlock.core.clock import SECOND_US, Clock
from interlock.core.principal import NAME, Principal
from interlock.errors import MissingExtra, NotEntitled, SettingsError
from interlock.gateway.admission import Admission
from interlock.gateway.issuer import IssuerKeys
from interlock.gateway_settings import OauthSettings
from interlock.keys import CONSOLE, OF_AGENTS, Key

try:
    import jwt
except ImportError:
    raise MissingExtra("tokens need an extra", remedy="Install `interlock[mcp,server]`.") from None

TOKEN_MAX: Final = 16 << 10
"""Characters of a token."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Which tokens are taken.

    Attributes:
        issuer: Who issued them, exactly as their `iss` says.
        audience: Whom they must be for, exactly.
        algorithms: What they may be signed with.
        leeway_s: Seconds by which the issuer's clock and this one's may differ.
    """

    issuer: str
    audience: str
    algorithms: Sequence[str]
    leeway_s: float


_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


class Issued:
    """What one issuer signed for one audience: everything else is refused, with one sentence for every reason.

    Args:
        said: Whose tokens, for whom, and how they may be signed.
        keys: The issuer's.
    """

    def __init__(self, said: Terms, keys: IssuerKeys, clock: Clock) -> None:
        self._said = said
        self._keys = keys
        self._clock = clock
        self._known: tuple[bytes, list[jwt.PyJWK]] = (b"", [])

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says, with a subject that is a text.

        Raises:
            NotEntitled: It is not acceptable (`token.refused`).
            SettingsError: The issuer's keys cannot be had.
        """
        if len(token) > TOKEN_MAX:
            raise _refused()
        try:
            claims = await self._claims(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _refused() from None  # one sentence for every reason: which one it is helps only who tries
        self._check_times(claims)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not subject.isprintable():
            raise _refused()
        return claims

    async def _claims(self, token: str) -> Mapping[str, Any]:
        key_id = jwt.get_unverified_header(token).get("kid")
        key = await self._signed_with(key_id, fresh=False) or await self._signed_with(key_id, fresh=True)
        if key is None:
            raise _refused()
        found: Mapping[str, Any] = jwt.decode(
            token, key, algorithms=list(self._said.algorithms), audience=self._said.audience, issuer=self._said.issuer,
            # the times are held against the clock that was passed in, below
            options={"require": ["exp", "iss", "aud", "sub"], "verify_exp": False, "verify_nbf": False,
                     "verify_iat": False},
        )  # fmt: skip
        return found

    async def _signed_with(self, key_id: object, *, fresh: bool) -> jwt.PyJWK | None:
        """The issuer's key by that name; its only one, where the token names none."""
        text = await self._keys.text(fresh=fresh)
        if text != self._known[0]:
            try:
                self._known = (text, jwt.PyJWKSet.from_dict(json.loads(text)).keys)
            except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
                raise SettingsError("the document of the issuer's keys has none", code="token.keys") from None
        keys = self._known[1]
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.key_id == key_id), None)

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now_s, leeway_s = self._clock.wall_us() / SECOND_US, self._said.leeway_s
        until, since, made = claims["exp"], claims.get("nbf", 0), claims.get("iat", 0)
        if any(isinstance(said, bool) or not isinstance(said, int | float) for said in (until, since, made)):
            raise _refused()
        if not (now_s - leeway_s < until and max(since, made) <= now_s + leeway_s):
            raise _refused()


class TokenAdmission:
    """By tokens, and by whatever admits who has none.

    Args:
        others: Asked about every request that bears no token.
    """

    def __init__(self, said: OauthSettings, keys: IssuerKeys, others: Admission, clock: Clock) -> None:
        self._said = said
        terms = Terms(said.issuer, said.audience, said.algorithms, said.leeway_s)
        self._issued = Issued(terms, keys, clock)
        self._others = others

    async def admit(self, authorization: str) -> Key:
        """See `Admission`."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or token.count(".") != 2:
            return await self._others.admit(authorization)
        return self._key(await self._issued.claims(token))

    def _key(self, claims: Mapping[str, Any]) -> Key:
        subject, scope = claims["sub"], claims.get("scope", claims.get("scp", ""))
        has = set(scope.split() if isinstance(scope, str) else map(str, scope if isinstance(scope, list) else ()))
        granted = [each for each in self._said.scopes if each.scope in has]
        roles = frozenset(role for each in granted for role in each.roles)
        itself = subject in (claims.get("client_id"), claims.get("azp"))  # no user stands behind it
        person = Principal(principal_id(subject), roles=roles, kind="service" if itself else "user")
        opens = frozenset(scope for each in granted for scope in each.opens)
        if itself or opens & OF_AGENTS:
            opens -= {CONSOLE}  # what an agent bears never decides (threat T24)
        return Key(person, opens)


def principal_id(subject: str) -> str:
    """Whom a subject of an issuer is here, at every door the same: two ids of one person would be two voices.

    As the issuer writes it, or a name made of it where it may not stand in the ledger, which never forgets: an
    address, or letters that no id has.
    """
    if NAME.fullmatch(subject) and "@" not in subject:
        return subject
    return f"sub-{sha256(subject.encode()).hexdigest()[:32]}"


def challenge(said: OauthSettings) -> str:
    """`WWW-Authenticate` that says where tokens come from."""
    parts = urlsplit(said.audience)
    path = parts.path if parts.path != "/" else ""
    return f'Bearer resource_metadata="{parts.scheme}://{parts.netloc}{_WELL_KNOWN}{path}"'


def documents(said: OauthSettings) -> dict[str, dict[str, Json]]:
    """What everybody may read, by path: whose tokens are taken here, and for what."""
    path = urlsplit(said.audience).path
    document: dict[str, Json] = {
        "resource": said.audience, "authorization_servers": [said.issuer], "bearer_methods_supported": ["header"],
        "scopes_supported": sorted({each.scope for each in said.scopes}),
    }  # fmt: skip
    return {_WELL_KNOWN: document, _WELL_KNOWN + (path if path != "/" else ""): document}


def _refused() -> NotEntitled:
    return NotEntitled("this token is not accepted", code="token.refused", remedy="Get another one for this gateway.")
