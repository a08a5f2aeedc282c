"""The gate `screen`: is what came back what was promised, and small enough to be told?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, cast

from interlock.core.call import Outcome, OutcomeKind, RawResult, Stop, ToolCall
from interlock.core.canonical import Json, JsonLimits, canonical, check_json, reread
from interlock.core.tool import Tool
from interlock.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    """What a result must pass.

    Attributes:
        matches: Whether a value satisfies the tool's output schema; true for a tool that declares none.
        limits: What a result may be at most (spec: 4 MiB); beyond them nothing of it is told.
        told_max: Bytes that a model is told (spec: 64 KiB); a larger value is cut, with a marker that says so.
    """

    matches: Callable[[Tool, Any], bool]
    limits: JsonLimits = JsonLimits(bytes_max=4 << 20, string_max=4 << 20)
    told_max: int = 64 << 10


def screen(result: RawResult, screens: Screens) -> Outcome | Stop:
    """The outcome of a call that ran: done with its value, done with what is left of it, or withheld.

    Withheld says that the tool ran and that its result is not fit to be told; the effect stands.
    """
    valid = result.approved.valid
    return screen_value(valid.call, valid.tool, result.value, screens)


def screen_value(call: ToolCall, tool: Tool, value: object, screens: Screens) -> Outcome | Stop:
    """The same for a value in the name of a tool: its own result, or what a person says in its place."""
    try:
        check_json(value, screens.limits)
        text = canonical(value)
    except BadInput as error:
        return _withhold(call, value, error.code, "the tool's result is not a JSON value within bounds")
    if len(text) > screens.limits.bytes_max:
        return _withhold(call, value, "json.too_large", "the tool's result is too large")
    if not screens.matches(tool, value):
        return _withhold(call, value, "output_schema", "the tool's result is not of the form that it declares")
    return Outcome(kind=OutcomeKind.DONE, call_id=call.call_id, tool=call.tool, value=_told(value, text, screens))


def screen_failure(outcome: Outcome, screens: Screens) -> Outcome:
    """A failed call's outcome with what is left of the far end's answer: nothing if that is no JSON in bounds."""
    if outcome.kind is not OutcomeKind.FAILED or outcome.value is None:
        return outcome
    try:
        check_json(outcome.value, screens.limits)
        text = canonical(outcome.value)
    except BadInput:
        return replace(outcome, value=None)
    fits = len(text) <= screens.limits.bytes_max
    return replace(outcome, value=_told(outcome.value, text, screens) if fits else None)


def _told(value: object, text: bytes, screens: Screens) -> Json:
    """What a model is told of the value: in parts of its own, for the tool may go on changing what it returned."""
    if len(text) > screens.told_max:
        return cut(text, screens.told_max)
    own = reread(text) if isinstance(value, dict | list) else value
    return cast(Json, own)


def cut(text: bytes, told_max: int) -> dict[str, Json]:
    """The typed marker in a large value's place: its beginning, its size and its digest."""
    return {
        "truncated": True,
        "bytes": len(text),
        "sha256": sha256(text).hexdigest(),
        "beginning": text[: told_max // 2].decode(errors="ignore"),
    }


def _withhold(call: ToolCall, value: object, code: str, message: str) -> Stop:
    outcome = Outcome(
        kind=OutcomeKind.WITHHELD, call_id=call.call_id, tool=call.tool, code=f"screen.{code}", message=message,
        next_step="The tool ran: do not repeat a call with effects. Ask for less, or tell the user.",
    )  # fmt: skip
    return Stop(gate="screen", outcome=outcome, audit={"type": type(value).__name__})
