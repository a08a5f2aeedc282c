"""One run in a browser: its timeline, its conversation and its replay; live while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from interlock import Agent
from interlock.core.message import Message, Usage
from interlock.models.metered import Price
from tests.agent.desk import Watched, says
from tests.console.conftest import tools
from tests.console.stand import ADA, VERA, Stand, stand, window
from tests.planes import ANA, BOB, saying

USAGE = Usage(1200, 80)


def turns() -> list[Message]:
    return [
        says("I look it up.", ("look_up", {"n": 7}), usage=USAGE),
        says("", ("refund", {"n": 7, "note": "came late"}), usage=USAGE),
        says("It is refunded.", usage=USAGE),
    ]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stand]:
    """A console over a plane with an agent that looks an order up and refunds it."""
    agent = Agent(name="desk", model=Watched(*turns()), price=Price(3_000_000, 15_000_000))
    with stand(tmp_path, tools, [agent]) as opened:
        yield opened


def begun(desk: Stand, words: str = "Refund order 7.\nIt came late.") -> str:
    async def going() -> str:
        async with desk.plane.agent("desk", ANA, words=words) as run:
            return (await run.result()).run_id

    return desk.do(going)


def approved(desk: Stand, run_id: str) -> None:
    async def answering() -> None:
        (row,) = await desk.plane.store.rows("approval", {"run_id": run_id, "status": "pending"})
        asked = await desk.plane.approval(row["approval_id"])
        await desk.plane.answer(row["approval_id"], saying(asked.request), BOB)

    desk.do(answering)


def opened(page: Page, tool: str) -> str:
    """Open a call of the timeline; its text."""
    step = page.locator("li.step.call", has=page.locator(".name", has_text=tool))
    step.locator("summary").first.click()
    return step.inner_text()


def test_the_timeline_says_of_each_step_what_it_was_and_what_each_gate_found(browser: Browser, desk: Stand) -> None:
    run_id = begun(desk)
    with window(browser, desk, VERA) as seen:
        page = seen.go(f"/runs/{run_id}")
        head = page.inner_text("#run-head")
        assert all(
            part in head for part in ("waits", "agent desk", "ana", "1 done", "1 held", "2,400 in, 160 out", "$0.0096")
        )
        assert "Refund order 7." in head
        held = opened(page, "refund")
        assert all(
            part in held for part in ("waits here", "a-person-looks", "approve.held", "came late", "waits for approver")
        )
        assert "not reached" in held and "stopped here" not in held
        event = page.locator("li.step.call a[href^='/audit/events/']").first.get_attribute("href")
        seen.accessible()
        seen.fits()
        assert "call.decided" in seen.go(str(event)).inner_text("main")


def test_what_goes_on_in_a_run_appears_by_itself_and_what_was_opened_stays_open(browser: Browser, desk: Stand) -> None:
    run_id = begun(desk)
    with window(browser, desk, VERA) as seen:
        page = seen.go(f"/runs/{run_id}")
        seen.listening()
        opened(page, "refund")
        approved(desk, run_id)
        expect(page.locator("#run-head")).to_contain_text("finished")
        expect(page.locator("#run-head")).to_contain_text("2 done")
        refund = page.locator("li.step.call details[open]", has_text="refund").first
        expect(refund).to_contain_text("approved by bob")
        expect(page.locator("#timeline")).to_contain_text("It is refunded.")


def test_the_conversation_is_told_as_it_went_and_names_the_source_of_each_result(browser: Browser, desk: Stand) -> None:
    run_id = begun(desk)
    approved(desk, run_id)
    with window(browser, desk, VERA) as seen:
        page = seen.go(f"/runs/{run_id}?view=conversation")
        expect(page.locator("#conversation")).to_contain_text("It is refunded.")
        said = page.locator(".chat > li").all_inner_texts()
        assert "It came late." in said[0] and "I look it up." in said[1] and "calls look_up" in said[1]
        assert "Result, from local" in said[2]
        seen.accessible()
        seen.fits()


def test_a_replay_is_walked_by_links_and_by_keys(browser: Browser, desk: Stand) -> None:
    run_id = begun(desk)
    ran = len(desk.far.ran)
    with window(browser, desk, VERA) as seen:
        page = seen.go(f"/runs/{run_id}?view=replay")
        assert "nothing is dialled" in page.inner_text("#replay") and "Step 1 of" in page.inner_text(".walk")
        page.click("a[rel=next]")
        expect(page.locator(".walk")).to_contain_text("Step 2 of")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".walk")).to_contain_text("Step 3 of")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".walk")).to_contain_text("Step 2 of")
        page.get_by_role("link", name="Last").click()
        expect(page.locator("#replay table")).to_contain_text("held")
        seen.accessible()
        seen.fits()
    assert len(desk.far.ran) == ran


def test_everything_works_without_a_script(browser: Browser, desk: Stand) -> None:
    run_id = begun(desk)
    with window(browser, desk, VERA, java_script_enabled=False) as seen:
        page = seen.go(f"/runs/{run_id}")
        opened(page, "refund")
        page.get_by_role("link", name="Replay").click()
        page.click("a[rel=next]")
        assert "Step 2 of" in page.inner_text(".walk")


def test_a_long_run_is_shown_in_stretches(browser: Browser, console: Stand) -> None:
    async def going() -> str:
        async with console.plane.run(ANA, words="do it often") as run:
            for n in range(320):
                await run.call("note", {"n": n})
            return run.run_id

    run_id = console.do(going)
    with window(browser, console, VERA) as seen:
        page = seen.go(f"/runs/{run_id}")
        newest = page.locator("li.step").count()
        assert newest < 320 and "older ones are on the pages before" in page.inner_text("#timeline")
        numbers = [int(each) for each in page.locator("li.step.call .what > .soft").all_inner_texts() if each.isdigit()]
        while page.locator("a[rel=prev]").count():
            page.click("a[rel=prev]")
            page.wait_for_selector("a[rel=next]")
            said = page.locator("li.step.call .what > .soft").all_inner_texts()
            numbers += [int(each) for each in said if each.isdigit()]
        assert set(numbers) == set(range(1, 321))


@pytest.mark.parametrize("query", ["view=raw", "before=x", "view=replay&step=-1"])
def test_what_cannot_be_asked_of_a_run_is_refused(browser: Browser, console: Stand, query: str) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    with window(browser, console, ADA) as seen:
        assert "That did not work" in seen.go(f"/runs/{run_id}?{query}").inner_text("main")
        seen.wrong.clear()  # the browser itself reports the 400
