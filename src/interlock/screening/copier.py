"""The copy of a result that may be told: what no screen let through is taken out, and said to have been there.

Most results have nothing to find. That is known after one pass over the whole value in its canonical form; only what
the sieve stops is taken apart, text by text. What executes never sees a copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from interlock.core.canonical import Json, pointer
from interlock.core.finding import Act, Finding, summed
from interlock.screening import characters, content, injection, personal, secrets
from interlock.screening.handling import Handling
from interlock.screening.secrets import Span
from interlock.screening.sieve import sieve_of

FINDINGS_MAX: Final = 10_000
"""Findings in one value, beyond which it is not worth telling."""

_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/_=.~:\r\n-]*")


class TooMuch(Exception):
    """A value has more to find than one value may: it is withheld."""


class Copied(NamedTuple):
    """What may be told of a value.

    Attributes:
        value: The copy; the value itself where nothing was changed.
        findings: What was found, at most 64.
    """

    value: Any
    findings: tuple[Finding, ...] = ()

    @property
    def withheld(self) -> bool:
        """Whether none of it may be told."""
        return any(finding.act is Act.WITHHOLD for finding in self.findings)


class _Look(NamedTuple):
    """One class.

    Attributes:
        name: What it is called.
        act: What is done.
        stops: What there is in a text that may have some of it.
        clean: The text without it, and how much there was of each kind. Its second argument is the name of the text.
    """

    name: str
    act: Act
    stops: tuple[str, ...]
    clean: Callable[[str, str], tuple[str, Mapping[str, int]]]


class Copier:
    """Makes copies by one way of handling.

    Args:
        finder: What finds personal data.

    Attributes:
        handling: What is done about each class.
    """

    def __init__(self, handling: Handling, finder: personal.Finder = personal.PATTERNS) -> None:
        self.handling = handling
        every = (
            ("characters", handling.characters, characters.STOPS, lambda text, name: characters.seen(text)),
            ("content", handling.content, content.STOPS, lambda text, name: content.inert(text)),
            ("secrets", handling.secrets, secrets.STOPS, _without(secrets.secrets_in, "secrets")),
            ("personal", handling.personal, finder.stops, _without(lambda text, name: finder.find(text), "personal")),
            ("injection", handling.injection, injection.STOPS, lambda text, name: (text, injection.speaking(text))),
        )
        used = [each for each in every if each[1] is not Act.OFF]
        self._looks = tuple(_Look(*each) for each in used)
        self._sieve = sieve_of(tuple(stop for each in used for stop in each[2])) if used else None
        self._fields = tuple((re.compile(_pointers(glob)), kind) for glob, kind in handling.fields)

    def copy(self, value: Any, text: str) -> Copied:
        """What may be told of a JSON value.

        Args:
            text: Its canonical form; not looked at where the value is a text itself.

        Raises:
            TooMuch: There is more to find than one value may have.
        """
        sieve = self._sieve
        if not self._fields and (
            sieve is None or not (sieve.stops(value) if type(value) is str else sieve.stops_json(text))
        ):
            return Copied(value)
        found: list[Finding] = []
        told = self._told(value, "", [], found)
        return Copied(told, summed(found))

    def _told(self, value: Any, name: str, path: list[str | int], found: list[Finding]) -> Any:
        if self._fields and (kind := self._field(path)) and value is not None:
            found.append(Finding(f"personal.{kind}", pointer(path), 1, Act.REDACT))
            return _put(f"personal.{kind}")
        if isinstance(value, str):
            return self._text(value, name, path, found)
        if isinstance(value, dict):
            return self._object(value, path, found)
        if isinstance(value, list):
            return [self._told(part, name, [*path, number], found) for number, part in enumerate(value)]
        return value

    def _object(self, value: Mapping[str, Any], path: list[str | int], found: list[Finding]) -> dict[str, Json]:
        told: dict[str, Json] = {}
        for key, part in value.items():
            shown = self._text(key, "", path, found)
            if shown in told:
                raise TooMuch("two keys are one key once they are clean")
            if _is_opaque(key, part, value):
                told[shown] = part
            else:
                told[shown] = self._told(part, _name_of(key, value), [*path, key], found)
        return told

    def _text(self, text: str, name: str, path: Sequence[str | int], found: list[Finding]) -> str:
        told = text
        for look in self._looks:
            if not sieve_of(look.stops).stops(told) and not (look.name == "secrets" and name):
                continue
            clean, counts = look.clean(told, name)
            found += [Finding(f"{look.name}.{kind}", pointer(list(path)), n, look.act) for kind, n in counts.items()]
            if look.act is Act.REDACT:
                told = clean
                if look.name in ("secrets", "personal") and self.handling.content is Act.REDACT:
                    told, made = content.inert(told)  # brackets in a picture's place are a picture
                    found += [
                        Finding(f"content.{kind}", pointer(list(path)), n, Act.REDACT) for kind, n in made.items()
                    ]
        if len(found) > FINDINGS_MAX:
            raise TooMuch("more findings than one result may have")
        return told

    def _field(self, path: list[str | int]) -> str:
        where = pointer(path)
        return next((kind for pattern, kind in self._fields if pattern.fullmatch(where)), "")


def _without(
    look: Callable[[str, str], list[Span]], name: str
) -> Callable[[str, str], tuple[str, Mapping[str, int]]]:  # fmt: skip
    """What takes out of a text the spans that something finds in it."""

    def clean(text: str, named: str) -> tuple[str, Mapping[str, int]]:
        counts: dict[str, int] = {}
        parts: list[str] = []
        start = 0
        for span in look(text, named):
            counts[span.what] = counts.get(span.what, 0) + 1
            parts += [text[start : span.start], _put(f"{name}.{span.what}")]
            start = span.end
        return "".join([*parts, text[start:]]), counts

    return clean


def _put(what: str) -> str:
    """What stands in the place of something that was taken out."""
    return f"[redacted: {what}]"


def _pointers(glob: str) -> str:
    """The regular expression of the pointers that a pattern means."""
    return "".join("/" + ("[^/]*" if part == "*" else re.escape(part)) for part in glob.split("/")[1:])


def _name_of(key: str, beside: Mapping[str, Any]) -> str:
    """What the value of a key is called: as the key is, or, in a list of names and values, as its name says."""
    called = beside.get("name", beside.get("key")) if key == "value" else None
    return called if isinstance(called, str) else key


def _is_opaque(key: str, part: Any, beside: Mapping[str, Any]) -> bool:
    """Whether nothing reads this as text: a picture, a sound, a file in base64, or a server's state between rounds."""
    encoded = (key == "data" and beside.get("type") in ("image", "audio")) or (key == "blob" and "uri" in beside)
    state = key == "requestState" and beside.get("resultType") == "input_required"
    return (encoded or state) and isinstance(part, str) and _OPAQUE.fullmatch(part) is not None
