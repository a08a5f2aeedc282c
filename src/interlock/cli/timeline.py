"""A run of an agent turn by turn, and a graph call by call, as `interlock runs show` tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from interlock.agent.graph_standing import Standing, call_id
from interlock.cli.layout import Listing, heading, lines, told, word
from interlock.cli.outcome import outcome_word
from interlock.core.call import OutcomeKind
from interlock.core.call_state import CallState
from interlock.core.clock import iso
from interlock.core.event import Event, Kind
from interlock.core.run import RunState, speaker
from interlock.core.times import took
from interlock.core.transcript import TurnState

Row = dict[str, Any]

TEXT_MAX = 600
"""Characters of one text that a page shows; JSON has it whole."""


def turns_of(events: Iterable[Event], run: RunState) -> list[Row]:
    """What was said in a run, oldest first: the user's words and the model's turns, with what each turn took.

    Args:
        events: Of the run, in order.
    """
    transcript = run.transcript
    if transcript is None:
        return []
    found: list[Row] = []
    if transcript.words[0].text:
        found.append({"who": "user", "text": transcript.words[0].text, "at": iso(run.started_us)})
    turns = iter(transcript.turns)
    micro_usd = 0
    for event in events:
        body = event.fact.body
        if event.fact.kind is Kind.BUDGET_SETTLED:
            micro_usd += body.get("spent", {}).get("micro_usd", 0)
        elif event.fact.kind is Kind.CALL_DECIDED:
            micro_usd = 0  # what was settled before it was a second reader's, and no part of a turn
        elif event.fact.kind is Kind.RUN_WORDS:
            found.append({"who": "user", "text": body.get("text"), "at": iso(event.at_us)})
        elif event.fact.kind is Kind.MESSAGE:
            found.append(_turn(next(turns), event, micro_usd, run))
            micro_usd = 0
    return found


def turns_view(turns: Sequence[Row], calls: Mapping[str, Row], why: Callable[[Row], str]) -> list[RenderableType]:
    """The same for a person.

    Args:
        calls: The run's calls by id, as `runs show` has them.
        why: Says of a call what decided it, what stopped it and who let it pass.
    """
    rows: list[tuple[str | Text, ...]] = []
    for turn in turns:
        if turn["who"] == "user":
            rows.append((told("user", "strong"), lines(_short(turn["text"])), "", ""))
            continue
        said = lines(_short(turn["text"])) if turn["text"] else told("(no words)", "quiet")
        rows.append((str(turn["turn"]), said, _ended(turn), _cost(turn)))
        for call in turn["calls"]:
            row = calls.get(call["call_id"], {})
            sure = "" if call["confidence"] is None else f", {call['confidence']} % sure"
            what = told(f"→ {call['tool']} {_short(_text(call['arguments']))}{sure}")
            rows.append(("", what, *_came(call, row, why)))
    columns = ("turn", "what was said and called", "what came of it", "took")
    return [heading("Turns"), Listing(columns, rows, empty="None yet.")]


def graph_view(run: RunState) -> list[RenderableType]:
    """A graph's calls in its order, each as deep as what it needs, with how it stands."""
    standing = Standing(run)
    depth: dict[str, int] = {}
    rows = []
    for name, node in standing.nodes.items():
        before = {*node.needs, node.instead_of} & depth.keys()
        depth[name] = 1 + max((depth[each] for each in before), default=-1)
        status, call = standing.status(name), standing.call(name)
        rows.append((
            f"{'  ' * depth[name]}{'└ ' if depth[name] else ''}{name}", node.tool, word(status.value),
            ", ".join(each for each in standing.nodes if each in node.needs) or "–", _node_why(node.instead_of, call),
        ))  # fmt: skip
    columns = ("call", "tool", "status", "needs", "why")
    return [heading(f"Graph {standing.graph.name}: {standing.whole.value}"), Listing(columns, rows, empty="None.")]


def graph_of(run: RunState) -> Row:
    """The same as data."""
    standing = Standing(run)
    nodes = [
        {
            "id": name,
            "call_id": call_id(run.run_id, name),
            "tool": node.tool,
            "status": standing.status(name).value,
            "needs": sorted(node.needs),
        }
        for name, node in standing.nodes.items()
    ]
    return {"name": standing.graph.name, "status": standing.whole.value, "calls": nodes}


def _turn(turn: TurnState, event: Event, micro_usd: int, run: RunState) -> Row:
    body = event.fact.body
    calls = []
    for asked in turn.calls:
        call = speaker(run, asked.call_id)
        outcome = None if call is None else call.outcome
        calls.append({
            "call_id": asked.call_id, "tool": asked.tool, "arguments": asked.arguments, "confidence": asked.confidence,
            "outcome": None if outcome is None else outcome.kind.value, "code": "" if outcome is None else outcome.code,
            "started": "" if call is None else call.child,
        })  # fmt: skip
    return {
        "who": "model", "turn": turn.number, "at": iso(event.at_us), "model": body.get("model"), "text": turn.text,
        "finish": turn.finish, "final": turn.final, "usage": body.get("usage", {}), "micro_usd": micro_usd,
        "calls": calls,
    }  # fmt: skip


def _ended(turn: Row) -> str | Text:
    """Why a turn is no whole answer; empty where it is one, or proposes calls."""
    if turn["finish"] != "whole":
        return told(turn["finish"], "bad")
    return told("asked for its answer", "quiet") if turn["final"] else ""


def _cost(turn: Row) -> str:
    usage = turn["usage"]
    tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
    said = [f"{tokens:,} tokens"] if tokens else []
    return ", ".join([*said, *([f"${turn['micro_usd'] / 1_000_000:.6f}"] if turn["micro_usd"] else [])])


def _came(call: Row, row: Row, why: Callable[[Row], str]) -> tuple[Text, str]:
    """What became of a call and why; how long it took."""
    came = outcome_word(call["outcome"] or "not made yet", call["code"])
    if row and (said := why(row)):
        came = Text.assemble(came, told(f"  {said}"))
    if call["started"]:
        came = Text.assemble(came, told(f"  started {call['started']}", "quiet"))
    return came, took(row["took_us"]) if row and row["took_us"] is not None else ""


def _node_why(instead_of: str, call: CallState | None) -> str:
    said = [f"in the place of {instead_of}"] if instead_of else []
    if call is not None and call.awaits:
        said.append(f"started {call.awaits}")
    if call is not None and call.status == "held":
        said.append(f"`interlock approvals show {call.approval_id}`")
    outcome = None if call is None else call.outcome
    if outcome is not None and outcome.kind not in (OutcomeKind.DONE, OutcomeKind.HELD):
        said.append(f"{outcome.code}: {outcome.message}")
    return "; ".join(said)


def _text(arguments: str | Mapping[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _short(text: str | None) -> str:
    if text is None:
        return "(erased)"
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}… ({len(text):,} characters)"
