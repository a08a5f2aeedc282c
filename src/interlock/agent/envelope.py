"""What became of a call, as the model reads it: one JSON object, labelled, and no longer than it may be.

The value of a call stands in it as data. It is never spoken by the user or the system, and never outside the object.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring as quoted
from typing import Any

from interlock.core.call import DONE, outcome_from_json
from interlock.core.call_state import CallState
from interlock.core.canonical import part_of
from interlock.core.transcript import Asked
from interlock.screening.screen import cut

_DIGEST = 16
"""Hexadecimal digits of a digest that the model is shown: to tell results apart, not to prove anything."""

_DIGEST_WHOLE = 64
"""The same of a whole one."""

_KEPT = ("from", "origin", "outcome", "call_id", "tool", "code", "message", "next_step", "approval_id")
"""What of an old result stays beside its size."""


_LABELS = ("from", "origin", "outcome", "call_id", "code")
"""What is left of the result of a turn that is shown as a line."""


def envelope(asked: Asked, speaker: CallState | None, told: bytes, bytes_max: int) -> str:
    """One call's outcome for the model.

    Args:
        asked: What was proposed.
        speaker: The call whose outcome it is: itself, or one that was made in its place.
        told: The event that said the outcome; empty where it was erased.
        bytes_max: Bytes beyond which its value is cut.
    """
    if told.startswith(DONE) and len(told) <= bytes_max:
        return _done(asked, speaker, told)
    said = _said(asked, speaker, told)
    if "value" in said and len(told) > bytes_max:
        text = _text(said["value"]).encode()
        if len(text) > bytes_max:
            said["value"] = _cut(said["value"], text, bytes_max)
    return _text(said)


def dropped(asked: Asked, speaker: CallState | None, told: bytes) -> str:
    """The same of a result that is old: its outcome, and how large it was."""
    said = _said(asked, speaker, told)
    short: dict[str, Any] = {"kind": "tool_result", **{key: said[key] for key in _KEPT if key in said}}
    if "value" in said:
        marker = _cut(said["value"], _text(said["value"]).encode(), 0)
        short["dropped"] = {"bytes": marker["bytes"], "sha256": marker["sha256"][:_DIGEST]}
    whole, shorter = _text(said), _text(short)
    return shorter if len(shorter) < len(whole) else whole


def line(asked: Asked, speaker: CallState | None, told: bytes) -> str:
    """The same of a turn of which a line is left: what came of it and whose word that is, and nothing that was said."""
    if told.startswith(DONE):
        call_id = asked.call_id if speaker is None else speaker.call_id
        return f'{{"kind":"tool_result","outcome":"done","call_id":{quoted(call_id)}}}'
    said = _said(asked, speaker, told)
    return _text({"kind": "tool_result", **{key: said[key] for key in _LABELS if key in said}})


def _done(asked: Asked, speaker: CallState | None, told: bytes) -> str:
    """What `_said` says of a call that is done, its value as it stands in the ledger: most results, of every turn."""
    call_id, tool = (asked.call_id, asked.tool) if speaker is None else (speaker.call_id, speaker.tool)
    value = part_of(told.decode(), len(DONE))
    return (
        f'{{"kind":"tool_result","outcome":"done","call_id":{quoted(call_id)},"tool":{quoted(tool)},"value":{value}}}'
    )


def _said(asked: Asked, speaker: CallState | None, told: bytes) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": "tool_result"}
    if not told:
        return said | {"outcome": "unknown", "call_id": asked.call_id, "tool": asked.tool, "code": "recall.erased"}
    event = json.loads(told)
    if "origin" in event:  # of what another run said: nobody's instruction, whoever it was
        said |= {"from": event["by"], "origin": event["origin"]}
    call_id, tool = (asked.call_id, asked.tool) if speaker is None else (speaker.call_id, speaker.tool)
    return said | outcome_from_json(event["outcome"], call_id, tool).as_json()


def _cut(value: Any, text: bytes, bytes_max: int) -> dict[str, Any]:
    """The typed marker in a large value's place; of one that is such a marker already, with less of the beginning."""
    if _is_marker(value):
        return {**value, "beginning": value["beginning"].encode()[: bytes_max // 2].decode(errors="ignore")}
    return cut(text, bytes_max)


def _is_marker(value: Any) -> bool:
    """Whether a value is a marker in each of its parts: a tool may return what only has the names of them."""
    return (
        isinstance(value, dict)
        and value.keys() == cut(b"", 0).keys()
        and value["truncated"] is True
        and type(value["bytes"]) is int
        and isinstance(value["sha256"], str)
        and len(value["sha256"]) == _DIGEST_WHOLE
        and value["sha256"].isascii()
        and isinstance(value["beginning"], str)
    )


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
