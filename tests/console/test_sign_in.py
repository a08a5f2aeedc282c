"""Signing in and out with a real browser, which keeps cookies and sends them by rules of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from interlock.api.links import link_url
from interlock.core.clock import SystemClock
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.keys import CONSOLE, Keys
from interlock.private_files import write_private
from tests.api.provider import CLIENT, SECRET, providing
from tests.console.stand import stand, window

MARIA = Principal("maria", roles=frozenset({"approver"}))


def test_somebody_signs_in_with_their_key_and_out_again(browser: Browser, tmp_path: Path) -> None:
    """T25: a form of ours says where it comes from, or the gate would not take it."""
    key = Keys(tmp_path / "keys.json").add(MARIA, (CONSOLE,))
    with stand(tmp_path, lambda far: [], sign_in=True) as at, window(browser, at, None) as seen:
        page = seen.go("/sign-in?next=/%3Fa=1")
        page.get_by_label("Your key").fill(key)
        page.get_by_role("button", name="Sign in with a key").click()
        page.wait_for_url(f"{at.url}/?a=1")
        [cookie] = page.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
            "__Host-interlock", True, True, "Strict",
        )  # fmt: skip
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{at.url}/sign-in")
        assert page.context.cookies() == []


def test_a_link_has_a_button_and_that_signs_in(browser: Browser, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    keys.add(MARIA, (CONSOLE,))
    [key] = keys.all().values()
    with stand(tmp_path, lambda far: [], sign_in=True) as at, window(browser, at, None) as seen:
        page = seen.go(link_url("", at.site.identity.links.make(key)))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{at.url}/")
        seen.listening()
        keys.revoke("maria", FIRST_TENANT)
        seen.wrong.clear()
        assert page.reload().status == 401  # type: ignore[union-attr]  # it was reached
        seen.wrong.clear()  # the browser says that it was answered 401


@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_signs_in_with_an_issuer_of_another_site_and_the_session_is_there_at_once(
    scripts: bool, browser: Browser, tmp_path: Path
) -> None:
    """The way back comes from another site, and no browser sends a strict cookie along with that."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    write_private(tmp_path / "oidc.secret", SECRET.encode())
    Keys(tmp_path / "keys.json").add(Principal("root", roles=frozenset({"admin"})), (CONSOLE,))
    with socket.create_server(("127.0.0.1", 0)) as free:
        issuer_port = free.getsockname()[1]
    oidc = {
        "issuer": f"http://localhost:{issuer_port}", "client_id": CLIENT, "client_secret_file": "oidc.secret",
        "groups": [{"group": "on-call", "roles": ["approver"]}], "reach": ["localhost", "127.0.0.1", "::1"],
    }  # fmt: skip
    console = {"public_url": url, "oidc": oidc}
    with stand(tmp_path, lambda far: [], sign_in=True, port=port, console=console) as at:
        issuing = providing(SystemClock(), f"{url}/sign-in/callback", port=issuer_port, name="localhost")
        with at.portal.wrap_async_context_manager(issuing) as provider:
            context = browser.new_context(java_script_enabled=scripts)
            page = context.new_page()
            page.goto(f"{url}/?a=1")
            page.get_by_role("link", name="Sign in").click()
            page.get_by_role("link", name="Sign in with your organisation").click()
            page.wait_for_url(f"{url}/")
            assert page.get_by_role("heading", name="Inbox").is_visible()
            assert [cookie["name"] for cookie in context.cookies()] == ["__Host-interlock"]
            assert page.locator(".who").inner_text() == "gina"
            context.close()
        assert len(provider.redeemed) == 1


def test_a_link_of_another_site_to_a_page_finds_whoever_is_signed_in_after_one_step(
    browser: Browser, tmp_path: Path
) -> None:
    """Spec approvals 7: a link from a mail opens a page. A strict cookie does not come with it, but then."""
    key = Keys(tmp_path / "keys.json").add(MARIA, (CONSOLE,))
    with stand(tmp_path, lambda far: [], sign_in=True) as at, window(browser, at, None) as seen:
        page = seen.go("/sign-in")
        page.get_by_label("Your key").fill(key)
        page.get_by_role("button", name="Sign in with a key").click()
        page.wait_for_url(f"{at.url}/")
        seen.go("/sign-in?next=/%3Ffrom=mail")
        page.get_by_role("link", name="Signed in already").click()
        page.wait_for_url(f"{at.url}/?from=mail")
        assert page.get_by_role("heading", name="Inbox").is_visible()


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in?next=/runs", "/sign-in?link=abc"])
def test_the_page_of_signing_in_can_be_used_by_everybody(path: str, browser: Browser, tmp_path: Path) -> None:
    with (
        stand(tmp_path, lambda far: [], sign_in=True) as at,
        window(browser, at, None) as seen,
    ):
        seen.go(path)
        seen.accessible()
        seen.fits()
