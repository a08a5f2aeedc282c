"""How soon the console is there and how soon it tells: `python -m proof.console_speed` (issue 8, `make console-speed`).

Three figures on loopback, with a real server and a real browser:

- from the press of «Approve» in one window until another one shows it, on the page of the request and in the inbox;
- bytes and time of the first page, with everything that it loads;
- time of a page of the inbox while 1,000 requests wait: read again after a commit, and asked again without one.

Times of the windows are the browser's own: the moment of the press, and that at which the other page's part was
replaced. Exits 0 only where the median of the first is below 300 ms, the first page below 50 kB and 200 ms, and a page
of the inbox below 200 ms.
"""

from __future__ import annotations

import argparse
import http.client
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from proof.browser import chromium
from tests.console.conftest import tools
from tests.console.stand import VERA, Stand, stand, window
from tests.planes import ANA, BOB, CAY

SOON_MS = 300.0
PAGE_MS = 200.0
PAGE_BYTES = 50_000

_PRESS = "() => { const at = Date.now(); document.getElementById('do-approve').click(); return at; }"
_WATCH = """([id, gone]) => {
  window.seen = new Promise((done) => {
    const look = () => { if (!document.getElementById(id).textContent.includes(gone)) done(Date.now()); };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
  });
}"""


def main() -> int:
    """Measure, print, and say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--approvals", type=int, default=30, help="how many are approved and watched")
    parser.add_argument("--waiting", type=int, default=1000, help="how many requests wait in the inbox")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stand(Path(folder), tools) as at, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page, inbox = _told(browser, at, options.approvals)
        print(f"{options.approvals} approvals, from the press to the other window")
        print(f"  page of the request   {_figures(page)}")
        print(f"  inbox                 {_figures(inbox)}")
        size, first_ms = _first(at)
        print(f"first page, with what it loads: {size:,} bytes; {first_ms:.0f} ms")
        browser.close()
        fresh, again, largest = _paged(at, options.waiting)
        print(f"inbox while {options.waiting:,} wait, a page of 50 ({largest:,} bytes)")
        print(f"  read after a commit   {_figures(fresh)}")
        print(f"  asked again           {_figures(again)}")
    met = {
        "told": median(page) < SOON_MS and median(inbox) < SOON_MS,
        "first page": size < PAGE_BYTES and first_ms < PAGE_MS,
        "inbox": median(fresh) < PAGE_MS and median(again) < PAGE_MS and largest < PAGE_BYTES,
    }
    for what, is_met in met.items():
        print(f"{'met' if is_met else 'NOT met'}: {what}")
    return 0 if all(met.values()) else 1


def _told(browser: Browser, at: Stand, approvals: int) -> tuple[list[float], list[float]]:
    """Milliseconds from each press until the page of the request, and the inbox, show it in other windows."""
    on_page, in_inbox = [], []
    for number in range(approvals + 1):
        _, held = at.call(ANA, "refund", n=number)
        person = (BOB, CAY)[number % 2]  # nobody answers more than thirty times in a minute
        with (
            window(browser, at, person) as deciding,
            window(browser, at, VERA) as watching,
            window(browser, at, VERA) as beside,
        ):
            path = f"/approvals/{held.approval_id}"
            pages = deciding.go(path), watching.go(path), beside.go("/")
            for each in (deciding, watching, beside):
                each.listening()
            pages[1].evaluate(_WATCH, ["standing", "pending"])
            pages[2].evaluate(_WATCH, ["waiting", "refund"])
            pressed = pages[0].evaluate(_PRESS)
            times = [each.evaluate("() => window.seen") - pressed for each in pages[1:]]
        if number:  # the first one compiles templates
            on_page.append(times[0])
            in_inbox.append(times[1])
    return on_page, in_inbox


def _first(at: Stand) -> tuple[int, float]:
    """Bytes and milliseconds of the inbox with all that a browser loads for it, one after the other."""
    started_s = time.perf_counter()
    page = _get(at, "/")
    files = re.findall(r'(?:href|src)="(/static/[^"]*)"', page)
    loaded = [_get(at, each) for each in files]
    return sum(len(each.encode()) for each in (page, *loaded)), (time.perf_counter() - started_s) * 1000


def _paged(at: Stand, waiting: int) -> tuple[list[float], list[float], int]:
    """Milliseconds of the inbox after a commit and without one, and the bytes of the largest page."""
    for number in range(waiting):
        at.call(ANA, "refund", n=1_000 + number)
    fresh: list[float] = []
    again: list[float] = []
    largest = 0
    for _ in range(20):
        at.call(ANA, "note", n=1)
        for found in (fresh, again):
            started_s = time.perf_counter()
            page = _get(at, "/")
            found.append((time.perf_counter() - started_s) * 1000)
            largest = max(largest, len(page.encode()))
    return fresh, again, largest


def _get(at: Stand, path: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(at.url).netloc, timeout=60)
    try:
        connection.request("GET", path, headers={"cookie": f"__Host-interlock={VERA.id}"})
        answer = connection.getresponse()
        assert answer.status == 200, f"{path}: {answer.status}"
        return answer.read().decode()
    finally:
        connection.close()


def _figures(times: Iterable[float]) -> str:
    ordered = sorted(times)
    return f"median {median(ordered):.0f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.0f}, most {ordered[-1]:.0f}"


if __name__ == "__main__":
    sys.exit(main())
