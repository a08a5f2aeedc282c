"""Signing in and out by the pages, before two workers of which neither keeps anybody's session."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from anyio import to_thread

from interlock.api.sessions import AGAIN_S, COOKIE, reauthenticated
from interlock.console.sign_in import onward
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.keys import READ, TOOLS
from tests.api.browsing import MARIA, ORIGIN, doors

pytestmark = pytest.mark.anyio


async def test_whoever_types_their_key_is_in_at_every_worker_until_they_sign_out(tmp_path: Path) -> None:
    async with doors(tmp_path) as at:
        browser = at.browser()
        assert (await browser.get("/")).status == 401
        page = await browser.get("/sign-in?next=/runs")
        assert page.status == 200
        answer = await browser.post("/sign-in/key", {"key": f" {at.texts['maria']} ", "next": page.field("next")})
        assert (answer.status, answer.header("location")) == (303, "/runs")
        [cookie] = answer.cookies
        assert cookie.startswith(f"{COOKIE}=")
        assert all(word in cookie for word in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict"))
        assert "Domain" not in cookie
        assert at.texts["maria"].removeprefix("ilk_") not in answer.text + cookie
        pages = [await browser.get("/") for _ in range(4)]
        assert {page.status for page in pages} == {200}
        assert len({page.field("csrf") for page in pages}) == 1, "every worker knows the form of every other's page"
        kept = dict(browser.cookies)
        out = await browser.post("/sign-out", {"csrf": pages[0].field("csrf")})
        assert (out.status, out.header("location"), browser.cookies) == (303, "/sign-in", {})
        browser.cookies = kept
        assert [(await browser.get("/")).status for _ in range(2)] == [401, 401], "whoever kept the cookie is out too"


async def test_signing_out_everywhere_ends_every_browser_of_ones_own_and_of_nobody_else(tmp_path: Path) -> None:
    async with doors(tmp_path) as at:
        one, other, root = await at.signed_in(), await at.signed_in(), await at.signed_in("root")
        csrf = (await one.get("/")).field("csrf")
        assert (await one.post("/sign-out", {"csrf": csrf, "everywhere": "1"})).status == 303
        assert ((await other.get("/")).status, (await root.get("/")).status) == (401, 200)


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "x" * 64}, "another's"])
async def test_nobody_is_signed_out_by_a_form_of_another_session(fields: dict[str, str] | str, tmp_path: Path) -> None:
    """T25: cross-site requests."""
    async with doors(tmp_path) as at:
        maria, root = await at.signed_in(), await at.signed_in("root")
        sent = fields if isinstance(fields, dict) else {"csrf": (await root.get("/")).field("csrf")}
        assert (await maria.post("/sign-out", sent)).status == 403
        assert (await maria.get("/")).status == 200


@pytest.mark.parametrize("path", ["/sign-in/key", "/sign-in/link"])
async def test_a_page_of_another_site_signs_nobody_in(path: str, tmp_path: Path) -> None:
    """T25: a browser that is made to sign in as somebody else works for them."""
    async with doors(tmp_path) as at:
        found = await to_thread.run_sync(lambda: at.keys.find(at.texts["maria"], at.clock.wall_us()))
        fields = {"key": at.texts["maria"], "link": at.sites[0].identity.links.make(found)}
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
            answer = await at.browser().post(path, fields, **headers)
            assert (answer.status, answer.cookies) == (403, [])
        assert (await at.browser().post(path, fields, origin=ORIGIN)).status == 303


@pytest.mark.parametrize("scope", [TOOLS, READ])
async def test_an_agent_does_not_sign_in_with_its_key(scope: str, tmp_path: Path) -> None:
    """T24: whatever roles its owner has."""
    async with doors(tmp_path) as at:
        text = await at.key(MARIA, scope)
        answer = await at.browser().post("/sign-in/key", {"key": text})
        assert (answer.status, answer.cookies) == (401, [])


@pytest.mark.parametrize("key", ["", "ilk_" + "0" * 40, "x" * 5000, "é\x00"])
async def test_a_wrong_key_opens_nothing_and_is_not_shown_again(key: str, tmp_path: Path) -> None:
    async with doors(tmp_path) as at:
        answer = await at.browser().post("/sign-in/key", {"key": key, "next": "/runs"})
        assert (answer.status, answer.cookies, answer.field("next")) == (401, [], "/runs")
        assert answer.code in ("keys.missing", "keys.unknown")
        assert not key or key not in answer.text


@pytest.mark.parametrize(("by", "status"), [("key", 401), ("link", 403)])
async def test_wrong_keys_and_links_are_bounded_and_right_ones_are_not(by: str, status: int, tmp_path: Path) -> None:
    async with doors(tmp_path) as at:
        browser = at.browser()
        found = [(await browser.post(f"/sign-in/{by}", {by: "ilk_wrong"})).status for _ in range(60)]
        assert set(found) == {status, 429}
        assert found[-1] == 429
        assert (await browser.post("/sign-in/key", {"key": at.texts["maria"]})).status == 303


async def test_opening_a_link_changes_nothing_and_its_button_signs_in_once(tmp_path: Path) -> None:
    """Spec approvals 7: a link from a mail opens a page and does nothing else, however often it is opened."""
    async with doors(tmp_path) as at:
        key = await to_thread.run_sync(lambda: at.keys.find(at.texts["maria"], at.clock.wall_us()))
        link = at.sites[0].identity.links.make(key)
        browser = at.browser()
        pages = [await browser.get(f"/sign-in?link={link}") for _ in range(4)]
        assert {(page.status, page.field("link")) for page in pages} == {(200, link)}
        assert not browser.cookies
        assert (await browser.post("/sign-in/link", {"link": pages[0].field("link")})).status == 303
        assert ">maria<" in (await browser.get("/")).text
        again = await at.browser().post("/sign-in/link", {"link": link})
        assert (again.status, again.code, again.cookies) == (403, "auth.used", [])
        for wrong in ("", "x", link[:-2], link + "AA"):
            answer = await at.browser().post("/sign-in/link", {"link": wrong})
            assert (answer.status, answer.code) == (403, "auth.link")


async def test_a_session_that_is_used_goes_on_and_one_that_is_not_does_not(tmp_path: Path) -> None:
    async with doors(tmp_path, console={"idle_minutes": 10}) as at:
        browser = await at.signed_in()
        first = dict(browser.cookies)
        assert (await browser.get("/")).cookies == []
        at.clock.advance(AGAIN_S)
        [renewed] = (await browser.get("/")).cookies
        assert renewed.startswith(f"{COOKIE}=")
        assert browser.cookies != first
        for _ in range(3):
            at.clock.advance(599)
            assert (await browser.get("/")).status == 200
        at.clock.advance(601)
        assert (await browser.get("/")).status == 401


async def test_whoever_signs_in_again_has_one_session_and_the_one_before_is_over(tmp_path: Path) -> None:
    """As for what is privileged: to show anew who one is leaves nothing behind that could still be used."""
    async with doors(tmp_path) as at:
        browser = await at.signed_in()
        before = at.browser()
        before.cookies = dict(browser.cookies)
        assert (await before.get("/")).status == 200
        at.clock.advance(1000)
        assert (await browser.post("/sign-in/key", {"key": at.texts["maria"]})).status == 303
        who = await at.sites[0].admission.session(f"{COOKIE}={browser.cookies[COOKIE]}")
        assert reauthenticated(who, at.clock.wall_us(), 0)
        assert ((await browser.get("/")).status, (await before.get("/")).status) == (200, 401)


async def test_whose_keys_are_revoked_is_out_with_the_next_request(tmp_path: Path) -> None:
    async with doors(tmp_path) as at:
        browser = await at.signed_in()
        assert (await browser.get("/")).status == 200
        await to_thread.run_sync(at.keys.revoke, "maria", FIRST_TENANT)
        assert [(await browser.get("/")).status for _ in range(2)] == [401, 401]


async def test_nothing_but_signing_in_is_open_to_nobody(tmp_path: Path) -> None:
    """T20: of what this file adds, every page that is not there to sign in by asks for a session."""
    async with doors(tmp_path) as at:
        browser = at.browser()
        for path in ("/sign-out", "/sign-in/", "/sign-in/key", "/sign-in/link", "/sign-in/other"):
            assert (await browser.get(path)).status == 401, path
        for path in ("/sign-out", "/sign-in", "/sign-in/oidc", "/sign-in/callback"):
            assert (await browser.post(path, {})).status == 401, path


async def test_where_no_issuer_is_set_up_nobody_is_sent_to_one(tmp_path: Path) -> None:
    async with doors(tmp_path) as at:
        assert "oidc" not in (await at.browser().get("/sign-in")).text
        for path in ("/sign-in/oidc", "/sign-in/callback?code=x&state=y"):
            answer = await at.browser().get(path)
            assert (answer.status, answer.header("location"), answer.cookies) == (404, "", [])


@pytest.mark.parametrize(
    "said",
    ["", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/a\nb", "/é",
     "/" + "x" * 3000, "/sign-out", "/sign-in/oidc", " /x"],
)  # fmt: skip
def test_nobody_is_led_anywhere_else_by_signing_in(said: str) -> None:
    """T12: open redirects."""
    assert onward(said) == "/"


def test_whoever_signs_in_goes_on_where_they_wanted_to() -> None:
    assert onward("/runs?tool=refund&page=2") == "/runs?tool=refund&page=2"


async def test_what_a_page_of_signing_in_was_given_is_shown_as_a_text(tmp_path: Path) -> None:
    """T25: markup in an address."""
    async with doors(tmp_path) as at:
        for path in ('/sign-in?link="><script>alert(1)</script>', '/sign-in?next=/"><script>alert(1)</script>'):
            page = await at.browser().get(path.replace('"', "%22").replace("<", "%3C").replace(">", "%3E"))
            assert "<script>alert" not in page.text
            assert len(re.findall("<script", page.text)) == 1


async def test_a_person_of_one_tenant_sees_nothing_of_anothers_by_signing_in(tmp_path: Path) -> None:
    """T35."""
    async with doors(tmp_path) as at:
        other = Principal("maria", "other", frozenset({"viewer"}))
        at.texts["other"] = await at.key(other)
        browser = await at.signed_in("other")
        who = await at.sites[0].admission.session("; ".join(f"{k}={v}" for k, v in browser.cookies.items()))
        assert (who.principal, who.tenant) == (other, "other")
        assert who.by == "session"
