"""What people are told of where values come from: a few words for each level of trust and for each thing that lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

LEVELS: Final[Mapping[str, str]] = {
    "third": "text by others",
    "model": "found nowhere",
    "record": "a field of a trusted system",
    "anchored": "of the record that the user pointed at",
    "user": "the user's own words",
    "system": "a constant",
}
"""What each level is called."""

_FROM: Final[Mapping[str, str]] = {
    "model": "anything but text by others",
    "record": "a trusted system's field, or better",
    "anchored": "the user, or the record that they pointed at",
    "user": "the user's own words",
    "system": "a constant",
}
"""Where a value must come from that needs a level."""

LACKS: Final[Mapping[str, str]] = {
    "mandate": "nobody asked for this tool, and text by others has been read",
    "trifecta": "private data and text by others have been read, and this goes out",
    "readers": "it has what those whom it goes to may not read",
    "secret": "it has a part of a secret",
    "link": "it has a link that nobody gave",
    "cap": "it is more than the most that is allowed",
    "targets": "more different targets than a run may have",
    "privilege": "who may do what would change",
    "leaves": "it has more parts than are looked at",
}
"""What each lack that is no role's means."""


def lack_text(lack: Mapping[str, Any]) -> str:
    """What is not enough, in a few words."""
    if (needs := lack.get("needs")) is not None:
        return f"not trusted enough: a {lack['code']} must come from {_FROM.get(needs, needs)}"
    code: str = lack["code"]
    return LACKS.get(code, code)
