"""The command: `python -m proof.simulate [--runs N] [--seconds N] [--first N] [--json FILE]`, or `--seed N --trace`.

Seeded short runs of the real path with every class of tool, against the reference state machine, on all cores.
Exits 1 when a run diverged, and says which seeds did.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from interlock.testing import FarEnd, Simulator
from interlock.testing.simulated_plan import POINTS
from interlock.testing.simulated_tools import any_wishes, every_class

CHUNK = 250
"""Seeds that a process takes at once."""

_FAR = FarEnd()
_MADE: list[Simulator] = []


class Part(NamedTuple):
    """What one chunk of seeds came to."""

    runs: int
    met: Counter[str]
    diverged: list[tuple[int, str]]


def simulator() -> Simulator:
    """The one of this process; made when it is first asked for."""
    if not _MADE:
        _MADE.append(Simulator(every_class(_FAR), _FAR, any_wishes()))
    return _MADE[0]


def part(seeds: range) -> Part:
    """Run a chunk of seeds."""
    made, met, diverged = simulator(), Counter[str](), []
    for seed in seeds:
        try:
            met.update(made.run(seed).met)
        except AssertionError as error:
            diverged.append((seed, str(error)))
    return Part(len(seeds), met, diverged)


def main() -> int:
    options = _options()
    logging.getLogger("interlock").setLevel(logging.CRITICAL)  # faults are what this is about
    if options.seed is not None:
        return _one(options.seed, options.trace)
    began = time.monotonic()
    found = Part(0, Counter(), [])
    for each in _parts(options.first, options.runs, options.jobs):
        found.met.update(each.met)
        found = Part(found.runs + each.runs, found.met, found.diverged + each.diverged)
        for seed, what in each.diverged:
            print(f"\rseed {seed} diverges: {what.splitlines()[0]:<80}")
        _progress(found, options.runs, time.monotonic() - began)
        if options.seconds and time.monotonic() - began > options.seconds:
            break
    seconds = time.monotonic() - began
    print("\n" + table(found.met, found.runs))
    for _, what in found.diverged[:5]:
        print(f"\n{what}")
    seeds = [seed for seed, _ in found.diverged]
    print(
        f"\n{found.runs:,} runs from seed {options.first} in {seconds:.0f} s ({found.runs / seconds:,.0f} a second)",
        end="",
    )
    print(f", {len(seeds)} divergences" + (f": seeds {', '.join(map(str, seeds[:50]))}" if seeds else ""))
    if options.json:
        said = {"runs": found.runs, "first": options.first, "seconds": round(seconds, 1), "cores": options.jobs}
        said |= {"diverged": seeds, "met": dict(sorted(found.met.items()))}
        options.json.write_text(json.dumps(said, indent=1) + "\n")
    return int(bool(seeds))


def table(met: Counter[str], runs: int) -> str:
    """How many runs met what: faults by kind, then each class of tool with what its calls came to."""
    lines = []
    for kind in ("crash", "store", "far", "fault", "person"):
        lines.append(f"{kind:<14} runs")
        lines += [f"  {name:<24}{met[f'{kind} {name}']:>10,}" for name in _second(met, kind)]
    outcomes = ("done", "failed", "refused", "unknown")
    lines.append(f"{'class':<14}" + "".join(f"{each:>10}" for each in outcomes))
    for name in sorted({key.split()[1] for key in met if key.startswith("call ")}):
        lines.append(f"  {name:<12}" + "".join(f"{met[f'call {name} {each}']:>10,}" for each in outcomes))
    return "\n".join([f"of {runs:,} runs", *lines])


def _second(met: Counter[str], kind: str) -> list[str]:
    found = {key.removeprefix(kind + " ") for key in met if key.startswith(kind + " ")}
    return sorted(found | set(POINTS if kind == "crash" else ()))  # a point that no run died at is seen too


def _parts(first: int, runs: int, jobs: int) -> Iterator[Part]:
    chunks = [range(at, min(at + CHUNK, first + runs)) for at in range(first, first + runs, CHUNK)]
    simulator()  # once, before the processes fork
    if jobs == 1:
        yield from map(part, chunks)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(part, chunks)


def _progress(found: Part, runs: int, seconds: float) -> None:
    pace = found.runs / seconds
    left = (runs - found.runs) / pace
    said = (
        f"{found.runs:,} of {runs:,} runs, {pace:,.0f} a second, {left:.0f} s left, {len(found.diverged)} divergences"
    )
    print(f"\r{said:<90}", end="", flush=True)


def _one(seed: int, trace: bool) -> int:
    try:
        seen = simulator().run(seed, trace=trace)
    except AssertionError as error:
        print(error)
        return 1
    print("\n".join(seen.trace))
    print(f"seed {seed}: {len(seen.events)} events, {seen.digest}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.simulate", description="Seeded short runs of the real path against a reference."
    )
    parser.add_argument("--runs", type=int, default=1_000_000, metavar="N", help="how many (1,000,000)")
    parser.add_argument("--seconds", type=float, default=0, metavar="N", help="stop after so many; 0 for never")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one a core)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--seed", type=int, metavar="N", help="replay one seed alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: every step of it")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
