"""A request for approval as a person must see it before deciding: everything that will run, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from interlock.asked import EFFECTS, Asked
from interlock.cli.layout import Cell, Sheet, fields, heading, lines, note, told, value, warning, word
from interlock.cli.origins import origins_view
from interlock.cli.outcome import deciders
from interlock.core.canonical import Json
from interlock.core.times import ago, local
from interlock.core.visible import visible, visible_lines


def request_view(asked: Asked, now_us: int) -> RenderableType:
    """Everything that a person decides about, on one page."""
    state, request = asked.state, asked.state.request
    tool, subject = request["tool"], asked.subject
    given = f"; approved by {', '.join(state.approvals)}" if state.approvals else ""
    who = deciders(request["groups"], request["quorum"])
    parts: list[RenderableType] = [
        fields(
            (
                ("approval", state.approval_id),
                ("tool", Text.assemble(told(tool["name"], "strong"), told(f" on the server {tool['server']}"))),
                ("definition", tool["hash"][:16]),
                ("effect", f"{request['effect']}: {EFFECTS.get(request['effect'], '')}"),
                ("on behalf of", f"{subject.id} ({', '.join(sorted(subject.roles)) or 'no role'})"),
                ("the user said", lines(asked.words) if asked.words is not None else told("not seen", "quiet")),
            )
        ),
        *warning([*visible(tool["name"]), *visible_lines(asked.words or "")]),
        heading("Arguments, exactly as they will run"),
        value(json.loads(request["text"])),
        heading("Decision"),
        fields(
            (
                ("status", _status(asked, now_us)),
                ("may decide", f"{who}, but not {' or '.join([subject.id, *request.get('editors', ())])}{given}"),
                ("asked by", f"{', '.join(request['rules'])}, {ago(request['requested_us'], now_us)}"),
                ("expires", f"{ago(request['expires_us'], now_us)}, {local(request['expires_us'])}"),
                ("digest", request["approval"]),
                ("call digest", request["digest"]),
                ("call", f"{state.call_id} of {asked.run_id}"),
            )
        ),
    ]
    if origins := request.get("origins"):
        parts += [heading("Where the values come from"), *origins_view(origins)]
    if verdict := request.get("verify"):
        parts += [heading("What a second reader says"), fields(_verdict(verdict))]
    if changed := request.get("difference"):
        parts += [heading(f"What changed since {request['instead_of']}"), *_differences(changed)]
    if state.ended_by:
        parts.append(fields([(state.status, f"by {state.ended_by}{f': {state.words}' if state.words else ''}")]))
        if edited := state.answer.get("text"):
            parts += [heading("Made in its place"), value(json.loads(edited))]
        if state.status == "responded":
            parts += [heading("Said in the tool's place"), value(state.answer["value"])]
    if state.status == "pending":
        parts.append(note("An approval counts for these bytes alone, once."))
    return Sheet("approval", *parts)


def _differences(changed: Iterable[dict[str, Json]]) -> Iterator[RenderableType]:
    """What was and what is, one below the other; texts that are JSON themselves as their values."""
    for each in changed:
        yield note(f"{each['what']}: it was")
        yield value(_readable(each["was"]))
        yield note("it is now")
        yield value(_readable(each["now"]))


def _readable(said: Json) -> Json:
    if isinstance(said, str) and said.startswith("{"):
        parsed: Json = json.loads(said)
        return parsed
    return said


def _status(asked: Asked, now_us: int) -> Text:
    over = asked.state.status == "pending" and asked.state.request["expires_us"] <= now_us
    return word("expired" if over else asked.state.status)


def _verdict(said: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """The verdict with what speaks against the call, each in a line of its own."""
    sure = f", confidence {said['confidence']}" if "confidence" in said else ""
    found: list[tuple[str, Cell]] = [("verdict", f"{said['verdict']}{sure}, by {said['verifier']}")]
    found += [("doubt", said["doubt"])] if "doubt" in said else []
    return [*found, *(("concern", concern) for concern in said.get("concerns", ()))]
