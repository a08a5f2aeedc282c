"""The inbox in a browser: one list of what waits, in the order of its danger, and what one does about each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from interlock import Tool
from interlock.core.call import Outcome
from interlock.core.tool import CallContext
from interlock.errors import NotSent
from tests.console.hostile import HOSTILE, hostile_tools, spoil, unharmed
from tests.console.posting import get, post
from tests.console.stand import ADA, EVE, VERA, Stand, stand, window
from tests.planes import ANA, BOB, OPA, Far, saying


def failing(far: Far) -> list[Tool]:
    async def lost(arguments: dict[str, Any], context: CallContext) -> object:
        raise RuntimeError("the line went dead")

    async def down(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent("down")

    return [
        far.tool("refund", "irreversible"),
        far.tool("lost", "reversible", does=lost),
        far.tool("dead", "reversible", does=down),
    ]


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Stand]:
    """A console over a plane of which some tools fail."""
    with stand(tmp_path, failing) as opened:
        yield opened


def flood(at: Stand, count: int) -> tuple[str, list[Outcome]]:
    """Many calls of one run that wait, no two alike."""

    async def calling() -> tuple[str, list[Outcome]]:
        async with at.plane.run(ANA, words="do it") as run:
            return run.run_id, [await run.call("refund", {"n": n}) for n in range(count)]

    return at.do(calling)


def test_what_waits_is_listed_and_the_title_says_how_much(browser: Browser, console: Stand) -> None:
    """E10: the most dangerous first."""
    console.call(ANA, "refund", n=1)
    console.call(ANA, "delete_tenant", n=1)
    with window(browser, console, VERA) as seen:
        page = seen.go("/")
        assert page.title().startswith("(2) Inbox")
        assert [each.inner_text() for each in page.locator(".rows .name").all()] == ["delete_tenant", "refund"]
        seen.accessible()
        seen.fits()


def test_each_row_says_what_its_call_is_about_and_another_tenant_sees_none_of_it(console: Stand) -> None:
    """E5; T35."""
    console.call(ANA, "refund", n=4711)
    assert "<i>n</i> 4711" in get(console, VERA, "/").text
    assert "4711" not in get(console, EVE, "/").text


def test_whoever_is_not_signed_in_is_told_so_and_nothing_else(browser: Browser, console: Stand) -> None:
    console.call(ANA, "refund", n=1)
    with window(browser, console, None) as seen:
        page = seen.go("/")
        assert "Sign in" in page.inner_text("main")
        assert "refund" not in page.content()
        seen.wrong.clear()  # the browser itself reports the 401


def test_what_comes_to_wait_appears_and_the_focus_stays_where_it_was(browser: Browser, console: Stand) -> None:
    console.call(ANA, "refund", n=1)
    with window(browser, console, VERA) as seen:
        page = seen.go("/")
        seen.listening()
        page.focus(".rows .go")
        first = page.evaluate("document.activeElement.id")
        console.call(ANA, "delete_tenant", n=1)
        expect(page).to_have_title(re.compile(r"\(2\) Inbox"))
        assert page.locator(".rows > li").count() == 2
        assert page.evaluate("document.activeElement.id") == first


def test_it_is_filtered_by_kind_and_effect_and_by_who_may_see_to_it(browser: Browser, troubled: Stand) -> None:
    troubled.call(ANA, "refund", n=1)
    troubled.call(BOB, "refund", n=2)
    troubled.call(ANA, "lost", n=1)
    with window(browser, troubled, BOB, java_script_enabled=False) as seen:
        page = seen.go("/")
        assert page.locator(".rows > li").count() == 3
        page.select_option("#kind", "unknown")
        page.get_by_role("button", name="Show").click()
        assert [each.inner_text() for each in page.locator(".rows .name").all()] == ["lost"]
        page = seen.go("/?effect=irreversible")
        assert page.locator(".rows > li").count() == 2
        page = seen.go("/")
        page.check("#mine")
        page.get_by_role("button", name="Show").click()
        assert page.locator(".rows > li").count() == 1, "neither his own call nor what operators settle"
        assert "for ana" in page.inner_text(".rows")


def test_t26_a_flood_is_one_item_that_is_opened_and_rejected_together(browser: Browser, console: Stand) -> None:
    """T26: nothing is buried under it; and several are rejected, never approved, at once."""
    run_id, _ = flood(console, 21)
    console.call(ANA, "delete_tenant", n=1)
    with window(browser, console, BOB) as seen:
        page = seen.go("/")
        assert page.locator(".rows > li").count() == 2
        assert "21 in one run" in page.inner_text(".rows")
        page.get_by_role("link", name="Open all of them").click()
        expect(page.locator(".rows > li")).to_have_count(21)
        assert page.locator("input[name=reject]:checked").count() == 0, "nothing is chosen for anybody"
        assert page.get_by_role("button", name=re.compile("pprove")).count() == 0
        seen.accessible()
        for each in page.locator("input[name=reject]").all()[:3]:
            each.check()
        page.fill("#several-words", "not these")
        page.click("#do-several")
        expect(page.locator(".rows > li")).to_have_count(18)
        seen.fits()
    assert console.far.names == []
    page = get(console, VERA, f"/?run={run_id}").text
    assert 'name="reject"' not in page, "whoever may only look has nothing to tick"


def test_t26_equal_requests_of_several_runs_are_one_item(console: Stand) -> None:
    ids = [console.call(ANA, "refund", n=5)[1].approval_id for _ in range(3)]
    console.call(ANA, "refund", n=6)
    page = get(console, BOB, "/").text
    assert page.count('<li class="item') == 2 and "3 alike" in page
    opened = get(console, BOB, f"/?like={ids[1]}").text
    assert opened.count('<li class="item') == 3
    ticks = re.findall(r'name="reject" value="([^"]*)"', opened)
    shown = re.findall(r'name="shown" value="([^"]*)"', opened)[0]
    wrong = ticks[1].partition("|")[0] + "|" + ticks[0].partition("|")[2]  # of another request
    told = post(console, BOB, "/", [("reject", ticks[0]), ("reject", wrong), ("words", "no"), ("shown", shown)])
    assert told.status == 400 and "1 was rejected before this" in told.text
    assert len(console.do(console.plane.store.rows, "approval", {"status": "pending"})) == 3


def test_there_is_more_than_a_page_and_each_item_stands_on_one_of_them(console: Stand) -> None:
    for n in range(55):
        console.call(ANA, "refund", n=n)
    seen: list[str] = []
    at = "/"
    while at:
        page = get(console, VERA, at).text
        seen += re.findall(r'href="/approvals/([^"]*)">Look', page)
        assert len(page.encode()) < 50_000
        more = re.search(r'id="more" href="([^"]*)"', page)
        at = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 55
    assert get(console, VERA, "/?after=nowhere").status == 400


def test_an_unknown_call_is_settled_by_an_operator_who_says_how_they_know(browser: Browser, troubled: Stand) -> None:
    run_id, told = troubled.call(ANA, "lost", n=1)
    with window(browser, troubled, OPA) as opa, window(browser, troubled, VERA) as watching:
        page, other = opa.go("/"), watching.go("/")
        watching.listening()
        page.get_by_role("link", name="Say what became of it").click()
        opa.accessible()
        page.check("#outcome-done")
        page.fill("#note", "the bank shows it")
        page.click("#do-settle")
        expect(page.locator("#call")).to_contain_text("done")
        expect(other.locator("#waiting")).to_contain_text("Nothing waits")
        opa.fits()
    again = [("outcome", "failed"), ("note", "x")]
    assert post(troubled, OPA, f"/calls/{run_id}/{told.call_id}/settle", again).status == 409
    assert post(troubled, BOB, f"/calls/{run_id}/{told.call_id}/settle", again).status == 403
    assert post(troubled, OPA, f"/calls/{run_id}/{told.call_id}/settle", [("outcome", "done")]).status == 400


def test_what_was_given_up_on_is_proposed_again_with_a_reason(browser: Browser, troubled: Stand) -> None:
    troubled.call(ANA, "dead", n=1)
    with window(browser, troubled, OPA) as opa:
        page = opa.go("/")
        page.get_by_role("link", name="Retry or leave it").click()
        page.fill("#reason", "it is up again")
        page.click("#do-retry")
        expect(page.locator("#call")).to_contain_text("Tried again")
        opa.accessible()


def test_how_tired_approvers_are_is_shown(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=1)
    request = console.do(console.plane.approval, held.approval_id).request

    console.do(console.plane.answer, held.approval_id, saying(request, viewed_ms=1200), BOB)
    with window(browser, console, VERA) as seen:
        page = seen.go("/approvals")
        assert "100.0" in page.inner_text("#figures") and "1.2 s" in page.inner_text("#figures")
        assert "bob" in page.inner_text("#requests")
        seen.accessible()
        seen.fits()


def test_t25_hostile_calls_are_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    with stand(tmp_path, lambda far: [*hostile_tools(far), *failing(far)]) as spoiled:
        runs = spoil(spoiled)
        run_id, lost = spoiled.call(ANA, "lost", n=1, note=HOSTILE["handler"] + HOSTILE["bidi"])
        note = [("outcome", "done"), ("note", HOSTILE["script"])]
        assert post(spoiled, OPA, f"/calls/{run_id}/{lost.call_id}/settle", note).status == 303
        done_run, done = runs[0]
        at = ("/", "/approvals", f"/calls/{run_id}/{lost.call_id}", f"/calls/{done_run}/{done.call_id}")
        with window(browser, spoiled, ADA) as seen:
            for path in at:
                seen.go(path)
                unharmed(seen)
                seen.fits()
