"""Names of OpenTelemetry's conventions that spans and metrics bear, and our own beside them.

What begins with `gen_ai.` or `mcp.` is the GenAI conventions'; a test holds each against the published package. What
begins with `interlock.` is ours, and is listed in docs/reference/telemetry.md.
"""

from __future__ import annotations

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"
CONVERSATION: Final = "gen_ai.conversation.id"
AGENT: Final = "gen_ai.agent.name"
WORKFLOW: Final = "gen_ai.workflow.name"
TOOL: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL: Final = "gen_ai.tool.call.id"
ARGUMENTS: Final = "gen_ai.tool.call.arguments"
RESULT: Final = "gen_ai.tool.call.result"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"

MCP_METHOD: Final = "mcp.method.name"
TRANSPORT: Final = "network.transport"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

ERROR_TYPE: Final = "error.type"
WHO: Final = "enduser.pseudo.id"

EXECUTED: Final = "interlock.executed_s"
"""Seconds that a call's tool took, of a call that waited for other things besides."""

CHAT, EXECUTE_TOOL, INVOKE_AGENT, INVOKE_WORKFLOW = "chat", "execute_tool", "invoke_agent", "invoke_workflow"
"""Operations."""

TOOLS_CALL: Final = "tools/call"
"""The method of the Model Context Protocol that calls a tool."""

CONTENT: Final = frozenset({ARGUMENTS, RESULT, INPUT_MESSAGES, OUTPUT_MESSAGES})
"""What says what was asked and answered: never there unless it was switched on."""

TOKEN_USAGE: Final = "gen_ai.client.token.usage"
MODEL_DURATION: Final = "gen_ai.client.operation.duration"
TOOL_DURATION: Final = "gen_ai.execute_tool.duration"
MCP_CLIENT_DURATION: Final = "mcp.client.operation.duration"
MCP_SERVER_DURATION: Final = "mcp.server.operation.duration"
"""Metrics."""

_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "grok": "x_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""Providers that the conventions call otherwise than whoever names a model."""

_FINISHED: Final = {"truncated": "length", "declined": "content_filter"}


def provider_and_model(name: str) -> tuple[str, str]:
    """Of a model's name, such as `openai:gpt-5`: who provides it, and which it is."""
    provider, colon, model = name.partition(":")
    return (_PROVIDERS.get(provider, provider), model) if colon and model else (name or "_OTHER", name)


def finish_reason(finish: object, calls: bool) -> str:
    """Why a turn ended, in the conventions' word."""
    return _FINISHED.get(str(finish), "tool_calls" if calls else "stop")
