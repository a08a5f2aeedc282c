"""Which names of models are pinned."""

from __future__ import annotations

import pytest

from interlock.models.names import floating


@pytest.mark.parametrize(
    "name",
    [
        "openai:gpt-5", "openai:gpt-5-mini", "openai:gpt-4.1", "openai:o4-mini", "openai:chatgpt-4o-latest",
        "anthropic:claude-3-7-sonnet-latest", "anthropic:claude-sonnet-4-5", "anthropic:claude-opus-4-1",
        "anthropic:claude-sonnet-4", "google:gemini-flash-latest", "ollama:qwen3", "ollama:qwen3:latest",
    ],
)  # fmt: skip
def test_an_alias_is_known_as_one(name: str) -> None:
    """C12."""
    assert floating(name)


@pytest.mark.parametrize(
    "name",
    [
        "openai:gpt-5-2025-08-07", "openai:gpt-4o-mini-2024-07-18", "openai:ft:gpt-4o-2024-08-06:acme::x",
        "anthropic:claude-sonnet-4-5-20250929", "anthropic:claude-opus-4-6", "anthropic:claude-sonnet-5",
        "google:gemini-2.0-flash-001", "google:gemini-2.5-flash", "ollama:qwen3:8b", "vllm:Qwen/Qwen3-8B",
        "compatible:whatever", "scripted:script",
    ],
)  # fmt: skip
def test_a_version_is_one_and_what_nobody_knows_is_not_warned_of(name: str) -> None:
    assert not floating(name)
