"""What a server is asked, what it asks in the place of a result, and for whom it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import mcp_types as types
from mcp.client.session import ClientSession
from mcp.shared.dispatcher import CallOptions

from interlock.core.held import HOLDING
from interlock.errors import NotEntitled, Rejected
from interlock.sources.mcp_connection import Terms
from interlock.sources.mcp_link import TRIP
from interlock.sources.relay import Client, check_question

Questions = Mapping[str, Mapping[str, Any]]
"""`inputRequests`: each question by the key that its answer is wanted under."""

REQUESTS: Final[Mapping[str, type[types.Request[Any, Any]]]] = {
    "tools/call": types.CallToolRequest, "tools/list": types.ListToolsRequest,
    "resources/list": types.ListResourcesRequest, "resources/read": types.ReadResourceRequest,
    "resources/templates/list": types.ListResourceTemplatesRequest,
    "prompts/list": types.ListPromptsRequest, "prompts/get": types.GetPromptRequest,
    "completion/complete": types.CompleteRequest, "ping": types.PingRequest,
}  # fmt: skip
"""Method of what a server is asked to its form in the SDK."""


async def answered(asked: Questions, terms: Terms, client: Client) -> dict[str, Any]:
    """The answers of a client that is asked while the call runs.

    Raises:
        Rejected: One of them may not be put, or is not answered.
    """
    answers: dict[str, Any] = {}
    for key, each in asked.items():
        method, params = str(each.get("method")), HOLDING.clean(each.get("params") or {})
        try:
            check_question(terms.server, terms.allow, method, params)
            answers[key] = await client.ask(terms.server, method, params)
        except NotEntitled as refused:
            raise _rejected(terms, method, refused) from None
    return answers


def as_asked(result: Mapping[str, Any], terms: Terms, client: Client) -> dict[str, Any]:
    """The whole answer as a client takes it that is asked in the place of a result.

    Raises:
        Rejected: A question in it may not be put.
    """
    questions: dict[str, Any] = {}
    for key, each in result["inputRequests"].items():
        method, params = str(each.get("method")), each.get("params") or {}
        try:
            check_question(terms.server, terms.allow, method, params)
            shown = dict(client.shown(terms.server, method, params))
        except NotEntitled as refused:
            raise _rejected(terms, method, refused) from None
        questions[key] = {"method": method, "params": shown} if shown else {"method": method}
    said: dict[str, Any] = {"resultType": "input_required", "inputRequests": questions}
    if isinstance(state := result.get("requestState"), str):
        said["requestState"] = state
    return said


def for_whom(session: ClientSession) -> None:
    """Have each request say what the client that it is made for can answer, instead of what anybody could.

    The SDK says the same with every request of a session, so this goes between.
    """
    stamp = session._stamp

    def stamped(data: dict[str, Any], options: CallOptions) -> None:
        stamp(data, options)
        trip = TRIP.get()
        meta = data.get("params", {}).get("_meta", {})
        if trip is not None and trip.takes is not None and types.CLIENT_CAPABILITIES_META_KEY in meta:
            ours = meta[types.CLIENT_CAPABILITIES_META_KEY]
            meta[types.CLIENT_CAPABILITIES_META_KEY] = {key: trip.takes[key] for key in ours if key in trip.takes}

    session._stamp = stamped


def _rejected(terms: Terms, method: str, refused: NotEntitled) -> Rejected:
    return Rejected(f"server {terms.server!r} asked {method!r}: {refused.args[0]}")
