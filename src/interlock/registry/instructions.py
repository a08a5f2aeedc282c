"""What in a definition speaks to the model behind its user's back: found by patterns, without a model.

A definition is text by somebody else. The patterns are English; whoever rewords well is not found, which is why a
definition is reviewed by a person whatever is found here. What is found is shown first and classed as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from interlock.core.canonical import pointer
from interlock.core.instructions import Sign, spoken
from interlock.core.visible import visible

_TEXT_MAX: Final = 64 << 10
_SIGNS_MAX: Final = 64
_QUOTED: Final = 60


class Found(NamedTuple):
    """One sign and where it stands.

    Attributes:
        sign: What it is.
        place: Pointer to the text within the definition.
        quote: The part that says it, at most 60 characters; untrusted text like all of it.
    """

    sign: Sign
    place: str
    quote: str


_LINK: Final = re.compile(
    r"\b(?:https?|ftp|file|data|javascript)://?[^\s\"'<>)]+|\bjavascript:|\bdata:\w+/", re.IGNORECASE
)
_PLAIN_SPACES: Final = frozenset("\n\r\t\u00a0\u3000")
_OWN_LINKS: Final = ("/$schema", "/$id", "/$ref", "/format")


def texts(definition: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a definition with its pointer, the names of its keys included; not what the operator names it."""
    for key, part in definition.items():
        if not where and key in ("name", "server"):
            continue
        place = pointer([*_parts(where), key]) if where else f"/{key}"
        if where and not key.isidentifier():
            yield place, key
        yield from _texts(part, place)


def signs(definition: Mapping[str, Any], others: Iterable[str] = ()) -> tuple[Found, ...]:
    """What in a definition speaks to the model, at most 64 findings, each sign once for each text.

    Args:
        others: Names of tools that are not its own server's: it has no business to speak of them.
    """
    foreign = frozenset(name for name in others if re.search(r"[a-z][_.-][a-z]|[a-z][A-Z]", name))
    found: list[Found] = []
    for place, text in texts(definition):
        found += _signs_of(place, text[:_TEXT_MAX], foreign)
        if len(found) >= _SIGNS_MAX:
            break
    return tuple(found[:_SIGNS_MAX])


def instructs(found: Iterable[Found]) -> bool:
    """Whether something of it speaks to the model."""
    return any(each.sign.grave for each in found)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        yield from texts(value, place)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _texts(part, f"{place}/{number}")


def _signs_of(place: str, text: str, foreign: frozenset[str]) -> Iterator[Found]:
    hidden = [each.text for each in visible(text) if each.hidden and each.hidden not in _PLAIN_SPACES]
    if hidden:
        yield Found(Sign.HIDDEN, place, "".join(hidden[:8]))
    said = list(spoken(text))
    yield from (Found(sign, place, quote) for sign, quote in said if sign is not Sign.BLOB)
    if foreign and (named := sorted(foreign.intersection(re.findall(r"[\w.-]*\w", text)))):
        yield Found(Sign.OTHER_TOOL, place, named[0][:_QUOTED])
    if not place.endswith(_OWN_LINKS) and (match := _LINK.search(text)):
        yield Found(Sign.LINK, place, match[0][:_QUOTED])
    yield from (Found(sign, place, quote) for sign, quote in said if sign is Sign.BLOB)


def _parts(where: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in where.split("/")[1:]]
