"""T25: hostile words, arguments, results, reasons and ids stay text on every page about runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from interlock import Agent
from tests.agent.desk import Watched, says
from tests.console.hostile import HOSTILE, MALLORY, NAMES, WORDS, hostile_tools, spoil, unharmed
from tests.console.stand import ADA, Stand, stand, window


@pytest.fixture
def spoiled(tmp_path: Path) -> Iterator[tuple[Stand, list[str]]]:
    """A console over runs full of hostile text: calls of a client, and an agent whose model says it too."""
    model = Watched(
        says(WORDS, (NAMES[0], {"n": 1, **HOSTILE}), (HOSTILE["handler"], {}), ("x", WORDS)), says(HOSTILE["script"])
    )
    with stand(tmp_path, hostile_tools, [Agent(name="desk", model=model)]) as opened:
        runs = [run_id for run_id, _ in spoil(opened)]

        async def going() -> str:
            async with opened.plane.agent("desk", MALLORY, words=WORDS) as run:
                return (await run.result()).run_id

        yield opened, [*runs, opened.do(going)]


def test_t25_pages_about_runs_show_hostile_text_as_text(browser: Browser, spoiled: tuple[Stand, list[str]]) -> None:
    console, runs = spoiled
    with window(browser, console, ADA) as seen:
        page = seen.go("/runs")
        assert "onerror" in page.inner_text("#runs")
        unharmed(seen)
        for run_id in (runs[0], runs[-1]):
            page = seen.go(f"/runs/{run_id}")
            for summary in page.locator("li.step summary.line").all():
                summary.click()
            assert "onerror" in page.inner_text("#timeline")
            unharmed(seen)
            seen.go(f"/runs/{run_id}?view=conversation")
            unharmed(seen)
        seen.fits()


def test_t25_every_step_of_a_replay_shows_hostile_text_as_text(
    browser: Browser, spoiled: tuple[Stand, list[str]]
) -> None:
    console, runs = spoiled
    with window(browser, console, ADA) as seen:
        page = seen.go(f"/runs/{runs[-1]}?view=replay")
        shown = ""
        while True:
            unharmed(seen)
            shown += page.inner_text("#step")
            if not page.locator("a[rel=next]").count():
                break
            page.goto(seen.url + str(page.get_attribute("a[rel=next]", "href")))
        assert "onerror" in shown
        seen.fits()
