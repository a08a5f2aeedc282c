"""What a recorded tool returned, out of the text that its model was shown: YAML, a Python literal, or a plain text."""

from __future__ import annotations

import ast
import re
from datetime import date, datetime
from typing import Any, Final

from interlock.core.canonical import Json
from interlock.errors import MissingExtra

_STRUCTURED: Final = re.compile(r"\s*(?:[\[{]|- |[A-Za-z_]\w*:(?: |\n))")
"""How a text begins that may be more than a text."""


def value_of(text: str) -> Json:
    """The value that the text shows, in JSON's types; the text itself where it shows none.

    Raises:
        MissingExtra: There is no reader of YAML.
    """
    if text in ("", "None"):
        return None
    try:
        return plain(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    if not _STRUCTURED.match(text):
        return text
    try:
        return plain(read_yaml(text))
    except ValueError:
        return text


def read_yaml(text: str | bytes) -> Any:
    """What a YAML document says.

    Raises:
        MissingExtra: There is no reader of YAML.
        ValueError: It is none.
    """
    try:
        import yaml
    except ImportError:
        raise MissingExtra("interlock[redteam]") from None
    try:  # either loader is a safe one
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def plain(value: Any) -> Json:
    """A value in JSON's types."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
