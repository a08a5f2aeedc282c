"""Agents and sagas in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from interlock import Agent, AgentLimits, CallContext, Rejected, Saga
from interlock.models.metered import Price
from interlock.saga.outcome import SagaOutcome
from tests.agent.desk import Watched, says
from tests.console.conftest import tools
from tests.console.stand import ADA, EVE, VERA, Stand, stand, window
from tests.planes import ANA
from tests.saga.desk import Desk, in_line


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Stand]:
    """A console over a plane with a lead and two whom it may have work."""
    agents = [
        Agent(
            name="lead", model=Watched(says("It is done.")), workers=("clerk",), peers=("expert",), about="Leads.",
            instructions="Be kind.", tools=("look_up",), price=Price(3_000_000, 15_000_000), budget={"calls": 9},
        ),
        Agent(name="clerk", model=Watched(), tools=("look_up", "note"), workers=("expert",)),
        Agent(name="expert", model=Watched(), tools=("refund",), limits=AgentLimits(turns_max=7)),
    ]  # fmt: skip
    with stand(tmp_path, tools, agents) as opened:
        yield opened


def run_of(at: Stand, agent: str) -> str:
    async def going() -> str:
        async with at.plane.agent(agent, ANA, words="do it") as run:
            return (await run.result()).run_id

    return at.do(going)


def test_each_agent_is_shown_with_what_it_may_do_and_how_it_went(browser: Browser, office: Stand) -> None:
    run_of(office, "lead")
    with window(browser, office, VERA) as seen:
        page = seen.go("/agents")
        lead = page.locator("article", has_text="Leads.").inner_text()
        assert "1 answered" in lead and "clerk, expert" in lead and "9 calls" in lead
        assert "No run yet" in page.locator("article", has=page.locator("h2", has_text="expert")).inner_text()
        seen.accessible()
        seen.fits()


def test_an_agent_is_shown_with_whom_it_may_have_work_and_with_what(browser: Browser, office: Stand) -> None:
    run_id = run_of(office, "lead")
    with window(browser, office, VERA) as seen:
        page = seen.go("/agents/lead")
        tree = page.inner_text(".tree")
        assert "may call look_up, note" in tree and "may call refund" in tree and "peer" in tree
        assert page.locator(f'a[href="/runs/{run_id}"]').count() == 1
        assert "Be kind." in page.inner_text("main")
        seen.accessible()
        seen.fits()
        seen.page.set_viewport_size({"width": 1200, "height": 800})
        page.click('.tree a[href="/agents/expert"]')
        assert "at most 7" in page.inner_text("#record")
        assert "Not here" in seen.go("/agents/nobody").inner_text("main")
        seen.wrong.clear()  # the browser itself reports the 404


def test_runs_of_another_tenant_are_no_part_of_an_agents_figures(browser: Browser, office: Stand) -> None:
    run_of(office, "lead")
    with window(browser, office, EVE) as seen:
        assert "No run yet" in seen.go("/agents/lead").inner_text("#record")
        assert "No saga" in seen.go("/sagas").inner_text("#sagas")


def test_where_no_agent_and_no_saga_is_known_it_is_said_how_to_have_one(browser: Browser, console: Stand) -> None:
    with window(browser, console, VERA) as seen:
        assert "open_plane(agents=" in seen.go("/agents").inner_text("#agents")
        seen.accessible()
        assert "plane.saga(" in seen.go("/sagas").inner_text("#sagas")
        seen.accessible()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Stand, Desk]]:
    """A console over a plane whose sagas go in a line."""
    desk = Desk("abc")
    with stand(tmp_path, lambda far: desk.tools()) as opened:
        yield opened, desk


def saga(at: Stand, made: Saga) -> SagaOutcome:
    async def going() -> SagaOutcome:
        async with at.plane.saga(made, ANA, {}) as begun:
            return await begun.outcome()

    return at.do(going)


async def refuses(arguments: dict[str, Any], context: CallContext) -> object:
    raise Rejected("the far end says no")


def test_a_saga_shows_its_steps_what_was_undone_and_its_point_of_no_return(
    browser: Browser, line: tuple[Stand, Desk]
) -> None:
    at, desk = line
    desk.does["c"] = refuses
    outcome = saga(at, in_line("abc", pivot="c"))
    with window(browser, at, VERA) as seen:
        page = seen.go("/sagas")
        listed = page.inner_text("#sagas")
        assert "compensated" in listed and "2 undone" in listed and "2 of 3 steps done" in listed
        seen.accessible()
        seen.fits()
        page.set_viewport_size({"width": 1200, "height": 800})
        page.click(f'a[href="/runs/{outcome.run_id}"]')
        rows = page.locator("#run-saga tbody tr").all_inner_texts()
        assert ["undone" in row for row in rows] == [True, True, False]
        assert "point of no return" in rows[2] and "execute.rejected" in rows[2]
        expect(page.locator("#timeline")).to_contain_text("undoes a")
        seen.accessible()
        seen.fits()


def test_a_saga_that_is_done_is_listed_as_such_beside_others(browser: Browser, line: tuple[Stand, Desk]) -> None:
    at, _ = line
    saga(at, in_line("ab"))
    with window(browser, at, ADA) as seen:
        page = seen.go("/sagas")
        seen.listening()
        assert "completed" in page.inner_text("#sagas")
        saga(at, in_line("abc"))
        expect(page.locator("#sagas")).to_contain_text("3 of 3 steps done")
