"""`make tamper`: every mutation of spec/ledger.md, thousands of times, and a thousand ledgers that are whole.

Exits 1 when a mutation was missed, or something was found in a ledger that nobody had touched; each with the seed that
makes it again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from proof.tampering import report
from proof.tampering.flips import Flips, flip
from proof.tampering.jobs import Alarm, Look, Tamper, look, quiet, tamper
from proof.tampering.tails import Tails, tear
from proof.tampering.trial import Trial

J, R = TypeVar("J"), TypeVar("R")
_PER_LEDGER = 200
_CLEAN_AT_ONCE = 20


def main() -> int:
    options = _options()
    if options.again:
        return _again(*map(int, options.again.split(":")), folder=options.folder)
    began = time.perf_counter()
    print(f"seed {options.seed}: {options.mutations} mutations, {options.clean} clean ledgers, in {options.folder}")
    with ProcessPoolExecutor(options.processes, get_context("spawn"), quiet) as pool:
        alarms = _clean(pool, options)
        trials = _tampered(pool, options)
        torn = _torn(pool, options)
        flipped = _flipped(pool, options)
    print(report.table([trial for _, _, trial in trials]))
    missed = [each for each in trials if each[2].result == "missed"]
    for base, number, trial in missed[:20]:
        print(f"MISSED {trial.kind} ({trial.care}): found {trial.found or 'nothing'}; --again {base}:{number}")
    for alarm in alarms[:20]:
        print(f"FALSE ALARM in the ledger of seed {alarm.seed}: {alarm.findings}, tail {alarm.tail}")
    for line in [*torn, *flipped][:20]:
        print(line)
    print(f"{len(missed)} missed, {len(alarms)} false alarms, {len(torn)} forged after a torn write, "
          f"{len(flipped)} bits not named, in {time.perf_counter() - began:.0f} s")  # fmt: skip
    if options.json:
        said = {
            "seed": options.seed, "kinds": report.as_json([trial for _, _, trial in trials]), "missed": len(missed),
            "false_alarms": len(alarms), "torn": len(torn), "flipped": len(flipped),
        }  # fmt: skip
        options.json.write_text(json.dumps(said, indent=1) + "\n")
    return int(bool(missed or alarms or torn or flipped))


def _clean(pool: ProcessPoolExecutor, options: argparse.Namespace) -> list[Alarm]:
    first = options.seed * 10_000_000
    seeds = range(first, first + options.clean)
    jobs = [Look(seeds[at : at + _CLEAN_AT_ONCE], options.folder) for at in range(0, len(seeds), _CLEAN_AT_ONCE)]
    done, alarms = 0, []
    for count, found in _all(pool, look, jobs):
        done += count
        alarms += found
        _say(f"clean ledgers: {done} of {options.clean}, {len(alarms)} false alarms")
    return alarms


def _tampered(pool: ProcessPoolExecutor, options: argparse.Namespace) -> list[tuple[int, int, Trial]]:
    """The trials, more than were asked for where some could not be made of their ledger."""
    found: list[tuple[int, int, Trial]] = []
    number, made = 0, 0
    while made < options.mutations:
        left = options.mutations - made
        count = min(_PER_LEDGER, left)
        jobs = []
        for _ in range(-(-left // count)):
            jobs.append(Tamper(options.seed * 1000 + number, number * _PER_LEDGER, count, options.folder, options.only))
            number += 1
        for done in _all(pool, tamper, jobs):
            found += [(done.base, at, trial) for at, trial in done.trials]
            made = sum(trial.result != "nothing" for _, _, trial in found)
            missed = sum(trial.result == "missed" for _, _, trial in found)
            _say(f"mutations: {made} of {options.mutations}, {missed} missed")
    return found


def _torn(pool: ProcessPoolExecutor, options: argparse.Namespace) -> list[str]:
    jobs = [Tails(options.seed, part, options.processes, options.offsets, options.folder)
            for part in range(options.processes)]  # fmt: skip
    lines, tried = [], 0
    for count, found in _all(pool, tear, jobs):
        tried, lines = tried + count, lines + found
    _say(f"torn tails (K11): {tried} tried, {len(lines)} forged")
    print(f"K11: {tried} torn, zeroed and garbled tails of ledger.db and -wal; each opened to a prefix or was refused, "
          f"but for {len(lines)}")  # fmt: skip
    return lines


def _flipped(pool: ProcessPoolExecutor, options: argparse.Namespace) -> list[str]:
    jobs = [Flips(options.seed, part, options.processes, options.flips, options.folder)
            for part in range(options.processes)]  # fmt: skip
    lines, tried = [], 0
    for count, found in _all(pool, flip, jobs):
        tried, lines = tried + count, lines + found
    print(f"K13: {tried} bits of a ledger of 200 events flipped; the first bad number named, but for {len(lines)}")
    return lines


def _again(base: int, number: int, folder: Path) -> int:
    [(_, trial)] = tamper(Tamper(base, number, 1, folder)).trials
    print(trial)
    return int(trial.result == "missed")


def _all(pool: ProcessPoolExecutor, work: Callable[[J], R], jobs: Iterable[J]) -> Iterator[R]:
    for done in as_completed([pool.submit(work, job) for job in jobs]):
        yield done.result()


def _say(text: str) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    print(text, file=sys.stderr, end=end, flush=True)


def _options() -> argparse.Namespace:
    memory = Path("/dev/shm")
    parser = argparse.ArgumentParser(prog="python -m proof.tampering", description=__doc__)
    add: Any = parser.add_argument
    add("--mutations", type=int, default=10_000, help="how many, over all kinds in turn")
    add("--clean", type=int, default=1_000, help="ledgers that nobody touched")
    add("--offsets", type=int, default=4096, help="offsets of each file's tail that are torn (K11)")
    add("--flips", type=int, default=4_000, help="bits that are flipped (K13); 0 for one in every byte")
    add("--seed", type=int, default=1, help="all the rest follows from it")
    add("--only", default="", metavar="KIND", help="one kind of mutation")
    add("--again", default="", metavar="BASE:NUMBER", help="one mutation that was missed")
    add("--processes", type=int, default=min(2, os.cpu_count() or 1))
    add("--folder", type=Path, default=memory if memory.is_dir() else Path("/tmp"), help="where copies are made")
    add("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
