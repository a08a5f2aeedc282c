"""An authorization server that keeps to the rules, a server behind that wants its tokens, and a browser."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import anyio.to_thread
import httpx2

from interlock import Principal, Settings
from interlock.compose import World
from interlock.net.egress import trusted
from interlock.server_login import Page, begin, finish, serving
from interlock.server_tokens import ServerTokens, open_tokens
from tests.net.far_ends import Asked, FarEnd, Reply, said
from tests.sources.web import Hostile, answer
from tests.sources.web import serving as serving_app

TLS = trusted()


class Granting(FarEnd):
    """The authorization server.

    Attributes:
        changes: What its metadata says otherwise; None takes an entry away.
        live: Access token to the resource that it is for and whose it is.
        forms: What was posted to `/token`.
        basics: Clients' names and secrets, as they came in headers.
        revoked: Tokens that were given back.
        who: Who sits before the browser.
        iss: What callbacks say of the issuer; itself where empty.
        life_s: Seconds of an access token.
        registered: Redirect URIs of clients that registered themselves.
    """

    def __init__(self) -> None:
        super().__init__(answers=self._say)
        self.issuer = self.url.rstrip("/")
        self.changes: dict[str, Any] = {}
        self.live: dict[str, tuple[str, str]] = {}
        self.forms: list[dict[str, str]] = []
        self.basics: list[str] = []
        self.revoked: list[str] = []
        self.who, self.iss, self.life_s = "ana", "", 3600
        self.registered: dict[str, list[str]] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._count = itertools.count(1)

    @property
    def metadata(self) -> dict[str, Any]:
        base = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "revocation_endpoint": f"{self.issuer}/revoke",
            "registration_endpoint": f"{self.issuer}/register", "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }  # fmt: skip
        return {key: value for key, value in (base | self.changes).items() if value is not None}

    def _say(self, asked: Asked) -> Reply:
        path, _, query = asked.target.partition("?")
        match path:
            case "/.well-known/oauth-authorization-server":
                return said(self.metadata)
            case "/authorize":
                return self._authorize(dict(parse_qsl(query)))
            case "/token":
                self.basics.append(asked.headers.get("authorization", ""))
                return self._token({key: value for key, (value,) in parse_qs(asked.body.decode()).items()})
            case "/register":
                client = f"made-{next(self._count)}"
                self.registered[client] = json.loads(asked.body)["redirect_uris"]
                return said({"client_id": client}, 201)
            case "/revoke":
                self.revoked.append(dict(parse_qsl(asked.body.decode()))["token"])
                return Reply()
        return Reply(404)

    def _authorize(self, asked: dict[str, str]) -> Reply:
        if asked["code_challenge_method"] != "S256" or asked["response_type"] != "code":
            return Reply(400)
        code = f"code-{next(self._count)}"
        self._codes[code] = asked | {"who": self.who}
        back = {"code": code, "state": asked["state"], "iss": self.iss or self.issuer}
        return Reply(302, {"location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _token(self, form: dict[str, str]) -> Reply:
        self.forms.append(form)
        match form["grant_type"]:
            case "client_credentials":
                return self._give(form["resource"], "service", refresh=False)
            case "refresh_token":
                if form["refresh_token"] not in self._refresh:  # one that was used is good for nothing
                    return said({"error": "invalid_grant", "error_description": "used: " + form["refresh_token"]}, 400)
                return self._give(*self._refresh.pop(form["refresh_token"]))
        known = self._codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if known is None or known["code_challenge"] != challenge.rstrip("="):
            return said({"error": "invalid_grant"}, 400)
        if known["redirect_uri"] != form["redirect_uri"] or known["resource"] != form["resource"]:
            return said({"error": "invalid_grant"}, 400)
        return self._give(known["resource"], known["who"])

    def _give(self, resource: str, who: str, *, refresh: bool = True) -> Reply:
        number = next(self._count)
        access = f"access/{who}+{number}-{'k' * 20}"
        self.live[access] = resource, who
        given: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": self.life_s}
        if refresh:
            given["refresh_token"] = f"refresh-{who}-{number}-{'r' * 20}"
            self._refresh[given["refresh_token"]] = resource, who
        return said(given)


class Wanting:
    """A server behind that takes the tokens of an authorization server, for itself alone.

    Attributes:
        bearers: What came with each call of a tool: the whole header.
        resource: What its metadata calls it; none where empty.
    """

    def __init__(self, granting: Granting, kind: str = "plain") -> None:
        self.inner = Hostile(kind)
        self.granting = granting
        self.bearers: list[str] = []
        self.every: list[dict[str, str]] = []
        self.url = self.resource = ""
        self.issuers = [granting.issuer]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        if scope["path"].startswith("/.well-known/"):
            about = {"resource": self.resource, "authorization_servers": self.issuers}
            found = bool(self.resource) and scope["path"].endswith("/mcp")
            await answer(send, 200 if found else 404, json.dumps(about).encode())
            return
        self.every.append(headers)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if self.granting.live.get(token, ("",))[0] != self.url:
            await answer(send, 401, b"", {"www-authenticate": 'Bearer resource_metadata="http://10.0.0.1/"'})
            return

        async def noted() -> Any:
            message = await receive()
            if b'"tools/call"' in message.get("body", b""):
                self.bearers.append(token)
            return message

        await self.inner(scope, noted, send)


class Wanted(NamedTuple):
    """Both, as they answer."""

    granting: Granting
    app: Wanting


@asynccontextmanager
async def wanted(kind: str = "plain") -> AsyncIterator[Wanted]:
    """An authorization server, and a server behind that wants its tokens."""
    with Granting() as granting:
        app = Wanting(granting, kind)
        async with serving_app(app) as served:
            app.url = app.resource = f"{served.url}/mcp"
            yield Wanted(granting, app)


def settings(folder: Path, at: Wanted, oauth: dict[str, Any] | None = None, **more: Any) -> Settings:
    """A deployment with that server behind."""
    said = {"issuer": at.granting.issuer, "client_id": "us", **(oauth or {})}
    server = {"name": "far", "url": at.app.url, "trust": True, "effects": {"one": "reversible"}, "oauth": said,
              "tools": {"one": {"attempts_max": 1}}, **more}  # fmt: skip
    return Settings(ledger=Path("ledger.db"), folder=folder, mode="evaluate_only", servers=[server])  # type: ignore[arg-type]


async def tokens_of(made: Settings, world: World | None = None) -> ServerTokens:
    """The tokens of that server, as another process has them."""
    world = world or World()
    opened = partial(open_tokens, made.servers[0], made, world.clock, world.entropy, tls=TLS)
    return await anyio.to_thread.run_sync(opened)


async def log_in(made: Settings, at: Wanted, who: Principal, world: World | None = None) -> Page:
    """What `interlock servers login far` does, with a browser."""
    world = world or World()
    tokens = await tokens_of(made, world)
    at.granting.who = who.id
    async with serving(0, world.entropy) as page:
        page.login = await begin(tokens, page.redirect_uri, world.entropy)
        with browser() as one:
            assert (await anyio.to_thread.run_sync(one.get, page.url)).status_code == 200
        await finish(tokens, page.login, await page.wait(5), (who.tenant, who.id))
    return page


def browser() -> httpx2.Client:
    """Follows where it is sent, and keeps its cookies."""
    return httpx2.Client(follow_redirects=True, trust_env=False)


def query_of(url: str) -> dict[str, str]:
    """What an address says after its question mark."""
    return {key: unquote(value) for key, value in parse_qsl(urlsplit(url).query)}
