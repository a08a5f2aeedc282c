"""The stop switch in the console."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from interlock.policy.flags import Scope
from tests.console.hostile import HOSTILE, unharmed
from tests.console.posting import get, post
from tests.console.stand import ADA, EVE, VERA, Stand, window
from tests.planes import ANA, BOB, OPA


def test_a_tool_is_stopped_within_one_call_and_every_page_says_so(browser: Browser, console: Stand) -> None:
    """B19."""
    with window(browser, console, OPA) as opa, window(browser, console, VERA) as watching:
        page, other = opa.go("/stop"), watching.go("/")
        opa.accessible()
        watching.listening()
        page.check("#scope-tool")
        page.fill("#target", "note")
        page.fill("#reason", "the far end is down")
        page.click("#ask")
        expect(page.locator("main")).to_contain_text("Stop this?")
        assert "check the spelling" in page.inner_text("main")
        assert console.call(ANA, "note", n=1)[1].done, "asking stops nothing"
        page.click("#do-turn")
        expect(page.locator("#stopped")).to_contain_text("the far end is down")
        expect(page.locator("#turns")).to_contain_text("opa")
        expect(other.locator("#stops")).to_contain_text("Stopped: the tool note")
        watching.accessible()
        assert console.call(ANA, "note", n=1)[1].kind == "refused"
        opa.fits()
        page.click("#stopped button")
        page.click("#do-turn")
        expect(page.locator("#stopped")).to_contain_text("Nothing is stopped")
        expect(other.locator("#stops")).to_be_empty()
        assert console.call(ANA, "note", n=1)[1].done


def test_who_does_not_operate_turns_nothing_and_another_tenant_sees_nothing(console: Stand) -> None:
    stop = [("act", "stop"), ("scope", "tool"), ("target", "note"), ("reason", "x")]
    for person in (VERA, BOB):
        assert post(console, person, "/stop", stop).status == 403
        assert post(console, person, "/stop/turn", stop).status == 403
        assert 'id="ask"' not in get(console, person, "/stop").text
    everything = [("act", "stop"), ("scope", "all"), ("target", ""), ("reason", "x")]
    assert post(console, EVE, "/stop/turn", everything).status == 403
    assert console.call(ANA, "note", n=1)[1].done
    assert post(console, ADA, "/stop/turn", stop).status == 303
    assert "Stopped:" not in get(console, EVE, "/").text and "note" not in get(console, EVE, "/stop").text
    other = [("act", "stop"), ("scope", "tenant"), ("target", "other"), ("reason", "secret reason")]
    assert post(console, ADA, "/stop/turn", other).status == 303
    assert "secret reason" in get(console, EVE, "/stop").text


def test_a_stop_says_what_and_why(console: Stand) -> None:
    for fields in (
        [("act", "stop"), ("scope", "tool"), ("target", ""), ("reason", "x")],
        [("act", "stop"), ("scope", "tool"), ("target", "note"), ("reason", " ")],
        [("act", "stop"), ("scope", "planet"), ("target", "note"), ("reason", "x")],
        [("act", "halt"), ("scope", "tool"), ("target", "note"), ("reason", "x")],
    ):
        for path in ("/stop", "/stop/turn"):
            assert post(console, OPA, path, fields).status == 400, fields
    assert console.call(ANA, "note", n=1)[1].done


def test_t25_hostile_reasons_and_targets_stay_text(browser: Browser, console: Stand) -> None:
    for name in ("script", "end of an attribute", "bidi", "template", "handler"):
        fields = [("act", "stop"), ("scope", "principal"), ("target", HOSTILE[name]), ("reason", HOSTILE[name])]
        assert "Stop this?" in post(console, ADA, "/stop", fields).text
        assert post(console, ADA, "/stop/turn", fields).status == 303
    with window(browser, console, ADA) as seen:
        for path in ("/stop", "/"):
            seen.go(path)
            unharmed(seen)
            seen.accessible()
            seen.fits()


def test_a_page_of_one_run_says_so_as_well_while_it_is_open(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    with window(browser, console, ADA) as seen:
        page = seen.go(f"/runs/{run_id}")
        seen.listening()
        console.do(console.plane.stop, Scope.ALL, "", ADA, reason="drill")
        expect(page.locator("#stops")).to_contain_text("Stopped:")
