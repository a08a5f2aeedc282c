"""Which call another one undoes: what its holds are answered by, and why no limit refuses it."""

from __future__ import annotations

from interlock.core.call import OutcomeKind, ValidCall
from interlock.core.call_state import CallState
from interlock.core.canonical import canonical
from interlock.core.run import RunState
from interlock.errors import BadInput
from interlock.registry.defaults import filler

_TOOK_EFFECT = frozenset({OutcomeKind.DONE, OutcomeKind.WITHHELD, OutcomeKind.UNKNOWN})


def undoes(valid: ValidCall, run: RunState) -> str:
    """The call of this run that this one undoes, exactly as that one's intent says; empty for any other call.

    The tool's definition is the one that stood in the intent, and the arguments are those that follow from that
    call's arguments and result. Once: not while or after another call undid it.
    """
    parent = run.calls.get(valid.call.parent_id)
    if parent is None or parent.undo is None or parent.undone == "done":
        return ""
    outcome = parent.outcome
    if outcome is None or outcome.kind not in _TOOK_EFFECT:
        return ""
    undo, tool = parent.undo, valid.tool
    if (undo.tool, undo.tool_hash) != (tool.name, tool.digest) or _by_another(parent, valid, run):
        return ""
    fill = filler(tool.input_schema) if tool.sealed else None
    try:
        arguments = undo.derived(outcome.value)
    except BadInput:
        return ""
    return parent.call_id if canonical(arguments if fill is None else fill(arguments)) == valid.text else ""


def _by_another(parent: CallState, valid: ValidCall, run: RunState) -> bool:
    """Whether another call that undoes it is on its way, did so, or may have, where doing it twice is not once."""
    for other in run.calls.values():
        if other.parent_id == parent.call_id and other.tool == valid.tool.name and other.call_id != valid.call.call_id:
            kind = None if other.outcome is None else other.outcome.kind
            open_ = other.status == "intent" or (kind is OutcomeKind.UNKNOWN and not valid.tool.idempotent)
            if open_ or kind in (OutcomeKind.DONE, OutcomeKind.WITHHELD):
                return True
    return False
