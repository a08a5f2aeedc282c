"""What of a proposal is kept: as it was said, within bounds, and in a form that the ledger can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.core.call import ToolCall, ValidCall
from interlock.core.canonical import Json, canonical, check_json, reread
from interlock.core.proposal import proposal_digest
from interlock.errors import BadInput

_TEXT = (str, bytes)

_KEPT_MAX = 65_536
"""Characters of a proposed text that are kept: a refused one may be as large as its sender likes."""

NAME_KEPT_MAX = 128
"""The same for a proposed name of a tool; a tool's own has at most 64."""


def proposed(call: ToolCall, valid: ValidCall | None, sent: dict[str, Json] | None) -> dict[str, Json]:
    """What the proposal says that the valid call beside it does not.

    Args:
        valid: What it was found to be; None where it was never valid.
        sent: What `otherwise` said then.
    """
    said: dict[str, Json] = {}
    if sent is not None:
        said |= sent
    elif isinstance(call.arguments, _TEXT):
        said["arguments_text"] = kept_text(call.arguments)
    else:
        said["arguments"] = _kept_object(call.arguments)
    if valid is None or valid.tool.name != call.tool:
        said["tool"] = call.tool
    if call.name:
        said["name"], said["proposal"] = kept_text(call.name), proposal_mark(call)
    if call.parent_id:
        said["parent"] = call.parent_id
    if call.edited_by:
        said["edited_by"] = list(call.edited_by)
    if call.dry_run:
        said["dry_run"] = True
    return said


def otherwise(arguments: str | bytes | Mapping[str, Any], valid: bytes) -> dict[str, Json]:
    """Arguments that were just found valid as they were proposed, where that is not their canonical text.

    What the caller does with its own object afterwards changes nothing.
    """
    if isinstance(arguments, _TEXT):
        text = arguments.encode() if isinstance(arguments, str) else arguments
        return {} if text == valid else {"arguments_text": kept_text(text)}
    text = canonical(arguments)
    return {} if text == valid else {"arguments": reread(text)}


def proposal_mark(call: ToolCall) -> str:
    """Digest of the proposal; one that has no canonical form is told apart by its type and length alone.

    A rehearsal is another proposal than the call that it rehearses.
    """
    try:
        found = proposal_digest(call.tool, call.arguments)
    except BadInput as error:
        found = f"{error.code}/{len(call.arguments)}"
    return f"rehearsal/{found}" if call.dry_run else found


def kept_text(text: str | bytes) -> str:
    """Proposed text as the ledger can keep it: cut at a bound, and what is no Unicode shown escaped."""
    if isinstance(text, bytes):
        text = text[:_KEPT_MAX].decode(errors="backslashreplace")
    return text[:_KEPT_MAX].encode(errors="backslashreplace").decode()


def _kept_object(arguments: Mapping[str, Any]) -> Json:
    """A refused object as it was proposed, or the code of why it is none that the ledger could keep."""
    try:
        check_json(dict(arguments))
        text = canonical(arguments)
    except BadInput as error:
        return {"unreadable": error.code}
    if len(text) > _KEPT_MAX:
        return {"unreadable": "json.too_large", "bytes": len(text)}
    kept: Json = reread(text)
    return kept
