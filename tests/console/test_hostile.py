"""Pages of the console that show hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.console.hostile import HOSTILE, NAMES, hostile_tools, spoil, unharmed
from tests.console.stand import ADA, Stand, stand, window


@pytest.fixture
def spoiled(tmp_path: Path) -> Iterator[Stand]:
    """A console over a ledger full of hostile text."""
    with stand(tmp_path, hostile_tools) as opened:
        spoil(opened)
        yield opened


def test_t25_the_inbox_shows_hostile_text_as_text(browser: Browser, spoiled: Stand) -> None:
    with window(browser, spoiled, ADA) as seen:
        seen.go("/")
        unharmed(seen)
        seen.accessible()
        seen.fits()


@pytest.mark.parametrize("name", ["handler", "svg", "link", "frame", "form", "base", "style attribute"])
def test_text_that_became_more_than_text_is_found(browser: Browser, console: Stand, name: str) -> None:
    with window(browser, console, ADA) as seen:
        page = seen.go("/")
        page.evaluate("text => { document.querySelector('main').innerHTML = text }", HOSTILE[name])
        with pytest.raises(AssertionError):
            unharmed(seen)
        seen.wrong.clear()  # what the browser stopped


def test_the_hostile_calls_are_there(spoiled: Stand) -> None:
    assert sorted(item.tool for item in spoiled.do(spoiled.plane.inbox)) == sorted(NAMES[1:])
