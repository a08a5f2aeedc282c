"""The console beside a demonstration: its address opens it, its link signs in, and what the story did is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import browser as browser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The demonstration played, with its console left running; the links that it gave, the first at its beginning."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    command = [sys.executable, "-m", "examples.property_management", "--serve", "--keep", str(folder)]
    played = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert played.stdout is not None
    links: list[str] = []
    for line in played.stdout:
        if "/sign-in" in line:
            links.append(line.strip())
        if len(links) == 3:
            break
    yield links
    played.send_signal(signal.SIGTERM)
    try:
        played.communicate(timeout=120)
    finally:
        played.kill()
        played.communicate()
    assert played.returncode == 0


def signed_in(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Sign in").first.click()
    expect(page.locator("h1")).to_have_text("Inbox")


def test_a_demonstration_opens_with_the_consoles_address_and_leaves_it_running(
    browser: Browser, shown: list[str]
) -> None:
    context = browser.new_context()
    page = context.new_page()
    signed_in(page, shown[-1])
    page.goto(page.url.rstrip("/") + "/runs")
    expect(page.locator("main")).to_contain_text("desk-agent")
    page.locator("main a[href^='/runs/run_']").last.click()
    expect(page.locator("main")).to_contain_text("get_property")
    context.close()


def test_a_link_signs_in_once(browser: Browser, shown: list[str]) -> None:
    """T24."""
    first, second = browser.new_context(), browser.new_context()
    signed_in(first.new_page(), shown[-2])
    page = second.new_page()
    page.goto(shown[-2])
    page.get_by_role("button", name="Sign in").first.click()
    expect(page.locator("h1")).not_to_have_text("Inbox")
    first.close()
    second.close()
