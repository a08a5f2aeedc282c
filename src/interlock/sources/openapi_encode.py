"""Values as a parameter's style writes them: every character that is not the style's own is encoded.

`allowReserved` is not followed: what it would let through could begin a query, a fragment or another path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from interlock.errors import BadInput

NESTED_MAX: Final = 8
"""Levels of an object in the style `deepObject` and in forms."""

Pairs = list[tuple[str, str]]
"""Encoded names and values of a query or form."""


def encoded(text: str) -> str:
    """A text of which nothing but letters, digits and `-._~` stands as it is."""
    return quote(text, safe="")


def scalar(value: Any) -> str:
    """A value that is no object and no list, as text.

    Raises:
        BadInput: It is one.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise BadInput("an object or list stands where its style has no form for one", code="openapi.value")
    return json.dumps(value)


def in_path(style: str, explode: bool, name: str, value: Any) -> str:
    """A value in the place of a path: `simple`, `label` or `matrix`.

    Raises:
        BadInput: It has no form, or would be nothing.
    """
    name = encoded(name)
    if isinstance(value, dict):
        pairs = [(encoded(key), encoded(scalar(part))) for key, part in _members(value)]
        written = [f"{key}={part}" for key, part in pairs] if explode else [each for pair in pairs for each in pair]
    elif isinstance(value, list):
        written = [encoded(scalar(part)) for part in value if part is not None]
    else:
        written = [encoded(scalar(value))]
    if not written or written == [""]:
        raise BadInput("a value in the path is empty", code="openapi.value")
    if style == "label":
        return "." + ("." if explode else ",").join(written)
    if style != "matrix":
        return ",".join(written)
    if explode and isinstance(value, dict):
        return "".join(f";{each}" for each in written)
    if explode and isinstance(value, list):
        return "".join(f";{name}={each}" for each in written)
    return f";{name}={','.join(written)}"


def in_query(style: str, explode: bool, name: str, value: Any) -> Pairs:
    """A value in a query, or a property in a form: `form`, `spaceDelimited`, `pipeDelimited` or `deepObject`.

    Raises:
        BadInput: It has no form.
    """
    if value is None:
        return []
    if style == "deepObject":
        return list(_deep(encoded(name), value, 0))
    if isinstance(value, dict):
        pairs = [(key, encoded(scalar(part))) for key, part in _members(value)]
        if explode and style == "form":
            return [(encoded(key), part) for key, part in pairs]
        return [(encoded(name), _DELIMITERS[style].join(each for key, part in pairs for each in (encoded(key), part)))]
    if not isinstance(value, list):
        return [(encoded(name), encoded(scalar(value)))]
    written = [encoded(scalar(part)) for part in value if part is not None]
    if explode:
        return [(encoded(name), part) for part in written]
    return [(encoded(name), _DELIMITERS[style].join(written))] if written else []


def in_header(explode: bool, value: Any) -> str:
    """A value in a header, which has no way to encode: what would be two values, or no header, is refused.

    Raises:
        BadInput: It is.
    """
    if isinstance(value, dict):
        members = [(key, scalar(part)) for key, part in _members(value)]
        written = [f"{key}={part}" for key, part in members] if explode else [each for pair in members for each in pair]
    else:
        written = [scalar(part) for part in value] if isinstance(value, list) else [scalar(value)]
    listed = isinstance(value, dict | list)
    for each in written:
        if each != each.strip() or not all(" " <= letter <= "~" for letter in each) or (listed and "," in each):
            raise BadInput("a value that does not stay in its header", code="openapi.value")
    return ",".join(written)


_DELIMITERS: Final = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}


def _members(value: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key, part) for key, part in value.items() if part is not None]


def _deep(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if depth > NESTED_MAX:
        raise BadInput("an object that is nested too deeply for its style", code="openapi.value")
    if isinstance(value, dict):
        for key, part in _members(value):
            yield from _deep(f"{name}%5B{encoded(key)}%5D", part, depth + 1)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _deep(f"{name}%5B{index}%5D", part, depth + 1)
    elif value is not None:
        yield name, encoded(scalar(value))
