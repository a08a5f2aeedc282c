"""Two workers of one deployment, and browsers that come to either: nothing sticks to one of them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import anyio
from anyio import to_thread

from interlock import Principal, Settings, World, open_plane
from interlock.api.site import Site, open_site
from interlock.console.application import application
from interlock.gateway.asgi import Application
from interlock.keys import CONSOLE, Keys
from interlock.testing import FrozenClock

HOST = "127.0.0.1:8722"
ORIGIN = f"http://{HOST}"

MARIA = Principal("maria", roles=frozenset({"approver"}))
ROOT = Principal("root", roles=frozenset({"admin", "operator"}))


class Answer(NamedTuple):
    """What a browser was answered."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        """A header that stands once; empty for none."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, found
        return found[0] if found else ""

    @property
    def cookies(self) -> list[str]:
        """Every `Set-Cookie`."""
        return [value for key, value in self.headers if key == "set-cookie"]

    @property
    def code(self) -> str:
        """The code of the error that a page shows; empty for none."""
        found = re.search(r"<code>([a-z_.]+)</code>\)?</", self.text)
        return found[1] if found else ""

    def field(self, name: str) -> str:
        """The value of the first hidden field by this name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        return html.unescape(found[1]) if found else ""


@dataclass
class Browser:
    """One person's: keeps cookies as browsers do, and goes to whichever worker it is sent to."""

    workers: tuple[Application, ...]
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    turn: int = 0

    async def get(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return await self._send("GET", path, headers, b"")

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """Send a form of one of our pages."""
        said = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded", **headers}
        return await self._send("POST", path, said, urlencode(fields).encode())

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        worker = self.workers[self.turn % len(self.workers)]
        self.turn += 1  # each request reaches another worker than the one before
        said = {"host": HOST, **headers}
        if self.cookies:
            said["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        where, _, query = path.partition("?")
        with anyio.fail_after(30):
            await worker(
                {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": where,
                 "raw_path": where.encode(), "root_path": "", "scheme": "http", "query_string": query.encode(),
                 "server": ("127.0.0.1", 8722), "client": (self.address, 1),
                 "headers": [(name.encode(), value.encode("latin-1")) for name, value in said.items()]},
                receive, send,
            )  # fmt: skip
        found = [(name.decode().lower(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        answer = Answer(sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent[1:]).decode())
        for cookie in answer.cookies:
            name, _, rest = cookie.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


@dataclass
class Doors:
    """Two workers, and their deployment's keys."""

    clock: FrozenClock
    keys: Keys
    sites: tuple[Site, ...]
    workers: tuple[Application, ...]
    texts: dict[str, str] = field(default_factory=dict)

    def browser(self) -> Browser:
        """One with no cookie."""
        return Browser(self.workers)

    async def key(self, person: Principal, *scopes: str) -> str:
        """Give somebody a key."""
        return await to_thread.run_sync(lambda: self.keys.add(person, scopes or (CONSOLE,), self.clock.wall_us()))

    async def signed_in(self, name: str = "maria") -> Browser:
        """A browser that somebody signed in with."""
        browser = self.browser()
        assert (await browser.post("/sign-in/key", {"key": self.texts[name]})).status == 303
        return browser


@asynccontextmanager
async def doors(folder: Path, clock: FrozenClock | None = None, **settings: Any) -> AsyncIterator[Doors]:
    """A deployment with Maria, who approves, and Root, who administers, before two workers."""
    clock = clock or FrozenClock()
    said = Settings(folder=folder, ledger=Path("ledger.db"), **settings)
    keys = Keys(folder / "keys.json")
    async with AsyncExitStack() as opened:
        sites = []
        for _ in range(2):
            world = World(clock=clock)
            plane = await opened.enter_async_context(open_plane(said, tools=[], world=world, engine=False))
            sites.append(await opened.enter_async_context(open_site(said, plane, world, folder / "keys.json")))
        workers = await to_thread.run_sync(lambda: tuple(application(site) for site in sites))
        found = Doors(clock, keys, tuple(sites), workers)
        for person in (MARIA, ROOT):
            found.texts[person.id] = await found.key(person)
        yield found
