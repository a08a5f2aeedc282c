"""The inbox in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.console.stand import VERA, Stand, window
from tests.planes import ANA


def test_what_waits_is_listed_and_the_title_says_how_much(browser: Browser, console: Stand) -> None:
    console.call(ANA, "refund", n=1)
    with window(browser, console, VERA) as seen:
        page = seen.go("/")
        assert page.title().startswith("(1) Inbox")
        assert "refund" in page.inner_text("#waiting")
        seen.accessible()
        seen.fits()


def test_whoever_is_not_signed_in_is_told_so_and_nothing_else(browser: Browser, console: Stand) -> None:
    console.call(ANA, "refund", n=1)
    with window(browser, console, None) as seen:
        page = seen.go("/")
        assert "Sign in" in page.inner_text("main")
        assert "refund" not in page.content()
        seen.wrong.clear()  # the browser itself reports the 401


def test_what_comes_to_wait_appears_without_loading_the_page_again(browser: Browser, console: Stand) -> None:
    with window(browser, console, VERA) as seen:
        page = seen.go("/")
        assert "Nothing waits" in page.inner_text("#waiting")
        seen.listening()
        console.call(ANA, "refund", n=1)
        expect(page).to_have_title(re.compile(r"\(1\) Inbox"))
        assert "refund" in page.inner_text("#waiting")
