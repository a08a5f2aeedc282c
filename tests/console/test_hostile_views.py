"""T25: hostile names, definitions, arguments, results and ids stay text in figures, tools, policies and the audit."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from interlock import foreign_tool
from interlock.ledger.definitions import Definitions
from interlock.registry.foreign import Listing
from interlock.registry.registry import Registry
from tests.console.hostile import HOSTILE, MALLORY, NAMES, WORDS, hostile_tools, spoil, unharmed
from tests.console.stand import ADA, Stand, stand, window
from tests.console.test_tools import never


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stand, str]]:
    """A console over hostile calls and a hostile definition that waits; the first run. Nothing here changes it."""
    with stand(tmp_path_factory.mktemp("spoiled"), hostile_tools) as opened:
        [(run_id, _), *_] = spoil(opened)
        for text in HOSTILE.values():
            opened.call(MALLORY, text[:200], n=1)
        tool = foreign_tool(
            "pay", "bank", WORDS, {"type": "object", "properties": {"x": {"description": WORDS}}}, never
        )
        listings = [Listing(server="bank", tools=(tool,))]
        opened.do(Definitions(opened.site.store).take, Registry(), listings)
        yield opened, run_id


PAGES = (
    "/overview?range=1h", "/tools", f"/tools/named/{quote(NAMES[0])}", "/tools/drift", "/policies",
    "/policies/explain", "/policies/backtest", "/audit", "/audit?view=authz_decision", "/audit?view=run",
    "/audit?view=approval", "/audit/events/{run}", "/audit/ledger", "/approvals", "/grants", "/stop", "/agents",
    "/sagas",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_hostile_text_as_text(browser: Browser, spoiled: tuple[Stand, str], path: str) -> None:
    console, run_id = spoiled
    with window(browser, console, ADA) as seen:
        page = seen.go(path.format(run=run_id))
        for summary in page.locator("summary").all():
            summary.click()
        unharmed(seen)
        seen.fits()


@pytest.mark.parametrize(
    "path", ["/tools?q={}", "/audit?tool={}", "/audit?view={}", "/audit?{}=1", "/overview?range={}", "/{}"]
)
def test_what_is_asked_for_is_told_as_text(browser: Browser, spoiled: tuple[Stand, str], path: str) -> None:
    console, _ = spoiled
    with window(browser, console, ADA) as seen:
        for text in HOSTILE.values():
            seen.go(path.format(quote(text[:200])))
            unharmed(seen)
        seen.wrong[:] = [said for said in seen.wrong if "Failed to load resource" not in said]  # of 400 and 404


def test_hostile_rules_and_arguments_come_back_as_text(browser: Browser, spoiled: tuple[Stand, str]) -> None:
    console, _ = spoiled
    with window(browser, console, ADA) as seen:
        page = seen.go("/policies/explain")
        page.get_by_label("On whose behalf").fill(HOSTILE["handler"])
        page.get_by_label("Arguments, JSON").fill(f'{{"n": 1, "x": "{HOSTILE["handler"]}"}}')
        page.get_by_role("button", name="Explain").click()
        expect(page.locator("main")).to_contain_text("onerror")
        unharmed(seen)
        page = seen.go("/policies/backtest")
        page.get_by_label("Rules").fill(WORDS)
        page.get_by_role("button", name="Try").click()
        expect(page.locator("#verdict")).to_contain_text("was not tried")
        unharmed(seen)
