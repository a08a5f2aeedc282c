"""The command: `python -m proof.soak [--workers N] [--reservations N] [--processes N] [--kills N]`.

Workers in several processes reserve from budgets and rates of one SQLite ledger and settle with less, with nothing or
in full; some reservations are abandoned, and processes are killed as by `kill -9` and started again. Then what was lost
is recovered, and every event is folded in the order of its commit. Exits 0 only if no budget was above its limit at any
time (overshoot 0), every row is the sum of its events (leak 0), nothing is open, and no rate let more pass in any
window than its burst and the time in it give. Goal Q13.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import anyio

from interlock.testing.crash import fork
from proof.soak.judge import Verdict, judge, recover
from proof.soak.plan import Plan
from proof.soak.worker import COUNTED, Counts, work

_LOOK_S = 0.05
_LINE_S = 5.0
_PROCESS_S = 3600


def main() -> int:
    plan = _plan()
    print(
        f"{plan.workers} workers in {plan.processes} processes, {plan.reservations:,} reservations each, "
        f"{plan.kills} kills, one SQLite ledger\n"
    )
    print(f"{'seconds':>8} {'kills':>6} {'a second':>9}", *(f"{name:>12}" for name in COUNTED), flush=True)
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        began = time.monotonic()
        counts = Counts(plan.workers)
        soak(plan, Path(folder), counts, began)
        worked_s = time.monotonic() - began
        advanced = anyio.run(recover, Path(folder))
        verdict = anyio.run(judge, plan, Path(folder))
        _told(plan, counts, verdict, advanced)
        print(f"{worked_s:.0f} s of work, {time.monotonic() - began - worked_s:.0f} s of recovery and checks")
    return 0 if verdict.holds and counts.total("tried") == plan.tries else 1


def soak(plan: Plan, folder: Path, counts: Counts, began: float) -> None:
    """Start every process, kill some and start them again, until every worker is done."""
    start = {number: partial(work, plan, number, folder, counts) for number in range(plan.processes)}
    running = {number: fork(each, _PROCESS_S) for number, each in start.items()}
    drawn, killed, line_at = random.Random(plan.seed), 0, began
    at = sorted(drawn.uniform(0.02, 0.95) for _ in range(plan.kills))
    while running:
        time.sleep(_LOOK_S)
        done = counts.total("tried") / plan.tries
        if killed < len(at) and done >= at[killed]:
            number = drawn.choice(list(running))
            os.kill(running[number], signal.SIGKILL)
            killed += 1
        for number, process in list(running.items()):
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                code = os.waitstatus_to_exitcode(status)
                assert code in (0, -signal.SIGKILL), f"process {number} failed: {code}"
                del running[number]
                if code:
                    running[number] = fork(start[number], _PROCESS_S)
        now = time.monotonic()
        if now >= line_at or not running:
            line_at = now + _LINE_S
            _line(counts, killed, now - began)


def _line(counts: Counts, killed: int, seconds: float) -> None:
    totals = [counts.total(name) for name in COUNTED]
    print(
        f"{seconds:8.0f} {killed:6} {totals[0] / max(seconds, 0.001):9,.0f}", *(f"{n:12,}" for n in totals), flush=True
    )


def _told(plan: Plan, counts: Counts, verdict: Verdict, advanced: int) -> None:
    print(f"\nrecovered     {advanced} runs with reservations of lost workers")
    print(f"events        {verdict.events:,}, of them {verdict.reservations:,} reservations")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in sorted(verdict.highest.items()))
    print(f"most in use   {shares} of the limit")
    for name, found in (("overshoot", verdict.overshoot), ("leak", verdict.leak), ("rates rushed", verdict.rushed)):
        print(f"{name:<13} {len(found)}", *found[:3], sep="\n    " if found else "")
    print(f"still open    {verdict.open}")


def _fast() -> str | None:
    """Memory, where the machine has a disk of it: a kill loses nothing that was written, wherever it was written."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m proof.soak", description="Budgets and rates under load and kills.")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--reservations", type=int, default=10_000, help="tries of each worker")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=13)
    said = parser.parse_args()
    return Plan(said.workers, said.reservations, said.processes, said.kills, said.seed)


if __name__ == "__main__":
    sys.exit(main())
