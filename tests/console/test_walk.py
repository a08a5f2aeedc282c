"""A walk over every page that the console has, as somebody would walk it: by its links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from playwright.sync_api import Browser
from starlette.routing import Match, Mount, Route

from interlock.console.application import console
from interlock.console.view import PAGES, View
from tests.console.populated import Populated, populated
from tests.console.posting import get
from tests.console.stand import ADA, window

UNWALKED = {
    ("GET", "/live"): "a stream of events; the script of every page opens it",
    ("GET", "/sign-in"): "nobody who is signed in is led there; walked below without a session",
    ("GET", "/sign-in/oidc"): "leads to an issuer, and this deployment has none; tests/console/test_sign_in.py",
    ("GET", "/sign-in/callback"): "an issuer leads there; tests/console/test_sign_in.py",
    ("POST", "/sign-in/key"): "a form of the page without a session; tests/console/test_sign_in.py",
    ("POST", "/sign-in/link"): "a form behind a one-time link; tests/console/test_sign_in.py",
    ("POST", "/stop/turn"): "the form of a page that answers a form; tests/console/test_stop.py",
}
"""Routes that the walk does not come by, each with the reason."""

SEEN_MAX = 600
"""Addresses that are asked for: a walk that finds more goes round in circles."""

READ_MAX = 8
"""Pages of one kind whose own links are followed."""


class Read(HTMLParser):
    """What a page leads to, and how it is headed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, str]] = []
        self.headings: list[int] = []
        self.title = ""
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        said = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title" and not self.title
        if tag == "a":
            self.links.append(said.get("href", ""))
        if tag == "form":
            self.forms.append((said.get("method", "get").upper(), said.get("action", "")))
        if "formaction" in said:
            self.forms.append((said.get("formmethod", "post").upper(), said["formaction"]))
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False


class Walk:
    """Everything that can be reached from the inbox.

    Attributes:
        pages: One address and text of each kind of page: its route, and which of its views.
        wrong: What is wrong, in words.
        routes: Method and pattern of each route that was come by: asked for, or named by a form.
    """

    def __init__(self, shop: Populated) -> None:
        self._shop = shop
        self._routes = [each for each in console(View(shop.at.site)).routes if not isinstance(each, Mount)]
        self.pages: dict[tuple[str, ...], str] = {}
        self.wrong: list[str] = []
        self.routes: set[tuple[str, str]] = set()
        self._go()

    def known(self) -> set[tuple[str, str]]:
        """Method and pattern of each route that there is."""
        return {
            (method, each.path)
            for each in self._routes if isinstance(each, Route)
            for method in (each.methods or ()) if method != "HEAD"
        }  # fmt: skip

    def pattern(self, method: str, path: str) -> str | None:
        """The route that answers; None where none does."""
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        found = (each for each in self._routes if isinstance(each, Route) and each.matches(scope)[0] is Match.FULL)
        return next((each.path for each in found), None)

    def _go(self) -> None:
        left, seen, read = ["/"], {"/"}, defaultdict[tuple[str, ...], int](int)
        while left:
            address = left.pop(0)
            answer = get(self._shop.at, ADA, address)
            pattern = self.pattern("GET", urlsplit(address).path)
            if answer.status >= 400 or pattern is None:
                self.wrong.append(f"{address} answers {answer.status}")
                continue
            self.routes.add(("GET", pattern))
            kind = (pattern, *_views(address))
            read[kind] += 1
            if not answer.headers["content-type"].startswith("text/html") or read[kind] > READ_MAX:
                continue
            self.pages.setdefault(kind, address)
            for link in self._led(address, answer.text):
                if link not in seen:
                    seen.add(link)
                    left.append(link)
            assert len(seen) < SEEN_MAX, sorted(seen)[-40:]

    def _led(self, address: str, text: str) -> Iterator[str]:
        page = Read(text)
        if page.headings.count(1) != 1:
            self.wrong.append(f"{address} has {page.headings.count(1)} headings of the first order")
        if any(later > before + 1 for before, later in zip(page.headings, page.headings[1:], strict=False)):
            self.wrong.append(f"{address} leaves out an order of headings: {page.headings}")
        if not page.title.strip().endswith("Interlock") or page.title.strip() == "Interlock":
            self.wrong.append(f"{address} has no title of its own: {page.title!r}")
        for method, action in page.forms:
            path = urlsplit(urljoin(address, action)).path
            if (pattern := self.pattern(method, path)) is not None:
                self.routes.add((method, pattern))
            elif path != "/sign-out":
                self.wrong.append(f"{address} has a form to {method} {path}, where nothing is")
        for href in page.links:
            whole = urlsplit(urljoin(address, href))
            if whole.netloc or whole.scheme:
                self.wrong.append(f"{address} leads away, to {href}")
            yield f"{whole.path}?{whole.query}" if whole.query else whole.path


def _views(address: str) -> tuple[str, ...]:
    """What of an address says which view of a page it is: its questions, but no places in a list and no names."""
    said = parse_qsl(urlsplit(address).query)
    return tuple(sorted(f"{name}={text}" if name in ("view", "see", "tab", "as") else name for name, text in said))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Populated]:
    """A deployment in which everything has happened."""
    with populated(tmp_path_factory.mktemp("shop") / Path("shop")) as opened:
        yield opened


@pytest.fixture(scope="module")
def walk(shop: Populated) -> Walk:
    """The walk, gone once."""
    return Walk(shop)


def test_every_link_leads_to_a_page_that_is_headed_and_titled(walk: Walk) -> None:
    assert not walk.wrong, "\n".join(walk.wrong)
    assert {at for _, at in PAGES} <= set(walk.pages.values()), "the navigation leads to all of its own"


def test_no_page_is_left_out(walk: Walk) -> None:
    """A new route is led to by some page or form, or stands above with the reason."""
    assert walk.known() - walk.routes == set(UNWALKED), "what is left out is what is said to be"


def test_every_page_is_quiet_accessible_and_fits_a_phone(browser: Browser, shop: Populated, walk: Walk) -> None:
    wrong = []
    with window(browser, shop.at, ADA) as seen:
        for kind, address in walk.pages.items():
            seen.page.set_viewport_size({"width": 1200, "height": 900})
            seen.go(address)
            for check in (seen.accessible, seen.fits):
                try:
                    check()
                except AssertionError as error:  # told together: whoever mends them looks once
                    wrong.append(f"{address} {kind}: {error}")
    with window(browser, shop.at, None) as nobody:
        nobody.go("/sign-in")
        nobody.accessible()
        nobody.fits()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light-dark(#999, white)", "light-dark(black, #333)"])
def test_what_is_faint_in_one_theme_alone_is_found(browser: Browser, shop: Populated, scheme: str) -> None:
    with window(browser, shop.at, ADA) as seen:
        seen.go("/")
        seen.page.evaluate("colour => { document.querySelector('main p').style.color = colour }", scheme)
        with pytest.raises(AssertionError, match="color-contrast"):
            seen.accessible()
