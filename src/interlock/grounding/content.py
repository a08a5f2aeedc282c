"""What a call's content may not carry: links to others' hosts, and what its targets may not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from interlock.core.provenance import ArgumentOrigin, Lack, Level
from interlock.core.tool import Tool
from interlock.grounding.index import Index
from interlock.grounding.ladder import is_allowed_host
from interlock.grounding.normal import normal
from interlock.grounding.private import Piece
from interlock.grounding.profile import Profile
from interlock.grounding.typed import Typed, Unfit, url

_LINK: Final = re.compile(r"(?://|(?<![\w@./-])www\.)[^\s<>\"'`()\[\]]+")
_CARRIES: Final = frozenset({"content", "control", "command", "amount"})


def foreign_links(index: Index, profile: Profile, text: str) -> Iterator[str]:
    """Links in a text whose host neither the user named nor the operator's list has."""
    plain = normal(text)
    if "//" not in plain and "www." not in plain:
        return
    for found in _LINK.finditer(plain):
        link = found[0].rstrip(".,;:!?")
        link = f"https:{link}" if link.startswith("//") else f"https://{link}"  # whatever its scheme, it goes there
        try:
            name = url(link).host
        except Unfit:
            yield found[0]
            continue
        if Typed("host", name) not in index.words.hosts and not is_allowed_host(profile, link):
            yield found[0]


def links(index: Index, profile: Profile, texts: dict[ArgumentOrigin, str]) -> Iterator[Lack]:
    """Content with a link to a host of others, once text by others has entered."""
    if index.words_seen and index.saw_third:
        for origin, text in texts.items():
            if origin.role == "content" and any(True for _ in foreign_links(index, profile, text)):
                yield Lack("link", origin.pointer)


def carried(index: Index, texts: dict[ArgumentOrigin, str]) -> Iterator[tuple[ArgumentOrigin, Piece]]:
    """Pieces of private leaves in what goes out, but for what the user said themselves."""
    for origin, text in texts.items():
        if origin.role in _CARRIES and origin.level < Level.USER:
            for piece in index.private.pieces(text):
                yield origin, piece


def fetched(index: Index, profile: Profile, tool: Tool, texts: dict[ArgumentOrigin, str]) -> Iterator[Lack]:
    """A link that is fetched: it must stand somewhere as it is, or go where the operator says, with nothing private."""
    if not index.saw_third:
        return
    for origin, text in texts.items():
        if origin.role != "fetch":
            continue
        allowed = is_allowed_host(profile, text)
        if origin.rung in ("r8", "r0") and not allowed and index.words_seen:
            yield Lack("fetch", origin.pointer, Level.USER)
        elif (allowed or origin.rung == "r8") and index.private.in_link(_asked(text)):
            yield Lack("fetch", origin.pointer)


def _asked(text: str) -> str:
    """What a link says beside its host."""
    try:
        made = url(text)
    except Unfit:
        return text
    return f"{made.path}?{made.query}"
