"""The template of a path, and whether a path that was built is one of it: a value stays in its segment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from interlock.errors import BadInput

_LITERAL: Final = "/!$&'()*+,;=:@-._~%"
_WRITTEN: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*")
"""What a value is within a path once it is encoded: its own delimiters, and no slash, query or fragment."""

_DECODED_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Template:
    """A path with places in it.

    Attributes:
        text: As the document has it.
        parts: Literal texts, encoded, and between each two of them the name of a place.
    """

    text: str
    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The places, in order."""
        return self.parts[1::2]

    def filled(self, written: dict[str, str]) -> str:
        """The path with encoded values in its places, read again and found to be one of this template.

        Raises:
            BadInput: A value would leave its place.
        """
        path = "".join(written[part] if index % 2 else part for index, part in enumerate(self.parts))
        read = urlsplit(f"http://host{path}")
        if (read.netloc, read.query, read.fragment, read.path) != ("host", "", "", path) or not self._matches(path):
            raise BadInput("a value does not stay in its place in the path", code="openapi.path")
        return path

    def _matches(self, path: str) -> bool:
        """Whether it has the template's segments, each with its literals, and none that a receiver could walk by."""
        wanted = "".join("\0" if index % 2 else part for index, part in enumerate(self.parts)).split("/")
        segments = path.split("/")
        return len(wanted) == len(segments) and all(map(_fits, wanted, segments))


def read_template(text: str) -> Template:
    """Read a template, by hand and in one pass.

    Raises:
        BadInput: It is no path, or has a place without name, twice, or within another.
    """
    if not text.startswith("/") or text.startswith("//") or any(letter in text for letter in "?#\\"):
        raise BadInput("a path that is none: a query, a fragment or an empty segment is in it", code="openapi.path")
    parts: list[str] = []
    rest = text
    while "{" in rest:
        literal, _, rest = rest.partition("{")
        name, closed, rest = rest.partition("}")
        if not closed or not name or "{" in name or "/" in name or "}" in literal or name in parts[1::2]:
            raise BadInput("a path with a place that has no name of its own", code="openapi.path")
        parts += [quote(literal, safe=_LITERAL), name]
    if "}" in rest:
        raise BadInput("a path with a place that has no name of its own", code="openapi.path")
    template = Template(text, (*parts, quote(rest, safe=_LITERAL)))
    if any(walks(segment) for segment in text.split("/")):
        raise BadInput("a path that walks", code="openapi.path")
    return template


def walks(text: str) -> bool:
    """Whether some receiver could take a text for a step to another place, however often it decodes it."""
    for _ in range(_DECODED_MAX):
        if any(piece.partition(";")[0].strip() in (".", "..") for piece in re.split(r"[/\\]", text)):
            return True
        decoded = unquote(text, errors="replace")
        if decoded == text:
            return False
        text = decoded
    return True


def _fits(wanted: str, segment: str) -> bool:
    if "\0" not in wanted:
        return wanted == segment
    literals = wanted.split("\0")
    if not segment or not _WRITTEN.fullmatch(segment) or walks(segment):
        return False
    pattern = "(.+)".join(map(re.escape, literals))
    return re.fullmatch(pattern, segment) is not None
