"""Names of tools: what one may be, which two look alike, and which is near to one that was missed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from interlock.errors import DefinitionError

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

_RESERVED: Final = frozenset({"call"})
"""Names of groups of actions in policies: a tool of that name would be all tools."""

_CONFUSABLE: Final = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "2": "z", "8": "b"}
    | dict(zip("авеёзікмнорсѕтухһԁԛԝјӏ", "abeeslkmhopcstyxhdqwjl", strict=True))  # Cyrillic, folded
    | dict(zip("αβγεικνορτυχω", "abyelkvoptuxw", strict=True))  # Greek, folded
    | {"\u0131": "l", "\u0269": "l", "\u0251": "a", "\u0261": "g", "ß": "b"}
)
"""Letters drawn alike, to one of them. A small part of UTS 39: Latin, Cyrillic and Greek look-alikes and digits
that pass for letters. Names are ASCII by rule; the rest of the table is for what a model proposes."""


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
        matcher = SequenceMatcher(b=wanted.casefold(), autojunk=False)
        near: list[tuple[float, str]] = []
        for found, _ in shared.most_common(20):
            matcher.set_seq1(found.casefold())
            if (ratio := matcher.ratio()) >= 0.6:
                near.append((-ratio, found))
        return [found for _, found in sorted(near)[:most]]


def _parts(name: str) -> set[str]:
    """The name's runs of three characters, with its beginning and end marked."""
    text = f"^{name.casefold()}$"
    return {text[at : at + 3] for at in range(len(text) - 2)}
