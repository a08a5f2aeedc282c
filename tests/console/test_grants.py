"""Grants in the console: proposed from a request, looked at, given, endorsed and taken back."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.console.hostile import hostile_tools, spoil, unharmed
from tests.console.posting import get, post
from tests.console.stand import ADA, EVE, VERA, Stand, stand, window
from tests.planes import ANA, BOB, CAY, OPA


def test_a_grant_begins_at_a_request_and_is_looked_at_before_it_is_given(browser: Browser, console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=40)
    with window(browser, console, BOB) as bob:
        page = bob.go(f"/approvals/{held.approval_id}")
        page.get_by_role("link", name="Propose a grant").click()
        bob.accessible()
        page.select_option("#kind-1", "at_most")
        page.fill("#operand-1", "50")
        page.fill("#reason", "small ones")
        page.click("#look")
        expect(page.locator(".notice")).to_contain_text("it would have answered 1")
        assert console.do(console.plane.grants) == [], "looking gives nothing"
        page.click("#give")
        expect(page.locator("#grants")).to_contain_text("at most 50")
        bob.accessible()
        bob.fits()
    assert console.call(ANA, "refund", n=41)[1].done
    assert console.call(ANA, "refund", n=51)[1].kind == "held"
    with window(browser, console, CAY) as cay:
        page = cay.go("/grants")
        page.get_by_role("button", name="Add my voice").click()
        expect(page.locator("#grants")).to_contain_text("cay")
        page.get_by_text("Revoke it").click()
        page.fill("input[name=reason] >> nth=0", "the campaign is over")
        page.get_by_role("button", name="Revoke").click()
        expect(page.locator("#grants")).to_contain_text("revoked")
    assert console.call(ANA, "refund", n=42)[1].kind == "held"


def test_what_is_wrong_with_a_grant_is_said_and_what_was_typed_stays(console: Stand) -> None:
    _, held = console.call(ANA, "refund", n=40)
    said = [("approval", held.approval_id), ("at", "%2Fn"), ("kind", "at_most"), ("operand", '"many"'),
            ("whose", "subject"), ("uses", "5"), ("expires", "7d"), ("reason", "r"), ("step", "give")]  # fmt: skip
    told = post(console, BOB, "/grants/new", said)
    assert told.status == 400 and "/n" in told.text and "many" in told.text
    for person, status in ((VERA, 403), (OPA, 403), (EVE, 404)):
        assert post(console, person, "/grants/new", said).status == status
    assert console.do(console.plane.grants) == []


def test_a_role_is_lent_and_taken_back(browser: Browser, console: Stand) -> None:
    with window(browser, console, BOB) as bob:
        page = bob.go("/grants")
        page.get_by_text("Lend a role of yours").click()
        page.check("input[name=group]")
        page.fill("#lend-to", "opa")
        page.fill("#lend-why", "on leave")
        page.click("#lend")
        expect(page.locator("main")).to_contain_text("bob to opa")
        assert len(console.do(console.plane.plane.approvals.entitlement.delegations.lent, "default").pairs) == 1
        page.get_by_role("button", name="Take it back").click()
        expect(page.locator("main")).to_contain_text("Nothing is lent")


def test_t25_a_grant_for_a_hostile_call_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    with stand(tmp_path, hostile_tools) as spoiled:
        [held] = [told for _, told in spoil(spoiled) if told.approval_id][:1]
        assert get(spoiled, ADA, f"/grants/new?approval={held.approval_id}").status == 400, "it has too many parts"
        _, small = spoiled.call(ANA, "constructor", n=1, evil='"><img src=x onerror=window.pwned=1>\u202e')
        with window(browser, spoiled, ADA) as seen:
            page = seen.go(f"/grants/new?approval={small.approval_id}")
            unharmed(seen)
            page.fill("#reason", '"><script>window.pwned=1</script>{{31337*3}}')
            page.click("#look")
            unharmed(seen)
            page.click("#give")
            expect(page.locator("#grants")).to_contain_text("live")
            unharmed(seen)
            seen.accessible()
            seen.fits()
