"""Names of models that may mean another model tomorrow."""

from __future__ import annotations

import re

_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})\b")
_OPENAI = re.compile(r"(gpt|chatgpt|codex|o\d)[-.\d]*")
_CLAUDE = re.compile(r"claude-[a-z]+-(\d+)(?:-(\d{1,2}))?")
_CLAUDE_FIXED = (4, 6)
"""From this version on a name without a date is one model; before, it is an alias."""


def floating(name: str) -> bool:
    """Whether the name is known to be an alias, which its provider points at newer models.

    Args:
        name: Provider and model, such as `openai:gpt-5`. Of servers of one's own and of names that nobody knows, only
            `latest` says so.
    """
    provider, _, model = name.partition(":")
    if model.endswith("latest"):
        return True
    if provider == "ollama":
        return ":" not in model
    if provider == "openai":
        return _OPENAI.match(model) is not None and _DATED.search(model) is None
    if provider == "anthropic" and (claude := _CLAUDE.fullmatch(model)):
        return (int(claude[1]), int(claude[2] or 0)) < _CLAUDE_FIXED
    return False
