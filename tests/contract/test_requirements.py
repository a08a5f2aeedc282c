"""The manifest of what was promised: every id has tests, every test named exists, nothing else is claimed."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((Path(__file__).parent / "requirements.toml").read_text(encoding="utf-8"))

SAGAS = {"C4", "K39", *(f"defect-{number}" for number in (38, 39, 42, 43, 51, 52))}
"""What issue 5 names for sagas."""

DRIFT = {"T6", "T7", "T8", "T9", "T10", "T45", "defect-72"}
"""What issue 6 names for definitions of servers' tools that are poisoned, pulled away or pass for others."""

BEHIND = {"T19", "T36", "T37", "T41", "K29"}
"""What issue 6 names for the servers behind."""

MEMORY = {"C11"}
"""And for what is remembered across runs."""

SERVICES = {"B15", "E2", "T17", "T18", "T21"}
"""And of issue 6 for what goes out and for services."""

WRAPPING = {"D8", "E3", "E9", "F5"}
"""And of issue 6 for clients that are wrapped, deployments that are checked, and agents' hooks."""

SCREENING = {"B16", "P3", "T4", "defect-58"}
"""What issue 7 names for what comes back."""

PROVENANCE = {"B3", "T2", "T3", "Q15"}
"""What issue 7 names for where values come from."""

EVALS = {"F1", "F2", "F4"}
"""What issue 7 names for evals."""

RED_TEAM = {"F3", "Q6", "Q7", "Q17"}
"""And for red teams."""

ROLLOUTS = {"A8"}
"""And issue 6 for versions of tools."""

DOOR = {"T14", "T15", "T36", "T37"}
"""And for whoever comes in."""

GUARD = {"Q14", "Q9", "T11", "T13", "T16", "T20"}
"""And what stands before the gateway."""

LOGINS = {"T11", "T12"}
"""And for tokens towards servers behind."""

TELEMETRY = {"D5"}
"""What issue 8 names for telemetry."""

SECRETS = {"B17", "T32", "Q12"}
"""And for secrets."""

SIGN_IN = {"E4", "T20", "T24", "T25", "T35"}
"""What issue 8 names for keys, sessions and whoever signs in."""

CONSOLE = {"E5"}
"""And for its pages."""

MEASURES = {"D6"}
"""And for figures and dashboards; D7 is named before."""

REQUIREMENTS = (
    "A1 A2 A3 A4 A5 A7 A9 B1 B2 B4 B5 B6 B9 B10 B11 B12 B13 B14 B18 B19 C5 C8 D1 D2 D3 D4 D7 E7 E8 E10 G5".split()
)
THREATS = "T1 T5 T26 T27 T28 T29 T30 T31 T34 T35 T38 T42 T43 T44".split()
FAULTS = [
    *("K1 K11 K13 K2 K3 K4 K5 K6 K7 K8 K9 K10 K12 K14 K15 K16 K22 K23 K24 K25 K26 K27 K28".split()),
    *("K33 K34 K35 K36 K37 K38 K40 K41 K44 K45 K48".split()),
]
DEFECTS = [
    f"defect-{number}" for number in (*range(1, 25), *range(34, 38), 40, 41, *range(44, 49), 53, 54, 59, *range(60, 71))
]
APPROVALS = ["T23", "T24", "defect-33", "Q11"]
VERIFICATION = ["B7", "B8", "T33", *(f"defect-{number}" for number in range(25, 33))]
AGENTS = ["A6", "C1", "C10", "C12", "C7", "C9", *(f"defect-{number}" for number in (49, 50, 55, 56, 71))]
PATTERNS = ["C2", "C3", "T39", "defect-57"]
GOALS = ["Q1", "Q13", "Q4", "Q5"]
NAMED = {*APPROVALS, *AGENTS, *PATTERNS, *VERIFICATION, *REQUIREMENTS, *THREATS, *FAULTS, *DEFECTS, *GOALS}
"""What issues 2, 3 and 4 name, and what of issue 5 is there."""


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests."""
    path = ROOT / file
    assert path.is_file(), f"no file {file}"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def test_every_id_that_the_issue_names_is_in_the_manifest_and_no_other() -> None:
    behind = BEHIND | LOGINS | WRAPPING | PROVENANCE | RED_TEAM | TELEMETRY | MEASURES | SIGN_IN
    assert (
        set(MANIFEST)
        == SECRETS
        | EVALS
        | SCREENING
        | GUARD
        | NAMED
        | SAGAS
        | MEMORY
        | SERVICES
        | ROLLOUTS
        | DRIFT
        | DOOR
        | CONSOLE
        | behind
    )


@pytest.mark.parametrize("promised", MANIFEST)
def test_every_promise_has_tests_and_every_test_that_is_named_exists(promised: str) -> None:
    entry = MANIFEST[promised]
    assert entry["says"]
    assert entry["tests"], f"{promised} is held by nothing"
    assert len(set(entry["tests"])) == len(entry["tests"])
    for test in entry["tests"]:
        file, _, name = test.partition("::")
        assert name in names_in(file), f"{promised}: there is no {test}"
