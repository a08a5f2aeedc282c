"""What `python -m proof.syscalls` judges by: a verdict that could not fail would prove nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proof.syscalls.judge import judge
from proof.syscalls.twenty import CALLS, class_of

N = {class_of(n): n for n in range(1, 6)}
"""A call of each class."""


def effect(n: int, key: str = "k") -> dict[str, Any]:
    return {"arguments": {"n": n}, "key": f"{key}{n}"}


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """What stands where nothing went wrong."""
    calls = {str(n): {"status": "closed", "outcome": "done"} for n in range(1, CALLS + 1)}
    (tmp_path / "report").write_text(json.dumps({"calls": calls, "due": 0, "unsound": []}))
    told = [json.dumps({"n": n, "kind": "done", "code": "", "value": {"n": n}}) for n in range(1, CALLS + 1)]
    (tmp_path / "told").write_text("\n".join(told) + "\n")
    return tmp_path


EFFECTS = [effect(n) for n in range(1, CALLS + 1)]


def change(folder: Path, n: int, **row: str) -> None:
    report = json.loads((folder / "report").read_text())
    if row:
        report["calls"][str(n)] = row
    else:
        del report["calls"][str(n)]
    (folder / "report").write_text(json.dumps(report))


def kinds(folder: Path, effects: list[dict[str, Any]] = EFFECTS) -> set[str]:
    return {finding.kind for finding in judge(folder, effects)}


def test_where_all_is_well_nothing_is_found(sound: Path) -> None:
    assert kinds(sound) == set()
    assert kinds(sound, [*EFFECTS, effect(N["idempotent"])]) == set(), "twice with one key is what idempotent allows"


@pytest.mark.parametrize("declared", ["keyed", "reconcilable", "none"])
def test_a_second_effect_is_found(declared: str, sound: Path) -> None:
    assert kinds(sound, [*EFFECTS, effect(N[declared])]) == {"doubled"}


def test_a_second_key_is_found(sound: Path) -> None:
    assert kinds(sound, [*EFFECTS, effect(N["idempotent"], "other")]) == {"untrue"}


@pytest.mark.parametrize("declared", ["keyed", "idempotent", "reconcilable", "none"])
def test_an_acknowledged_effect_that_is_not_there_is_found(declared: str, sound: Path) -> None:
    n = N[declared]
    assert kinds(sound, [each for each in EFFECTS if each["arguments"] != {"n": n}]) == {"lost"}
    change(sound, n)
    assert kinds(sound) >= {"lost"}, "the record is gone"


def test_what_is_left_open_is_found(sound: Path) -> None:
    change(sound, N["keyed"], status="intent", outcome="")
    assert "stuck" in kinds(sound)


def test_what_could_be_known_and_is_not_is_found(sound: Path) -> None:
    (sound / "told").unlink()
    change(sound, N["none"], status="unknown", outcome="unknown")
    assert kinds(sound) == set(), "of this one nobody can know"
    change(sound, N["reconcilable"], status="unknown", outcome="unknown")
    assert kinds(sound) == {"stuck"}


def test_a_record_that_lies_is_found(sound: Path) -> None:
    (sound / "told").unlink()
    change(sound, N["none"], status="closed", outcome="failed")
    assert kinds(sound) == {"untrue"}


def test_a_ledger_that_does_not_verify_and_what_stays_due_are_found(sound: Path) -> None:
    report = json.loads((sound / "report").read_text())
    (sound / "report").write_text(json.dumps({**report, "unsound": ["leaf: it is not"], "due": 1}))
    assert kinds(sound) == {"untrue", "stuck"}
