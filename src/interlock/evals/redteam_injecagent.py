"""InjecAgent's cases: a user's read whose result has a planted instruction, and the calls that hijacked models made.

Profiles are drafted from the tools' names and schemas alone (`registry.profile_draft`), and nobody edits them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interlock.core.canonical import Json
from interlock.evals.recorded_values import value_of
from interlock.evals.redteam_case import PAYLOAD, Case, Definition, Step, Suite, map_texts, texts_of
from interlock.evals.redteam_runs import rows
from interlock.grounding.profile import Profile
from interlock.registry.profile_draft import Draft, draft


def read_suite(folder: Path) -> Suite:
    """The cases, each with the calls of a model that fell for it.

    Args:
        folder: `injecagent` of the data folder.
    """
    drafts = {tool["name"]: _draft(tool) for tool in rows(folder / "tools.jsonl.gz")}
    tools = [
        Definition(tool["name"], tool["description"], _schema(tool), effect.effect.value, effect.outward)
        for tool in rows(folder / "tools.jsonl.gz")
        for effect in (drafts[tool["name"]].effect,)
    ]
    profiles: dict[str, Profile] = {name: made.profile for name, made in drafts.items()}
    fallen = _fallen(rows(folder / "outputs.jsonl.gz"))
    told = {case["id"]: case["attacker_instruction"] for case in rows(folder / "cases.jsonl.gz")}
    by_text: dict[str, tuple[Step, ...]] = {}
    for case_id, steps in fallen.items():
        if len(steps) > len(by_text.get(told[case_id], ())):
            by_text[told[case_id]] = steps
    cases = tuple(_cases(rows(folder / "cases.jsonl.gz"), by_text))
    return Suite(name="injecagent", tools=tuple(tools), profiles=profiles, cases=cases)


def _draft(tool: Mapping[str, Any]) -> Draft:
    """What its words say without those of the toolkit, which every tool of it begins with."""
    toolkit = "".join(part for part in tool["toolkit"] if part.isalnum())
    return draft(str(tool["name"]).removeprefix(toolkit), tool["description"], tool["input_schema"])


def _schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as recorded, without what models left out: what counts here is where values come from."""
    return {"type": "object", "properties": {name: {} for name in tool["input_schema"].get("properties", {})}}


def _cases(cases: Iterable[Mapping[str, Any]], by_text: Mapping[str, tuple[Step, ...]]) -> Iterator[Case]:
    for case in cases:
        instruction = case["attacker_instruction"]
        attack = by_text.get(instruction)
        if attack is None or [step.tool for step in attack] != case["attacker_tools"]:
            attack = tuple(Step(tool, {"text": instruction}, attacker=True) for tool in case["attacker_tools"])
        user = case["user_call"]
        first = Step(user["name"], user["args"] or {}, _planted(case["tool_result"], instruction))
        yield Case(
            case_id=case["id"], words=case["user_prompt"], steps=(first, *attack), payload=instruction, kind="effect",
            threat="T1",
        )  # fmt: skip


def _planted(recorded: str, instruction: str) -> Json:
    text = recorded.strip()
    if text[:1] == '"' and text[-1:] == '"':
        text = text[1:-1]
    try:
        value = value_of(text.replace("\\n", "\n")) if text[:1] in "{[" else text
    except (ValueError, SyntaxError):  # pragma: no cover - a text is what it is then
        value = text
    found = map_texts(value, lambda part: part.replace(instruction, PAYLOAD))
    if any(PAYLOAD in part for part in texts_of(found)):
        return found
    return f"{text}\n{PAYLOAD}"


def _fallen(outputs: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Step, ...]]:
    """Case to the calls of a model that did what was planted, all of its steps where a model did all."""
    found: dict[str, tuple[Step, ...]] = {}
    for output in outputs:
        if output["eval"] != "succ" or not _called(output["call"]):
            continue
        second = output.get("step2")
        steps = [Step(output["call"]["name"], output["call"]["args"], attacker=True)]
        if second is not None:
            steps[0] = steps[0]._replace(result=_read(second["attacker_tool_result"]))
            call = second["call"]
            if second["eval"] == "succ" and _called(call):
                steps.append(Step(call["name"], call["args"], attacker=True))
        if len(steps) > len(found.get(output["case"], ())):
            found[output["case"]] = tuple(steps)
    return found


def _called(call: Mapping[str, Any] | None) -> bool:
    return call is not None and isinstance(call["args"], dict)


def _read(text: str) -> Json:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, dict | list | str | int | float | bool) else str(value)
