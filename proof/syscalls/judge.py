"""What must hold after every strike (spec/faults K1), by the far end's file, the ledger and the client's notes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from proof.syscalls.twenty import CALLS, class_of

KINDS = ("lost", "doubled", "stuck", "untrue")


class Finding(NamedTuple):
    """One thing that does not hold.

    Attributes:
        kind: Of `KINDS`: an acknowledged effect is not there, one is there twice, something waits that nobody will
            wake, what was told or recorded is not so.
        says: What, in one sentence.
    """

    kind: str
    says: str


def judge(folder: Path, effects: list[dict[str, Any]]) -> list[Finding]:
    """Everything that does not hold after a strike and its recovery.

    Args:
        effects: What the far end did meanwhile, in order.
    """
    report = json.loads((folder / "report").read_text())
    before, after = _read(folder / "told"), _read(folder / "told_again")
    found = [Finding("untrue", f"the ledger does not verify: {unsound}") for unsound in report["unsound"]]
    if report["due"]:
        found.append(Finding("stuck", f"{report['due']} things are due, however often they are advanced"))
    for n in range(1, CALLS + 1):
        done = [effect for effect in effects if effect["arguments"] == {"n": n}]
        row = report["calls"].get(str(n))
        found += _effects(n, done, row)
        found += _told(n, before.get(n), row)
        found += _told(n, after.get(n), row)
    return found


def _effects(n: int, done: list[dict[str, Any]], row: dict[str, Any] | None) -> Iterator[Finding]:
    """How often a call took effect, by what its tool declares and what the ledger says of it."""
    declared = class_of(n)
    if row is None:
        if done:
            yield Finding("untrue", f"call {n} ({declared}) took effect without a record")
        return
    outcome = row["outcome"]
    if row["status"] not in ("closed", "unknown"):
        yield Finding("stuck", f"call {n} ({declared}) is left {row['status']}")
    if declared == "read":
        return
    if len(done) > 1 and declared != "idempotent":
        yield Finding("doubled", f"call {n} ({declared}) took effect {len(done)} times")
    if len({effect["key"] for effect in done}) > 1:
        yield Finding("untrue", f"call {n} ({declared}) had two keys")
    if outcome == "done" and not done:
        yield Finding("lost", f"call {n} ({declared}) is done, and nothing was")
    if outcome not in ("done", "unknown") and done:
        yield Finding("untrue", f"call {n} ({declared}) is {outcome}, and took effect")
    if outcome == "unknown" and declared != "none":
        yield Finding("stuck", f"call {n} ({declared}) is unknown where it can be known")


def _told(n: int, told: dict[str, Any] | None, row: dict[str, Any] | None) -> Iterator[Finding]:
    """What the client was told stands in the ledger, and no other result."""
    if told is None or told["kind"] == "refused":
        return
    if row is None:
        yield Finding("lost", f"call {n} was told {told['kind']} and is not in the ledger")
    elif told["kind"] == "done" and row["outcome"] != "done":
        yield Finding("lost", f"call {n} was told done and is {row['outcome']}")
    elif told["kind"] == "failed" and row["outcome"] != "failed":
        yield Finding("untrue", f"call {n} was told failed and is {row['outcome']}")


def _read(file: Path) -> dict[int, dict[str, Any]]:
    """By the call's number; a line that was cut off was told to nobody."""
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return {line["n"]: line for line in lines if "n" in line}
