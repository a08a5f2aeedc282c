"""What not everybody may read, and whether a text that goes out has a piece of it."""

from __future__ import annotations

import re
import sys
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

PIECE_MIN: Final = 24
"""Bytes of letters and digits in a row from which a piece of a private text is taken for it: some five words."""

SECRET_MIN: Final = 8
"""The same of a declared secret, and of anything private in a link that is composed."""

_SEVERAL: Final = re.compile(r"[,;<>\s]")
_GRAM: Final = 8
_STORED, _ASKED = 7, 2
"""Of private texts the eight bytes from every seventh on are stored, of what goes out those from every second looked
up: seven and two have no common divisor, so of a piece of 21 bytes one part is both stored and looked up."""

_BEARERS_MAX: Final = 8
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
        several = target.count("@") > 1 or ("@" in target and _SEVERAL.search(target) is not None)
        return any(fnmatchcase(target, glob) for glob in self.globs if not several or glob == _escaped(target))


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
        self._grams: dict[int, list[int]] = {}
        self._secrets: dict[str, int] = {}
        self._texts: list[bytes] = []
        self._which: dict[tuple[str, str], int] = {}
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
        data = plain.encode()
        self._texts.append(data)
        self._which[source, leaf.pointer] = which
        self._places.append((Evidence(source, leaf.pointer), readers))
        self._all.add(source, leaf.pointer, plain)
        if secret:
            for at in range(len(plain) - SECRET_MIN + 1):
                self._secrets.setdefault(plain[at : at + SECRET_MIN], which)
        for at in range(0, len(data) - _GRAM + 1, _STORED):
            found = self._grams.setdefault(int.from_bytes(data[at : at + _GRAM], sys.byteorder), [])
            if which not in found and len(found) <= _BEARERS_MAX:
                found.append(which)

    def pieces(self, text: str) -> Iterator[Piece]:
        """Pieces of private leaves in a text that goes out, also where it is encoded, reversed or packed."""
        if not self._texts:
            return
        met: set[int] = set()
        for reading in readings(text):
            plain = bare(reading)
            for which, secret in (*self._found(plain), *self._found(plain[::-1])):
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
            for said in (plain, plain[::-1]):
                if any(said[at : at + SECRET_MIN] in self._all for at in range(len(said) - SECRET_MIN + 1)):
                    return True
        return False

    def _found(self, plain: str) -> Iterator[tuple[int, bool]]:
        if self._secrets:
            for at in range(len(plain) - SECRET_MIN + 1):
                if (secret := self._secrets.get(plain[at : at + SECRET_MIN])) is not None:
                    yield secret, True
        data, grams = plain.encode(), self._grams
        for first in range(0, _GRAM, _ASKED):
            whole = max(len(data) - first, 0) // _GRAM * _GRAM
            asked = memoryview(data)[first : first + whole].cast("Q").tolist()
            if grams.keys().isdisjoint(asked):
                continue
            for at in [first + _GRAM * number for number, gram in enumerate(asked) if gram in grams]:
                bearers = grams[int.from_bytes(data[at : at + _GRAM], sys.byteorder)]
                if len(bearers) > _BEARERS_MAX:  # a part of very many: of all of them at once
                    yield from ((self._which[found], False) for found in self._borne(data, at))
                for which in bearers:
                    if any(piece in self._texts[which] for piece in _pieces(data, at)):
                        yield which, False

    def _borne(self, data: bytes, at: int) -> Iterator[tuple[str, str]]:
        for piece in _pieces(data, at):
            for found in self._all.find(piece.decode("utf-8", "ignore")):
                yield found.source, found.pointer
                break


def _pieces(data: bytes, at: int) -> Iterator[bytes]:
    """The stretches of a text around a part of it that are long enough to tell."""
    for begin in range(max(0, at - PIECE_MIN + _GRAM), min(at, len(data) - PIECE_MIN) + 1):
        yield data[begin : begin + PIECE_MIN]


def _escaped(text: str) -> str:
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in text)
