"""A console that really listens: a plane over a ledger in a file, in a thread of its own, and browsers before it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from interlock import Agent, Interlock, Principal, Settings, Tool, World, open_plane
from interlock.api.site import Site, open_site
from interlock.api.who import Who
from interlock.console.application import application
from interlock.core.call import Outcome
from interlock.core.clock import SECOND_US, SystemClock
from interlock.errors import NotEntitled
from interlock.gateway.http import bind, listener
from tests.planes import BOB, CAY, OPA, Far

T = TypeVar("T")

VERA = Principal("vera", roles=frozenset({"viewer"}))
ADA = Principal("ada", roles=frozenset({"admin", "operator", "approver"}))
EVE = Principal("eve", "other", roles=frozenset({"admin", "operator", "approver"}))
"""One who may only look, one who may everything, and the same of another tenant."""

PEOPLE = (VERA, ADA, EVE, BOB, CAY, OPA)

RULES = """
permit (principal, action, resource);
@id("a-person-looks") @approvers("approver")
forbid (principal, action in Action::"effect/irreversible", resource);
@id("two-people-look") @approvers("approver") @quorum("2")
forbid (principal, action in Action::"effect/privileged", resource);
"""

PHONE = {"width": 390, "height": 844}

_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""Those of the checker's rules, of all that are on, whose answer depends on colours."""

_LEFT: WeakKeyDictionary[Browser, list[BrowserContext]] = WeakKeyDictionary()
"""Contexts of a browser in which no window is open."""


class Ahead(SystemClock):
    """The machine's clock, and as far ahead as a test puts it: instead of waiting."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def wall_us(self) -> int:
        return super().wall_us() + int(self.ahead_s * SECOND_US)

    def mono_s(self) -> float:
        return super().mono_s() + self.ahead_s


class Signed:
    """Sessions by the name of whoever has one: until people can sign in."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._people = {person.id: person for person in PEOPLE}
        self.since_us: dict[str, int] = {}

    async def bearer(self, authorization: str) -> Who:
        return await self._site.admission.bearer(authorization)

    async def session(self, cookie: str) -> Who:
        name = cookie.partition("__Host-interlock=")[2].partition(";")[0]
        if name not in self._people:
            raise NotEntitled("nobody is signed in", code="session.missing", remedy="Sign in.")
        return Who(
            principal=self._people[name], scopes=frozenset({"console"}), by="session",
            since_us=self.since_us.get(name, self._site.now_us), session_id=name,
            approvers=self._site.plane.plane.policy.approvers,
        )  # fmt: skip

    def csrf(self, who: Who) -> str:
        return f"token-of-{who.session_id}"


@dataclass
class Stand:
    """An open console. Its plane belongs to the thread of its server: reach it by `do`."""

    portal: BlockingPortal
    site: Site
    url: str
    far: Far
    clock: Ahead
    outside: list[str] = field(default_factory=list)

    @property
    def plane(self) -> Interlock:
        return self.site.plane

    def do(self, work: Callable[..., Awaitable[T]], *given: Any, **more: Any) -> T:
        """Await something in the server's loop."""

        async def doing() -> T:
            return await work(*given, **more)

        return self.portal.call(doing)

    def call(
        self, principal: Principal, tool: str, words: str | None = "do it", **arguments: Any
    ) -> tuple[str, Outcome]:
        """A run with one call: its id, and what was told of the call."""

        async def calling() -> tuple[str, Outcome]:
            async with self.plane.run(principal, words=words) as run:
                return run.run_id, await run.call(tool, arguments)

        return self.do(calling)


@contextmanager
def stand(
    folder: Path, tools: Callable[[Far], Sequence[Tool]], agents: Sequence[Agent] = (), *, sign_in: bool = False,
    port: int = 0, rules: str = RULES, world: World | None = None, **settings: Any,
) -> Iterator[Stand]:  # fmt: skip
    """A console that listens on loopback.

    Args:
        tools: Makes the tools of its plane; what they did is written down in the stand's `far`.
        agents: Those that it knows.
        sign_in: Whether people sign in as in earnest; else a session has the name of whoever has it.
        port: Where it listens; a free one where 0.
        rules: The policy.
        world: Whose clock is an `Ahead`; else the machine's.
    """
    (folder / "policy").mkdir(parents=True, exist_ok=True)
    (folder / "policy" / "rules.cedar").write_text(rules)
    said = Settings(folder=folder, ledger=Path("ledger.db"), policy=Path("policy"), **settings)
    far = Far()
    world = World(clock=Ahead()) if world is None else world
    clock = world.clock
    assert isinstance(clock, Ahead), "a test puts it ahead"
    with start_blocking_portal("asyncio") as portal:
        opened = portal.wrap_async_context_manager(open_plane(said, tools=tools(far), agents=agents, world=world))
        with (
            opened as plane,
            portal.wrap_async_context_manager(_site(said, plane, folder / "keys.json", world)) as site,
        ):
            if not sign_in:
                site = replace(site, admission=Signed(site))
            listening = bind("127.0.0.1", port)
            config = listener(application(site))
            config.timeout_graceful_shutdown = 1
            server = uvicorn.Server(config)
            served = portal.start_task_soon(server.serve, [listening])
            try:
                yield Stand(portal, site, f"http://127.0.0.1:{listening.getsockname()[1]}", far, clock)
            finally:
                server.should_exit = True
                served.result(10)


def _site(settings: Settings, plane: Interlock, keys: Path, world: World) -> AbstractAsyncContextManager[Site]:
    return open_site(settings, plane, world, keys)


@dataclass
class Window:
    """Somebody's browser window, and what went wrong in it."""

    page: Page
    context: BrowserContext
    url: str
    wrong: list[str]

    def go(self, path: str) -> Page:
        """Open a page of the console."""
        self.page.goto(self.url + path)
        return self.page

    def listening(self) -> None:
        """Wait until the page is told what happens. No script can be evaluated in it: its policy forbids that."""
        self.page.wait_for_selector("body[data-connection=on]")

    def accessible(self) -> None:
        """Fail where a checker finds something that somebody could not see, reach or understand, in either theme.

        The themes differ in nothing but colours, so that in the dark no more than those is looked at anew.
        """
        found = Axe().run(self.page).response["violations"]
        self.page.emulate_media(color_scheme="dark")
        found += self.page.evaluate("options => axe.run(options)", _COLOURS)["violations"]
        self.page.emulate_media(color_scheme="light")
        told = [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}" for each in found]
        assert not told, json.dumps(told, indent=1)

    def fits(self) -> None:
        """Fail where the page must be scrolled sideways on a phone."""
        self.page.set_viewport_size(PHONE)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        widest = self.page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
            ".slice(0, 5).map(e => e.outerHTML.slice(0, 120))"
        )
        assert wide <= 0, f"{wide} px too wide: {widest}"


@contextmanager
def window(browser: Browser, at: Stand, person: Principal | None, **options: Any) -> Iterator[Window]:
    """A window that shares nothing with the others that are open. What is wrong in it fails when the block is left.

    Without options it is a new page of a context that an earlier window has left, if there is one: to open a context
    costs the processor more than most tests do. The console keeps nothing in a browser but its cookies, and they go.
    """
    left = _LEFT.setdefault(browser, [])
    context = left.pop() if left and not options else browser.new_context(**options)
    if not context.pages:
        context.new_page()  # stays, and with it what the browser has for this context
    if person is not None:
        cookie = {"name": "__Host-interlock", "value": person.id, "url": at.url.replace("http://", "https://")}
        context.add_cookies([{**cookie, "secure": True, "httpOnly": True, "sameSite": "Strict"}])  # type: ignore[list-item]
    page = context.new_page()
    page.set_default_timeout(10_000)
    wrong: list[str] = []
    page.on(
        "console", lambda said: wrong.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("request", lambda asked: wrong.append(f"left: {asked.url}") if not asked.url.startswith(at.url) else None)
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    try:
        yield Window(page, context, at.url, wrong)
        assert not wrong, wrong
    except BaseException:
        context.close()
        raise
    if options:
        context.close()
        return
    for each in context.pages[1:]:
        each.close()
    context.clear_cookies()
    left.append(context)
