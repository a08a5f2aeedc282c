"""What an operator does about a run, in a browser; and who may not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.sync_api import Browser, expect

from interlock import Agent, CallContext, Rejected
from interlock.core.message import Message
from interlock.core.tool import Offer
from tests.agent.desk import Watched, says
from tests.console.conftest import tools
from tests.console.stand import ADA, EVE, VERA, Stand, Window, stand, window
from tests.console.test_agents import saga
from tests.planes import ANA, Far
from tests.saga.desk import Desk, in_line


def done(seen: Window, act: str, reason: str) -> None:
    """Open a form, say why and send it."""
    seen.page.click(f"#act-{act} > summary")
    seen.page.fill(f"#reason-{act}", reason)
    seen.page.click(f"#act-{act} button")


def test_an_operator_cancels_a_run_and_says_why(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "refund", n=1)
    with window(browser, console, ADA) as seen:
        page = seen.go(f"/runs/{run_id}")
        page.click("#act-cancel > summary")
        seen.accessible()
        seen.fits()
        page.click("#act-cancel > summary")
        done(seen, "cancel", "it was a mistake")
        expect(page.locator("#run-head")).to_contain_text("cancelled")
        expect(page.locator("#timeline")).to_contain_text("it was a mistake")
        assert page.locator("#act-cancel").count() == 0
    assert console.far.ran == []
    (row,) = console.do(console.plane.store.rows, "approval", {"run_id": run_id})
    assert row["status"] == "withdrawn" and row["decided_by"] == "ada"


def test_whoever_may_only_look_has_no_form_and_cannot_make_one(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "refund", n=1)
    for person, told in ((VERA, "Not for you"), (EVE, "Not here")):
        with window(browser, console, person) as seen:
            page = seen.go("/runs")
            page.evaluate(
                "([run, csrf]) => { document.querySelector('main').innerHTML = `<form id=f method=post action='/runs/"
                "${run}/cancel'><input name=csrf value='${csrf}'><input name=reason value=x><button>go</button>"
                "</form>` }",
                [run_id, f"token-of-{person.id}"],
            )
            page.click("#f button")
            page.wait_for_url(f"**/runs/{run_id}/cancel")
            assert told in page.inner_text("main")
            seen.wrong.clear()  # the browser itself reports the 403 and the 404
    with window(browser, console, VERA) as seen:
        assert seen.go(f"/runs/{run_id}").locator("form[action^='/runs']").count() == 0
    (row,) = console.do(console.plane.store.rows, "run", {"run_id": run_id})
    assert row["status"] == "open"


class Slow(Watched):
    """A model that answers when it is let."""

    def __init__(self, *turns: Message) -> None:
        super().__init__(*turns)
        self.asked_once, self.let = anyio.Event(), anyio.Event()

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`."""
        self.asked_once.set()
        await self.let.wait()
        return await super().reply(messages, tools)


def test_a_run_whose_model_is_just_being_asked_is_cancelled_at_once(browser: Browser, tmp_path: Path) -> None:
    model = Slow(says("I note it.", ("note", {"n": 1})), says("Done."))
    with stand(tmp_path, tools, [Agent(name="desk", model=model)]) as at:
        begun: list[str] = []

        async def going() -> None:
            async with at.plane.agent("desk", ANA, words="note it") as run:
                begun.append(run.run_id)
                await run.result()

        working = at.portal.start_task_soon(going)
        at.do(model.asked_once.wait)
        with window(browser, at, ADA) as seen:
            page = seen.go(f"/runs/{begun[0]}")
            done(seen, "cancel", "not now")
            expect(page.locator("#run-head")).to_contain_text("cancelled")

            async def let() -> None:
                model.let.set()

            at.do(let)
            working.result(10)
            expect(page.locator("#timeline")).to_contain_text("proposes note")
        assert at.far.ran == []


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Stand, Desk]]:
    """A console over a plane whose sagas go in a line."""
    desk = Desk("abc")
    with stand(tmp_path, lambda far: desk.tools()) as opened:
        yield opened, desk


async def refuses(arguments: dict[str, Any], context: CallContext) -> object:
    raise Rejected("no")


def test_an_operator_has_what_could_not_be_undone_tried_again(browser: Browser, line: tuple[Stand, Desk]) -> None:
    at, desk = line
    desk.does.update(c=refuses, una=refuses)
    outcome = saga(at, in_line("abc"))
    with window(browser, at, ADA) as seen:
        page = seen.go(f"/runs/{outcome.run_id}")
        assert "compensation failed" in page.inner_text("#run-saga") and "not undone" in page.inner_text("#run-saga")
        seen.accessible()
        del desk.does["una"]
        done(seen, "resume", "the lease was unlocked")
        expect(page.locator("#run-saga h2")).to_contain_text("compensated")
        expect(page.locator("#timeline")).to_contain_text("the lease was unlocked")


def test_an_operator_calls_a_saga_off_and_what_was_done_is_undone(browser: Browser, tmp_path: Path) -> None:
    desk = Desk("ab", options={"b": {"effect": "irreversible", "compensate": "", "compensate_with": {}}})
    with stand(tmp_path, lambda far: desk.tools()) as at:
        outcome = saga(at, in_line("ab", b={"undo": False}))
        with window(browser, at, ADA) as seen:
            page = seen.go(f"/runs/{outcome.run_id}")
            assert "waiting" in page.inner_text("#run-saga")
            done(seen, "cancel", "they went elsewhere")
            expect(page.locator("#run-saga h2")).to_contain_text("compensated")
            expect(page.locator("#run-saga tbody tr").first).to_contain_text("undone")


def test_what_nobody_knows_leads_to_where_it_is_settled(browser: Browser, tmp_path: Path) -> None:
    async def lost(arguments: dict[str, Any], context: CallContext) -> object:
        raise ConnectionResetError("the line broke")

    def made(far: Far) -> list[Any]:
        return [far.tool("pay", "reversible", lost)]

    with stand(tmp_path, made) as at:
        run_id, outcome = at.call(ANA, "pay", n=1)
        with window(browser, at, ADA) as seen:
            page = seen.go(f"/runs/{run_id}")
            acts = page.locator("#run-acts a")
            assert acts.get_attribute("href") == f"/calls/{run_id}/{outcome.call_id}"
            seen.accessible()
            acts.click()
            page.check("#outcome-done")
            page.fill("#note", "it stands in their books")
            page.click("#do-settle")
            expect(page.locator("#call")).to_contain_text("done")
            page = seen.go(f"/runs/{run_id}")
            assert "1 done" in page.inner_text("#run-head") and page.locator("#run-acts a").count() == 0
