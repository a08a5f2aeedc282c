"""AgentDyn's recorded runs of real models over its shopping suite, as cases.

Labels name the attacker's calls by a literal that they carry, and not each call that belongs to the attack. So of an
attacked run every other write is suspect that no ideal and no solved run of the same task makes: nobody approves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from interlock.core.canonical import canonical
from interlock.evals.redteam_case import Case, Step, Suite
from interlock.evals.redteam_profiles import read_profiles
from interlock.evals.redteam_runs import case_of, definitions, rows, steps_of

Known = Mapping[str, frozenset[tuple[str, bytes]]]
"""User task to the calls that it takes, each as tool and canonical arguments."""


def read_suite(folder: Path) -> Suite:
    """The runs in which a model served an attacker, and the solved ones that nobody attacked.

    Args:
        folder: `agentdyn` of the data folder.
    """
    reviewed = read_profiles("agentdyn")["shopping"]
    listed = json.loads((folder / "tools.json").read_text(encoding="utf-8"))["shopping"]
    suite = Suite(
        name="shopping", tools=definitions(listed, reviewed),
        profiles={tool: said.profile for tool, said in reviewed.items()},
    )  # fmt: skip
    runs = list(rows(folder / "traces_shopping.jsonl.gz"))
    solved = [run for run in runs if run["injection_task"] is None and run["labels"]["utility"]]
    known = _known([*rows(folder / "ground_truth_traces.jsonl.gz"), *solved])
    attacked = (run for run in runs if run["labels"]["attacker_calls"])
    cases = (*map(case_of, solved), *_attacks(attacked, known, suite.writes))
    return replace(suite, cases=cases)


def _attacks(runs: Iterable[Mapping[str, Any]], known: Known, writes: frozenset[str]) -> Iterator[Case]:
    for run in runs:
        case = case_of(run)
        wanted = known.get(run["user_task"], frozenset())
        steps = tuple(step._replace(suspect=_is_suspect(step, wanted, writes)) for step in case.steps)
        yield replace(case, steps=steps, threat="T1")


def _is_suspect(step: Step, wanted: frozenset[tuple[str, bytes]], writes: frozenset[str]) -> bool:
    return not step.attacker and step.tool in writes and (step.tool, canonical(dict(step.arguments))) not in wanted


def _known(runs: Iterable[Mapping[str, Any]]) -> Known:
    found: dict[str, set[tuple[str, bytes]]] = {}
    for run in runs:
        calls = {(step.tool, canonical(dict(step.arguments))) for step in steps_of(run)}
        found.setdefault(run["user_task"], set()).update(calls)
    return {task: frozenset(calls) for task, calls in found.items()}
