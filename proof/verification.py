"""What rules from a written policy stop of the wrong writes of recorded runs: `python -m proof.verification`.

Every call of a writing tool in the 56 recorded tau-bench airline runs of the data folder becomes one line of a file of
labelled calls: `wrong` where the data says that it differs from every call of the gold answer, else `right`. With it
goes what the run had read by then and what the user had said. The rules are those of `proof/airline_rules.py`, from
`airline_wiki.md` alone, written before any label was looked at. The file goes through `interlock verify calibrate`, as
anybody's would.

A label says that the call is not one of the gold answer. A call may be wrong though no sentence of the policy forbids it (another flight than the user wanted), and most of them are: no rule from the policy can know.
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

ROOT = Path(__file__).resolve().parents[1]
WRITES = frozenset(
    {
        "book_reservation", "cancel_reservation", "send_certificate", "update_reservation_baggages",
        "update_reservation_flights", "update_reservation_passengers",
    }
)  # fmt: skip
"""The tools that change the booking database. A hand-over to a person, which the data labels too, changes nothing."""

SETTINGS = '[verify]\nrules = ["proof.airline_rules"]\n'


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        labelled = Path(folder) / "labelled.jsonl"
        labelled.write_text("".join(json.dumps(line) + "\n" for line in lines(options.data)), encoding="utf-8")
        return subprocess.run(_command(Path(folder), labelled, as_json=options.json), cwd=ROOT, check=False).returncode


def measure(data: Path, folder: Path) -> dict[str, Any]:
    """The figures, for a test: what `interlock verify calibrate --json` says."""
    labelled = folder / "labelled.jsonl"
    labelled.write_text("".join(json.dumps(line) + "\n" for line in lines(data)), encoding="utf-8")
    ended = subprocess.run(
        _command(folder, labelled, as_json=True), cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def lines(data: Path) -> Iterator[dict[str, Any]]:
    """The labelled writes of all runs."""
    with gzip.open(data / "tau_bench" / "traces_gpt4o_airline.jsonl.gz", "rt", encoding="utf-8") as file:
        for run in map(json.loads, file):
            yield from _of_run(run)


def _of_run(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    wrong = [_same(call) for call in run["labels"]["write_calls_not_in_ground_truth"]]
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
            if call["name"] in WRITES:
                yield {
                    "tool": call["name"], "effect": "irreversible", "arguments": call["args"],
                    "words": "\n\n".join(words), "earlier": list(earlier),
                    "label": "wrong" if _same(call) in wrong else "right",
                }  # fmt: skip


def _came_of(content: str) -> dict[str, Any]:
    if content.startswith("Error"):
        return {"outcome": "failed"}
    try:
        return {"outcome": "done", "value": json.loads(content)}
    except ValueError:
        return {"outcome": "done", "value": content}


def _same(call: dict[str, Any]) -> str:
    return json.dumps([call["name"], call.get("args")], sort_keys=True)


def _command(folder: Path, labelled: Path, *, as_json: bool) -> list[str]:
    settings = folder / "interlock.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("interlock")),
        "verify",
        "calibrate",
        str(labelled),
        "--settings",
        str(settings),
    ]
    return [*command, "--json"] if as_json else command


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    data = Path(os.environ.get("INTERLOCK_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=data, help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--json", action="store_true", help="the figures as one JSON document")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
