"""What rules from a written policy stop of the wrong writes of recorded runs: `python -m proof.verification`.

Every write of the recorded tau-bench airline runs of the data folder becomes one line of a file of labelled calls:
`wrong` where the data says that it is not one of the gold answer, else `right`. With it goes what the run had read by
then and what the user had said. The rules are those of `proof/airline_rules.py`, from `airline_wiki.md` alone. The file
goes through `interlock verify calibrate`, as anybody's would.

A call may be wrong though no sentence of the policy forbids it (another flight than the user wanted), and then no rule
from the policy can know.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proof.recorded import FOLDER

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
"""So that the rules of this folder are found from anywhere."""

RULES = {
    "what the policy says of the call": "proof.airline_rules",
    "and of the talk before it, which the labels do not judge": "proof.airline_conduct",
}
"""What is measured, and the module that has the rules."""


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        for what, module in RULES.items():
            if not options.json:
                print(f"\n{what}:", flush=True)
            command = _command(Path(folder), options.data, module)
            if code := subprocess.run([*command, *["--json"] * options.json], env=ENVIRONMENT, check=False).returncode:
                return code
    return 0


def measure(data: Path, folder: Path, module: str = "proof.airline_rules") -> dict[str, Any]:
    """The figures, for a test: what `interlock verify calibrate --json` says."""
    command = [*_command(folder, data, module), "--json"]
    ended = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True, timeout=120)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def lines(data: Path) -> Iterator[dict[str, Any]]:
    """The labelled writes of all runs."""
    with gzip.open(data / "tau_bench" / "traces_gpt4o_airline.jsonl.gz", "rt", encoding="utf-8") as file:
        for run in map(json.loads, file):
            yield from _of_run(run)


def _of_run(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    labels = run["labels"]
    writes, wrong = set(labels["write_calls"]), set(labels["write_calls_not_in_ground_truth"])
    words: list[str] = []
    earlier: list[dict[str, Any]] = []
    proposed: dict[str, dict[str, Any]] = {}
    for message in run["messages"]:
        if message["role"] == "user":
            words.append(message["content"])
        elif message["role"] == "tool":
            call = proposed[message["tool_call_id"]]
            earlier.append({"tool": call["name"], "arguments": call["args"] or {}, **_came_of(message["content"])})
        for call in message.get("tool_calls") or ():
            proposed[call["id"]] = call
            if call["call"] in writes:
                yield {
                    "tool": call["name"], "effect": "irreversible", "arguments": call["args"],
                    "words": "\n\n".join(words), "earlier": list(earlier),
                    "label": "wrong" if call["call"] in wrong else "right",
                }  # fmt: skip


def _came_of(content: str) -> dict[str, Any]:
    if content.startswith("Error"):
        return {"outcome": "failed"}
    try:
        return {"outcome": "done", "value": json.loads(content)}
    except ValueError:
        return {"outcome": "done", "value": content}


def _command(folder: Path, data: Path, module: str) -> list[str]:
    """The command that measures, with its two files written."""
    labelled, settings = folder / "labelled.jsonl", folder / "interlock.toml"
    labelled.write_text("".join(json.dumps(line) + "\n" for line in lines(data)), encoding="utf-8")
    settings.write_text(f'[verify]\nrules = ["{module}"]\n', encoding="utf-8")
    interlock = str(Path(sys.executable).with_name("interlock"))
    return [interlock, "verify", "calibrate", str(labelled), "--settings", str(settings)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON document")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
