"""What not everybody may read, and whether a text that goes out has a piece of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from interlock.core.provenance import Evidence
from interlock.errors import BadInput
from interlock.grounding.decoding import readings
from interlock.grounding.haystack import Haystack
from interlock.grounding.leaves import Leaf
from interlock.grounding.normal import bare, normal
from interlock.grounding.profile import PUBLIC, USER_ONLY, Profile, leaf_fits

PIECE_MIN: Final = 20
"""Letters and digits, one after the other, from which a piece of a private text is taken for it: some five words."""

SECRET_MIN: Final = 8
"""The same of a declared secret, and of anything private in a link that is fetched."""

_GRAM: Final = 10
_STRIDE: Final = PIECE_MIN - _GRAM + 1
_LINK_MAX: Final = 512


class Readers(NamedTuple):
    """Who may read a result.

    Attributes:
        globs: Over targets in their normal form; none for nobody but the user.
    """

    globs: tuple[str, ...]

    @classmethod
    def of(cls, profile: Profile, leaves: Iterable[Leaf]) -> Readers:
        """By the profile, and by whom the result itself names."""
        named = [each for each in profile.readers if each not in (PUBLIC, USER_ONLY)]
        fixed = [normal(each) for each in named if not each.startswith("/")]
        pointers = [each for each in named if each.startswith("/")]
        found = [
            normal(leaf.value)
            for leaf in leaves
            if pointers and isinstance(leaf.value, str) and any(leaf_fits(each, leaf.glob) for each in pointers)
        ]
        return cls((*fixed, *(_escaped(each) for each in found)))

    def admit(self, target: str) -> bool:
        """Whether a target, in its normal form, may read it."""
        return any(fnmatchcase(target, glob) for glob in self.globs)


class Piece(NamedTuple):
    """A piece of something private in a text.

    Attributes:
        place: Where it came from.
        readers: Who may read that.
        secret: It is one that was declared.
    """

    place: Evidence
    readers: Readers
    secret: bool


class Private:
    """Private leaves by pieces of them: letters and digits alone, so that no setting of a text hides one."""

    def __init__(self) -> None:
        self._grams: dict[str, list[int]] = {}
        self._secrets: dict[str, int] = {}
        self._texts: list[str] = []
        self._places: list[tuple[Evidence, Readers]] = []
        self._all = Haystack()

    def add(self, source: str, leaf: Leaf, text: str, readers: Readers, *, secret: bool) -> None:
        """A further private leaf."""
        try:
            plain = bare(normal(text))
        except BadInput:
            return
        if len(plain) < SECRET_MIN:
            return
        which = len(self._texts)
        self._texts.append(plain)
        self._places.append((Evidence(source, leaf.pointer), readers))
        self._all.add(source, leaf.pointer, plain)
        if secret:
            for at in range(len(plain) - SECRET_MIN + 1):
                self._secrets.setdefault(plain[at : at + SECRET_MIN], which)
        for at in range(0, len(plain) - _GRAM + 1, _STRIDE):
            found = self._grams.setdefault(plain[at : at + _GRAM], [])
            if len(found) < 8 and which not in found:
                found.append(which)

    def pieces(self, text: str) -> Iterator[Piece]:
        """Pieces of private leaves in a text that goes out, also where it is encoded, reversed or packed."""
        if not self._texts:
            return
        met: set[int] = set()
        for reading in readings(text):
            plain = bare(reading)
            for which, secret in self._found(plain):
                if which not in met:
                    met.add(which)
                    yield Piece(*self._places[which], secret)

    def in_link(self, text: str) -> bool:
        """Whether what a link says has eight characters of anything private. A link too long to tell has."""
        if not self._texts:
            return False
        for reading in readings(text):
            plain = bare(reading)
            if len(plain) > _LINK_MAX:
                return True
            if any(plain[at : at + SECRET_MIN] in self._all for at in range(len(plain) - SECRET_MIN + 1)):
                return True
        return False

    def _found(self, plain: str) -> Iterator[tuple[int, bool]]:
        grams, secrets = self._grams, self._secrets
        for at in range(len(plain) - SECRET_MIN + 1):
            if secrets and (which := secrets.get(plain[at : at + SECRET_MIN])) is not None:
                yield which, True
            for which in grams.get(plain[at : at + _GRAM], ()):
                if _shared(plain, at, self._texts[which]) >= PIECE_MIN:
                    yield which, False


def _shared(plain: str, at: int, text: str) -> int:
    """The longest stretch around a position of one text that stands in another."""
    longest = 0
    for begin in range(max(0, at - _STRIDE + 1), at + 1):
        if plain[begin : begin + PIECE_MIN] in text and len(plain) - begin >= PIECE_MIN:
            longest = PIECE_MIN
            break
    return longest


def _escaped(text: str) -> str:
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in text)
