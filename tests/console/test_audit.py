"""The audit in a browser: rows, events, the ledger as evidence, and erasing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import apsw
import pytest
from playwright.sync_api import Browser, expect

from tests.console.posting import post
from tests.console.stand import ADA, EVE, VERA, Stand, window
from tests.planes import ANA


def test_rows_are_found_by_their_columns_and_lead_to_their_run(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    console.call(ANA, "note", n=2)
    with window(browser, console, VERA) as seen:
        page = seen.go("/audit")
        page.get_by_label("tool", exact=True).fill("look_up")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        seen.accessible()
        seen.fits()
        page.locator(f"a[href='/runs/{run_id}']").click()
        expect(page.locator("main")).to_contain_text("look_up")


def test_a_column_that_there_is_none_of_is_refused_with_the_closest(browser: Browser, console: Stand) -> None:
    with window(browser, console, VERA) as seen:
        page = seen.go("/audit?view=tool_call&tol=x")
        expect(page.locator("main")).to_contain_text("Did you mean 'tool'")
        seen.wrong.clear()  # the browser itself reports the 400


def test_rows_as_a_file_are_no_formulas(browser: Browser, console: Stand, tmp_path: Path) -> None:
    """T25: a table of a spreadsheet computes what begins with an equals sign."""
    console.call(ANA, '=HYPERLINK("https://evil.example")', n=1)
    with window(browser, console, VERA) as seen:
        page = seen.go("/audit")
        with page.expect_download() as loading:
            page.get_by_role("link", name="CSV").click()
        rows = list(csv.DictReader(Path(loading.value.path()).read_text().splitlines()))
    assert not [value for row in rows for value in row.values() if value.startswith("=")]


def test_what_servers_and_people_said_stands_event_by_event_with_a_proof(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    assert console.plane.seal is not None
    console.do(console.plane.seal)
    with window(browser, console, VERA) as seen:
        page = seen.go(f"/audit/events/{run_id}")
        expect(page.locator("main")).to_contain_text("call.decided")
        seen.accessible()
        seen.fits()
        with page.expect_download() as loading:
            page.get_by_role("link", name="A proof").first.click()
        assert json.loads(Path(loading.value.path()).read_text())["event"] == f"{run_id}/1"


def test_the_ledger_is_verified_from_the_page(browser: Browser, console: Stand) -> None:
    console.call(ANA, "look_up", n=1)
    console.do(console.plane.seal)
    with window(browser, console, ADA) as seen:
        page = seen.go("/audit/ledger")
        seen.accessible()
        seen.fits()
        page.get_by_role("button", name="Verify").click()
        expect(page.locator("#verdict")).to_contain_text("is what was written")
        seen.accessible()


def test_a_changed_event_is_found_from_the_page(browser: Browser, console: Stand) -> None:
    """T27."""
    console.call(ANA, "look_up", n=1)
    console.do(console.plane.seal)
    file = apsw.Connection(str(console.site.store.path))  # type: ignore[attr-defined]  # the stand's is in a file
    for (trigger,) in list(file.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")):
        file.execute(f"DROP TRIGGER {trigger}")  # whoever has the file can do that as well
    file.execute(
        "UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), 'do it', 'do so') AS BLOB) "
        "WHERE CAST(body AS TEXT) LIKE '%do it%'"
    )
    assert file.changes() == 1
    file.close()
    with window(browser, console, ADA) as seen:
        page = seen.go("/audit/ledger")
        page.get_by_role("button", name="Verify").click()
        expect(page.locator("#verdict")).to_contain_text("is not what was written")


def test_what_a_run_says_is_erased_by_an_administrator_who_was_asked_twice(browser: Browser, console: Stand) -> None:
    run_id, _ = console.call(ANA, "look_up", words="the secret of ana", n=1)
    with window(browser, console, ADA) as seen:
        page = seen.go(f"/audit/events/{run_id}")
        page.get_by_role("button", name="Erase what this run says").click()
        seen.accessible()
        assert "the secret of ana" in str(console.do(console.site.store.read, run_id)), "not yet"
        page.get_by_label("Why").fill("request 7")
        page.get_by_role("button", name="Erase for good").click()
        expect(page.locator("main")).to_contain_text("was erased")
    assert "the secret of ana" not in str(console.do(console.site.store.read, run_id))


def test_what_is_needed_still_is_told_before_anybody_is_asked_whether_they_are_sure(console: Stand) -> None:
    run_id, _ = console.call(ANA, "refund", words="the secret of ana", n=1)
    page = post(console, ADA, f"/audit/redact/{run_id}", [])
    assert (page.status, "its call is held" in page.text) == (200, True)
    assert "Erase for good" not in page.text
    sure = post(console, ADA, f"/audit/redact/{run_id}", [("sure", "yes"), ("reason", "request 7")])
    assert sure.status == 409
    assert "the secret of ana" in str(console.do(console.site.store.read, run_id))


@pytest.mark.parametrize(
    ("person", "path"),
    [(EVE, "/audit/events/{}"), (EVE, "/audit/proof/{}/1"), (VERA, "/audit/ledger"), (EVE, "/audit/ledger")],
)
def test_another_tenant_and_whoever_may_not_see_none_of_it(
    browser: Browser, console: Stand, person: object, path: str
) -> None:
    """T35."""
    run_id, _ = console.call(ANA, "look_up", words="the secret of ana", n=1)
    with window(browser, console, person) as seen:  # type: ignore[arg-type]
        answer = seen.page.goto(seen.url + path.format(run_id))
        assert answer is not None
        assert answer.status in (403, 404)
        assert "the secret of ana" not in seen.page.content()
        seen.wrong.clear()  # the browser itself reports the status
