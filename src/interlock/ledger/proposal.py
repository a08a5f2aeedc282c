"""What of a proposal is kept: as it was said, within bounds, and in a form that the ledger can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.core.call import ToolCall, proposal_digest
from interlock.core.canonical import Json, canonical, check_json, reread
from interlock.errors import BadInput

TEXT = (str, bytes)
"""What arguments are that were proposed as a JSON text."""

_KEPT_MAX = 65_536
"""Characters of a proposed text that are kept: a refused one may be as large as its sender likes."""

NAME_KEPT_MAX = 128
"""The same for a proposed name of a tool; a tool's own has at most 64."""


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


def kept_object(arguments: Mapping[str, Any]) -> Json:
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


def own_copy(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Valid arguments as they were proposed, in parts that nobody else holds and could change."""
    for part in arguments.values():
        if type(part) is dict or type(part) is list:
            own: Mapping[str, Any] = reread(canonical(arguments))
            return own
    return dict(arguments)
