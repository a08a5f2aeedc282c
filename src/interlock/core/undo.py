"""What undoes a call, as its intent says it: the tool, and where its arguments come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from interlock.core.canonical import Json, at_pointer
from interlock.core.ids import named_call_id
from interlock.errors import BadInput

ARGUMENTS, RESULT = "/arguments", "/result"
"""What the pointers of a tool's `compensate_with` begin with."""


class Undo(NamedTuple):
    """What undoes one call.

    Attributes:
        tool: Name of the tool that does.
        tool_hash: Digest of that tool's definition when the intent was written.
        arguments: Those that are known before the call has run.
        results: Argument to pointer into the call's result, of those that it gives.
    """

    tool: str
    tool_hash: str
    arguments: Mapping[str, Json]
    results: Mapping[str, str]

    def derived(self, result: Json) -> dict[str, Json]:
        """The arguments of the undoing call.

        Raises:
            BadInput: The result has nothing where one should come from.
        """
        given: dict[str, Any] = {name: at_pointer(result, where) for name, where in self.results.items()}
        return {**self.arguments, **given}

    def as_json(self) -> dict[str, Json]:
        """What an intent keeps of it."""
        return {"tool_hash": self.tool_hash, "arguments": dict(self.arguments), "results": dict(self.results)}


def undo_of(tool: str, tool_hash: str, declared: Mapping[str, str], arguments: Mapping[str, Any]) -> Undo:
    """What undoes a call with these arguments.

    Args:
        declared: The called tool's `compensate_with`. What it points to in the arguments and is not there is left out.
    """
    known: dict[str, Json] = {}
    results: dict[str, str] = {}
    for name, where in declared.items():
        if in_result(where):
            results[name] = where.removeprefix(RESULT)
        elif (found := _at(arguments, where.removeprefix(ARGUMENTS))) is not None:
            known[name] = found
    return Undo(tool, tool_hash, known, results)


def undo_from(intent: Mapping[str, Any]) -> Undo | None:
    """What an intent says of it; None where nothing undoes the call."""
    said = intent.get("compensate_with")
    if said is None or not intent.get("compensate"):
        return None
    return Undo(intent["compensate"], said["tool_hash"], said["arguments"], said["results"])


def in_result(where: str) -> bool:
    """Whether a pointer of `compensate_with` is into the call's result."""
    return where == RESULT or where.startswith(RESULT + "/")


def undo_name(call_id: str, turn: int, nth: int) -> str:
    """Name of the call that undoes a call: the n-th try of the n-th turn, which a person's `resume` begins."""
    return f"undo/{call_id}/{turn}.{nth}"


def undo_id(run_id: str, call_id: str, turn: int, nth: int) -> str:
    """Id of that call: the same whoever asks."""
    return named_call_id(run_id, undo_name(call_id, turn, nth))


def _at(arguments: Mapping[str, Any], where: str) -> Any:
    try:
        return at_pointer(arguments, where)
    except BadInput:
        return None
