"""The client in front of a call, as what a server behind may ask: with the server's name, in what the client takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from interlock.core.canonical import Json
from interlock.errors import MissingExtra, NotEntitled
from interlock.sources.relay import Way

try:
    import mcp_types as types
    from mcp.server import ServerRequestContext
    from mcp.server.connection import allowed_log_levels
    from mcp.shared.exceptions import MCPError
    from mcp.shared.message import ServerMessageMetadata
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

Context = ServerRequestContext[Any, Any]
Clean = Callable[[Json], Json]

_QUESTIONS: dict[str, tuple[str, type[BaseModel], type[BaseModel]]] = {
    "sampling/createMessage": ("sampling", types.CreateMessageRequest, types.CreateMessageResult),
    "elicitation/create": ("elicitation", types.ElicitRequest, types.ElicitResult),
    "roots/list": ("roots", types.ListRootsRequest, types.ListRootsResult),
}
"""Method to what the client must have said that it takes, the question and its answer."""

_NEEDED = frozenset(needs for needs, _, _ in _QUESTIONS.values())

_SECRETS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "credential",
    "privatekey",
    "cvv",
    "pincode",
)

LEVELS: tuple[str, ...] = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


class FrontClient:
    """A `relay.Client`: whoever sent the request that a call is made for.

    Args:
        level: The least grave log message that the client wants; the protocol's older revisions set it once.
        brought: What it came back with to a server's questions.
        clean: What may be told of what a server says.
    """

    def __init__(
        self, context: Context, clean: Clean, level: str = "debug", brought: Mapping[str, Any] | None = None
    ) -> None:
        self._context = context
        self._clean = clean
        self._level = level
        self.brought: Mapping[str, Any] = brought or {}

    @property
    def way(self) -> Way:
        """See `relay.Client`."""
        if self._context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return Way.INSTEAD
        return Way.DURING if self._context.session.can_send_request else Way.NOT

    @property
    def takes(self) -> Mapping[str, Any]:
        """See `relay.Client`."""
        said = self._context.session.client_capabilities
        if said is None:
            return {}
        return said.model_dump(by_alias=True, mode="json", exclude_none=True, include=set(_NEEDED))

    def shown(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `relay.Client`.

        Raises:
            NotEntitled: The client did not say that it takes such a question, or it is for a secret.
        """
        if _QUESTIONS[method][0] not in self.takes:
            raise NotEntitled(f"{method}: the client does not take it", code="relay.client")
        said = self._cleaned(params)
        if method == "elicitation/create":
            if asks_for_secret(said.get("requestedSchema")):
                raise NotEntitled(f"server {server!r} asks for a secret", code="relay.secret")
            said["message"] = f"{server}: {said.get('message', '')}"  # who asks: it is not us
        return said

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `relay.Client`.

        Raises:
            NotEntitled: The client's revision has no way for it, it is not put, or there is no answer.
        """
        context = self._context
        if self.way is not Way.DURING:
            raise NotEntitled(f"{method}: the client cannot be asked during a call", code="relay.revision")
        said = self.shown(server, method, params)
        _, question, answer = _QUESTIONS[method]
        try:
            made: Any = question.model_validate({"method": method, "params": said})
            metadata = ServerMessageMetadata(related_request_id=context.request_id)
            given = await context.session.send_request(made, answer, metadata=metadata)
        except (MCPError, ValidationError) as error:
            raise NotEntitled(f"{method}: no answer: {type(error).__name__}", code="relay.answer") from None
        return given.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None:
        """See `relay.Client`: log messages that the client wants, and nothing else."""
        context = self._context
        level = params.get("level")
        if method != "notifications/message" or level not in LEVELS:
            return
        if level not in allowed_log_levels(context.protocol_version, context.meta):
            return
        if LEVELS.index(level) < LEVELS.index(self._level):
            return
        said = {"method": method, "params": {"logger": server, **self._cleaned(params)}}
        try:
            message = types.LoggingMessageNotification.model_validate(said)
        except ValidationError:
            return
        await context.session.send_notification(message, related_request_id=context.request_id)

    def _cleaned(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The copy of what a server says that may be told: an address that a person is to open stays whole."""
        told = self._clean(dict(params))
        said = dict(told) if isinstance(told, Mapping) else {}
        return said | {"url": params["url"]} if "url" in params else said


def asks_for_secret(schema: Json) -> bool:
    """Whether a form asks for what nobody should type into a form of others (T36): by its words of each entry."""
    if not isinstance(schema, Mapping):
        return False
    properties = schema.get("properties")
    for name, said in properties.items() if isinstance(properties, Mapping) else ():
        texts = [name]
        if isinstance(said, Mapping):
            texts += [str(said.get(key, "")) for key in ("title", "format", "description")]
        plain = "".join(character for character in " ".join(texts).casefold() if character.isalnum())
        if any(word in plain for word in _SECRETS):
            return True
    return False
