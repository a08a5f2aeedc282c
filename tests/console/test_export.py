"""Runs taken as evidence from the console, and over a connection that really is one (spec: Keeping and restoring)."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from interlock.api import bundle
from interlock.keys import WRITE, Keys
from tests.api.test_bundle import nameless
from tests.console.posting import get, post
from tests.console.stand import ADA, EVE, VERA, Stand, window
from tests.planes import ANA, OPA


def test_a_run_is_taken_from_its_page_with_the_verifier_and_its_key(
    browser: Browser, console: Stand, tmp_path: Path
) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    with window(browser, console, ADA) as seen:
        page = seen.go(f"/audit/events/{run_id}")
        page.get_by_role("link", name="Export this run").click()
        expect(page.locator("main")).to_contain_text("in clear")
        seen.accessible()
        with page.expect_download() as taking:
            page.get_by_role("button", name="Download").click()
        assert taking.value.suggested_filename == "evidence.jsonl"
        with page.expect_download() as helping:
            page.get_by_role("link", name="offline.py").click()
        key = page.locator("dl.facts dd.mono").inner_text()
        taking.value.save_as(tmp_path / "out" / "evidence.jsonl")
        helping.value.save_as(tmp_path / "out" / helping.value.suggested_filename)
    asked = [sys.executable, "-I", "offline.py", "evidence.jsonl", "--key", key]
    found = subprocess.run(
        asked, cwd=tmp_path / "out", capture_output=True, text=True, timeout=30, check=False
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert run_id in found.stdout


def test_a_time_that_is_asked_about_in_the_audit_is_taken_as_it_was_shown(console: Stand) -> None:
    run_id, _ = console.call(ANA, "look_up", n=1)
    audit = get(console, OPA, "/audit?since=24h")
    assert 'href="/audit/export?since=24h"' in audit.text
    page = get(console, OPA, "/audit/export?since=24h").text
    assert "1 run, started from" in page
    fields = [(name, page.partition(f'name="{name}" value="')[2].partition('"')[0]) for name in ("since", "until")]
    console.clock.ahead_s += 3600
    later, _ = console.call(ANA, "look_up", n=2)
    taken = post(console, OPA, "/audit/export", fields)
    assert (taken.status, taken.headers["content-type"]) == (200, "application/jsonl")
    assert run_id in taken.text
    assert later not in taken.text, "what is shown is what is taken"
    assert 'href="/audit/export?run_id=' in get(console, OPA, f"/audit?run_id={run_id}&since=24h").text


def test_only_operators_take_runs_from_pages_and_only_their_own_with_a_token(console: Stand) -> None:
    """T20, T35."""
    run_id, _ = console.call(ANA, "look_up", words="the secret of ana", n=1)
    for person, status in ((VERA, 403), (EVE, 404)):
        assert get(console, person, f"/audit/export?run_id={run_id}").status == status
        taken = post(console, person, "/audit/export", [("run_id", run_id)])
        assert taken.status == status
        assert "the secret of ana" not in taken.text
    assert "/audit/export" not in get(console, VERA, f"/audit/events/{run_id}").text
    assert "/audit/export" not in get(console, VERA, "/audit").text
    elsewhere = post(console, OPA, "/audit/export", [("run_id", run_id)], {"origin": "https://elsewhere.example"})
    assert elsewhere.status == 403
    again = post(console, OPA, "/audit/export", [("run_id", run_id), ("csrf", "another")])
    assert (again.status, "the secret of ana" in again.text) == (403, False)


@pytest.mark.parametrize("asked", ["until=1d", "run_id=run_1&since=1d", "since=soon", "since=999999d&until=999998d"])
def test_a_choice_that_is_none_is_told(console: Stand, asked: str) -> None:
    assert get(console, OPA, f"/audit/export?{asked}").status in (400, 404)


def test_whoever_leaves_in_the_middle_leaves_no_file(
    console: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T30: while it is sent it has no name, and once they are gone it is gone."""
    run_id, _ = console.call(ANA, "look_up", n=1)
    for n in range(40):
        console.call(ANA, "look_up", words=f"{n}" + "x" * 250_000, n=n)
    assert console.plane.seal is not None
    console.do(console.plane.seal)
    key = Keys(tmp_path / "keys.json").add(OPA, {WRITE})
    ended = threading.Event()
    send = bundle.Download.__call__

    async def watched(self: Any, *given: Any) -> None:
        try:
            await send(self, *given)
        finally:
            ended.set()

    monkeypatch.setattr(bundle.Download, "__call__", watched)
    named = {each.name for each in tmp_path.iterdir()}
    connection = http.client.HTTPConnection(urlsplit(console.url).netloc, timeout=20)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    said = json.dumps({"since": "1d"})
    head = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", "/api/v1/ledger/export", said, head)
    answer = connection.getresponse()
    assert (answer.status, len(answer.read(1000))) == (200, 1000)
    assert int(answer.headers["content-length"]) > 40 * 250_000
    assert not ended.is_set(), "most of it waits to be sent"
    assert {each.name for each in tmp_path.iterdir()} == named
    assert len(nameless(tmp_path)) == 1
    answer.close()
    connection.close()
    assert ended.wait(20)
    assert not nameless(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == named
    assert get(console, OPA, f"/runs/{quote(run_id)}").status == 200, "and everybody else goes on"
