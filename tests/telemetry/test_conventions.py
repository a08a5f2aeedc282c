"""Names of spans and metrics (D5): each is in the published conventions, as the package of them says."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from interlock.telemetry import conventions
from interlock.telemetry.otel_metrics import MODEL_BOUNDS, TOKEN_BOUNDS, TOOL_BOUNDS

ATTRIBUTES = "opentelemetry.semconv._incubating.attributes"
NEWER = {"gen_ai.execute_tool.duration"}
"""Metrics of semantic-conventions-genai (docs/gen-ai/execute-tool.md) that the package has not yet."""


def published(module: str) -> set[str]:
    return {value for value in vars(import_module(module)).values() if isinstance(value, str)}


def ours() -> dict[str, str]:
    return {name: value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}


def test_every_attribute_that_claims_to_be_of_the_conventions_is() -> None:
    known = set().union(
        *(published(f"{ATTRIBUTES}.{name}_attributes") for name in ("gen_ai", "mcp", "network", "server", "enduser")),
        published("opentelemetry.semconv.attributes.error_attributes"),
        published("opentelemetry.semconv._incubating.metrics.gen_ai_metrics"),
        published("opentelemetry.semconv._incubating.metrics.mcp_metrics"),
    )
    claimed = {value for value in ours().values() if "." in value and not value.startswith("interlock.")}
    assert len(claimed) > 25
    assert claimed - known == NEWER


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("gen_ai_attributes.GenAiOperationNameValues", ["chat", "execute_tool", "invoke_agent", "invoke_workflow"]),
        ("mcp_attributes.McpMethodNameValues", ["tools/call"]),
        ("gen_ai_attributes.GenAiTokenTypeValues", ["input", "output"]),
        ("network_attributes.NetworkTransportValues", ["tcp", "pipe"]),
        (
            "gen_ai_attributes.GenAiProviderNameValues",
            [conventions.provider_and_model(f"{name}:m")[0] for name in (
                "openai", "anthropic", "groq", "cohere", "deepseek", "perplexity", "azure", "bedrock", "google",
                "google-gla", "google-vertex", "grok", "xai", "mistral",
            )],
        ),
    ],
)  # fmt: skip
def test_every_value_that_the_conventions_fix_is_one_of_theirs(values: str, said: list[str]) -> None:
    module, _, name = values.partition(".")
    published: Any = getattr(import_module(f"{ATTRIBUTES}.{module}"), name)
    assert inspect.isclass(published)
    assert {*said} <= {each.value for each in published}


def test_buckets_are_those_of_the_conventions() -> None:
    assert [int(each) for each in TOKEN_BOUNDS] == [
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864
    ]  # fmt: skip
    assert [round(each, 2) for each in MODEL_BOUNDS] == [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92
    ]  # fmt: skip
    assert [*TOOL_BOUNDS] == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]


@pytest.mark.parametrize(
    ("name", "said"),
    [("openai:gpt-5", ("openai", "gpt-5")), ("scripted", ("scripted", "scripted")), ("", ("_OTHER", "")),
     ("x:", ("x:", "x:")), ("openai:a:b", ("openai", "a:b"))],
)  # fmt: skip
def test_a_models_name_says_its_provider(name: str, said: tuple[str, str]) -> None:
    assert conventions.provider_and_model(name) == said


@pytest.mark.parametrize(
    ("finish", "calls", "said"),
    [(None, False, "stop"), (None, True, "tool_calls"), ("truncated", True, "length"),
     ("declined", False, "content_filter")],
)  # fmt: skip
def test_why_a_turn_ended_is_said_in_the_conventions_words(finish: object, calls: bool, said: str) -> None:
    assert conventions.finish_reason(finish, calls) == said
