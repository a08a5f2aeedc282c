"""The page of a request for approval in a browser: one decides, another one watches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from interlock.core.call import Outcome
from tests.console.hostile import hostile_tools, spoil, unharmed
from tests.console.stand import ADA, VERA, Stand, stand, window
from tests.grounding.test_in_the_path import PAYEE, THIEF, bank, payment
from tests.planes import ANA, BOB, CAY

ORIGINS = """
@id("origin-held") @approvers("approver")
forbid (principal, action, resource) when { !context.provenance.lacks.isEmpty() };
"""


@pytest.fixture
def paying(tmp_path: Path) -> Iterator[Stand]:
    """A console over a bank, of which it is known what each argument is for."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "origins.cedar").write_text(ORIGINS)
    with stand(tmp_path, bank) as opened:
        yield opened


def stolen(at: Stand) -> tuple[str, Outcome]:
    """A payment to somebody whom a bill slipped in."""

    async def calling() -> tuple[str, Outcome]:
        async with at.plane.run(ANA, words=f"Please send money to {PAYEE}: 120.50 for the bill in may.txt.") as run:
            await run.call("read_bill", {"file": "may.txt"})
            return run.run_id, await run.call("send_money", payment(THIEF))

    return at.do(calling)


def test_an_approval_is_seen_elsewhere_and_the_call_runs(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=1)
    with window(browser, console, BOB) as bob, window(browser, console, VERA) as watching:
        page, other = bob.go(f"/approvals/{held.approval_id}"), watching.go(f"/approvals/{held.approval_id}")
        bob.accessible()
        watching.listening()
        page.click("#do-approve")
        expect(page.locator("#standing")).to_contain_text("consumed")
        expect(other.locator("#standing")).to_contain_text("done")
        expect(other.locator("#deciding")).to_contain_text("Nothing is left to decide")
        assert console.far.names == ["refund"]
        bob.fits()


def test_a_rejection_says_why_and_is_seen_elsewhere(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=1)
    with window(browser, console, BOB) as bob, window(browser, console, VERA) as watching:
        page, other = bob.go(f"/approvals/{held.approval_id}"), watching.go(f"/approvals/{held.approval_id}")
        watching.listening()
        page.fill("#reject-words", "the other one")
        page.click("#do-reject")
        expect(other.locator("#standing")).to_contain_text("rejected by bob")
        expect(other.locator("#standing")).to_contain_text("the other one")
        assert console.far.names == []


def test_an_edit_that_is_wrong_comes_back_as_it_was_typed_and_one_that_is_right_is_made_instead(
    browser: Browser, console: Stand
) -> None:
    _, held = console.call(ANA, "refund", n=1)
    with window(browser, console, BOB) as bob, window(browser, console, VERA) as watching:
        page, other = bob.go(f"/approvals/{held.approval_id}"), watching.go(f"/approvals/{held.approval_id}")
        watching.listening()
        page.click("#otherwise-edit summary")
        page.fill("#edit-arguments", '{"n": "two"}')
        page.fill("#edit-words", "only two")
        page.click("#do-edit")
        expect(page.get_by_role("alert")).to_contain_text("n")
        assert page.input_value("#edit-arguments") == '{"n": "two"}'
        assert page.input_value("#edit-words") == "only two"
        bob.accessible()
        bob.wrong.clear()  # the browser says that it was answered 400
        page.fill("#edit-arguments", '{"n": 2}')
        page.click("#do-edit")
        expect(other.locator("#standing")).to_contain_text("edited by bob")
        expect(other.locator("#standing")).to_contain_text('"n": 2')
        page.get_by_role("link", name="The call in its place").click()
        page.get_by_role("link", name="The request for approval").click()
        expect(page.locator("#deciding")).to_contain_text("edited the arguments")  # four eyes


def test_an_answer_in_the_tools_place_is_the_calls_result(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=1)
    with window(browser, console, BOB) as bob, window(browser, console, VERA) as watching:
        page, other = bob.go(f"/approvals/{held.approval_id}"), watching.go(f"/approvals/{held.approval_id}")
        watching.listening()
        page.click("#otherwise-respond summary")
        page.fill("#respond-value", '{"n": 0, "note": "already paid"}')
        page.click("#do-respond")
        expect(other.locator("#standing")).to_contain_text("already paid")
        expect(other.locator("#standing")).to_contain_text("done")
        assert console.far.names == []


def test_whoever_approves_can_answer_for_where_a_value_comes_from(browser: Browser, paying: Stand) -> None:
    run_id, held = stolen(paying)
    with window(browser, paying, BOB) as bob, window(browser, paying, VERA) as watching:
        page, other = bob.go(f"/approvals/{held.approval_id}"), watching.go(f"/approvals/{held.approval_id}")
        watching.listening()
        about = page.inner_text(".glance")
        assert "evil.test" in about and "120.5" in about
        assert "From the result of read_bill" in page.inner_text("main")
        assert THIEF in page.inner_text(".origin.lacking figure")
        bob.accessible()
        page.check("input[name=endorse][value='/recipient']")
        page.click("#do-approve")
        expect(other.locator("#standing")).to_contain_text("done")

    async def again() -> Outcome:
        state = (await paying.plane.plane.ledger.conversation(run_id, "default")).state
        assert len(state.approvals[held.approval_id].approvals["bob"]["endorse"]) == 1
        return state.calls[held.call_id].outcome  # type: ignore[return-value]  # it was told

    assert paying.do(again).done


def test_of_two_windows_the_second_is_told_who_decided_a_moment_before(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=1)
    with (
        window(browser, console, BOB) as bob,
        window(browser, console, CAY, java_script_enabled=False) as cay,
    ):
        late, page = cay.go(f"/approvals/{held.approval_id}"), bob.go(f"/approvals/{held.approval_id}")
        page.fill("#reject-words", "no")
        page.click("#do-reject")
        expect(page.locator("#standing")).to_contain_text("rejected")
        late.click("#do-approve")
        expect(late.get_by_role("alert")).to_contain_text("Decided a moment before by bob: rejected")
        assert console.far.names == []
        cay.wrong.clear()  # the browser says that it was answered 409


def test_two_people_approve_something_privileged_without_a_script(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "delete_tenant", n=1)
    for person, stands in ((BOB, "1 of 2: bob; still"), (CAY, "2 of 2: bob, cay")):
        with window(browser, console, person, java_script_enabled=False) as seen:
            page = seen.go(f"/approvals/{held.approval_id}")
            console.clock.ahead_s += 3
            page.click("#do-approve")
            expect(page.locator("#standing")).to_contain_text(stands.partition(";")[0])


def test_nobody_decides_by_a_key_and_everything_is_reached_by_tab(browser: Browser, paying: Stand) -> None:
    """T26: there is no default button: Enter in a field or on a tick decides nothing."""
    _, held = stolen(paying)
    with window(browser, paying, BOB) as bob:
        page = bob.go(f"/approvals/{held.approval_id}")
        bob.listening()
        page.focus("input[name=endorse] >> nth=0")
        for key in ("Enter", "a", "y", "Control+Enter"):
            page.keyboard.press(key)
        page.click("#otherwise-edit summary")
        page.focus("#edit-words")
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_contain_text("Press the button")
        assert "pending" in page.inner_text("#standing")
        page.focus("#main")
        page.keyboard.press("d")
        expect(page).to_have_url(re.compile("#deciding$"))
        assert "pending" in page.inner_text("#standing"), "it leads to the decision, and decides nothing"
        page.focus("#main")
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id"))
        order = [
            each for each in ("do-approve", "reject-words", "do-reject", "edit-arguments", "do-edit") if each in reached
        ]
        assert order == ["do-approve", "reject-words", "do-reject", "edit-arguments", "do-edit"]
        assert [reached.index(each) for each in order] == sorted(reached.index(each) for each in order)


def test_nobody_decides_by_a_key_without_a_script_either(browser: Browser, paying: Stand) -> None:
    """T26."""
    _, held = stolen(paying)
    with window(browser, paying, BOB, java_script_enabled=False) as bob:
        page = bob.go(f"/approvals/{held.approval_id}")
        page.check("input[name=endorse] >> nth=0")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("a key decides nothing")
        assert page.is_checked("input[name=endorse] >> nth=0"), "what was ticked is still so"
        assert "pending" in page.inner_text("#standing")
        bob.wrong.clear()  # the browser says that it was answered 400


def test_typed_words_and_the_focus_stay_when_somebody_else_approves(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "delete_tenant", n=1)
    with window(browser, console, BOB) as bob, window(browser, console, CAY, java_script_enabled=False) as cay:
        page, other = bob.go(f"/approvals/{held.approval_id}"), cay.go(f"/approvals/{held.approval_id}")
        bob.listening()
        page.fill("#reject-words", "I am not sure about")
        console.clock.ahead_s += 3
        other.click("#do-approve")
        expect(page.locator("#standing")).to_contain_text("1 of 2: cay")
        assert page.input_value("#reject-words") == "I am not sure about"
        assert page.evaluate("document.activeElement.id") == "reject-words"


def test_t25_hostile_text_stays_text_and_what_hides_is_marked(browser: Browser, tmp_path: Path) -> None:
    with stand(tmp_path, hostile_tools) as spoiled:
        held = [told for _, told in spoil(spoiled) if told.approval_id]
        assert held
        for told in held:
            with window(browser, spoiled, ADA) as seen:
                page = seen.go(f"/approvals/{told.approval_id}")
                unharmed(seen)
                assert "Something hides in this request" in page.inner_text("main")
                assert "RIGHT-TO-LEFT OVERRIDE" in page.inner_text("main")
                assert page.locator("mark").count() > 10
                seen.fits()


def test_where_values_came_from_can_be_read_by_everybody(browser: Browser, paying: Stand) -> None:
    _, held = stolen(paying)
    with window(browser, paying, BOB) as seen:
        seen.go(f"/approvals/{held.approval_id}")
        seen.accessible()
