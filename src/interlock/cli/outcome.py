"""What became of a call, as every command says it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from interlock.cli.layout import fields, note, told, value, word
from interlock.cli.output import OUTCOME_EXITS, Exit
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.canonical import Json
from interlock.core.problem import Problem
from interlock.core.times import ago

REHEARSALS = {
    "rehearsal.would_run": Exit.DONE,
    "rehearsal.would_verify": Exit.DONE,
    "rehearsal.would_hold": Exit.HELD,
}
"""Ends of a dry run that say what the call would have come to."""


def exit_of_outcome(outcome: Outcome) -> Exit:
    """The exit code that says what became of the call, or would have."""
    return REHEARSALS.get(outcome.code, OUTCOME_EXITS[outcome.kind])


def outcome_view(outcome: Outcome) -> list[RenderableType]:
    """What happened, why, what is to be repaired, and what to do next."""
    view: list[RenderableType] = [_headline(outcome)]
    if outcome.message and outcome.kind is not OutcomeKind.DONE:
        view.append(told(_sentence(outcome.message)))
    for problem in outcome.problems:
        view += _problem(problem)
    if outcome.kind is OutcomeKind.DONE or outcome.value is not None:
        view.append(value(outcome.value))
    if outcome.next_step:
        view.append(Text.assemble(("next: ", "quiet"), told(outcome.next_step)))
    if outcome.kind is OutcomeKind.UNKNOWN:
        view.append(settle_hint(outcome.call_id))
    return view


def settle_hint(call_id: str) -> Text:
    """How a person says what became of an unknown call."""
    return note(f"Once you know: `interlock calls settle {call_id} done|failed --note TEXT`.")


def approval_view(row: dict[str, Any], now_us: int, you: str) -> list[RenderableType]:
    """Who may decide about a held call, until when, and how.

    Args:
        row: Its row of the projection `approval`.
        you: Id of whoever reads this.
    """
    own = ", but not you" if row["subject"] == you else ""
    return [
        fields(
            (
                ("approval", row["approval_id"]),
                ("may decide", deciders(json.loads(row["groups"]), row["quorum"]) + own),
                ("expires", ago(row["expires_us"], now_us)),
            )
        ),
        note(f"See it with `interlock approvals show {row['approval_id']}`."),
    ]


def deciders(groups: list[str], quorum: int) -> str:
    """Who releases a held call: `one person with the role approver`."""
    people = "one person" if quorum == 1 else f"{quorum} people"
    if len(groups) == 1:
        return f"{people} with the role {groups[0]}"
    return f"{people} who between them have the roles {' and '.join(groups)}"


def outcome_word(outcome: str | None, code: str | None) -> Text:
    """An outcome in its colour; the refusal that ends a dry run is none."""
    return told("dry run") if code in REHEARSALS else word(outcome)


def _headline(outcome: Outcome) -> Text:
    kind = outcome_word(outcome.kind.value, outcome.code)
    kind.stylize("bold")
    again = "  (recorded before; nothing ran now)" if outcome.repeated else ""
    code = f"  {outcome.code}" if outcome.code else ""
    return Text.assemble(kind, "  ", told(outcome.tool, "strong"), told(code + again, "quiet"))


def _problem(problem: Problem) -> list[RenderableType]:
    hints = [
        (name, _json(hint))
        for name, hint in (("closest", problem.closest), ("allowed", problem.allowed), ("example", problem.example))
        if hint is not None
    ]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=False, overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_row(told("  " + problem.field, "strong"), told(problem.message))
    for name, hint in hints:
        grid.add_row("", Text.assemble((f"{name}: ", "quiet"), told(hint)))
    return [grid]


def _json(hint: Json) -> str:
    return json.dumps(hint, ensure_ascii=False)


def _sentence(text: str) -> str:
    """With a capital and a full stop: the path's messages are clauses."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
