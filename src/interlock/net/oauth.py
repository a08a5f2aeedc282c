"""What is asked of an authorization server: a login with PKCE, tokens, new ones for old ones, and their end.

The answers' own words reach nobody: of a refusal one of the protocol's words is told, else that there was one. The MCP
SDK's client is not used here, because there the server behind chooses the issuer, and errors repeat answers (ADR 0044).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from interlock.errors import NotSent
from interlock.net.answer import Answer
from interlock.net.egress import Ask, Egress
from interlock.net.oauth_metadata import DOCUMENT_MAX, Grantor, asked, document_of

TOKEN_MAX: Final = 16 << 10
"""Characters of a token."""

LIFE_MAX_S: Final = 366 * 86_400
"""Seconds that a token may be said to live; one that says more lives so long."""

_CALLBACK_MAX: Final = 16 << 10

_WORDS: Final = frozenset(
    "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope"
    " access_denied unsupported_response_type server_error temporarily_unavailable invalid_target"
    " login_required interaction_required consent_required invalid_redirect_uri invalid_client_metadata".split()
)
"""What an authorization server may have said; any other word of it is not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What we are to an authorization server.

    Attributes:
        id: As it was given by its operator or at registration.
        secret: Empty for a public client.
    """

    id: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an authorization server gave.

    Attributes:
        access: What a server behind is sent.
        refresh: What the next one is had for; empty for nothing.
        life_s: Seconds that `access` is good for; 0 where that was not said.
        id_token: Who the person is, of an issuer of OpenID Connect; empty for none.
    """

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    life_s: int = 0
    id_token: str = field(default="", repr=False)


class Login:
    """One login: good for one callback that bears its state.

    Args:
        redirect_uri: Exactly where the callback comes; it is said again when the code is redeemed.
        entropy: Randomness.

    Attributes:
        url: Where the person goes. To be shown or redirected to, never started.
    """

    def __init__(
        self, grantor: Grantor, client: Client, redirect_uri: str, scopes: tuple[str, ...],
        entropy: Callable[[int], bytes],
    ) -> None:  # fmt: skip
        self.grantor, self.client, self.redirect_uri = grantor, client, redirect_uri
        self.verifier = _plain(entropy(32))
        self._state = _plain(entropy(32))
        self._spent = False
        said = {
            "response_type": "code", "client_id": client.id, "redirect_uri": redirect_uri, "state": self._state,
            "code_challenge": _plain(hashlib.sha256(self.verifier.encode()).digest()), "code_challenge_method": "S256",
        }  # fmt: skip
        if grantor.resource:
            said["resource"] = grantor.resource
        if scopes:
            said["scope"] = " ".join(scopes)
        self.url = f"{grantor.authorize_url}{'&' if '?' in grantor.authorize_url else '?'}{urlencode(said)}"

    @property
    def spent(self) -> bool:
        """Whether a callback with its state came: there is no second one."""
        return self._spent

    def take(self, query: str) -> str:
        """The code of a callback.

        Raises:
            NotSent: It is not this login's, not the first, from another issuer, or a refusal.
        """
        if len(query) > _CALLBACK_MAX:
            raise NotSent("the callback is too long", code="oauth.callback")
        pairs = parse_qsl(query, keep_blank_values=True)
        said = dict(pairs)
        if len(said) != len(pairs):
            raise NotSent("the callback says something twice", code="oauth.callback")
        if self._spent or not hmac.compare_digest(said.get("state", "").encode(), self._state.encode()):
            raise NotSent("the callback is of another login", code="oauth.state", remedy="Log in again.")
        self._spent = True
        issuer = said.get("iss")
        if issuer != self.grantor.issuer and (issuer is not None or self.grantor.says_issuer):
            raise NotSent(
                "the callback does not come from the issuer that was asked", code="oauth.issuer",
                remedy="Somebody may be mixing up servers. Do not log in there before that is understood.",
            )  # fmt: skip
        if "error" in said:
            raise NotSent(f"the authorization server refused: {_word(said['error'])}", code="oauth.refused")
        if not said.get("code"):
            raise NotSent("the callback has no code", code="oauth.callback")
        return said["code"]

    async def redeem(self, egress: Egress, code: str) -> Tokens:
        """Tokens for a code.

        Raises:
            NotSent: None were given.
        """
        said = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }  # fmt: skip
        return await _tokens(egress, self.grantor, self.client, said)


async def register(egress: Egress, grantor: Grantor, redirect_uri: str) -> Client:
    """Register a public client for one redirect URI (RFC 7591).

    Raises:
        NotSent: The server registers nobody, or did not.
    """
    if not grantor.register_url:
        raise NotSent(
            f"the issuer {grantor.issuer} registers no clients by itself", code="oauth.client",
            remedy="Register one there, and write its client_id into the settings.",
        )  # fmt: skip
    said = {
        "client_name": "Interlock", "redirect_uris": [redirect_uri], "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    }  # fmt: skip
    headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
    body = json.dumps(said).encode()
    ask = Ask(method="POST", url=grantor.register_url, headers=headers, body=body, answer_max=DOCUMENT_MAX)
    answer = await asked(egress, ask)
    if answer.status not in (200, 201):
        raise _refused(answer)
    made = document_of(answer)
    return Client(id=_visible(made, "client_id"), secret=_visible(made, "client_secret", needed=False))


async def renew(egress: Egress, grantor: Grantor, client: Client, refresh: str) -> Tokens:
    """New tokens for a refresh token, which is used up where another comes with them.

    Raises:
        NotSent: None were given; with the code `oauth.over` the old one is worth nothing.
    """
    made = await _tokens(egress, grantor, client, {"grant_type": "refresh_token", "refresh_token": refresh})
    return made if made.refresh else Tokens(access=made.access, refresh=refresh, life_s=made.life_s)


async def own_tokens(egress: Egress, grantor: Grantor, client: Client, scopes: tuple[str, ...]) -> Tokens:
    """A token of our own, of nobody's behalf (client credentials).

    Raises:
        NotSent: None was given.
    """
    said = {"grant_type": "client_credentials"}
    if scopes:
        said["scope"] = " ".join(scopes)
    made = await _tokens(egress, grantor, client, said)
    return Tokens(access=made.access, life_s=made.life_s)


async def revoke(egress: Egress, grantor: Grantor, client: Client, token: str, kind: str) -> bool:
    """Give a token back (RFC 7009); whether the authorization server took it.

    Args:
        kind: `refresh_token` or `access_token`.
    """
    if not grantor.revoke_url:
        return False
    try:
        said = {"token": token, "token_type_hint": kind}
        return (await asked(egress, _form(grantor.revoke_url, grantor, client, said))).status == 200
    except NotSent:
        return False


async def _tokens(egress: Egress, grantor: Grantor, client: Client, said: Mapping[str, str]) -> Tokens:
    resource = {"resource": grantor.resource} if grantor.resource else {}
    ask = _form(grantor.token_url, grantor, client, {**said, **resource})
    answer = await asked(egress, ask)
    if answer.status != 200:
        raise _refused(answer)
    given = document_of(answer)
    if str(given.get("token_type", "")).lower() != "bearer":
        raise NotSent("the authorization server gave tokens of a kind that is not known", code="oauth.tokens")
    life = given.get("expires_in", 0)
    life_s = int(life) if isinstance(life, int | float) and life >= 0 else 0
    return Tokens(
        access=_visible(given, "access_token"), refresh=_visible(given, "refresh_token", needed=False),
        life_s=min(life_s, LIFE_MAX_S), id_token=_visible(given, "id_token", needed=False),
    )  # fmt: skip


def _form(url: str, grantor: Grantor, client: Client, said: Mapping[str, str]) -> Ask:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json",
               "accept-encoding": "identity"}  # fmt: skip
    form = dict(said)
    if client.secret and not grantor.in_body:
        pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form["client_id"] = client.id
        if client.secret:
            form["client_secret"] = client.secret
    return Ask(method="POST", url=url, headers=headers, body=urlencode(form).encode(), answer_max=DOCUMENT_MAX)


def _refused(answer: Answer) -> NotSent:
    """Why there are no tokens. That a grant is over is final; everything else may be better tomorrow."""
    if answer.status >= 500 or answer.status == 429:
        return NotSent(f"the authorization server answered {answer.status}", code="oauth.lost")
    try:
        word = _word(document_of(answer).get("error"))
    except NotSent:
        word = f"status {answer.status}"
    if word == "invalid_grant":
        return NotSent(f"the authorization server refused: {word}", code="oauth.over", remedy="Log in again.")
    return NotSent(f"the authorization server refused: {word}", code="oauth.refused")


def _word(said: object) -> str:
    return said if isinstance(said, str) and said in _WORDS else "for a reason of its own"


def _visible(given: Mapping[str, Any], key: str, *, needed: bool = True) -> str:
    """A token or a name, in the letters that a header can carry."""
    said = given.get(key) or ""
    if not isinstance(said, str) or len(said) > TOKEN_MAX or any(not "!" <= letter <= "~" for letter in said):
        raise NotSent(f"the authorization server's {key} cannot be used", code="oauth.tokens")
    if needed and not said:
        raise NotSent(f"the authorization server gave no {key}", code="oauth.tokens")
    return said


def _plain(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
