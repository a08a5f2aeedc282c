"""The recorded agent runs of the data folder (AgentDojo, AgentDyn, tau-bench airline), to be made again.

What is assumed, because the recordings do not say it: calls of one turn of the model are proposed together, and effects
are by the labels of the data folder, else by the name's verb. Reads of web pages carry data out.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interlock import Rejected, Tool, foreign_tool
from interlock.core.canonical import canonical
from interlock.core.tool import Body

FOLDER = Path(os.environ.get("INTERLOCK_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
"""The data folder."""

_OUTWARD = frozenset({"get_webpage", "browse_webpage"})
"""Reads that carry data out: a web page's address says something to whoever serves it."""

_READING = ("get_", "read_", "list_", "search_", "check_", "view_")
"""How the name of a read begins, where nobody has labelled the tool."""


class Call(NamedTuple):
    """One recorded call.

    Attributes:
        tool, arguments: As proposed.
        said: The recorded result.
        error: The recorded error, or that there is no result; empty for none.
    """

    tool: str
    arguments: dict[str, Any]
    said: str
    error: str


Turns = list[list[Call]]
"""The calls of a recorded run, those of one turn of the model together."""


class RecordedRun(NamedTuple):
    """One recorded run.

    Attributes:
        source: Folder that it is from.
        task: What it was to do.
        solved: Whether it did.
        turns: Its calls.
        messages: The whole conversation, as it was recorded.
    """

    source: str
    task: str
    solved: bool
    turns: Turns
    messages: Sequence[dict[str, Any]]


class Suite(NamedTuple):
    """The runs over one set of tools.

    Attributes:
        tools: Definitions, each with `effect`: `read`, `outward`, `write` or `neither`.
        runs: The runs, in the order of the files.
    """

    tools: list[dict[str, Any]]
    runs: list[RecordedRun]


def recorded(data: Path) -> dict[str, Suite]:
    """Suite to its tools' definitions and its runs."""
    found: dict[str, Suite] = {}
    for folder, file in (("agentdojo", "traces.jsonl.gz"), ("agentdyn", "traces_shopping.jsonl.gz")):
        suites = json.loads((data / folder / "tools.json").read_text(encoding="utf-8"))
        for run in _rows(data / folder / file):
            suite = found.setdefault(run["suite"], Suite(suites[run["tools_ref"]], []))
            suite.runs.append(_run(folder, run["user_task"], run))
    tau = data / "tau_bench"
    tools = [row for row in _rows(tau / "tools.jsonl.gz") if row["suite"] == "tau-bench/airline"]
    runs = [_run("tau_bench", str(run["task"]), run) for run in _rows(tau / "traces_gpt4o_airline.jsonl.gz")]
    found["airline"] = Suite(tools, runs)
    labels = _labels(data)
    for name, suite in found.items():
        for tool in suite.tools:
            tool["effect"] = labels.get((name, tool["name"])) or _by_name(tool["name"])
    return found


def recorded_tool(suite: str, definition: dict[str, Any], body: Body, cache_s: float = 0.0) -> Tool:
    """A tool of a suite over another body: every write of a suite puts all of its reads out of date."""
    effect = definition["effect"]
    options: dict[str, Any] = {"effect": "read" if effect in ("read", "outward") else "reversible"}
    if effect == "read":
        options |= {"cache_s": cache_s, "cache_tags": ["suite"]}
    elif effect == "outward":
        options["outward"] = True
    elif effect == "write":
        options["invalidates"] = ["suite"]
    schema = {**definition["input_schema"], "additionalProperties": False}
    server = suite.replace("/", "-")
    return foreign_tool(definition["name"], server, definition["description"], schema, body, **options)


class RecordedFarEnd:
    """What was recorded.

    Attributes:
        calls: The recorded calls of the turn that are not answered yet.
    """

    calls: list[Call]

    async def answer(self, tool: str, arguments: dict[str, Any]) -> object:
        """What the call of these arguments was answered; `Rejected` where that was an error."""
        asked = canonical(arguments)
        call = next(call for call in self.calls if call.tool == tool and canonical(call.arguments) == asked)
        self.calls.remove(call)
        if call.error:
            raise Rejected(call.error)
        return call.said


def _run(source: str, task: str, row: dict[str, Any]) -> RecordedRun:
    return RecordedRun(source, task, bool(row["labels"]["utility"]), _turns(row["messages"]), row["messages"])


def _by_name(name: str) -> str:
    if name in _OUTWARD:
        return "outward"
    return "read" if name.startswith(_READING) else "write"


def _labels(data: Path) -> dict[tuple[str, str], str]:
    """The data folder's own word on a tool, where it has one: `read`, `write` or `neither`."""
    found = {}
    for row in _rows(data / "risk_labels" / "tools.jsonl.gz"):
        if row["source"].startswith("DRIFT") and row["name"] not in _OUTWARD:
            found[row["server"], row["name"]] = "read" if row["label"] == "read" else "write"
    kinds = {"READ": "read", "WRITE": "write", "GENERIC": "neither"}
    for row in _rows(data / "tau_bench" / "tau2_tool_read_write_labels.jsonl.gz"):
        if row["domain"] == "airline":
            found["airline", row["name"]] = kinds[row["label"]]
    found["airline", "think"] = "neither"
    return found


def _turns(messages: Sequence[dict[str, Any]]) -> Turns:
    """The calls of each turn, each with the result that was recorded for it."""
    turns: Turns = []
    for place, message in enumerate(messages):
        proposed = message.get("tool_calls") or []
        if message["role"] != "assistant" or not proposed:
            continue
        results = []
        for later in messages[place + 1 :]:
            if later["role"] != "tool":
                break
            results.append(later)
        turns.append([_call(one, nth, results) for nth, one in enumerate(proposed)])
    return turns


def _call(proposed: dict[str, Any], nth: int, results: Sequence[dict[str, Any]]) -> Call:
    by_id = [one for one in results if one.get("tool_call_id") == proposed["id"]]
    found = by_id[0] if len(by_id) == 1 else results[nth] if nth < len(results) else {"error": "no result"}
    return Call(proposed["name"], proposed["args"] or {}, str(found.get("content")), str(found.get("error") or ""))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)
