"""Names of tools: what one may be, which two look alike, and which is near to one that was missed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from interlock.core.lookalike import ALIKE
from interlock.errors import DefinitionError

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

_RESERVED: Final = frozenset({"call"})
"""Names of groups of actions in policies: a tool of that name would be all tools."""

_COMPARED_MAX: Final = 20
_LIKENESS_MIN: Final = 0.6

_CONFUSABLE: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "2": "z", "8": "b"} | ALIKE)
"""Characters drawn alike, to one of them: letters, and digits that pass for letters. Names are ASCII by rule; the
letters are for what a model proposes."""


def check_name(name: str) -> None:
    """Refuse a name that is not 1 to 64 of `A-Z a-z 0-9 _ . -` from a letter on, or that policies use otherwise.

    Raises:
        DefinitionError: With the reason.
    """
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{name[:80]!r} is no name of a tool",
            code="definition.name",
            remedy="Use 1 to 64 of A-Z a-z 0-9 _ . - and begin with a letter.",
        )
    if name in _RESERVED:
        raise DefinitionError(
            f"{name!r} is the name of a group in policies", code="definition.name", remedy="Name the tool otherwise."
        )


def skeleton(name: str) -> str:
    """What a name looks like: two names with one skeleton cannot be told apart, or differ in case and separators."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    drawn = "".join(letter for letter in unicodedata.normalize("NFKD", folded) if letter.isalnum())
    return drawn.translate(_CONFUSABLE).replace("rn", "m").replace("vv", "w")


class NameIndex:
    """Finds names near a given one without comparing all of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_look: dict[str, str] = {}
        self._by_part: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self._by_look[skeleton(name)] = name
            for part in _parts(name):
                self._by_part[part].append(name)

    def closest(self, name: str, most: int) -> list[str]:
        """At most that many names, the nearest first; a name that only looks alike comes before all."""
        wanted = name[:64]
        if alike := self._by_look.get(skeleton(wanted)):
            return [alike]
        shared = Counter(found for part in _parts(wanted) for found in self._by_part.get(part, ()))
        near = [(_likeness(wanted, found), found) for found, _ in shared.most_common(_COMPARED_MAX)]
        near.sort(key=lambda each: (-each[0], each[1]))
        return [found for likeness, found in near[:most] if likeness >= _LIKENESS_MIN]


def _likeness(one: str, other: str) -> float:
    """From 0 to 1; the order of the words does not matter."""
    as_written = SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio()
    by_words = SequenceMatcher(None, _ordered(one), _ordered(other), autojunk=False).ratio()
    return max(as_written, by_words)


def _ordered(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.-]", " ", name).casefold().split()
    return " ".join(sorted(words))


def _parts(name: str) -> set[str]:
    """The name's runs of three characters, with its beginning and end marked."""
    text = f"^{name.casefold()}$"
    return {text[at : at + 3] for at in range(len(text) - 2)}
