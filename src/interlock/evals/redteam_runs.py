"""Recorded runs of the public suites, as cases: who the calls serve is what the recording's labels say."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interlock.evals.recorded_values import value_of
from interlock.evals.redteam_case import Case, Definition, Step
from interlock.evals.redteam_profiles import Reviewed


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a JSON Lines file, packed or not."""
    packed = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def definitions(said: Sequence[Mapping[str, Any]], reviewed: Mapping[str, Reviewed]) -> tuple[Definition, ...]:
    """The tools of a suite, each with the effect that its profile says."""
    return tuple(
        Definition(
            tool["name"], tool["description"], tool["input_schema"], reviewed[tool["name"]].effect,
            reviewed[tool["name"]].outward,
        )
        for tool in said
    )  # fmt: skip


def steps_of(run: Mapping[str, Any]) -> tuple[Step, ...]:
    """The calls of a recorded run, each with what came of it."""
    served = frozenset(run["labels"]["attacker_calls"])
    answers: dict[str, list[Mapping[str, Any]]] = {}
    for message in run["messages"]:
        if message["role"] == "tool":
            answers.setdefault(message.get("tool_call_id") or "", []).append(message)
    steps = []
    for message in run["messages"]:
        for call in message.get("tool_calls") or ():
            told = answers.get(call["id"])
            answer = told.pop(0) if told else {"error": "no result"}
            error = str(answer.get("error") or "")
            result = None if error else value_of(str(answer.get("content")))
            steps.append(Step(call["name"], call["args"] or {}, result, error, call["call"] in served))
    return tuple(steps)


def case_of(run: Mapping[str, Any]) -> Case:
    """A recorded run as a case: an attack where calls of it are labelled the attacker's."""
    steps = steps_of(run)
    words = next((message["content"] for message in run["messages"] if message["role"] == "user"), None)
    attacked = any(step.attacker for step in steps)
    return Case(case_id=run["id"], words=words, steps=steps, kind="effect" if attacked else "benign")
