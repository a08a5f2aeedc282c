"""How fast pages about runs are served: `python -m proof.console`, or `make console-pages`.

Writes 100,000 runs (see `proof.pages.made`) and one agent's run of 1,000 turns into a ledger in a temporary folder,
serves the console on loopback as `interlock serve` does, and asks for its pages over HTTP, one after the other. Exits
0 only if every page is there within 200 ms in the median, and the first page of the list, its style and its script come
to less than 50 kB.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import anyio
import uvicorn
from anyio.from_thread import start_blocking_portal

from interlock import Interlock, Principal, Settings, World, open_plane
from interlock.api.site import Site, open_site
from interlock.api.who import Who
from interlock.console.application import application
from interlock.core.clock import SystemClock
from interlock.core.event import Fact, Kind
from interlock.core.transcript import turn_call_id
from interlock.gateway.http import bind
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Append, Store
from proof.pages.made import RARE_TOOL, TENANT, Size, principal, write

AIM_MS = 200.0
AIM_BYTES = 50_000
TIMES = 9
TURNS = 1000
LONG = "run_of_an_agent"
_IDLE = 0.05
"""Share of a core below which a process rests."""

_HASH = "ab" * 32
_PERSON = Principal("ada", TENANT, frozenset({"admin", "operator"}))


class Took(NamedTuple):
    """One page, asked for several times: median and worst, and of the processor, milliseconds; and its bytes."""

    what: str
    median_ms: float
    worst_ms: float
    own_ms: float
    size: int


class Signed:
    """Lets one person in, whoever comes: what is measured are pages, not who may see them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def bearer(self, authorization: str) -> Who:
        """See `Admission`."""
        return await self._site.admission.bearer(authorization)

    async def session(self, cookie: str) -> Who:
        """See `Admission`."""
        return Who(principal=_PERSON, scopes=frozenset({"console"}), by="session", session_id="one")

    def csrf(self, who: Who) -> str:
        """See `Admission`."""
        return "token"


async def filled(path: Path, runs: int) -> None:
    """Write the ledger."""
    store = SqliteStore(path, SystemClock())
    await write(store, Size(runs=runs))
    await _long(store)
    await store.close()


async def _long(store: Store) -> None:
    """A run of 1,000 turns, each of which looks something up."""
    who = {"id": "ana", "tenant": TENANT, "roles": ["support"], "kind": "user"}
    said = {"principal": who, "driver": "agent", "agent": "desk", "title": "desk", "words": "Look everything up."}
    facts = [Fact(Kind.RUN_STARTED, said, principal_id="ana")]
    for turn in range(1, TURNS + 1):
        call_id, tool = turn_call_id(LONG, turn, 1), {"server": "local", "name": "look_up", "version": "1"}
        proposal = {"tool": "look_up", "arguments": {"n": turn, "note": "x" * 200}}
        usage = {"input_tokens": 2000, "output_tokens": 80}
        message = {"role": "model", "text": f"I look {turn} up.", "model": "m", "calls": [proposal], "usage": usage}
        decided = {
            "tool": tool, "effect": "read", "digest": _HASH, "arguments": proposal["arguments"], "proposed": {},
            "facts": {"now_us": 1, "session": {"step": turn}},
            "decision": {"verdict": "allow", "reasons": ["rule:all"], "mode": "enforce"},
        }  # fmt: skip
        told = {"outcome": {"outcome": "done", "value": {"n": turn, "text": "y" * 500}}, "took_us": 1500}
        facts += [
            Fact(Kind.MESSAGE, {**message, "took_us": 900_000, "micro_usd": 7200}, principal_id="ana"),
            Fact(Kind.CALL_DECIDED, decided, call_id, turn, 0, "ana", _HASH, _HASH, "allow"),
            Fact(Kind.CALL_RESULT, told, call_id, turn, 1, "ana", _HASH, outcome="done"),
        ]
    for begin in range(0, len(facts), 300):
        await store.append(Append(LONG, TENANT, facts[begin : begin + 300]))


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """The console over that folder's ledger; the port that it listens on."""
    said = Settings(folder=folder, ledger=Path("ledger.db"))
    with start_blocking_portal("asyncio") as portal:
        opened = portal.wrap_async_context_manager(open_plane(said, engine=False))
        with opened as plane, portal.wrap_async_context_manager(_site(said, plane, folder)) as site:
            listening = bind("127.0.0.1", 0)
            app = application(replace(site, admission=Signed(site)))
            config = uvicorn.Config(
                app, interface="asgi3", loop="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
            )
            server = uvicorn.Server(config)
            running = portal.start_task_soon(server.serve, [listening])
            _quiet()
            try:
                yield listening.getsockname()[1]
            finally:
                server.should_exit = True
                running.result(10)


def _quiet() -> None:
    """Wait until the process rests, at most three minutes: it counts the ledger for the overview beside the rest."""
    for _ in range(180):
        before = time.process_time()
        time.sleep(1)
        if time.process_time() - before < _IDLE:
            return


def _site(settings: Settings, plane: Interlock, folder: Path) -> AbstractAsyncContextManager[Site]:
    return open_site(settings, plane, World(), folder / "keys.json")


def asked(port: int) -> Iterator[Took]:
    """Every page, several times."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    middle = f"/runs?principal={principal(1)}"
    for what, path in (
        ("runs: the first page", "/runs"),
        ("runs: a page in the middle", "/runs?before=200000"),
        ("inbox", "/"),
        ("runs: of one of 1,000 people", middle),
        ("runs: of nobody", "/runs?principal=nobody"),
        ("runs: open", "/runs?status=open"),
        ("runs: with a call of a rare tool", f"/runs?tool={RARE_TOOL}"),
        ("runs: with a call that failed", "/runs?outcome=failed"),
        ("runs: id begins so", "/runs?id=run_00004242"),
        ("runs: since an hour", "/runs?since=1h"),
        ("requests: the first page", "/approvals"),
        ("requests: a page in the middle", "/approvals?before=200000"),
        ("requests: pending", "/approvals?status=pending"),
        ("audit: the first page", "/audit"),
        ("audit: a page in the middle", "/audit?before=200000"),
        ("audit: of a rare tool", f"/audit?tool={RARE_TOOL}"),
        ("audit: of no tool", "/audit?tool=none"),
        ("audit: denied, which none is", "/audit?view=authz_decision&decision=deny"),
        ("overview", "/overview"),
        ("agents", "/agents"),
        ("sagas", "/sagas"),
        ("a run of 5 events", "/runs/run_00004242"),
        ("a run of 1,000 turns: timeline", f"/runs/{LONG}"),
        ("a run of 1,000 turns: timeline, older", f"/runs/{LONG}?before=1500"),
        ("a run of 1,000 turns: conversation", f"/runs/{LONG}?view=conversation"),
        ("a run of 1,000 turns: replay", f"/runs/{LONG}?view=replay&step=2500"),
        ("style", "/static/console.css"),
        ("script", "/static/console.js"),
    ):
        times, own, size = list[float](), list[float](), 0
        for _ in range(TIMES):
            begin, own_begin = time.perf_counter(), time.process_time()
            client.request("GET", path, headers={"host": f"127.0.0.1:{port}", "accept": "text/html"})
            answer = client.getresponse()
            size = len(answer.read())
            times.append(1000 * (time.perf_counter() - begin))
            own.append(1000 * (time.process_time() - own_begin))
            assert answer.status == 200, (path, answer.status)
        yield Took(what, statistics.median(times), max(times), statistics.median(own), size)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.console", description="How fast pages about runs are.")
    parser.add_argument("--runs", type=int, default=Size().runs, metavar="N", help="runs in the ledger (100,000)")
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory(prefix="interlock-console-") as name:
        folder = Path(name)
        anyio.run(filled, folder / "ledger.db", options.runs)
        with served(folder) as port:
            print(
                f"{'':42}   median      worst  processor    bytes; "
                f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            )
            found = list(asked(port))
    for each in found:
        print(f"{each.what:42} {each.median_ms:6.1f} ms {each.worst_ms:7.1f} ms {each.own_ms:7.1f} ms {each.size:8,}")
        missed += [f"{each.what}: {each.median_ms:.0f} ms"] * (each.median_ms > AIM_MS)
    first = sum(each.size for each in found if each.what in ("runs: the first page", "style", "script"))
    print(f"the first page with its style and its script: {first:,} bytes")
    missed += [f"first page: {first:,} bytes"] * (first > AIM_BYTES)
    for each in missed:
        print(f"MISSED {each}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
