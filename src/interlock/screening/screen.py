"""The gate `screen`: is what came back what was promised, and small enough to be told?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, cast

from interlock.core.call import Outcome, OutcomeKind, RawResult, Stop, ToolCall
from interlock.core.canonical import Json, JsonLimits, canonical, check_json, reread
from interlock.core.tool import Tool
from interlock.errors import BadInput
from interlock.screening.copier import Copied, Copier
from interlock.screening.handling import DEFAULT, Handling
from interlock.screening.personal import PATTERNS, Finder

_BEYOND = 4096
"""Bytes behind the beginning of a large value that are looked at too, so that no secret is told up to the cut."""


_ESCAPED = 6
"""Bytes that JSON needs at most for a character of ASCII, and more than the marks around a text."""


WITHHELD = "[withheld]"
"""What is told in the place of something that is no result and may not be told."""

_NAMES_MAX = 16_384
"""Tools whose copier is kept by their name."""


class Copiers:
    """The copier of each tool, made once for each way of handling.

    Args:
        handling: What is done about what a tool returns, by its name.
        finder: What finds personal data.
    """

    def __init__(self, handling: Callable[[str], Handling] = lambda tool: DEFAULT, finder: Finder = PATTERNS) -> None:
        self._handling = handling
        self._finder = finder
        self._copiers: dict[Handling, Copier] = {}
        self._known: dict[str, Copier] = {}
        self.of("")  # compiled now, not while the first call waits

    def of(self, tool: str) -> Copier:
        """What makes the copies of this tool's results."""
        copier = self._known.get(tool)
        if copier is None:
            handling = self._handling(tool)
            copier = self._copiers.get(handling)
            if copier is None:
                copier = self._copiers[handling] = Copier(handling, self._finder)
            if len(self._known) >= _NAMES_MAX:
                self._known.clear()
            self._known[tool] = copier
        return copier


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    """What a result must pass.

    Attributes:
        matches: Whether a value satisfies the tool's output schema; true for a tool that declares none.
        limits: What a result may be at most (spec: 4 MiB); beyond them nothing of it is told.
        told_max: Bytes that a model is told (spec: 64 KiB); a larger value is cut, with a marker that says so.
        copiers: What takes out of it what is not to be told.
    """

    matches: Callable[[Tool, Any], bool]
    limits: JsonLimits = JsonLimits(bytes_max=4 << 20, string_max=4 << 20)
    told_max: int = 64 << 10
    copiers: Copiers = field(default_factory=Copiers)


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
        text = b"" if _is_short(value, screens) else canonical(value)
    except BadInput as error:
        return _withhold(call, value, error.code, "the tool's result is not a JSON value within bounds")
    if len(text) > screens.limits.bytes_max:
        return _withhold(call, value, "json.too_large", "the tool's result is too large")
    if not screens.matches(tool, value):
        return _withhold(call, value, "output_schema", "the tool's result is not of the form that it declares")
    told = _told(value, text, tool.name, screens)
    if told is None:
        return _withhold(call, value, "failed", "the tool's result could not be screened")
    if told.withheld:
        return _withhold(call, value, "found", "the tool's result has something in it that is not told here", told)
    return Outcome(
        kind=OutcomeKind.DONE, call_id=call.call_id, tool=call.tool, value=told.value, screened=told.findings
    )  # fmt: skip


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
    told = _told(outcome.value, text, outcome.tool, screens) if fits else None
    if told is None or told.withheld:
        return replace(outcome, value=None, screened=() if told is None else told.findings)
    return replace(outcome, value=told.value, screened=told.findings)


def screen_aside(value: Json, screens: Screens, tool: str = "") -> Copied:
    """What may be told of what is no tool's result: what a run reports, how far a call is, what a server asks.

    Args:
        tool: Whose handling holds; the usual one where empty.
    """
    try:
        told = _told(value, canonical(value), tool, screens)
    except BadInput:
        told = None
    return Copied(WITHHELD, () if told is None else told.findings) if told is None or told.withheld else told


def _is_short(value: object, screens: Screens) -> bool:
    """Whether this is a text that is told whole however JSON writes it, so that nobody needs to know how."""
    return (
        type(value) is str
        and value.isascii()
        and _ESCAPED * len(value) < min(screens.told_max, screens.limits.bytes_max)
    )


def _told(value: object, text: bytes, tool: str, screens: Screens) -> Copied | None:
    """What a model is told of the value: in parts of its own, for the tool may go on changing what it returned.

    None where a screen failed: what could not be looked at is not told.
    """
    try:
        copier = screens.copiers.of(tool)
        if len(text) > screens.told_max:
            return _beginning(text, copier, screens.told_max)
        copied = copier.copy(value, text.decode())
    except Exception:  # whatever a screen does that it should not, nothing goes by it
        return None
    if copied.value is value and isinstance(value, dict | list):
        return Copied(cast(Json, reread(text)), copied.findings)
    return copied


def _beginning(text: bytes, copier: Copier, told_max: int) -> Copied:
    """The same of a large value: its marker, with the beginning of its text screened as one text."""
    marker = cut(text, told_max)
    beginning = text[: told_max // 2 + _BEYOND].decode(errors="ignore")
    copied = copier.copy(beginning, canonical(beginning).decode())
    clean = str(copied.value).encode()
    whole = max(0, len(clean) - _BEYOND) if copied.value != beginning else len(clean)
    marker["beginning"] = clean[: min(whole, told_max // 2)].decode(errors="ignore")
    return Copied(marker, tuple(finding._replace(at="/beginning") for finding in copied.findings))


def cut(text: bytes, told_max: int) -> dict[str, Json]:
    """The typed marker in a large value's place: its beginning, its size and its digest."""
    return {
        "truncated": True,
        "bytes": len(text),
        "sha256": sha256(text).hexdigest(),
        "beginning": text[: told_max // 2].decode(errors="ignore"),
    }


def _withhold(call: ToolCall, value: object, code: str, message: str, told: Copied | None = None) -> Stop:
    outcome = Outcome(
        kind=OutcomeKind.WITHHELD, call_id=call.call_id, tool=call.tool, code=f"screen.{code}", message=message,
        next_step="The tool ran: do not repeat a call with effects. Ask for less, or tell the user.",
    )  # fmt: skip
    audit: dict[str, Json] = {"type": type(value).__name__}
    if told is not None:
        audit["findings"] = [finding.as_json() for finding in told.findings]
    return Stop(gate="screen", outcome=outcome, audit=audit)
