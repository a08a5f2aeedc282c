"""T25: hostile names, definitions, arguments, results and ids stay text in figures, tools, policies and the audit."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from interlock import foreign_tool
from interlock.evals.page import SHARES, TAKEN
from interlock.ledger.definitions import Definitions
from interlock.ledger.evaluated import RECORDED, Evaluated, EvaluatedCase, keep_eval
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
        opened.do(_evaluated, opened)
        yield opened, run_id


async def _evaluated(console: Stand) -> None:
    """A kept result whose every name is hostile."""
    texts = [text[:200] for text in HOSTILE.values()]
    cases = tuple(
        EvaluatedCase(name=text, trials=2, passed=1, failed={text: 1}, runs=(text,), taken={text: 1, "steps": 3})
        for text in texts
    )
    said = Evaluated(
        suite=SUITE, suite_digest=WORDS[:64], how=RECORDED, since_us=1, trials=2, passed=1, pass_rate=1.0,
        lost=texts, met=False, shares=dict.fromkeys(SHARES, (1, 2)), agents=texts, models=texts, policies=texts,
        taken={name: {"p50": 1, "p95": 1, "sum": 1, "of": 1} for name in TAKEN}, cases=cases,
    )  # fmt: skip
    for eval_id in ("eval_1", "eval_2", "eval_3"):
        await keep_eval(console.site.store, eval_id, ADA, said)


SUITE = f"{HOSTILE['end of an attribute']}{HOSTILE['bidi']}{HOSTILE['handler']}{HOSTILE['template']}"[:200]


PAGES = (
    "/overview?range=1h", "/tools", f"/tools/named/{quote(NAMES[0])}", "/tools/drift", "/policies",
    "/policies/explain", "/policies/backtest", "/audit", "/audit?view=authz_decision", "/audit?view=run",
    "/audit?view=approval", "/audit/events/{run}", "/audit/ledger", "/approvals", "/grants", "/stop", "/agents",
    "/sagas", "/evals", f"/evals/of?suite={quote(SUITE)}", "/evals/eval_1", "/audit?view=eval",
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
    "path",
    [
        "/tools?q={}",
        "/audit?tool={}",
        "/audit?view={}",
        "/audit?{}=1",
        "/overview?range={}",
        "/evals/of?suite={}",
        "/evals/{}",
        "/{}",
    ],
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
