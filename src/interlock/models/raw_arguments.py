"""Arguments as they stand in a provider's answer, for clients that only hand on what they made of them.

An object that was parsed has lost what strict parsing must see: a key that stood twice, a number of its own spelling.
"""

from __future__ import annotations

import json
from typing import Any


class _Pairs(list[tuple[str, Any]]):
    """An object, with every key that stood in it."""

    def last(self, key: str) -> Any:
        """What every parser makes of that key."""
        return dict(self).get(key)


class _Spelled(str):
    """A number, as it was spelled."""


def anthropic_arguments(body: bytes) -> list[str]:
    """The arguments of a Messages answer's calls, in their order.

    Raises:
        ValueError: It is no JSON.
    """
    blocks = _objects(_read(body), "content")
    return [_written(block.last("input")) for block in blocks if block.last("type") == "tool_use"]


def google_arguments(body: bytes) -> list[str]:
    """The arguments of a generateContent answer's calls, in their order.

    Raises:
        ValueError: It is no JSON.
    """
    [content] = [each.last("content") for each in _objects(_read(body), "candidates")[:1]] or [None]
    calls = [part.last("functionCall") for part in _objects(content, "parts")]
    return [_written(call.last("args")) for call in calls if isinstance(call, _Pairs)]


def _read(body: bytes) -> Any:
    return json.loads(
        body, object_pairs_hook=_Pairs, parse_int=_Spelled, parse_float=_Spelled, parse_constant=_Spelled
    )  # fmt: skip


def _objects(whole: Any, key: str) -> list[_Pairs]:
    found = whole.last(key) if isinstance(whole, _Pairs) else None
    return [each for each in found if isinstance(each, _Pairs)] if isinstance(found, list) else []


def _written(value: Any) -> str:
    """As JSON text, with keys that stand twice standing twice; no arguments are empty ones."""
    if value is None:
        return "{}"
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{_text(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return str(value) if isinstance(value, _Spelled) else json.dumps(value)
