"""The list of runs in a browser: what it says of each, what finds which, and that it stays current."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from interlock import Principal
from tests.console.stand import ADA, EVE, VERA, Stand, window
from tests.planes import ANA

ZOE = Principal("zoe", roles=frozenset({"support"}))


def ids(page: object) -> list[str]:
    return [link.get_attribute("href").removeprefix("/runs/") for link in page.query_selector_all("#runs a[data-row]")]  # type: ignore[attr-defined]


def test_each_run_says_who_what_and_how_it_went(browser: Browser, console: Stand) -> None:
    first, _ = console.call(ANA, "look_up", "where is order 7?", n=7)
    second, _ = console.call(ZOE, "refund", "refund <b>8</b>", n=8)
    with window(browser, console, VERA) as seen:
        page = seen.go("/runs")
        assert ids(page) == [second, first]
        newest, oldest = page.locator("#runs li").all_inner_texts()
        assert all(part in newest for part in ("open", "zoe", "refund <b>8</b>", "1 held"))
        assert all(part in oldest for part in ("finished", "ana", "where is order 7?", "1 done"))
        page.click("#filter > summary")
        seen.accessible()
        seen.fits()


def test_who_has_no_run_yet_is_told_how_one_begins(browser: Browser, console: Stand) -> None:
    with window(browser, console, VERA) as seen:
        page = seen.go("/runs")
        assert "No run yet" in page.inner_text("#runs") and "interlock call" in page.inner_text("#runs")
        seen.accessible()
        assert "No run is like that" in seen.go("/runs?tool=nothing").inner_text("#runs")


def test_runs_are_found_by_what_is_known_of_them(browser: Browser, console: Stand) -> None:
    looked, _ = console.call(ANA, "look_up", n=1)
    held, _ = console.call(ZOE, "refund", n=2)
    with window(browser, console, VERA) as seen:
        for query, expected in {
            "principal=zoe": [held], "kind=calls": [held, looked], "kind=saga": [], "status=open": [held],
            "tool=look_up": [looked], "outcome=held": [held], "tool=look_up&outcome=held": [],
            f"id={held[:20]}": [held],
            "since=1h": [held, looked], "until=1h": [], "principal=%20ana%20": [looked], "name=desk": [],
        }.items():  # fmt: skip
            assert [each for each in (held, looked) if each in ids(seen.go(f"/runs?{query}"))] == expected, query


def test_the_form_asks_what_was_typed_and_says_what_is_asked(browser: Browser, console: Stand) -> None:
    held, _ = console.call(ZOE, "refund", n=2)
    console.call(ANA, "look_up", n=1)
    with window(browser, console, VERA) as seen:
        page = seen.go("/runs")
        page.click("#filter > summary")
        page.fill("#f-principal", "zoe")
        page.select_option("#f-status", "open")
        page.click("#filter button")
        page.wait_for_selector("#filter[open]")
        assert ids(page) == [held]
        assert page.input_value("#f-principal") == "zoe"


@pytest.mark.parametrize(
    "query", ["status=gone", "since=soon", "before=x", "kind=cron", "outcome=fine", "id=run_&tool=x"]
)
def test_what_cannot_be_asked_is_said_with_its_name(browser: Browser, console: Stand, query: str) -> None:
    with window(browser, console, VERA) as seen:
        page = seen.go(f"/runs?{query}")
        assert "That did not work" in page.inner_text("main")
        seen.wrong.clear()  # the browser itself reports the 400


def test_a_run_that_begins_appears_by_itself(browser: Browser, console: Stand) -> None:
    with window(browser, console, VERA) as seen:
        page = seen.go("/runs")
        seen.listening()
        run_id, _ = console.call(ANA, "look_up", n=1)
        expect(page.locator(f'a[href="/runs/{run_id}"]')).to_be_visible()


def test_pages_go_on_where_the_one_before_ended(browser: Browser, console: Stand) -> None:
    made = [console.call(ANA, "look_up", n=n)[0] for n in range(43)]
    with window(browser, console, VERA) as seen:
        page = seen.go("/runs?principal=ana")
        first = ids(page)
        page.click("a[rel=next]")
        expect(page.locator("#runs a[data-row]")).to_have_count(3)
        assert first + ids(page) == made[::-1]
        assert "Nothing older" not in page.inner_text("#runs")


def test_nothing_of_another_tenant_is_listed_or_shown(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "refund", n=1)
    with window(browser, console, EVE) as seen:
        assert ids(seen.go("/runs")) == [] and ids(seen.go(f"/runs?id={run_id}")) == []
        for query in ("", "?view=conversation", "?view=replay", "?before=3"):
            assert "refund" not in seen.go(f"/runs/{run_id}{query}").content()
            assert "Not here" in seen.page.inner_text("main")
        seen.wrong.clear()  # the browser itself reports each 404


def test_the_keyboard_walks_the_list_and_opens_a_run(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    with window(browser, console, ADA) as seen:
        page = seen.go("/runs")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/runs/{run_id}")
