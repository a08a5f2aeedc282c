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
from interlock.core.message import Finish
from interlock.core.run import RunState, speaker
from interlock.core.times import took
from interlock.ledger.story import Story
from interlock.ledger.story_entries import Note, Turn

Row = dict[str, Any]

TEXT_MAX = 600
"""Characters of one text that a page shows; JSON has it whole."""

_COUNTED = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def turns_of(events: Iterable[Event], run: RunState) -> list[Row]:
    """What was said in a run, oldest first: the user's words and the model's turns, with what each turn took.

    Args:
        events: Of the run, in order.
    """
    found: list[Row] = []
    for entry in Story(run.run_id).absorb(events).entries:
        if isinstance(entry, Turn):
            found.append(_turn(entry, run))
        elif isinstance(entry, Note) and (
            entry.what == Kind.RUN_WORDS or (entry.what == Kind.RUN_STARTED and entry.text)
        ):
            found.append({"who": "user", "text": entry.text, "at": iso(entry.at_us)})
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


def _turn(turn: Turn, run: RunState) -> Row:
    calls = []
    for proposed in turn.calls:
        call = speaker(run, proposed.call_id)
        outcome = None if call is None else call.outcome
        calls.append({
            **proposed._asdict(), "outcome": None if outcome is None else outcome.kind.value,
            "code": "" if outcome is None else outcome.code, "started": "" if call is None else call.child,
        })  # fmt: skip
    usage = {name: count for name in _COUNTED if (count := getattr(turn, name)) is not None}
    return {
        "who": "model", "turn": turn.number, "at": iso(turn.at_us), "model": turn.model or None, "text": turn.text,
        "finish": turn.finish or Finish.WHOLE.value, "final": turn.final, "usage": usage,
        "micro_usd": turn.micro_usd or 0, "calls": calls,
    }  # fmt: skip


def _ended(turn: Row) -> str | Text:
    """Why a turn is no whole answer; empty where it is one, or proposes calls."""
    if turn["finish"] != Finish.WHOLE:
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
