"""Signing in with an issuer of OpenID Connect over HTTP, before two workers, and everything that must not sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from anyio import to_thread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.api.oidc import COOKIE as LOGIN
from interlock.api.oidc import LIFE_S
from interlock.api.sessions import COOKIE, reauthenticated
from interlock.api.who import Who
from interlock.console_settings import ConsoleSettings
from interlock.core.principal import Principal
from interlock.errors import SettingsError
from interlock.gateway.tokens import principal_id
from interlock.private_files import write_private
from interlock.testing import FrozenClock
from tests.api.browsing import ORIGIN, Answer, Browser, Doors, doors
from tests.api.provider import CLIENT, KEY, OTHER_KEY, SECRET, Provider, providing
from tests.gateway.issued import Issuer

GROUPS = [{"group": "on-call", "roles": ["approver", "operator"]}, {"group": "audit", "roles": ["viewer"]}]

pytestmark = pytest.mark.anyio


@dataclass
class Scene:
    """A deployment, its issuer, and people before both."""

    doors: Doors
    provider: Provider

    async def left(self, browser: Browser, path: str = "/sign-in/oidc?next=/runs") -> str:
        """Leave for the issuer; the address that it sends the browser back to, with the path and query alone."""
        answer = await browser.get(path)
        assert answer.status == 303, answer.text
        return await self.back(answer.header("location"))

    async def back(self, url: str) -> str:
        """What the issuer answers a browser with that comes to it."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            got = await http.get(url)
        assert got.status_code == 302, got.text
        parts = urlsplit(got.headers["location"])
        assert f"{parts.scheme}://{parts.netloc}" == ORIGIN
        return f"{parts.path}?{parts.query}"

    async def signed_in(self, path: str = "/sign-in/oidc?next=/runs") -> tuple[Browser, Answer]:
        """Somebody who goes all the way."""
        browser = self.doors.browser()
        return browser, await browser.get(await self.left(browser, path))

    async def who(self, browser: Browser) -> Who:
        """Whose the browser's requests are, in either worker."""
        cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
        found = [await site.admission.session(cookie) for site in self.doors.sites]
        assert found[0] == found[1]
        return found[0]


@asynccontextmanager
async def scene(folder: Path, **oidc: Any) -> AsyncIterator[Scene]:
    clock = FrozenClock()
    await to_thread.run_sync(write_private, folder / "oidc.secret", SECRET.encode())
    async with providing(clock, f"{ORIGIN}/sign-in/callback") as provider:
        said = {
            "issuer": provider.url, "client_id": CLIENT, "client_secret_file": "oidc.secret", "groups": GROUPS,
            "reach": ["127.0.0.1"], "name": "Example Ltd", **oidc,
        }  # fmt: skip
        async with doors(folder, clock, console={"public_url": ORIGIN, "oidc": said}) as at:
            yield Scene(at, provider)


def refused(answer: Answer, code: str) -> None:
    """Nobody is signed in, and the page says why."""
    assert answer.code == code, answer.text
    assert answer.status >= 400
    assert not [each for each in answer.cookies if each.startswith(f"{COOKIE}=")]


async def test_somebody_signs_in_with_their_issuer_and_is_known_to_every_worker(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        assert "Example Ltd" in (await at.doors.browser().get("/sign-in")).text
        browser, answer = await at.signed_in()
        assert answer.status == 200
        assert 'content="0; url=/runs"' in answer.text, "a redirect would come without the cookie that it sets"
        assert set(browser.cookies) == {COOKIE}, "the login's own is of no use any more"
        assert all("Secure" in each and "HttpOnly" in each for each in answer.cookies)
        assert {(await browser.get("/")).status for _ in range(4)} == {200}
        who = await at.who(browser)
        assert who.principal == Principal("gina", roles=frozenset({"approver", "operator"}))
        who.require("decide")
        [asked] = at.provider.asked
        assert (asked["code_challenge_method"], asked["scope"], asked["response_type"]) == ("S256", "openid", "code")
        assert "prompt" not in asked
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
        [redeemed] = at.provider.redeemed
        assert redeemed["code_verifier"] not in str(asked)


async def test_the_cookie_of_a_login_comes_back_from_another_site_and_says_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        browser = at.doors.browser()
        answer = await browser.get("/sign-in/oidc")
        [cookie] = answer.cookies
        assert cookie.startswith(f"{LOGIN}=")
        assert all(word in cookie for word in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"))
        said = parse_qs(urlsplit(answer.header("location")).query)
        assert all(value[0] not in cookie for name, value in said.items() if len(value[0]) > 16 and name != "scope")


async def test_a_callback_of_another_browsers_login_signs_nobody_in(tmp_path: Path) -> None:
    """T12: whoever is led to a callback that somebody else's login made is not signed in as them."""
    async with scene(tmp_path) as at:
        attacker, victim = at.doors.browser(), at.doors.browser()
        back = await at.left(attacker)
        refused(await victim.get(back), "oidc.browser")
        await victim.get("/sign-in/oidc")
        refused(await victim.get(back), "oauth.state")
        assert at.provider.redeemed == [], "the code went nowhere"


@pytest.mark.parametrize("codes_again", [False, True])
async def test_a_callback_that_comes_twice_signs_in_once(codes_again: bool, tmp_path: Path) -> None:
    """T12: also where the issuer redeems a code twice, and whichever worker it comes to."""
    async with scene(tmp_path) as at:
        at.provider.codes_again = codes_again
        browser = at.doors.browser()
        back = await at.left(browser)
        kept = dict(browser.cookies)
        assert (await browser.get(back)).status == 200
        for _ in range(2):
            thief = at.doors.browser()
            thief.cookies = dict(kept)
            refused(await thief.get(back), "auth.used" if codes_again else "oauth.over")


async def test_a_login_must_come_back_within_ten_minutes(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        browser = at.doors.browser()
        back = await at.left(browser)
        at.doors.clock.advance(LIFE_S)
        refused(await browser.get(back), "oidc.browser")


@pytest.mark.parametrize(
    ("what", "claims", "code"),
    [
        ("the nonce of another login", {"nonce": "n" * 43}, "oidc.token"),
        ("no nonce", {"nonce": None}, "oidc.token"),
        ("a nonce that is no text", {"nonce": 7}, "oidc.token"),
        ("another audience", {"aud": "another"}, "token.refused"),
        ("the gateway's audience", {"aud": "https://gateway.example/mcp"}, "token.refused"),
        ("several audiences, and nobody named", {"aud": [CLIENT, "another"]}, "oidc.token"),
        ("given to another party", {"azp": "another"}, "oidc.token"),
        ("another issuer", {"iss": "https://evil.example"}, "token.refused"),
        ("no issuer", {"iss": None}, "token.refused"),
        ("past", {"exp": 1}, "token.refused"),
        ("no end", {"exp": None}, "token.refused"),
        ("not yet", {"nbf": 4_000_000_000}, "token.refused"),
        ("made in times to come", {"iat": 4_000_000_000}, "token.refused"),
        ("nobody", {"sub": None}, "token.refused"),
        ("a subject that is no text", {"sub": 7}, "token.refused"),
        ("an empty one", {"sub": ""}, "token.refused"),
        ("in no group", {"groups": []}, "oidc.nobody"),
        ("in another group", {"groups": ["on-call2", "ON-CALL", " on-call"]}, "oidc.nobody"),
        ("groups that are none", {"groups": {"on-call": True}}, "oidc.nobody"),
        ("no groups", {"groups": None}, "oidc.nobody"),
    ],
)
async def test_an_id_token_that_is_not_of_this_login_signs_nobody_in(
    what: str, claims: dict[str, Any], code: str, tmp_path: Path
) -> None:
    """T14, T24: each of what makes a token somebody else's, or nobody's."""
    async with scene(tmp_path) as at:
        at.provider.claims = claims
        refused((await at.signed_in())[1], code)
        at.provider.claims = {}
        assert (await at.signed_in())[1].status == 200, what


@pytest.mark.parametrize(
    ("key", "algorithm"), [(OTHER_KEY, "RS256"), (KEY, "RS512"), ("s" * 32, "HS256"), ("", "none")]
)
async def test_an_id_token_that_its_issuer_did_not_sign_signs_nobody_in(
    key: Any, algorithm: str, tmp_path: Path
) -> None:
    """T14."""
    async with scene(tmp_path) as at:
        at.provider.key, at.provider.algorithm = key, algorithm
        refused((await at.signed_in())[1], "token.refused")


@pytest.mark.parametrize(
    ("callback", "code"),
    [
        ({"iss": "https://evil.example"}, "oauth.issuer"), ({"iss": None}, "oauth.issuer"),
        ({"state": "x" * 43}, "oauth.state"), ({"state": None}, "oauth.state"), ({"code": None}, "oauth.callback"),
    ],
)  # fmt: skip
async def test_a_callback_that_is_not_the_issuers_own_signs_nobody_in(
    callback: dict[str, str | None], code: str, tmp_path: Path
) -> None:
    """T12: mix-up."""
    async with scene(tmp_path) as at:
        at.provider.callback = callback
        _, answer = await at.signed_in()
        refused(answer, code)
        assert [each.partition(";")[0] for each in answer.cookies] == [f"{LOGIN}="], "a login that ended is over"
        assert at.provider.redeemed == []


async def test_callbacks_that_sign_nobody_in_are_bounded(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        browser = at.doors.browser()
        found = [(await browser.get("/sign-in/callback?code=x&state=y")).status for _ in range(60)]
        assert found[0] == 403 and found[-1] == 429


async def test_what_an_issuer_refuses_is_said_and_its_own_words_are_not(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.provider.refuses = "access_denied"
        _, answer = await at.signed_in()
        refused(answer, "oauth.refused")
        assert "access_denied" in answer.text
        at.provider.refuses = "<b>call this number</b>"
        _, answer = await at.signed_in()
        assert "number" not in answer.text


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"issuer": "https://evil.example"}, "oauth.issuer"),
        ({"authorization_endpoint": "http://evil.example/a"}, "oauth.metadata"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "oauth.metadata"),
        ({"token_endpoint": None}, "oauth.metadata"),
        ({"jwks_uri": "http://169.254.169.254/keys"}, "oauth.metadata"),
    ],
)
async def test_metadata_that_lead_elsewhere_send_nobody_anywhere(
    metadata: dict[str, Any], code: str, tmp_path: Path
) -> None:
    async with scene(tmp_path) as at:
        at.provider.metadata = metadata
        answer = await at.doors.browser().get("/sign-in/oidc")
        refused(answer, code)
        assert (answer.header("location"), answer.cookies) == ("", [])


async def test_an_issuer_that_cannot_be_reached_is_said_so_and_keys_still_sign_in(tmp_path: Path) -> None:
    async with scene(tmp_path, issuer="http://127.0.0.1:9") as at:
        answer = await at.doors.browser().get("/sign-in/oidc")
        assert (answer.status, answer.header("location")) == (502, "")
        assert (await at.doors.signed_in()).cookies


async def test_whoever_must_show_who_they_are_anew_is_asked_by_their_issuer_and_a_lie_is_found(tmp_path: Path) -> None:
    """Spec approvals 7: re-authentication for what is privileged."""
    async with scene(tmp_path) as at:
        start_s = at.doors.clock.wall_us() // 1_000_000
        at.provider.claims = {"auth_time": start_s}
        at.doors.clock.advance(3600)
        browser, _ = await at.signed_in()
        assert not reauthenticated(await at.who(browser), at.doors.clock.wall_us(), 900), "they did so an hour ago"
        refused((await at.signed_in("/sign-in/oidc?anew=1"))[1], "oidc.token")
        assert (at.provider.asked[-1]["prompt"], at.provider.asked[-1]["max_age"]) == ("login", "0")
        for lie in (None, "now", True, -1, 1e300):
            at.provider.claims = {"auth_time": lie}
            refused((await at.signed_in("/sign-in/oidc?anew=1"))[1], "oidc.token")
            at.provider.claims = {"auth_time": lie}
            browser, _ = await at.signed_in()
            assert not reauthenticated(await at.who(browser), at.doors.clock.wall_us(), 900)
        at.provider.claims = {}
        browser, answer = await at.signed_in("/sign-in/oidc?anew=1")
        assert answer.status == 200
        assert reauthenticated(await at.who(browser), at.doors.clock.wall_us(), 900)


async def test_whose_people_they_are_a_claim_may_say_and_one_without_it_is_nobodys(tmp_path: Path) -> None:
    """T35."""
    async with scene(tmp_path, tenant_claim="org") as at:
        at.provider.claims = {"org": "north"}
        browser, _ = await at.signed_in()
        assert (await at.who(browser)).tenant == "north"
        for wrong in (None, "", 7, ["north"], "n" * 101, "a\nb"):
            at.provider.claims = {"org": wrong}
            refused((await at.signed_in())[1], "oidc.tenant")


async def test_an_issuers_person_who_is_called_like_somebody_with_a_key_is_refused(tmp_path: Path) -> None:
    """T24: one who could be two, or two who could be one."""
    async with scene(tmp_path) as at:
        at.provider.subject = "maria"
        refused((await at.signed_in())[1], "auth.taken")


async def test_a_subject_that_may_not_stand_in_the_ledger_stands_there_under_a_name_made_of_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for subject in ("gina@example.com", "auth0|5f7c8ec7", "Gina Müller", "-x"):
            at.provider.subject = subject
            browser, _ = await at.signed_in()
            who = await at.who(browser)
            assert who.principal.id == principal_id(subject)
            assert who.principal.id.startswith("sub-")
    assert principal_id("248289761001") == "248289761001"
    assert len({principal_id(each) for each in ("a@b", "a@c", "A@b")}) == 3


async def test_people_of_an_issuer_are_entitled_at_every_worker_while_their_session_could_last(tmp_path: Path) -> None:
    """T24: the gates ask anew whether an approver still is one."""
    async with scene(tmp_path) as at:
        gina = Principal("gina", roles=frozenset({"approver", "operator"}))
        people = [site.plane.plane.approvals.entitlement.people for site in at.doors.sites]
        assert [await each.now(gina) for each in people] == [None, None]
        await at.signed_in()
        assert [await each.now(gina) for each in people] == [gina, gina]
        at.doors.clock.advance(12 * 3600)
        assert [await each.now(gina) for each in people] == [None, None]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_change_of_a_logins_cookie_ends_one(data: st.DataObject, tmp_path_factory: Any) -> None:
    """T12."""
    async with scene(tmp_path_factory.mktemp("login")) as at:
        browser = at.doors.browser()
        back = await at.left(browser)
        right = browser.cookies[LOGIN]
        for _ in range(10):
            place = data.draw(st.integers(0, len(right) - 1))
            changed = right[:place] + data.draw(st.sampled_from("AZaz09-_")) + right[place + 1 :]
            browser.cookies = {LOGIN: data.draw(st.sampled_from([changed, right[:place], right[place:] + "A"]))}
            if browser.cookies[LOGIN] != right:
                refused(await browser.get(back), "oidc.browser")


# ------------------------------------------------------------------------------------------------- tokens at the API

API = "https://console.example/api"


async def test_a_token_for_the_gateway_opens_nothing_of_the_api(tmp_path: Path) -> None:
    """T24: the audience of an agent is another one."""
    issued, clock = Issuer(), FrozenClock()
    await to_thread.run_sync(issued.publish, tmp_path / "jwks.json")
    tokens = {
        "issuer": "https://login.example", "audience": API, "jwks_file": "jwks.json",
        "scopes": [{"scope": "see", "opens": ["read"], "roles": ["viewer"]},
                   {"scope": "decide", "opens": ["console"], "roles": ["approver"]},
                   {"scope": "call", "opens": ["tools"], "roles": ["support"]}],
    }  # fmt: skip
    async with doors(tmp_path, clock, console={"tokens": tokens}) as at:
        now_s = clock.wall_us() / 1_000_000

        async def asked(**claims: Any) -> Who:
            return await at.sites[1].admission.bearer(f"Bearer {issued.token(now_s, aud=API, **claims)}")

        who = await asked(scope="openid see")
        assert (who.by, who.scopes, who.principal.roles) == ("token", {"read"}, {"viewer"})
        assert not reauthenticated(who, clock.wall_us(), 900), "nobody knows how old a token's login is"
        assert (await asked(scope="decide")).scopes == {"console"}
        agent = await asked(scope="decide call")
        assert agent.scopes == {"tools"}, "what opens tools decides nothing"
        assert not agent.may("decide")
        service = await asked(scope="decide", client_id="ada")
        assert (service.scopes, service.principal.kind) == (frozenset(), "service")
        browser = at.browser()
        for audience in ("https://gateway.example/mcp", "https://console.example", "https://console.example/api/"):
            token = issued.token(now_s, aud=audience, scope="see decide")
            answer = await browser.get("/api/v1/nothing", authorization=f"Bearer {token}")
            assert answer.status == 401, audience
        token = issued.token(now_s, aud=API, scope="see")
        assert (await browser.get("/api/v1/nothing", authorization=f"Bearer {token}")).status == 404


async def test_a_deployment_whose_api_took_the_gateways_tokens_does_not_start(tmp_path: Path) -> None:
    """T24."""
    oauth = {"issuer": "https://login.example", "audience": API, "jwks_file": "jwks.json"}
    with pytest.raises(SettingsError) as error:
        async with doors(tmp_path, gateway={"oauth": oauth}, console={"tokens": oauth}):
            pass
    assert error.value.code == "console.audience"


@pytest.mark.parametrize(
    "said",
    [
        {"public_url": "http://console.example"}, {"public_url": "https://console.example/path"},
        {"public_url": "https://user:x@console.example"}, {"public_url": "console.example"},
        {"oidc": {"issuer": "https://login.example", "client_id": "x", "groups": GROUPS}},
        {"public_url": ORIGIN, "oidc": {"issuer": "http://login.example", "client_id": "x", "groups": GROUPS}},
        {"public_url": ORIGIN, "oidc": {"issuer": "https://login.example", "client_id": "x", "groups": []}},
        {"public_url": ORIGIN, "oidc": {"issuer": "https://login.example", "client_id": "", "groups": GROUPS}},
        {"tokens": {"issuer": "https://login.example", "audience": API, "jwks_file": "k",
                    "scopes": [{"scope": "x", "opens": ["tools", "console"]}]}},
        {"tokens": {"issuer": "https://login.example", "audience": API, "jwks_file": "k",
                    "scopes": [{"scope": "x", "opens": ["attest:words", "console"]}]}},
        {"session_hours": 25}, {"idle_minutes": 0}, {"privileged_reauth_minutes": 0}, {"view_min_ms": -1}, {"typo": 1},
    ],
)  # fmt: skip
def test_settings_that_would_let_somebody_in_by_mistake_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ConsoleSettings.model_validate(said)
