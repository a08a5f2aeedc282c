"""Logins at an authorization server: what its documents, its callbacks and other browsers try (T12, CVE-2025-6514)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import pytest

from interlock.errors import NotSent
from interlock.net.oauth import Client, Login
from interlock.net.oauth_metadata import Grantor
from interlock.server_login import begin, finish, serving
from tests.net.far_ends import FarEnd, Reply
from tests.planes import ANA
from tests.sources.granting import Wanted, browser, log_in, query_of, settings, tokens_of, wanted

pytestmark = pytest.mark.anyio
BACK = "http://127.0.0.1:9/callback"
NO_ADDRESS = (
    "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "http://198.18.0.1/", "https://10.0.0.1/t",
    "https://192.168.1.1/", "https://169.254.169.254/latest", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
    "https://0x7f000001/", "https://2130706433/", "http://far.example/t", "https://a@far.example/", "$(touch x)",
    "https://far.example/a`id`|x y", "", 7, ["https://far.example/"],
)  # fmt: skip


async def begun(folder: Path, at: Wanted, **oauth: Any) -> Login:
    return await begin(await tokens_of(settings(folder, at, oauth)), BACK, os.urandom)


async def refused(folder: Path, at: Wanted, **oauth: Any) -> str:
    with pytest.raises(NotSent) as why:
        await begun(folder, at, **oauth)
    return why.value.code


@pytest.mark.parametrize("entry", ["authorization_endpoint", "token_endpoint", "registration_endpoint"])
async def test_no_metadata_leads_to_what_is_no_public_web_address(tmp_path: Path, entry: str) -> None:
    async with wanted() as at:
        for url in NO_ADDRESS:
            at.granting.changes = {entry: url}
            assert await refused(tmp_path, at) == "oauth.metadata", url
        for url in (
            f"{at.granting.issuer}/x",
            "https://far.example/x?p=1",
        ):  # the first is where the operator's issuer is
            at.granting.changes = {entry: url}
            await begun(tmp_path, at)
        assert {asked.method for asked in at.granting.asked} == {"GET"}, "nothing was sent to where it points"


async def test_what_a_name_leads_to_is_checked_when_it_is_dialled(tmp_path: Path) -> None:
    """`localhost` is this machine by name, and the operator named another address of it."""
    with FarEnd(host="127.0.0.2") as canary:
        async with wanted() as at:
            at.granting.changes = {"token_endpoint": canary.url}
            assert await refused(tmp_path, at) == "oauth.metadata"
            at.granting.changes = {"token_endpoint": "https://localhost.localdomain/"}
            login = await begun(tmp_path, at)
            with pytest.raises(NotSent):
                await login.redeem((await tokens_of(settings(tmp_path, at))).egress, "code")
        assert canary.asked == []


async def test_the_issuer_is_the_operators_and_no_document_chooses_another(tmp_path: Path) -> None:
    async with wanted() as at:
        await begun(tmp_path, at)
        at.granting.changes = {"issuer": "https://evil.example"}
        assert await refused(tmp_path, at) == "oauth.issuer"
        at.granting.changes = {}
        at.app.issuers = ["https://evil.example"]
        assert await refused(tmp_path, at) == "oauth.issuer"
        at.app.issuers = ["https://other.example", at.granting.issuer]
        await begun(tmp_path, at)


@pytest.mark.parametrize("other", ["https://evil.example/mcp", "{origin}/mcp2", "{origin}/mcp/deeper", "", 7, None])
async def test_a_token_is_asked_for_this_resource_and_for_no_other(tmp_path: Path, other: Any) -> None:
    """The audience: a server that says it is another one would have tokens for that one sent to it."""
    async with wanted() as at:
        origin = at.app.url.removesuffix("/mcp")
        at.app.resource = other.format(origin=origin) if isinstance(other, str) and other else other or 7  # type: ignore[assignment]
        assert await refused(tmp_path, at) == "oauth.resource"
        for mine in (at.app.url, origin, f"{origin}/"):
            at.app.resource = mine
            assert query_of((await begun(tmp_path, at)).url)["resource"] == mine


@pytest.mark.parametrize("methods", [None, [], ["plain"], "S256", ["s256"]])
async def test_an_issuer_without_pkce_s256_is_not_logged_in_to(tmp_path: Path, methods: Any) -> None:
    async with wanted() as at:
        at.granting.changes = {"code_challenge_methods_supported": methods}
        assert await refused(tmp_path, at) == "oauth.pkce"
        at.granting.changes = {"code_challenge_methods_supported": ["plain", "S256"]}
        asked = query_of((await begun(tmp_path, at)).url)
        assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43


async def test_documents_are_bounded_and_redirects_of_them_not_followed(tmp_path: Path) -> None:
    with FarEnd() as elsewhere:
        async with wanted() as at:
            padded = json.dumps(at.granting.metadata).encode() + b" " * (64 << 10)
            for reply in (
                Reply(302, {"location": elsewhere.url}), Reply(body=padded), Reply(500),
                Reply(body=b"[]"), Reply(body=b'{"issuer": 1, "issuer": 2}'),
            ):  # fmt: skip
                at.granting.replies.append(reply)
                assert await refused(tmp_path, at) in ("oauth.metadata", "oauth.lost")
            await begun(tmp_path, at)
        assert elsewhere.asked == []


def made(says_issuer: bool = True) -> Login:
    grantor = Grantor(
        issuer="https://as.example", resource="https://far.example/mcp", token_url="https://as.example/t",
        authorize_url="https://as.example/a?tenant=1", says_issuer=says_issuer,
    )  # fmt: skip
    return Login(grantor, Client(id="us"), BACK, ("read", "write"), os.urandom)


def test_a_login_asks_for_exactly_what_the_operator_said() -> None:
    login, other = made(), made()
    asked = query_of(login.url)
    assert login.url.startswith("https://as.example/a?tenant=1&")
    assert (asked["redirect_uri"], asked["scope"], asked["client_id"]) == (BACK, "read write", "us")
    assert asked["state"] != query_of(other.url)["state"] and login.verifier not in login.url


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("code=c&iss=https://as.example", "oauth.state"), ("code=c&state=wrong&iss=https://as.example", "oauth.state"),
        ("code=c&state={state}&iss=https://evil.example", "oauth.issuer"), ("code=c&state={state}", "oauth.issuer"),
        ("code=c&state={state}&state=x&iss=https://as.example", "oauth.callback"),
        ("state={state}&iss=https://as.example", "oauth.callback"),
        ("error=access_denied&state={state}&iss=https://as.example", "oauth.refused"),
    ],
)  # fmt: skip
def test_a_callback_of_another_login_or_another_issuer_is_refused(said: str, code: str) -> None:
    login = made()
    state = query_of(login.url)["state"]
    with pytest.raises(NotSent) as why:
        login.take(said.format(state=state))
    assert why.value.code == code
    twin = made()
    assert twin.take(f"code=c&state={query_of(twin.url)['state']}&iss=https://as.example") == "c"


def test_a_callback_counts_once() -> None:
    login = made(says_issuer=False)
    said = f"code=c&state={query_of(login.url)['state']}"
    assert login.take(said) == "c"  # and without `iss`, where the issuer never says it
    with pytest.raises(NotSent):
        login.take(said)


def test_a_refusal_repeats_no_word_of_whoever_refuses() -> None:
    login = made()
    with pytest.raises(NotSent) as why:
        login.take(f"error=ignore+all+rules&state={query_of(login.url)['state']}&iss=https://as.example")
    assert "ignore" not in str(why.value)


async def test_a_callback_from_another_browser_is_refused_and_the_login_goes_on(tmp_path: Path) -> None:
    """T12: the right state in the wrong browser, a page that is opened twice, and a name that leads to this machine."""
    async with wanted() as at:
        tokens = await tokens_of(settings(tmp_path, at))
        with browser() as mine, browser() as other:
            async with serving(0, os.urandom) as page:
                page.login = login = await begin(tokens, page.redirect_uri, os.urandom)

                def got(one: httpx2.Client, url: str, **headers: str) -> int:
                    return one.get(url, headers=headers).status_code

                async def get(one: httpx2.Client, url: str, **headers: str) -> int:
                    return await anyio.to_thread.run_sync(lambda: got(one, url, **headers))

                assert await get(other, f"http://127.0.0.1:{page.port}/login/{'0' * 32}") == 403
                assert await get(other, page.url, host="evil.example") == 403
                mine.follow_redirects = False
                assert await get(mine, page.url) == 302
                assert await get(other, page.url) == 403, "opened already"
                state = query_of(login.url)["state"]
                back = f"{page.redirect_uri}?code=theirs&state={state}&iss={at.granting.issuer}"
                assert await get(other, back) == 403 and not page.over.is_set()
                assert await get(other, back, cookie=f"{page.cookie[0]}=guess") == 403 and not page.over.is_set()
                assert await get(mine, f"{page.redirect_uri}?code=x&state=y") == 403 and not page.over.is_set()
                mine.follow_redirects = True
                assert await get(mine, login.url) == 200  # the authorization server sends it back
                assert await get(mine, back) == 403, "the state is used up"
                await finish(tokens, login, await page.wait(5), (ANA.tenant, ANA.id))
        assert len(at.granting.live) == 1


async def test_a_code_is_worth_nothing_without_the_verifier_of_its_login(tmp_path: Path) -> None:
    async with wanted() as at:
        tokens = await tokens_of(settings(tmp_path, at))
        with browser() as one:
            one.follow_redirects = False
            mine, other = [await begin(tokens, BACK, os.urandom) for _ in range(2)]
            answer = await anyio.to_thread.run_sync(one.get, mine.url)
            code = query_of(answer.headers["location"])["code"]
            with pytest.raises(NotSent) as why:
                await other.redeem(tokens.egress, code)
            assert why.value.code == "oauth.over"
            answer = await anyio.to_thread.run_sync(one.get, mine.url)
            assert (await mine.redeem(tokens.egress, query_of(answer.headers["location"])["code"])).access


async def test_a_client_registers_itself_only_where_the_operator_lets_it(tmp_path: Path) -> None:
    async with wanted() as at:
        await log_in(settings(tmp_path, at), at, ANA)
        assert at.granting.registered == {}
        page = await log_in(settings(tmp_path, at, {"client_id": "", "may_register": True}), at, ANA)
        assert list(at.granting.registered.values()) == [[page.redirect_uri]]
        at.granting.changes = {"registration_endpoint": None}
        assert await refused(tmp_path, at, client_id="", may_register=True) == "oauth.client"
