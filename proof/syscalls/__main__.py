"""The command: `python -m proof.syscalls [--every N] [--only STRIKE] [--jobs N] [--json FILE] [--folder FOLDER]`.

Exits 0 only where every strike left no effect lost, doubled or stuck, and a ledger that verifies.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from interlock.testing import EffectOracle
from interlock.testing.crash import end_of, fork
from proof.syscalls.judge import KINDS
from proof.syscalls.strike import ERRORS, WRITING, Strike, count, strike
from proof.syscalls.twenty import prepare

_LOOK_S = 0.2
_HOURS_S = 6 * 3600


def main() -> int:
    options = _options()
    if shutil.which("strace") is None:
        print("strace is not installed, and without it no system call can be struck: nothing is proven")
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interlock-syscalls-", dir=options.folder) as made:
        folder = Path(made)
        template = folder / "template"
        template.mkdir()
        assert end_of(fork(lambda: prepare(template))) == 0, "no ledger to begin with"
        strikes = [_read_strike(text) for text in options.only] or _all_strikes(template, folder, options.every)
        results = _strike_all(strikes, template, folder, options.jobs)
        print(_table(results))
        failed = [result for result in results if result["findings"]]
        for result in failed[:20]:
            print(f"{result['strike']}: {'; '.join(': '.join(finding) for finding in result['findings'])}")
        if failed and options.keep:
            shutil.copytree(folder, options.keep, dirs_exist_ok=True)
    found = Counter(kind for result in results for kind, _ in result["findings"])
    kills = sum(result["killed"] for result in results)
    errors = sum(bool(result["struck"]) and not result["killed"] for result in results)
    print(f"{kills} kills and {errors} runs with an error, in {time.monotonic() - started:.0f} s: ", end="")
    print(", ".join(f"{found[kind]} {kind}" for kind in KINDS))
    if options.json:
        options.json.write_text(json.dumps({"kills": kills, "errors": errors, "results": results}, indent=1) + "\n")
    return int(bool(failed) or len(results) < len(strikes))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.syscalls",
        description="Twenty governed calls; each system call that writes or sends killed, EIO'd, ENOSPC'd once.",
    )
    shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every n-th strike only: a look, not a proof")
    parser.add_argument("--only", action="append", default=[], metavar="STRIKE", help="one, as a failure prints it")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="strikes at once (2)")
    parser.add_argument("--folder", type=Path, default=shared, help="where ledgers are made")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy everything there where something failed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every strike's result there too")
    return parser.parse_args()


def _all_strikes(template: Path, folder: Path, every: int) -> list[Strike]:
    """Each call of an undisturbed run, once for each way to strike it.

    Strace counts by thread, and the thread that comes to its n-th call first is killed: so what the event loop sends,
    which the ledger's thread would always forestall, is struck once more in the loop alone.
    """
    with EffectOracle(folder / "counted.effects") as oracle:
        everywhere = count(template, folder / "counted", oracle, "all")
        in_loop = count(template, folder / "counted.loop", oracle, "loop")
    print(
        "calls of the busiest thread:", ", ".join(f"{name} {everywhere[name]}" for name in WRITING if everywhere[name])
    )
    strikes = [
        Strike(call, nth, how)
        for call in WRITING
        for how in ("SIGKILL", *ERRORS)
        for nth in range(1, everywhere[call] + 1)
    ]
    strikes += [
        Strike("sendto", nth, how, "loop") for how in ("SIGKILL", *ERRORS) for nth in range(1, in_loop["sendto"] + 1)
    ]
    return strikes[::every]


def _read_strike(text: str) -> Strike:
    place, how, threads = text.split("/")
    call, _, nth = place.partition("#")
    return Strike(call, int(nth), how, threads)


def _strike_all(strikes: list[Strike], template: Path, folder: Path, jobs: int) -> list[dict[str, Any]]:
    """Strike them in so many processes, each with a far end of its own; say how far it is meanwhile."""

    def work(number: int) -> None:
        with EffectOracle(folder / f"effects.{number}") as oracle, (folder / f"results.{number}").open("a") as out:
            for index in range(number, len(strikes), jobs):
                result = strike(strikes[index], template, folder / f"strike{index}", oracle)
                out.write(json.dumps({"index": index, "strike": str(strikes[index]), **result._asdict()}) + "\n")
                out.flush()

    children = [fork(lambda number=number: work(number), _HOURS_S) for number in range(jobs)]
    results: list[dict[str, Any]] = []
    told = -1
    while children:
        time.sleep(_LOOK_S)
        children = [child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0]
        results = [
            json.loads(line)
            for file in folder.glob("results.*")
            for line in file.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]
        bad = sum(bool(result["findings"]) for result in results)
        if len(results) * 20 // len(strikes) > told or not children:
            told = len(results) * 20 // len(strikes)
            print(f"{len(results)} of {len(strikes)}, {bad} that do not hold", file=sys.stderr, flush=True)
    return sorted(results, key=lambda result: result["index"])


def _table(results: list[dict[str, Any]]) -> str:
    """A line for each system call: strikes that met it, by how, and what does not hold."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        place, how, threads = result["strike"].split("/")
        row = rows[place.partition("#")[0] + (" (loop)" if threads == "loop" else "")]
        row[how] += bool(result["struck"])
        row["missed"] += not result["struck"]
        row["failed"] += bool(result["findings"])
    columns = ("SIGKILL", *ERRORS, "missed", "failed")
    lines = [f"{'system call':<18}" + "".join(f"{column:>10}" for column in columns)]
    lines += [f"{call:<18}" + "".join(f"{row[column]:>10}" for column in columns) for call, row in rows.items()]
    total = sum(rows.values(), Counter())
    return "\n".join([*lines, f"{'all':<18}" + "".join(f"{total[column]:>10}" for column in columns)])


if __name__ == "__main__":
    sys.exit(main())
