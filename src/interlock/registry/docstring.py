"""Docstrings as descriptions: the text before the first section, and what Google's `Args:` says of each parameter."""

from __future__ import annotations

import inspect
import re
from typing import Final, NamedTuple

_SECTION: Final = re.compile(
    r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|Warnings?|See Also|Todo|Attributes)"
    r":\s*$"
)
_ENTRY: Final = re.compile(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)$")


class Docstring(NamedTuple):
    """What a docstring says.

    Attributes:
        text: Everything before the first section.
        parameters: Name to description.
    """

    text: str
    parameters: dict[str, str]


def read_docstring(function: object) -> Docstring:
    """Read a function's docstring; empty where it has none."""
    lines = (inspect.getdoc(function) or "").splitlines()
    text: list[str] = []
    parameters: dict[str, str] = {}
    section = name = ""
    indent = 0
    for line in lines:
        if found := _SECTION.match(line):
            section, name = found[1], ""
            continue
        if not section:
            text.append(line)
        elif section in ("Args", "Arguments", "Parameters", "Params") and line.strip():
            depth = len(line) - len(line.lstrip())
            entry = _ENTRY.match(line.strip())
            if entry and depth and (not name or depth <= indent):
                name, indent = entry[1], depth
                parameters[name] = entry[2].strip()
            elif name:
                parameters[name] = f"{parameters[name]} {line.strip()}".strip()
    return Docstring("\n".join(text).strip(), parameters)
