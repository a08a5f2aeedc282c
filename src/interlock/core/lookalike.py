"""Letters that are drawn alike: a small part of UTS 39, for names that look like others and values that do."""

from __future__ import annotations

import unicodedata
from typing import Final

ALIKE: Final = (
    dict(zip("авеёзікмнорсѕтухһԁԛԝјӏ", "abeeslkmhopcstyxhdqwjl", strict=True))  # Cyrillic, folded
    | dict(zip("αβγεικνορτυχω", "abyelkvoptuxw", strict=True))  # Greek, folded
    | {"\u0131": "l", "\u0269": "l", "\u0251": "a", "\u0261": "g", "ß": "b"}
)
"""Letters that are no ASCII, folded, to the ASCII letter that they are drawn like."""

_LETTERS: Final = str.maketrans({letter: "i" if drawn == "l" and letter in "\u0456\u03b9\u0131\u0269" else drawn
                                 for letter, drawn in ALIKE.items()})  # fmt: skip


def drawn_as_ascii(text: str) -> str:
    """The ASCII text that a folded text is drawn like; empty where it is ASCII already or not drawn like one."""
    if text.isascii():
        return ""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    drawn = text.translate(_LETTERS)
    return drawn if drawn.isascii() and not bare.isascii() else ""
