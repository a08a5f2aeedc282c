"""Text from elsewhere as a person may read it: what cannot be seen, or changes how the rest is read, as an escape.

Escaped and flagged are control characters, line ends, spaces that are no plain space, invisible and
bidirectional characters, unassigned and private ones, letters of another alphabet inside a word of Latin ones,
and marks piled on one letter. A word wholly in another alphabet that looks like Latin is not found.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from interlock.core.canonical import Json

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SPACES = frozenset("\n\t\r\u00a0\u2007\u202f\u3000")
_LOOK_LIKE_LATIN = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "FULLWIDTH", "MATHEMATICAL")
_WORD = re.compile(r"\w+")
_MARKS_MAX = 3
_JSON_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")
_PLAIN_ESCAPES = frozenset({'\\"', "\\\\", "\\n", "\\t"})


class Stretch(NamedTuple):
    """A part of a text that is shown in one way.

    Attributes:
        text: What to show.
        hidden: The character that this escape stands for; empty for text that is shown as it is.
    """

    text: str
    hidden: str = ""


def visible(text: str) -> list[Stretch]:
    """The text in order, with an escape for each character that a reader would not see or would misread."""
    flagged = _flagged(text)
    found: list[Stretch] = []
    start = 0
    for at in flagged:
        if start < at:
            found.append(Stretch(text[start:at]))
        found.append(Stretch(_escape(text[at]), text[at]))
        start = at + 1
    if start < len(text):
        found.append(Stretch(text[start:]))
    return found


def visible_json(value: Json) -> list[Stretch]:
    """A JSON value on several lines, nothing left out; an escape of JSON's own is flagged like any other."""
    found: list[Stretch] = []
    for stretch in visible_lines(json.dumps(value, indent=2, ensure_ascii=False)):
        found += [stretch] if stretch.hidden else _json_escapes(stretch.text)
    return found


def visible_lines(text: str) -> list[Stretch]:
    """The same as `visible`, with the ends of lines kept."""
    found: list[Stretch] = []
    for line in text.split("\n"):
        if found:
            found.append(Stretch("\n"))
        found += visible(line) or [Stretch("")]
    return found


def one_line(text: str) -> str:
    """The text with its escapes, on one line."""
    return "".join(stretch.text for stretch in visible(text))


def unhidden(value: Json) -> Json:
    """A JSON value without the characters in its texts and keys that nobody sees; itself where all of it is plain."""
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        gone = {at for at in _unseen(value) if value[at] not in _SPACES}
        return "".join(letter for at, letter in enumerate(value) if at not in gone) if gone else value
    if isinstance(value, dict):
        made = {str(unhidden(key)): unhidden(part) for key, part in value.items()}
        return value if all(made.get(key) is part for key, part in value.items()) else made
    if isinstance(value, list):
        parts = [unhidden(part) for part in value]
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    return value


def name_of(character: str) -> str:
    """What a hidden character is called: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    return f"U+{ord(character):04X} {unicodedata.name(character, 'CONTROL CHARACTER')}"


def _flagged(text: str) -> list[int]:
    if text.isascii() and text.isprintable():
        return []
    return sorted({*_unseen(text), *_disguised(text)})


def _unseen(text: str) -> Iterator[int]:
    marks = 0
    for at, character in enumerate(text):
        category = unicodedata.category(character)
        marks = marks + 1 if category == "Mn" else 0
        if _SELECTORS.match(character):
            # One selector after a symbol says «as an emoji»; anywhere else, or several, they can carry text.
            if character != "\ufe0f" or at == 0 or unicodedata.category(text[at - 1]) not in ("So", "Sm", "Po", "Nd"):
                yield at
        elif (category in _UNSEEN and character != " ") or character in _BLANK or marks > _MARKS_MAX:
            yield at


def _disguised(text: str) -> Iterator[int]:
    """Letters of another alphabet in a word that has Latin ones as well."""
    for word in _WORD.finditer(text):
        if word[0].isascii() or not re.search("[A-Za-z]", word[0]):
            continue
        for at, character in enumerate(word[0], word.start()):
            if not character.isascii() and unicodedata.name(character, "").startswith(_LOOK_LIKE_LATIN):
                yield at


def _escape(character: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if short:
        return short
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _json_escapes(text: str) -> Iterator[Stretch]:
    start = 0
    for found in _JSON_ESCAPE.finditer(text):
        if found[0] in _PLAIN_ESCAPES:
            continue
        if start < found.start():
            yield Stretch(text[start : found.start()])
        yield Stretch(found[0], json.loads(f'"{found[0]}"'))
        start = found.end()
    if start < len(text):
        yield Stretch(text[start:])
