"""A person's login to a server behind: a page of this machine that one browser opens, and the callback to it.

The page binds the login to the browser that opened it first: it sets a cookie, and a callback without it is refused,
whoever bears the right state (T12). The cookie cannot be called `__Host-…`, which needs TLS; it has a name and
a value of its own for each login, no domain, and is of no use once the login is over. Nothing is started here: the
person opens the address that is shown.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import anyio
import anyio.to_thread

from interlock.errors import Conflict, NotSent
from interlock.net.oauth import Client, Login, register
from interlock.server_tokens import Holder, ServerTokens

LOGIN_S: Final = 600.0
"""Seconds in which a login must come back."""

_HOST: Final = "127.0.0.1"


@dataclass(kw_only=True)
class Page:
    """What one browser opens and comes back to.

    Attributes:
        port: Where it is served on this machine.
        ticket: What opens it; once.
        cookie: Name and value that its browser bears.
        login: The login under way; None before it is known.
        code: What the callback brought; empty before.
        failed: Why there is none; None where that is not so.
        over: Set when the callback came.
    """

    port: int
    ticket: str = field(repr=False)
    cookie: tuple[str, str] = field(repr=False)
    login: Login | None = None
    code: str = field(default="", repr=False)
    failed: NotSent | None = None
    over: threading.Event = field(default_factory=threading.Event)
    _opened: bool = False
    _one: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """What the person opens."""
        return f"http://{_HOST}:{self.port}/login/{self.ticket}"

    @property
    def redirect_uri(self) -> str:
        """Where the callback comes: exactly this."""
        return f"http://{_HOST}:{self.port}/callback"

    async def wait(self, seconds: float = LOGIN_S) -> str:
        """The code that the callback brought.

        Raises:
            NotSent: It brought none, or did not come in time.
        """
        came = await anyio.to_thread.run_sync(self.over.wait, seconds, abandon_on_cancel=True)
        if self.failed is not None:
            raise self.failed
        if not came:
            raise NotSent(f"nobody came back within {seconds:g} s", code="oauth.callback", remedy="Log in again.")
        return self.code

    def opened(self, ticket: str) -> str:
        """Where the browser goes that opens it; empty where it is not the first, or has not the ticket."""
        with self._one:
            right = hmac.compare_digest(ticket.encode(), self.ticket.encode())
            if not right or self._opened or self.login is None:
                return ""
            self._opened = True
            return self.login.url

    def came_back(self, cookie: str, query: str) -> NotSent | None:
        """Take a callback; why it is refused, or None. One of another browser changes nothing."""
        with self._one:
            if self.login is None or not hmac.compare_digest(cookie.encode(), self.cookie[1].encode()):
                return NotSent("the callback comes from another browser than the login", code="oauth.browser")
            try:
                self.code = self.login.take(query)
            except NotSent as refused:
                if self.login.spent and not self.over.is_set():
                    self.failed = refused
                    self.over.set()
                return refused
            self.over.set()
            return None


@asynccontextmanager
async def serving(port: int, entropy: Callable[[int], bytes]) -> AsyncIterator[Page]:
    """Serve the page on this machine, until the end of the block.

    Args:
        port: Any free one where 0.

    Raises:
        Conflict: The port is taken.
    """
    try:
        server = ThreadingHTTPServer((_HOST, port), _Handler, bind_and_activate=True)
    except OSError:
        raise Conflict(
            f"port {port} of this machine is taken", code="oauth.port", remedy="Free it, or name another one."
        ) from None
    mark = entropy(4).hex()
    page = Page(port=server.server_port, ticket=entropy(16).hex(), cookie=(f"interlock-{mark}", entropy(16).hex()))
    server.daemon_threads = True
    setattr(server, "page", page)  # noqa: B010  # what its handlers look at
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    await anyio.to_thread.run_sync(thread.start)
    try:
        yield page
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.shutdown)
            server.server_close()


async def begin(tokens: ServerTokens, redirect_uri: str, entropy: Callable[[int], bytes]) -> Login:
    """A login to a server, with a client that the operator named or that is registered for it.

    Raises:
        NotSent: The authorization server cannot be asked, or what it says is not acceptable.
    """
    grantor = await tokens.grantor()
    client: Client | None = await tokens.client()
    if client is None:
        client = await register(tokens.egress, grantor, redirect_uri)
    return Login(grantor, client, redirect_uri, tokens.terms.scopes, entropy)


async def finish(tokens: ServerTokens, login: Login, code: str, holder: Holder) -> None:
    """Redeem the code and keep what it brings, for the principal who logged in.

    Raises:
        NotSent: It brings nothing.
    """
    made = await login.redeem(tokens.egress, code)
    await tokens.keep(holder, login.client, made)


class _Handler(BaseHTTPRequestHandler):
    """Answers a browser on this machine, in plain text, with nothing that came from elsewhere."""

    timeout = 10
    server_version = "interlock"
    sys_version = ""

    def do_GET(self) -> None:
        page: Page = getattr(self.server, "page")  # noqa: B009
        path, _, query = self.path.partition("?")
        if self.headers.get_all("host") != [f"{_HOST}:{page.port}"]:  # a name that leads here (rebinding)
            self._say(403, "This is not the address of the login.")
        elif path == "/callback":
            refused = page.came_back(self._cookie(page.cookie[0]), query)
            said = "You are logged in. Close this window." if refused is None else f"Refused: {refused.args[0]}."
            self._say(200 if refused is None else 403, said)
        elif path.startswith("/login/") and (onward := page.opened(path.removeprefix("/login/"))):
            name, value = page.cookie
            self._say(
                302, "", (("Location", onward), ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax"))
            )
        else:
            self._say(403, "This login was opened already, or is another one. Start it again.")

    def _cookie(self, name: str) -> str:
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(name)
        except CookieError:
            return ""
        return "" if found is None else found.value

    def _say(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (
            *headers, ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request line holds a code."""
