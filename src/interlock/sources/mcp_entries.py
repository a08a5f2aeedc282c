"""Entries of a server's lists, each judged by itself: one that has not the protocol's form costs itself alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import mcp_types as types
from mcp.shared.dispatcher import CallOptions
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext
from pydantic import BaseModel, ValidationError

from interlock.sources.mcp_link import TRIP

_LISTS: Final[Mapping[str, tuple[str, type[BaseModel]]]] = {
    "tools/list": ("tools", types.Tool),
    "resources/list": ("resources", types.Resource),
    "resources/templates/list": ("resourceTemplates", types.ResourceTemplate),
    "prompts/list": ("prompts", types.Prompt),
}
"""Method to where its entries stand, and the form of each: a client in front reads all of them, or none."""

_NAME_MAX: Final = 200


class Sorting(JSONRPCDispatcher[TransportContext]):
    """The SDK's dispatcher, but that entries without a form are taken out of a list before the SDK reads it.

    It would read nothing of the list then. What they were stands in the request's `Trip`.
    """

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None, **more: Any
    ) -> dict[str, Any]:
        """See `JSONRPCDispatcher`."""
        answer = await super().send_raw_request(method, params, opts, **more)
        key, form = _LISTS.get(method, ("", BaseModel))
        if key and isinstance(answer.get(key), list):
            answer[key], odd = sorted_out(answer[key], form)
            if (trip := TRIP.get()) is not None:
                trip.odd.update(odd)
        return answer


def sorted_out(entries: Iterable[object], form: type[BaseModel]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The entries that have a form, as they are; and the others, by name, with what is wrong."""
    sound: list[dict[str, Any]] = []
    odd: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            odd[f"entry {number}"] = "is no object"
            continue
        try:
            form.model_validate(entry)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            odd[str(entry.get("name") or f"entry {number}")[:_NAME_MAX]] = f"has not the protocol's form at {where!r}"
            continue
        sound.append(entry)
    return sound, odd
