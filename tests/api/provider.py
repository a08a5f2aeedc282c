"""An issuer of OpenID Connect on loopback that speaks the protocol over HTTP, and lies where a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from interlock.core.clock import SECOND_US, Clock
from tests.sources.web import serving

CLIENT, SECRET = "interlock", "s3cret-of-the-client"
KEY, OTHER_KEY = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)


@dataclass
class Provider:
    """Who signs in there, and what it does that it should not.

    Attributes:
        redirect_uri: The one that it knows of its client: another is refused.
        subject, groups: Who is before it.
        claims: Changes of the ID token; None leaves a claim out.
        metadata: Changes of its metadata.
        key: What it signs with; its document has `KEY`.
        algorithm: What it says that it signs with.
        refuses: A word that it sends people back with, in the place of a code.
        callback: Changes of what a browser comes back with.
        codes_again: Whether a code may be redeemed twice.
        asked: What browsers came with.
        redeemed: What its client came with for tokens.
    """

    clock: Clock
    redirect_uri: str
    url: str = ""
    subject: str = "gina"
    groups: Any = field(default_factory=lambda: ["on-call"])
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    key: Any = KEY
    algorithm: str = "RS256"
    refuses: str = ""
    callback: dict[str, str | None] = field(default_factory=dict)
    codes_again: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def application(self) -> Starlette:
        """What answers."""
        return Starlette(routes=[
            Route("/.well-known/openid-configuration", self._metadata), Route("/keys", self._keys),
            Route("/authorize", self._authorize), Route("/token", self._token, methods=["POST"]),
        ])  # fmt: skip

    def id_token(self, nonce: str, **changed: Any) -> str:
        """What it says of whoever is before it."""
        now_s = self.clock.wall_us() / SECOND_US
        said = {
            "iss": self.url, "aud": CLIENT, "sub": self.subject, "iat": int(now_s), "exp": int(now_s) + 300,
            "nonce": nonce, "groups": self.groups, "auth_time": int(now_s), **self.claims, **changed,
        }  # fmt: skip
        claims = {name: value for name, value in said.items() if value is not None}
        key = "" if self.algorithm == "none" else self.key
        return jwt.encode(claims, key, self.algorithm, headers={"kid": "one"})

    async def _metadata(self, request: Request) -> Response:
        said = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }  # fmt: skip
        return JSONResponse({name: value for name, value in said.items() if value is not None})

    async def _keys(self, request: Request) -> Response:
        public = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
        return JSONResponse({"keys": [{**public, "kid": "one", "use": "sig"}]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked["client_id"] != CLIENT or asked["redirect_uri"] != self.redirect_uri:
            return Response("no such client, or not its address", 400)
        if asked["response_type"] != "code" or asked["code_challenge_method"] != "S256":
            return Response("only code with PKCE", 400)
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self._codes[code] = asked
        back: dict[str, str | None] = {"state": asked["state"], "iss": self.url}
        back |= {"error": self.refuses} if self.refuses else {"code": code}
        said = {name: value for name, value in (back | self.callback).items() if value is not None}
        return RedirectResponse(f"{self.redirect_uri}?{urlencode(said)}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.redeemed.append(form)
        asked = self._codes.get(form["code"]) if self.codes_again else self._codes.pop(form["code"], None)
        pair = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if challenge.rstrip("=") != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        said = {"access_token": "opaque", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}
        return JSONResponse({name: value for name, value in said.items() if value})


@asynccontextmanager
async def providing(
    clock: Clock, redirect_uri: str, *, port: int = 0, name: str = "127.0.0.1"
) -> AsyncIterator[Provider]:
    """One that listens, until the end of the block.

    Args:
        port: Where, on loopback; a free one where 0.
        name: By which name of this machine it calls itself: browsers take `localhost` for another site.
    """
    provider = Provider(clock, redirect_uri)
    async with serving(provider.application, port) as at:
        provider.url = at.url.replace("127.0.0.1", name)
        yield provider
