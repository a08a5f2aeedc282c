"""A held call, told to whoever sits before the client: a question that approves nothing."""

from __future__ import annotations

from typing import Any

import anyio

from interlock.core.call import Outcome
from interlock.errors import MissingExtra

try:
    import mcp_types as types
    from mcp.server import ServerRequestContext
    from mcp.shared.exceptions import MCPError
    from mcp.shared.message import ServerMessageMetadata
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS
    from pydantic import ValidationError
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

Context = ServerRequestContext[Any, Any]


class Question:
    """The question about one held call.

    Args:
        link: Address that opens the request, with `{approval_id}` in it; empty for none.
    """

    def __init__(self, context: Context, outcome: Outcome, link: str) -> None:
        self._context = context
        self._outcome = outcome
        self._link = link
        self._modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def in_result(self) -> bool:
        """Whether the client takes it in the place of a result, and comes back by itself."""
        return self._modern and self._params() is not None

    def as_result(self, continuation: str) -> dict[str, Any]:
        """The answer of the revision of 2026 that holds it."""
        asked = {"method": "elicitation/create", "params": self._params()}
        return {
            "resultType": "input_required", "inputRequests": {"approval": asked}, "requestState": continuation
        }  # fmt: skip

    async def put(self, within_s: float) -> bool:
        """Put it to a client of the older revisions; whether somebody wants to wait for the person's word.

        No answer in time, or one that is none, is a no. Whatever is answered approves nothing.
        """
        context, params = self._context, self._params()
        if self._modern or params is None or not context.session.can_send_request:
            return False
        request = types.ElicitRequest.model_validate({"method": "elicitation/create", "params": params})
        metadata = ServerMessageMetadata(related_request_id=context.request_id)
        with anyio.move_on_after(within_s):
            try:
                answer = await context.session.send_request(request, types.ElicitResult, metadata=metadata)
            except (MCPError, ValidationError):
                return False
            return answer.action == "accept"
        return False

    def _params(self) -> dict[str, Any] | None:
        """The question in the best form that the client takes; None where it takes none."""
        capabilities = self._context.session.client_capabilities
        forms = None if capabilities is None else capabilities.elicitation
        if forms is None:
            return None
        approval_id = self._outcome.approval_id
        message = (
            f"The call of {self._outcome.tool} waits for somebody who may approve it ({approval_id}). "
            "Nothing that you answer here approves it. Go on to wait for their word."
        )
        if forms.url is not None and self._link:
            url = self._link.replace("{approval_id}", approval_id)
            return {"mode": "url", "message": message, "url": url, "elicitationId": approval_id}
        if forms.form is not None or forms.url is None:
            return {"mode": "form", "message": message, "requestedSchema": {"type": "object", "properties": {}}}
        return None
