"""Characters that nobody sees, or that change how the rest is read: taken out of what is told.

Kept are those that writing needs: a joiner within an emoji or a word of a script that joins its letters, a mark of
direction near letters of a script that is written from right to left, one selector behind a symbol or an ideograph, a
soft hyphen within a word.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

CLASSES: Final = ("escape", "control", "bidi", "zero_width", "tag", "selector", "blank", "private", "marks")
"""The nine (T9): terminal escapes, other control characters, marks and overrides of direction, characters without
width, tags, variation selectors, letters that are drawn as nothing, private ones and what is no character, and more
marks on one letter than three, or six of the scripts that are written with many."""

_TERMINAL: Final = re.compile(
    # a control sequence; a string, such as a title or a link; any other escape
    "(?:\x1b\\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]?"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]{0,4096}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]{0,8}[0-~]?"
)
_BIDI: Final = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x2070))))
_MARKS_OF_DIRECTION: Final = frozenset("\u061c\u200e\u200f")
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\uffa0")
_JOINERS: Final = "\u200c\u200d"
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]")
_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")
_SYMBOLS: Final = ("So", "Sm", "Sk", "Po", "Nd")
_LINE_ENDS: Final = {"\u2028": "\n", "\u2029": "\n", "\r": "\n"}
_NO_CHARACTER: Final = re.compile("[\u2065\ufdd0-\ufdef\ufff0-\ufff8\ufffe\uffff\U000e0080-\U000e0fff]")
_MARKS_MAX: Final = 3
_POINTED_MAX: Final = 6
_VIRAMA: Final = 9
_DIRECTED: Final = 12

STOPS: Final = (
    r"\r(?:[^\n]|$)",
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028\u2029\u2800"
    r"\u3164\uffa0\ufeff\ufe00-\ufe0f\ufff0-\uffff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ue000-\uf8ff"
    r"\x{e0000}-\x{10ffff}]",
    r"\p{Cf}|\p{Co}|[\x{fdd0}-\x{fdef}]",
    r"\p{Mn}{4}",
)
"""Where none of it is, every character is one that is seen."""


def seen(text: str) -> tuple[str, dict[str, int]]:
    """The text without what nobody sees, and how much of each class was taken out; itself where there is none."""
    if text.isascii() and text.isprintable():
        return text, {}
    counts: dict[str, int] = {}

    def taken(what: str) -> str:
        counts[what] = counts.get(what, 0) + 1
        return ""

    if "\x1b" in text or "\x9b" in text or "\x9d" in text or "\x90" in text:
        text = _TERMINAL.sub(lambda match: taken("escape"), text)
    flags = {at for match in _FLAG.finditer(text) for at in range(match.start(), match.end())}
    kept: list[str] = []
    marks = 0
    for at, letter in enumerate(text):
        if (letter.isalnum() and letter not in _BLANK) or letter in " \n\t" or at in flags:
            marks = 0
            kept.append(letter)
            continue
        category = unicodedata.category(letter)
        marks = marks + 1 if category == "Mn" and not _SELECTORS.match(letter) else 0
        most = _POINTED_MAX if "\u0591" <= letter <= "\u0fff" else _MARKS_MAX
        what = _class(letter, category, text, at) or ("marks" if marks > most else "")
        kept.append(letter if not what else _LINE_ENDS.get(letter, "") + taken(what))
    return ("".join(kept) if counts else text), counts


def _class(letter: str, category: str, text: str, at: int) -> str:
    """The class of what nobody sees; empty for a character that is seen, or needed where it stands."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if _SELECTORS.match(letter):
        return "" if _selects(letter, before) else "selector"
    if _TAGS.match(letter):
        return "tag"
    if letter in _BLANK:
        return "blank"
    if letter in _BIDI:
        return "" if letter in _MARKS_OF_DIRECTION and _directs(text, at) else "bidi"
    if category == "Cf":
        return _joining(letter, before, after)
    if category in ("Zl", "Zp"):
        return "control"
    if category == "Cc":
        return "" if letter in "\n\t" or (letter == "\r" and after == "\n") else "control"
    return "private" if category in ("Co", "Cs") or _NO_CHARACTER.match(letter) else ""


def _joining(letter: str, before: str, after: str) -> str:
    """Characters without width: those that writing needs are kept between what they join."""
    if letter in _JOINERS and before:
        emoji = unicodedata.category(before) in ("So", "Sk", "Mn") and unicodedata.category(after or " ") == "So"
        ends = unicodedata.combining(before) == _VIRAMA
        if emoji or (_joins(before) and (ends or _joins(after))):
            return ""
    if letter == "\u00ad" and before.isalpha() and after.isalpha() and not (before.isascii() and after.isascii()):
        return ""
    if unicodedata.category(before or " ") == "Nd" and letter in "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2":
        return ""
    return "zero_width"


def _joins(letter: str) -> bool:
    """Whether it is of a script that joins its letters: Arabic, Syriac, those of India and beside it, Mongolian."""
    at = ord(letter or " ")
    return letter not in _BIDI and (0x0600 <= at <= 0x109F or 0x1780 <= at <= 0x18AF or 0xFB50 <= at <= 0xFEFC)


def _selects(selector: str, before: str) -> bool:
    """Whether a variation selector stands where writing has one: behind a symbol, or which drawing of an ideograph."""
    if selector in "\ufe0e\ufe0f":
        return before != "" and (unicodedata.category(before) in _SYMBOLS or before in "\u2139\u3030")
    return selector >= "\U000e0100" and unicodedata.name(before or " ", "").startswith("CJK UNIFIED IDEOGRAPH")


def _directs(text: str, at: int) -> bool:
    """Whether a mark of direction stands alone, and near a letter that is written from right to left."""
    if text[at - 1 : at] in _MARKS_OF_DIRECTION:  # one behind another says nothing more, and many carry a text
        return False
    return any(map(_is_rtl, text[max(0, at - _DIRECTED) : at + _DIRECTED]))


def _is_rtl(letter: str) -> bool:
    return letter not in _MARKS_OF_DIRECTION and unicodedata.bidirectional(letter) in ("R", "AL", "AN")
