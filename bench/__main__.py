"""The command: `python -m bench [--quick] [--only SUITE] [--json FILE] [--cpu] [--folder FOLDER]`.

Exits 1 when a candidate that is installed failed; a peer that is not installed is noted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench import catalogue, report
from bench.candidate import Row
from bench.machine import compile_everything, is_in_memory, line, machine
from bench.runner import Series, Suites
from bench.suites import SUITES


def main() -> int:
    options = _options()
    chosen = [suite for suite in SUITES if not options.only or suite.name in options.only]
    if is_in_memory(options.folder):
        print(f"{options.folder} is in memory: durable figures would be false. Name a disk: --folder FOLDER")
        return 2
    _say("byte-compiling")
    compile_everything()
    results: dict[str, dict[Row, Series]] = {}
    with tempfile.TemporaryDirectory(prefix="interlock-bench-", dir=options.folder) as folder:
        found = machine(Path(folder))
        suites = Suites(Path(folder), options.quick, _say)
        for suite in chosen:
            measured = suites.run(suite, catalogue.in_suite(suite.name))
            results[suite.name] = {series.row: series for series in measured}
            _say("")
            print(report.suite_table(suite, results[suite.name], options.cpu), end="\n\n", flush=True)
    found["load_at_the_end"] = round(os.getloadavg()[0], 2)
    if aims := report.aims_table(results):
        print(aims, end="\n\n")
    print(f"{line(found)}, {found['load_at_the_end']} at the end.")
    print("Ratio: median over rounds of the ratio within a round. ±: half the quartile distance.")
    if options.json:
        said = {"machine": found, "quick": options.quick, **report.as_json(results)}
        options.json.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    return int(any(series.error for rows in results.values() for series in rows.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Interlock beside floors and peers.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look, not a figure")
    parser.add_argument(
        "--only",
        action="append",
        choices=[suite.name for suite in SUITES],
        metavar="SUITE",
        help="one suite, as the tables are headed; may be given again",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there too")
    parser.add_argument("--cpu", action="store_true", help="show ratios of CPU time, for a busy machine")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),
        help="where databases are written; must be on a disk (default: /var/tmp)",
    )
    return parser.parse_args()


def _say(what: str) -> None:
    """One line that overwrites itself, for a person who waits; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
