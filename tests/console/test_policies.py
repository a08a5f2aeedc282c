"""The policy in a browser: its rules, why it decides so, a change tried on recorded calls, and its reloading."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.console.stand import ADA, RULES, VERA, Stand, window
from tests.planes import ANA


def test_rules_stand_with_what_they_reach_and_decided(browser: Browser, console: Stand) -> None:
    console.call(ANA, "refund", n=1)
    with window(browser, console, VERA) as seen:
        page = seen.go("/policies")
        card = page.locator("article", has_text="a-person-looks")
        expect(card).to_contain_text("holds for approver")
        expect(card).to_contain_text("1 decision in 7 days")
        expect(card).to_contain_text("reaches refund")
        assert page.locator("main form").count() == 0
        seen.accessible()
        seen.fits()


def test_a_call_is_explained_without_being_made(browser: Browser, console: Stand) -> None:
    with window(browser, console, VERA) as seen:
        page = seen.go("/policies/explain")
        page.get_by_label("Tool").select_option("refund")
        page.get_by_label("On whose behalf").fill("ana")
        page.get_by_label("Arguments, JSON").fill('{"n": 1}')
        page.get_by_role("button", name="Explain").click()
        expect(page.locator("#answer")).to_contain_text("require approval")
        seen.accessible()
        seen.fits()
        page.get_by_label("Arguments, JSON").fill('{"m": 1}')
        page.get_by_role("button", name="Explain").click()
        expect(page.locator("#answer")).to_contain_text("before any rule is asked")
    assert console.far.ran == []


def test_a_change_is_tried_on_recorded_calls(browser: Browser, console: Stand) -> None:
    for n in range(4):
        console.call(ANA, "refund", n=n)
    with window(browser, console, ADA) as seen:
        page = seen.go("/policies/backtest")
        seen.accessible()
        seen.fits()
        page.get_by_label("Rules").fill("permit (principal, action, resource);")
        page.get_by_role("button", name="Try").click()
        expect(page.locator("#verdict")).to_contain_text("4 of 4 compared calls change")
        expect(page.locator("#verdict svg")).to_contain_text("hold → allow")
        seen.accessible()
        seen.fits()
    assert console.plane.plane.policy.approvers == {"approver"}, "nothing of it is in force"


def test_rules_that_do_not_load_are_told_with_their_place(browser: Browser, console: Stand) -> None:
    console.call(ANA, "refund", n=1)
    with window(browser, console, ADA) as seen:
        page = seen.go("/policies/backtest")
        page.get_by_label("Rules").fill("permit (principal, action, resource)")
        page.get_by_role("button", name="Try").click()
        expect(page.locator("#verdict")).to_contain_text("pasted.cedar")


def test_a_policy_that_does_not_load_leaves_the_one_in_force(browser: Browser, console: Stand) -> None:
    file = console.site.settings.at(console.site.settings.policy) / "rules.cedar"  # type: ignore[operator,arg-type]
    before = console.plane.plane.policy.digest
    with window(browser, console, ADA) as seen:
        page = seen.go("/policies")
        file.write_text("permit (")
        page.get_by_role("button", name="Load it again").click()
        expect(page.locator("main")).to_contain_text("the one in force stays")
        assert console.plane.plane.policy.digest == before
        seen.wrong.clear()  # the browser itself reports the 422
        file.write_text(RULES + '\n@id("more") forbid (principal, action, resource) when { false };')
        page.get_by_role("button", name="Load it again").click()
        expect(page.locator("main")).to_contain_text("more")
    assert console.plane.plane.policy.digest != before
