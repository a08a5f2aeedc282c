"""The command: `python -m proof.crash [--quick] [--every N] [--random N] [--only COMBINATION] [--json FILE]`.

Exits 1 where anything was lost, doubled, stuck or untrue, or not all could be tried.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from interlock.testing import EffectOracle
from proof.crash.combination import Combination, combination
from proof.crash.crew import try_all
from proof.crash.judge import judge
from proof.crash.plan import Extent, units
from proof.crash.report import Tally
from proof.crash.trial import Trial, attempt, warm

QUICKLY = Extent(every=1000, firsts=4, depth=1, at_random=100)
"""A look, not the proof."""

SAY_S = 10.0
"""Seconds between two lines of progress."""


def main() -> int:
    options = _options()
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="interlock-crash-", dir=parent) as folder:
        if options.only:
            return _one(options.only, Path(folder))
        extent = QUICKLY if options.quick else Extent()
        given = {name: getattr(options, name) for name in ("every", "firsts", "depth", "at_random", "seed")}
        extent = replace(extent, **{name: value for name, value in given.items() if value is not None})
        tally = _all(extent, Path(folder), options.workers)
    print(tally.as_text(), flush=True)
    if options.json:
        options.json.write_text(json.dumps(tally.as_json(), indent=1) + "\n")
    return int(bool(tally.failed))


def _all(extent: Extent, folder: Path, workers: int) -> Tally:
    tally, work = Tally(), units(extent)
    print(f"{len(work)} parts, {workers} workers, seed {extent.seed}, in {folder.parent}", flush=True)
    started = said = time.perf_counter()
    for each in try_all(work, extent, folder, workers):
        tally.add(each)
        if (now := time.perf_counter()) - said >= SAY_S:
            said = now
            failed = f", {len(tally.failed)} do not hold" if tally.failed else ""
            print(f"{now - started:5.0f} s: {tally.kills.total():,} kills{failed}", flush=True)
    print(f"{time.perf_counter() - started:5.0f} s: done\n")
    return tally


def _one(tried: Combination, folder: Path) -> int:
    """One combination, with everything that can be said of it."""
    with EffectOracle(folder / "effects.jsonl") as oracle:
        warm(oracle, folder / "warm")
        trial = attempt(tried, oracle, folder / "trial")
    for title, lines in {"told": trial.told, "effects": trial.effects, **trial.report}.items():
        print(f"{title}:")
        for line in lines if isinstance(lines, list) else [lines]:
            print(f"    {json.dumps(line)}")
    print(f"{trial.kills} of {len(tried.kills)} kills landed. {trial.trouble}")
    return _verdict(trial)


def _verdict(trial: Trial) -> int:
    findings = judge(trial)
    for finding in findings:
        print(f"{finding.kind}: {finding.says}")
    print("it does not hold" if findings else "it holds")
    return int(bool(findings))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.crash",
        description="Kills processes at every crash point and at random times: no effect is lost or doubled.",
    )
    usual = Extent()
    parser.add_argument("--quick", action="store_true", help="a look in about a minute, not the proof")
    parser.add_argument(
        "--every", type=int, metavar="N", help=f"further pairs of kills: each N-th (default {usual.every}; 1: all)"
    )
    parser.add_argument("--firsts", type=int, metavar="N", help=f"first kills: each N-th (default {usual.firsts})")
    parser.add_argument("--depth", type=int, help=f"recoveries killed in a row (default {usual.depth})")
    parser.add_argument(
        "--random", dest="at_random", type=int, metavar="N", help=f"kills at random times (default {usual.at_random})"
    )
    parser.add_argument("--seed", type=int, help=f"of the random times (default {usual.seed})")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--only", type=combination, metavar="COMBINATION", help="one combination, and all about it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
