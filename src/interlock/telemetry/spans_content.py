"""What was asked and answered, for spans of a deployment that switched it on: screened once more, and cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from interlock.core.canonical import Json
from interlock.telemetry.bodies import items, part, text
from interlock.telemetry.conventions import finish_reason

Clean = Callable[[Json, str], Json]
"""A value as it may be told, by the way of handling of a tool's results; of no tool where the name is empty."""

CUT: Final = "…"


@dataclass(frozen=True, slots=True)
class Content:
    """How content is told.

    Attributes:
        clean: Takes out what may not be told. What stands in the ledger had its secrets taken out before it was
            written; arguments and words were not screened for personal data then, and are now.
        chars_max: Characters of one attribute.
    """

    clean: Clean
    chars_max: int = 8192

    def value(self, value: Json, tool: str = "") -> str:
        """A value as JSON text."""
        return self._cut(json.dumps(self.clean(value, tool), ensure_ascii=False, separators=(",", ":")))

    def said_by_user(self, text: str) -> str:
        """The user's words, in the form of the conventions."""
        parts: list[Json] = [{"type": "text", "content": self._part(text)}]
        return self.value([{"role": "user", "parts": parts}])

    def said_by_model(self, turn: Mapping[str, Any]) -> str:
        """A model's turn, from the body of its event, in the form of the conventions."""
        calls = [part(each) for each in items(turn.get("calls"))]
        said = text(turn.get("text"))
        parts: list[Json] = [{"type": "text", "content": self._part(said)}] if said else []
        for call in calls:
            arguments = call.get("arguments", call.get("arguments_text"))
            parts.append({
                "type": "tool_call", "id": text(call.get("id")), "name": text(call.get("tool")), "arguments": arguments,
            })  # fmt: skip
        ended = finish_reason(turn.get("finish"), bool(calls))
        return self.value([{"role": "assistant", "parts": parts, "finish_reason": ended}])

    def _part(self, text: str) -> str:
        return self._cut(text, self.chars_max // 2)

    def _cut(self, text: str, most: int | None = None) -> str:
        most = most or self.chars_max
        return text if len(text) <= most else text[: most - 1] + CUT
