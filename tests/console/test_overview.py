"""The overview in a browser."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.console.stand import ADA, EVE, Stand, window
from tests.planes import ANA


def work(console: Stand) -> None:
    for n in range(3):
        console.call(ANA, "look_up", n=n)
    console.call(ANA, "look_up", wrong=1)
    console.call(ANA, "refund", n=1)


def test_what_happened_is_counted_drawn_and_told(browser: Browser, console: Stand) -> None:
    work(console)
    with window(browser, console, ADA) as seen:
        page = seen.go("/overview")
        figures = page.locator("#figures")
        expect(figures).to_contain_text("look_up")
        assert page.locator("svg.chart").count() >= 3
        assert "refund" in figures.inner_text()
        seen.accessible()
        seen.fits()


def test_figures_follow_what_happens(browser: Browser, console: Stand) -> None:
    with window(browser, console, ADA) as seen:
        page = seen.go("/overview?range=1h")
        expect(page.locator("#figures")).to_contain_text("No call in this time")
        seen.listening()
        work(console)
        expect(page.locator("#figures")).to_contain_text("look_up")


def test_a_time_that_there_is_none_of_is_refused_with_those_there_are(browser: Browser, console: Stand) -> None:
    with window(browser, console, ADA) as seen:
        page = seen.go("/overview?range=9y")
        assert "Pick one of 1h, 6h" in page.inner_text("main")
        seen.wrong.clear()  # the browser itself reports the 400


def test_another_tenant_sees_none_of_it(browser: Browser, console: Stand) -> None:
    """T35."""
    work(console)
    with window(browser, console, EVE) as seen:
        assert "look_up" not in seen.go("/overview").content()
