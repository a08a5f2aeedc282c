"""A run whose record was erased, or changed: what its pages say then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from playwright.sync_api import Browser

from interlock.ledger.redact import redact
from tests.console.conftest import tools
from tests.console.stand import ADA, VERA, Stand, stand, window
from tests.planes import ANA


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Stand, str]]:
    """A console over a ledger with one run that is over."""
    with stand(tmp_path, tools) as opened:
        run_id, _ = opened.call(ANA, "look_up", "the secret word is marmalade", n=7, note="zanzibar")
        yield opened, run_id


def test_what_was_erased_is_shown_as_erased_also_to_whoever_had_it_open(
    browser: Browser, kept: tuple[Stand, str]
) -> None:
    console, run_id = kept
    with window(browser, console, VERA) as seen:
        page = seen.go(f"/runs/{run_id}")
        assert "marmalade" in page.content() and "zanzibar" in page.content()

        async def erased() -> None:
            events = await console.plane.store.read(run_id)
            await redact(console.plane.store, run_id, [event.seq for event in events], "asked for it", ADA)

        console.do(erased)
        for path in (f"/runs/{run_id}", f"/runs/{run_id}?view=conversation", f"/runs/{run_id}?view=replay", "/runs"):
            content = seen.go(path).content()
            assert "marmalade" not in content and "zanzibar" not in content, path
        assert "erased" in seen.go(f"/runs/{run_id}").inner_text("#timeline")
        assert "erased" in seen.go(f"/runs/{run_id}?view=conversation").inner_text("#conversation")
        assert "was erased" in seen.go(f"/runs/{run_id}?view=replay&step=2").inner_text("#replay")
        seen.accessible()


def test_where_the_record_was_changed_the_replay_says_so_and_ends_there(
    browser: Browser, kept: tuple[Stand, str], tmp_path: Path
) -> None:
    console, run_id = kept
    with apsw.Connection(str(tmp_path / "ledger.db")) as file:
        file.execute("DROP TRIGGER payload_is_never_changed")
        file.execute(
            "UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), 'zanzibar', 'timbuktu') AS BLOB)"
            " WHERE instr(CAST(body AS TEXT), 'zanzibar')"
        )
    with window(browser, console, VERA) as seen:
        page = seen.go(f"/runs/{run_id}?view=replay")
        assert "The record does not hold" in page.inner_text("#replay")
        page.get_by_role("link", name="Last").click()
        page.wait_for_selector("#step .bad")
        assert "changed here" in page.inner_text("#step")
        assert page.locator("a[rel=next]").count() == 0
        seen.accessible()
        seen.fits()
