"""What is left of a call without its free text and its paging: by that, nearly equal calls are told.

What an argument is follows from its role where the tool gives one, else from its schema and its value: a string with
no closed form (`enum`, `format`, `pattern`) that is a sentence is free text; an integer or a cursor by a usual name is
paging. Everything else is grounded: identifiers, numbers, dates, members of a list, short tokens, and what is nested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interlock.core.canonical import canonical, digest
from interlock.core.tool import Tool

Outline = Callable[[dict[str, Any]], str]
"""From checked arguments, the digest of what is left; empty where nothing had to be left out."""

_PAGING = frozenset(
    "page pagenumber pageindex pagesize perpage pagetoken nextpagetoken limit offset cursor skip startindex maxresults"
    " pagelimit batchsize".split()
)  # fmt: skip
"""Usual names of parameters that say which part of a list is wanted, in small letters and without signs."""

_CLOSED = ("enum", "const", "format", "pattern", "$ref")
"""Keywords by which a string is no free text."""

_WORDS_MIN, _CHARACTERS_MIN = 3, 65
"""From so many words, or characters, on a string is text and not a token."""


def outliner(tool: Tool) -> Outline | None:
    """What outlines the calls of a tool; None where all of its arguments are grounded."""
    properties = tool.input_schema.get("properties", {})
    free = {name for name, part in properties.items() if _may_be_text(tool, name, part)}
    paging = {name for name in properties if tool.roles.get(name, "control") == "control" and _pages(name)}
    always = paging | {name for name, role in tool.roles.items() if role == "content"}
    if not free and not always:
        return None

    def outline(arguments: dict[str, Any]) -> str:
        left = {
            name: value
            for name, value in arguments.items()
            if name not in always and not (name in free and _is_text(value))
        }
        if len(left) == len(arguments):
            return ""
        return digest("interlock/outline/1", tool.identity, canonical(left)).hex()

    return outline


def _may_be_text(tool: Tool, name: str, schema: Any) -> bool:
    if tool.roles.get(name, "content") != "content" or name in tool.entities or name == tool.resource:
        return False
    parts = [schema] if isinstance(schema, Mapping) else []
    for keyword in ("anyOf", "oneOf", "allOf"):
        parts += [part for one in parts[:1] for part in one.get(keyword, ()) if isinstance(part, Mapping)]
    return not any(keyword in part for part in parts for keyword in _CLOSED)


def _pages(name: str) -> bool:
    return "".join(filter(str.isalnum, name)).lower() in _PAGING


def _is_text(value: object) -> bool:
    return isinstance(value, str) and (len(value) >= _CHARACTERS_MIN or len(value.split(None, 3)) >= _WORDS_MIN)
