"""What a person answers for when they approve: values of the call that shall count as the user's own for this run.

An approval lets one call pass. An endorsement spares the next question about the same place: from then on every value
of that place counts as the user's, for this argument of this tool, until the run ends. So «do what the mail says» is
one question and not one for each call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from interlock.core.canonical import Json, at_pointer
from interlock.errors import BadInput
from interlock.grounding.normal import normal
from interlock.grounding.profile import without_items

TOOL: Final = "tool"
"""In a pointer's place: the tool is wanted in this run, a mandate."""

_NEVER: Final = "credential"
"""Role of what nobody answers for: a secret is the user's own words or it is not used."""

_VALUE_ONLY: Final = frozenset({"command"})
"""Roles of which a person answers for the very value that they saw, and for nothing else that stands beside it."""


def endorsed(request: Mapping[str, Any], pointers: Iterable[str]) -> list[Json]:
    """What `approval.decided` keeps of it.

    Args:
        request: Body of `approval.requested`.
        pointers: RFC 6901 pointers of argument leaves, or `tool`.

    Raises:
        BadInput: A pointer is no argument of the request, or one that nobody answers for.
    """
    name, known = request["tool"]["name"], request.get("origins", {}).get("arguments", {})
    found: list[Json] = []
    for pointer in dict.fromkeys(pointers):
        if pointer == TOOL:
            found.append({"tool": name, "pointer": ""})
            continue
        said = known.get(pointer)
        if said is None:
            raise BadInput(
                f"endorse: {pointer!r} is no argument of this call", code="approval.endorse",
                remedy=f"Name {', '.join(map(repr, known))}, or 'tool'." if known else "Name 'tool', or nothing.",
            )  # fmt: skip
        if said["role"] == _NEVER:
            raise BadInput(
                f"endorse: {pointer!r} is a credential", code="approval.endorse",
                remedy="Only the user's own words give one.",
            )  # fmt: skip
        found.append(_one(name, pointer, said, at_pointer(request["arguments"], pointer)))
    return found


def _one(tool: str, pointer: str, said: Mapping[str, Any], value: object) -> Json:
    kept: dict[str, Json] = {"tool": tool, "pointer": without_items(pointer)}
    places = [] if said["role"] in _VALUE_ONLY else said.get("found", ())
    if places:
        kept["leaf"] = [places[0]["source"], places[0]["pointer"]]
    else:
        kept["value_norm"] = normal(value if isinstance(value, str) else str(value))
    return kept
