"""The normal form of a text, in which values are compared, and what is odd about the text that it was made of."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from interlock.core.lookalike import drawn_as_ascii
from interlock.errors import BadInput

SEPARATOR: Final = "\x00"
"""Never in a normal form, so that texts joined by it have no match across."""

_BLANK: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
_WORD: Final = re.compile(r"[^\W\d_]+")
_PASSES_MAX: Final = 8


_FORMAT: Final = (
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f"
)
"""Every character of the category Cf: zero width, direction, soft hyphen, tags; a test holds it to Python's table."""

_UNSEEN: Final = re.compile(f"[{_FORMAT}{_BLANK}{_SELECTORS}\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def normal(text: str, *, exact: bool = False) -> str:
    """The text in its normal form: NFKC, nothing that is not seen, case folded, each run of spaces one space.

    The normal form of a normal form is itself.

    Args:
        exact: Keep the case, for identifiers in which it counts.

    Raises:
        BadInput: It has half of a surrogate pair, which no text has.
    """
    if text.isascii():
        plain = text if text.isprintable() else _UNSEEN.sub("", text)
        return " ".join((plain if exact else plain.lower()).split())
    if _SURROGATE.search(text):
        raise BadInput("half of a surrogate pair", code="json.surrogate")
    for _ in range(_PASSES_MAX):
        folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
        folded = " ".join((folded if exact else unicodedata.normalize("NFKC", folded.casefold())).split())
        if folded == text:
            break
        text = folded
    return text


def oddities(text: str) -> tuple[str, ...]:
    """What is odd about a text, in order: `confusable`, `invisible`, `mixed_script`; empty for a plain one."""
    if text.isascii() and text.isprintable():
        return ()
    found = []
    if drawn_as_ascii(normal(text)):
        found.append("confusable")
    if _UNSEEN.search(_without_emoji(text)):
        found.append("invisible")
    if not text.isascii() and any(len(_scripts(word)) > 1 for word in _WORD.findall(text)):
        found.append("mixed_script")
    return tuple(found)


def bare(text: str) -> str:
    """A normal form's letters and digits alone: what is left however a text is spaced, punctuated or set in lines."""
    return _NO_LETTER.sub("", text)


_NO_LETTER: Final = re.compile(r"[\W_]+")


def _without_emoji(text: str) -> str:
    """The text without the selectors and joiners that belong to emoji: those that follow a symbol."""
    return _EMOJI.sub("", text)


_EMOJI: Final = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\u200d]+|[#*0-9]\ufe0f\u20e3")


@lru_cache(4096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), "")


def _scripts(word: str) -> set[str]:
    return {script for letter in word if (script := _script(letter))}
