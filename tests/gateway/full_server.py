"""A server of the official SDK with every feature of the protocol, in both revisions, at an address."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tests.gateway.behind_server import complete, get_prompt, list_templates, read

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SHOWN: dict[str, list[Any]] = {
    "text": [types.TextContent(type="text", text="plain")],
    "image": [types.ImageContent(type="image", data="AA==", mime_type="image/png")],
    "audio": [types.AudioContent(type="audio", data="AA==", mime_type="audio/wav")],
    "resource": [
        types.EmbeddedResource(
            type="resource", resource=types.TextResourceContents(uri="memo://in", text="in", mime_type="text/plain")
        ),
        types.ResourceLink(type="resource_link", name="note", uri="memo://note"),
    ],
}
COLOUR = {"type": "object", "properties": {"colour": {"type": "string"}}}
PASSWORD = {"type": "object", "properties": {"password": {"type": "string"}}}
HI = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="hi"))
QUESTIONS: dict[str, tuple[Any, Any]] = {
    "ask": (types.ElicitRequest(params=types.ElicitRequestFormParams(message="Which?", requested_schema=COLOUR)),
            types.ElicitResult),
    "phish": (types.ElicitRequest(params=types.ElicitRequestFormParams(message="Hm?", requested_schema=PASSWORD)),
              types.ElicitResult),
    "sample": (types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[HI], max_tokens=9)),
               types.CreateMessageResult),
    "roots": (types.ListRootsRequest(), types.ListRootsResult),
}  # fmt: skip
NAMES = (*SHOWN, *QUESTIONS, "fail", "count", "log", "structured", "needs")


async def list_resources(context: Any, params: Any) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[types.Resource(name="note", uri="memo://note")])


async def list_prompts(context: Any, params: Any) -> types.ListPromptsResult:
    who = types.PromptArgument(name="who", required=True)
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet", description="Greets.", arguments=[who])])


class Full:
    """The server, and what a test sees of it.

    Attributes:
        states: The states that came back to it.
        followed: URIs of subscriptions of the older revisions.
        sessions: Their sessions.
    """

    def __init__(self) -> None:
        self.states: list[str] = []
        self.followed: set[str] = set()
        self.sessions: list[Any] = []
        self.bus = InMemorySubscriptionBus()
        self.server: Server[Any] = Server(
            "full", on_list_tools=self.list_tools, on_call_tool=self.call, on_list_resources=list_resources,
            on_list_resource_templates=list_templates, on_read_resource=read, on_list_prompts=list_prompts,
            on_get_prompt=get_prompt, on_completion=complete,
        )  # fmt: skip
        add = self.server.add_request_handler
        add("logging/setLevel", types.SetLevelRequestParams, self.accept)
        add("resources/subscribe", types.SubscribeRequestParams, self.subscribe)
        add("resources/unsubscribe", types.UnsubscribeRequestParams, self.unsubscribe)
        add("subscriptions/listen", types.SubscriptionsListenRequestParams, ListenHandler(self.bus))

    async def list_tools(self, context: Any, params: Any) -> types.ListToolsResult:
        tools = [
            types.Tool(
                name=name, title=name.title(), description=f"Does {name}.", input_schema={"type": "object"},
                output_schema=NUMBER if name == "structured" else None,
                annotations=types.ToolAnnotations(read_only_hint=True),
            )
            for name in NAMES
        ]  # fmt: skip
        return types.ListToolsResult(tools=tools)

    async def call(self, context: Any, params: types.CallToolRequestParams) -> Any:
        name = params.name
        if name in SHOWN:
            return types.CallToolResult(content=SHOWN[name])
        if name in QUESTIONS:
            return await self.ask(context, params)
        if name == "structured":
            return types.CallToolResult(content=SHOWN["text"], structured_content={"n": 7})
        if name == "needs" and not context.session.client_capabilities.sampling:
            raise MCPError(code=-32021, message="needs sampling", data={"requiredCapabilities": {"sampling": {}}})
        for done in (1, 2) if name == "count" else ():
            await context.session.report_progress(done, 2, f"{done}")
        if name == "log":
            said = types.LoggingMessageNotificationParams(level="error", data="a error")
            await context.session.send_notification(
                types.LoggingMessageNotification(params=said), related_request_id=context.request_id
            )
        return types.CallToolResult(content=SHOWN["text"], is_error=name == "fail")

    async def ask(self, context: Any, params: types.CallToolRequestParams) -> Any:
        question, kind = QUESTIONS[params.name]
        if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            metadata = ServerMessageMetadata(related_request_id=context.request_id)
            answer = await context.session.send_request(question, kind, metadata=metadata)
        elif not params.input_responses:
            return types.InputRequiredResult(input_requests={"q": question}, request_state="its own state")
        else:
            self.states.append(params.request_state or "")
            answer = params.input_responses["q"]
        said = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        return types.CallToolResult(content=[types.TextContent(type="text", text=f"{said}")])

    async def accept(self, context: Any, params: Any) -> types.EmptyResult:
        return types.EmptyResult()

    async def subscribe(self, context: Any, params: types.SubscribeRequestParams) -> types.EmptyResult:
        self.followed.add(str(params.uri))
        self.sessions.append(context.session)
        return types.EmptyResult()

    async def unsubscribe(self, context: Any, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self.followed.discard(str(params.uri))
        return types.EmptyResult()

    async def touch(self, uri: str) -> None:
        """Say to everybody who follows it that something else stands in a resource."""
        await self.bus.publish(ResourceUpdated(uri=uri))
        for session in self.sessions:
            await session.send_resource_updated(uri)

    async def other_prompts(self) -> None:
        """Say that the prompts are others."""
        await self.bus.publish(PromptsListChanged())
