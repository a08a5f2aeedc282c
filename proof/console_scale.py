"""Two workers and five hundred listeners: `python -m proof.console_scale`, or `make console-scale` (issue 8).

Two processes of `interlock serve` over one ledger, as one would run them behind a balancer that knows no sessions:

- a person signs in at one, and is signed in at the other;
- a call is held, approved at one by the form of its page, and told by the stream of the other: the time from the press
  until it is told, and until the other's page shows it;
- 500 listen to one worker over HTTP while another process commits 2,000 events as fast as it can. Each must have every
  one of them, once, in order.

Exits 0 only where all of it holds and the median of the first is below 300 ms.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlencode, urlsplit

import anyio

from interlock import Principal
from interlock.core.clock import SystemClock
from interlock.keys import Keys
from interlock.ledger.sqlite import SqliteStore
from proof.gateway_process import INTERLOCK
from tests.console.posting import fields_of

SOON_MS = 300.0
LISTENERS, EVENTS, APPROVALS = 500, 2000, 20
_WAIT_S = 120.0

TOOLS = '''
import interlock

@interlock.tool(effect="irreversible", keyed=True)
def pay(n: int) -> dict[str, int]:
    """Pay."""
    return {"n": n}
'''

POLICY = """
permit (principal, action, resource);
@id("a-person-looks") @approvers("approver")
forbid (principal, action in Action::"effect/irreversible", resource);
"""


class Worker:
    """One process that serves, as somebody with a cookie or a key reaches it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.at = urlsplit(url).netloc

    def asked(self, method: str, path: str, body: str = "", **head: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of an answer."""
        connection = http.client.HTTPConnection(self.at, timeout=_WAIT_S)
        try:
            said = {name.replace("_", "-"): text for name, text in head.items()}
            connection.request(method, path, body or None, said)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read().decode()
        finally:
            connection.close()

    def posted(self, path: str, fields: list[tuple[str, str]], cookie: str = "") -> tuple[int, dict[str, str], str]:
        """A form as a browser posts it."""
        return self.asked(
            "POST", path, urlencode(fields), cookie=cookie, origin=self.url, sec_fetch_site="same-origin",
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip

    def said(self, path: str, key: str, document: object) -> dict[str, str]:
        """What the API answers to a document."""
        status, _, text = self.asked(
            "POST", path, json.dumps(document), authorization=f"Bearer {key}", content_type="application/json"
        )
        assert status < 300, (path, status, text)
        found: dict[str, str] = json.loads(text)
        return found


@contextmanager
def serving(folder: Path) -> Iterator[Worker]:
    """A worker; it is killed when the block is left."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")}
    command = [str(INTERLOCK), "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Worker(json.loads(process.stdout.readline())["url"].removesuffix("/mcp"))
        finally:
            process.kill()


def deploy(folder: Path) -> tuple[str, str]:
    """A deployment; the keys of Ana, who calls, and of Bob, who approves."""
    (folder / "pay_tools.py").write_text(TOOLS)
    (folder / "policy.cedar").write_text(POLICY)
    (folder / "interlock.toml").write_text('tools = ["pay_tools"]\npolicy = "policy.cedar"\nlease_s = 5\ndrain_s = 1\n')
    keys = Keys(folder / ".interlock" / "keys.json")
    ana = keys.add(Principal("ana", roles=frozenset({"support"})), ("tools", "attest:words"))
    bob = keys.add(Principal("bob", roles=frozenset({"approver", "admin"})), ("console",))
    return ana, bob


def signed_in(worker: Worker, key: str) -> str:
    """The cookie of who signs in by a key."""
    status, head, _ = worker.posted("/sign-in/key", [("key", key), ("next", "/")])
    assert status == 303, status
    return head["set-cookie"].partition(";")[0]


def approved(first: Worker, second: Worker, ana: str, cookie: str, number: int) -> tuple[float, float]:
    """Milliseconds from the press at one worker until the other tells it, and until its page shows it."""
    run = first.said("/api/v1/runs", ana, {"words": f"Pay {number}."})
    held = first.said(f"/api/v1/runs/{run['run_id']}/calls", ana, {"tool": "pay", "arguments": {"n": number}})
    path = f"/approvals/{held['approval_id']}"
    page = first.asked("GET", path, cookie=cookie)[2]
    token = re.search(r'name="csrf" value="([^"]*)"', page)
    assert token, page
    fields = [("csrf", token[1]), *fields_of(page)]
    stream = http.client.HTTPConnection(second.at, timeout=_WAIT_S)
    stream.request("GET", f"/live?run={run['run_id']}", headers={"cookie": cookie, "accept": "text/event-stream"})
    told = stream.getresponse()
    assert told.status == 200 and told.readline().startswith(b"retry")
    pressed = time.perf_counter()
    status = first.posted(path, fields, cookie)[0]
    assert status == 303, status
    while b"data: approval." not in told.readline():
        pass
    told_ms = 1000 * (time.perf_counter() - pressed)
    while not re.search(r'class="tag (approved|consumed)"', second.asked("GET", path, cookie=cookie)[2]):
        pass
    shown_ms = 1000 * (time.perf_counter() - pressed)
    stream.close()
    return told_ms, shown_ms


async def crowd(worker: Worker, cookie: str, ledger: Path, listeners: int, events: int) -> list[list[int]]:
    """The positions that each listener is told while another process commits so many events.

    Every second one begins at a position that it knows, as a browser does that comes back.
    """
    store = SqliteStore(ledger, SystemClock())
    start = store.position()
    await store.close()
    found: list[list[int]] = [[] for _ in range(listeners)]
    ready = anyio.Semaphore(0)

    async def listen(number: int) -> None:
        host, _, port = worker.at.partition(":")
        again = f"last-event-id: {start}\r\n" if number % 2 else ""
        async with await anyio.connect_tcp(host, int(port)) as stream:
            head = f"host: {worker.at}\r\naccept: text/event-stream\r\ncookie: {cookie}\r\n{again}"
            await stream.send(f"GET /live HTTP/1.1\r\n{head}\r\n".encode())
            text = b""
            while b"retry: 1000\n\n" not in text:
                text += await stream.receive()
            assert text.startswith(b"HTTP/1.1 200"), text
            text = text.partition(b"retry: 1000\n\n")[2]
            ready.release()
            while len(found[number]) < events:
                text += await stream.receive()
                whole, _, text = text.rpartition(b"\n")
                found[number] += map(int, re.findall(rb"^id: (\d+)$", whole, re.MULTILINE))

    with anyio.move_on_after(_WAIT_S):
        async with anyio.create_task_group() as tasks:
            for number in range(listeners):
                tasks.start_soon(listen, number)
            for _ in range(listeners):
                await ready.acquire()
            command = [sys.executable, "-m", "proof.pages.committer", str(ledger), str(events), "20", "0"]
            await anyio.run_process(command, stderr=None)
    return [[position - start for position in each] for each in found]


def main() -> int:
    """Measure, print, and say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=LISTENERS, help="who listen at once")
    parser.add_argument("--events", type=int, default=EVENTS, help="what each is told")
    parser.add_argument("--approvals", type=int, default=APPROVALS, help="how many are approved and watched")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-scale-") as name, ExitStack() as open_:
        folder = Path(name)
        ana, bob = deploy(folder)
        first, second = open_.enter_context(serving(folder)), open_.enter_context(serving(folder))
        cookie = signed_in(first, bob)
        both = [each.asked("GET", "/", cookie=cookie)[0] for each in (first, second)]
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"signed in at one worker: {both[0]} there, {both[1]} at the other")
        times = [approved(first, second, ana, cookie, number) for number in range(options.approvals)]
        for what, at in (("told by the other worker", 0), ("shown by its page", 1)):
            print(f"approved at one worker, {what}: {_figures([each[at] for each in times])}")
        ledger = folder / ".interlock" / "ledger.db"
        begun = time.perf_counter()
        found = anyio.run(crowd, second, cookie, ledger, options.listeners, options.events)
        took_s = time.perf_counter() - begun
    wanted = list(range(1, options.events + 1))
    wrong = sum(each != wanted for each in found)
    print(f"{options.listeners} listeners over HTTP, {options.events:,} events of another process:")
    print(f"  {sum(map(len, found)):,} told in {took_s:.1f} s; {wrong} listeners had not each one once, in order")
    met = {
        "session at both workers": both == [200, 200],
        "told at the other worker": all(median(each[at] for each in times) < SOON_MS for at in (0, 1)),
        "nothing dropped or doubled": not wrong,
    }
    for what, is_met in met.items():
        print(f"{'met' if is_met else 'NOT met'}: {what}")
    return 0 if all(met.values()) else 1


def _figures(times: list[float]) -> str:
    ordered = sorted(times)
    return (
        f"median {median(times):.0f} ms, p95 {ordered[int(0.95 * (len(times) - 1))]:.0f} ms, worst {ordered[-1]:.0f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
