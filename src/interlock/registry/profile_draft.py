"""A first trust profile of a tool that nobody has reviewed, from its name, its schema and results that were seen.

A draft is where a review begins: strict where it is unsure, so that what it gets wrong is held and not let through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from interlock.core.canonical import Json
from interlock.core.tool import Effect
from interlock.grounding.profile import FieldRule, Profile
from interlock.grounding.typed import fits
from interlock.registry.effects import Guess, guess

_SEAM: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")

_ROLES: Final = (
    ("credential", "password passcode pin otp secret token credential credentials"),
    ("command", "command cmd code script sql shell argv statement expression"),
    ("amount", "amount price total quantity sum cost budget tip funds"),
    (
        "target",
        "to recipient recipients receiver payee email emails cc bcc phone iban account address addresses attendee "
        "attendees participant participants invitee invitees guest guests member members contact contacts user users "
        "username usernames channel owner assignee destination host webhook url uri link links endpoint domain "
        "permission permissions role roles",
    ),
    ("content_ref", "attachment attachments image images photo picture video media"),
    (
        "content",
        "body message text content subject description comment comments note notes title caption summary reason "
        "details tags labels tweet memo review feedback bio",
    ),
    ("selector", "id ids uid key name names path file filename folder directory repo repository branch index item"),
    (
        "control",
        "limit sort order page offset size count format language locale start end date time day from until since "
        "duration filter filters query keyword keywords search type status category unit units radius range max min "
        "timezone mode priority frequency include exclude recursive",
    ),
)
"""What an argument is for, by the last of its name's words that says something; the first role that has the word."""

_PAGES: Final = frozenset({"page", "next", "continuation", "cursor", "sync"})

_GLOB: Final = frozenset("*?[]")
"""Letters that would make more of a name than itself."""

_SHAPES: Final = {
    "email": "email", "emails": "email", "url": "url", "uri": "url", "link": "url", "webpage": "url", "iban": "iban",
    "phone": "phone", "amount": "money", "price": "money", "path": "path", "date": "date", "id": "id", "ids": "id",
}  # fmt: skip

_FIELD_SHAPES: Final = {
    "id": "id", "ids": "id", "email": "email", "iban": "iban", "date": "date", "amount": "money", "price": "money",
    "phone": "phone", "timestamp": "date", "sender": "email", "recipient": "email",
}  # fmt: skip
"""What the last word of a field's name says that stands in it."""


class Draft(NamedTuple):
    """A proposal, for a person to read.

    Attributes:
        profile: Never reviewed.
        effect: What the tool probably does.
        why: Argument to why it has its role.
    """

    profile: Profile
    effect: Guess
    why: Mapping[str, str]


def draft(name: str, description: str, schema: Mapping[str, Any], results: Iterable[Json] = ()) -> Draft:
    """A profile that fits the tool's words.

    Args:
        schema: JSON Schema of the arguments.
        results: What calls of it returned, of which identifying fields are proposed as records.
    """
    properties = schema.get("properties")
    named = [str(key) for key in properties] if isinstance(properties, Mapping) else []
    effect = guess(name, description, schema)
    if not effect.sure and [_shape(argument) for argument in named] == ["url"]:
        effect = Guess(Effect.READ, f"all that it takes is the address {named[0]!r}", outward=True)
    said = {argument: _role(argument, effect) for argument in named}
    roles = {argument: role for argument, (role, _) in said.items()}
    shapes = {argument: shape for argument in named if (shape := _shape(argument))}
    form, seen = _opened(list(results))
    return Draft(
        Profile(
            roles=roles, shapes=shapes, fields=tuple(_rules(seen)), form=form,
            phrases=_phrases(name) if effect.effect is not Effect.READ else (),
        ),
        effect,
        {argument: why for argument, (_, why) in said.items()},
    )  # fmt: skip


def _role(argument: str, effect: Guess) -> tuple[str, str]:
    """What an argument is for, and by which of its words."""
    words = _words(argument)
    reads = effect.effect is Effect.READ
    if words[-1:] == ["token"] and not _PAGES.isdisjoint(words):
        return "control", "a token of pages"
    for word in reversed(words):
        for role, known in _ROLES:
            if word in known.split():
                return (_as_read(role, outward=effect.outward, word=word) if reads else role), f"by its word {word!r}"
    return ("control", "nothing says more, in a read") if reads else ("target", "nothing says more, in a write")


def _as_read(role: str, *, outward: bool, word: str) -> str:
    """What the role comes to in a read, which sends nothing to whom it names: unless it fetches from there."""
    if role == "target":
        return "fetch" if outward and _SHAPES.get(word) == "url" else "selector"
    return "selector" if role in ("amount", "content", "content_ref") else role


def _shape(argument: str) -> str:
    words = _words(argument)
    return _SHAPES.get(words[-1], "") if words else ""


def _phrases(name: str) -> tuple[str, ...]:
    """What a user would say who wants it: its words in their order, as its verb and what it does it to."""
    words = _words(name)
    return tuple(" * ".join(words[at:]) for at in range(max(1, len(words) - 2)) if len(words[at:]) > 1)


def _opened(results: list[Json]) -> tuple[str, list[Json]]:
    """The form of the results, and what is in them."""
    opened = list[Json]()
    for result in results:
        try:
            inside = json.loads(result) if isinstance(result, str) else None
        except ValueError:
            return "", results
        if not isinstance(inside, dict | list):
            return "", results
        opened.append(inside)
    return ("json" if opened else ""), opened


def _rules(results: Iterable[Json]) -> Iterator[FieldRule]:
    """Rules for the fields whose name says an identifier and whose every value is one."""
    values: dict[str, list[Json]] = {}
    for result in results:
        for pointer, value in _leaves(result, ""):
            values.setdefault(pointer, []).append(value)
    for pointer, found in sorted(values.items()):
        words = _words(pointer.removesuffix("/*").rpartition("/")[2])
        shape = _FIELD_SHAPES.get(words[-1], "") if words else ""
        if shape and all(isinstance(value, str | int | float) and fits(value, shape) for value in found):
            yield FieldRule(pointer, shape=shape)


def _leaves(value: Json, pointer: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if _GLOB.isdisjoint(key):
                yield from _leaves(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, f"{pointer}/*")
    elif value is not None and not isinstance(value, bool):
        yield pointer, value


def _words(text: str) -> list[str]:
    return [word.lower() for word in _SEAM.split(text) if word]
