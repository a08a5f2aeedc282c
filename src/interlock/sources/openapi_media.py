"""Media types: which of several a body is written in, and what is JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_MEDIA: Final = re.compile(r"[A-Za-z0-9!#$&^_.+*-]+/[A-Za-z0-9!#$&^_.+*-]+(;[ -~]*)?")


def essence(media: str) -> str:
    """A media type without its parameters, in lower case."""
    return media.partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    """Whether a media type is JSON; whatever may be anything is."""
    kind = essence(media)
    return kind in ("application/json", "*/*", "text/json") or kind.endswith("+json")


def is_text(media: str) -> bool:
    """Whether what it holds is text that is not to be read further."""
    kind = essence(media)
    return kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/yaml", "/javascript", "/x-ndjson", "/graphql"))


def kind_of(media: str) -> str:
    """How a body of a media type is written: `json`, `form`, `multipart`, `text` or `binary`."""
    if is_json(media):
        return "json"
    match essence(media):
        case "application/x-www-form-urlencoded":
            return "form"
        case "multipart/form-data":
            return "multipart"
    return "text" if is_text(media) else "binary"


def preferred(media: Iterable[str]) -> str:
    """The one that is written best; empty where none is a media type."""
    order = ("json", "form", "multipart", "text", "binary")
    fit = [each for each in media if _MEDIA.fullmatch(each)]
    return min(fit, key=lambda each: (order.index(kind_of(each)), essence(each) != "application/json"), default="")
