"""Secrets out of what a far end says, in the forms in which it could have repeated them.

One set of forms for bytes as they come (`Scrub`), for JSON values (`Scrubber.value`), for a text (`Scrubber.text`)
and for texts that are told one after the other (`Pieces`). Of a secret that was cut in pieces, those of 12 characters
and more are found wherever they stand, shorter ones where they follow each other: in one list, in the same field of a
list's items, in the order of the document.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, quote_plus

from interlock.core.visible import one_line

S = TypeVar("S", str, bytes)

HIDDEN: Final = "[secret]"
"""What stands in a secret's place."""

CORE_MIN: Final = 8
"""Characters of a part of a secret's form, such as a line of it, that is looked for by itself."""

FRAGMENT: Final = 12
"""Characters of a form that are taken out by themselves, wherever they stand: a secret may come in pieces."""

_FRAGMENTED_MAX: Final = 4096
"""Characters of a secret that is looked for in fragments; a longer one is looked for whole, and by line."""

_BEGUN_MIN: Final = 4
"""Characters at the end of a text that may be the beginning of a form and are not told."""

_DEEP: Final = 256
"""Objects and lists within each other that are looked into; what is deeper is no result."""

_CODE_UNIT: Final = re.compile(r"\\u([0-9a-f]{4})")


def forms_of(secret: str) -> frozenset[str]:
    """The forms of a secret.

    As it is, backwards, escaped (JSON, once and twice, Python, HTML), as a part of a URL or of one within it, in
    hexadecimal, in base64 and base64url, by itself and within something longer; and of one of several lines, each line.
    """
    raw = secret.encode(errors="surrogatepass")
    lines = [line.strip() for line in secret.splitlines()]
    forms = {secret, secret.strip(), *(line for line in lines if len(line) >= CORE_MIN), secret.replace("\n", "\r\n")}
    forms |= {_escaped(form, ascii_too) for form in set(forms) for ascii_too in (True, False)}
    forms |= {_escaped(form, True) for form in set(forms)} | {form.replace("/", "\\/") for form in set(forms)}
    forms |= {_CODE_UNIT.sub(lambda found: "\\u" + found[1].upper(), form) for form in forms}
    forms |= {
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        one_line(secret),
    }
    for part in (secret, *lines):
        if part == secret or len(part) >= CORE_MIN:
            encoded = part.encode(errors="surrogatepass")
            urls = {quote(encoded, safe=""), quote(encoded), quote_plus(encoded)}
            urls |= {quote(url, safe="") for url in urls}  # an address within an address
            forms |= urls | {_lower_percent(url) for url in urls}
    forms |= {secret[::-1], raw.hex(), raw.hex().upper(), raw[::-1].hex()}
    forms |= {form for value in (raw, raw.strip()) for form in _base64(value)}
    return frozenset(form for form in forms if form)


def _escaped(text: str, ascii_too: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_too)[1:-1]


def _lower_percent(url: str) -> str:
    parts = url.split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])


def _base64(raw: bytes) -> Iterable[str]:
    """Both alphabets, padded or not; and what is the same wherever the bytes stand within longer ones."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        yield whole.rstrip("=")
        for before in range(3):
            text = encode(b"\0" * before + raw).decode().rstrip("=")
            core = text[math.ceil(before * 8 / 6) : len(text) - bool((before + len(raw)) % 3)]
            if len(core) >= CORE_MIN:
                yield core


class Scrubber:
    """Takes secrets out of texts and JSON values.

    Args:
        secrets: Empty ones count for nothing.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        by_secret = {secret: forms_of(secret) for secret in secrets}
        forms = {form for each in by_secret.values() for form in each}
        self._forms: Final = tuple(sorted(forms, key=len, reverse=True))
        self._fragments: Final = frozenset(
            form[at : at + FRAGMENT]
            for secret, each in by_secret.items() if len(secret) <= _FRAGMENTED_MAX
            for form in each for at in range(len(form) - FRAGMENT + 1)
        )  # fmt: skip
        self._longest = max(map(len, self._forms), default=0)

    def __repr__(self) -> str:
        """Says nothing of what it looks for."""
        return "Scrubber()"

    def text(self, text: str) -> str:
        """The text without them."""
        return _masked(text, self._spans(text))

    def cut(self, text: str) -> str:
        """The same for a text that may have been cut: its end may be the beginning of one."""
        begun = self._begun(text)
        return self.text(text[: len(text) - begun]) + (HIDDEN if begun else "")

    def value(self, value: Any) -> Any:
        """The value without them, in parts of its own where it is JSON; other objects stay what they are.

        Raises:
            ValueError: It is within itself, or too deep.
        """
        found = _Leaves()
        found.gather(value, ("",), 0)
        masks: list[list[tuple[int, int]]] = [[] for _ in found.texts]
        for group in found.groups():
            self._mask(group, found.texts, masks)
        return self._rebuilt(value, iter(zip(found.texts, masks, strict=True)))

    def pieces(self) -> Pieces:
        """For texts that are told one after the other."""
        return Pieces(self)

    def _mask(self, group: Sequence[int], texts: Sequence[str], masks: list[list[tuple[int, int]]]) -> None:
        """Note what is a form in texts that follow each other."""
        spans = self._spans("".join(texts[index] for index in group))
        if not spans:
            return
        start = 0
        for index in group:
            end = start + len(texts[index])
            masks[index] += [(max(b, start) - start, min(e, end) - start) for b, e in spans if b < end and e > start]
            start = end

    def _rebuilt(self, value: Any, leaves: Any) -> Any:
        if isinstance(value, str):
            text, mask = next(leaves)
            return _masked(text, _joined(mask)) if mask else value
        if isinstance(value, Mapping):
            return {self._key(key): self._rebuilt(part, leaves) for key, part in value.items()}
        if isinstance(value, list | tuple):
            parts = [self._rebuilt(part, leaves) for part in value]
            return parts if isinstance(value, list) else tuple(parts)
        if isinstance(value, int | float) and not isinstance(value, bool) and self._spans(str(value)):
            return HIDDEN
        return value

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) else key

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where forms stand, joined where they overlap."""
        spans = []
        for form in self._forms:
            place = text.find(form)
            while place >= 0:
                spans.append((place, place + len(form)))
                place = text.find(form, place + 1)
        fragments = self._fragments
        spans += [
            (at, at + FRAGMENT) for at in range(len(text) - FRAGMENT + 1) if text[at : at + FRAGMENT] in fragments
        ]
        return _joined(spans)

    def _begun(self, text: str) -> int:
        """How many of the last characters of a text begin a form."""
        end = text.removesuffix("…")
        length = max((_overlap(end, form) for form in self._forms), default=0)
        return 0 if length < _BEGUN_MIN else length + len(text) - len(end)


class _Leaves:
    """The texts of a value, in the order of the document, and which of them are the same field of a list's items."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._alike: dict[tuple[str, ...], list[int]] = {}

    def gather(self, value: Any, shape: tuple[str, ...], depth: int) -> None:
        if depth > _DEEP:
            raise ValueError("a value that is too deep, or within itself")
        if isinstance(value, str):
            self._alike.setdefault(shape, []).append(len(self.texts))
            self.texts.append(str(value))
        elif isinstance(value, Mapping):
            for key, part in value.items():
                self.gather(part, (*shape, str(key)), depth + 1)
        elif isinstance(value, list | tuple):
            for part in value:
                self.gather(part, shape, depth + 1)

    def groups(self) -> Iterable[Sequence[int]]:
        yield range(len(self.texts))
        yield from (group for group in self._alike.values() if len(group) > 1)


class Pieces:
    """Takes secrets out of texts that are told one after the other, a part of a secret in each.

    What ends with what may be the beginning of one is told without that end: the next text may have the rest.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._before = ""
        self._lock = threading.Lock()

    def next(self, text: str) -> str:
        """The next text without them; from any thread."""
        with self._lock:
            whole, start = self._before + text, len(self._before)
            self._before = whole[-max(self._scrubber._longest - 1, 0) or len(whole) :]
        spans = self._scrubber._spans(whole)
        if begun := self._scrubber._begun(whole):
            spans = _joined([*spans, (len(whole) - begun, len(whole))])
        return _masked(text, [(max(b, start) - start, e - start) for b, e in spans if e > start])


class Scrub:
    """Takes secrets out of bytes as they come; what may be the beginning of one is kept back until it is known.

    Args:
        secrets: Empty ones count for nothing.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form.encode(errors="surrogatepass") for secret in secrets for form in forms_of(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._kept = b""

    def more(self, chunk: bytes) -> bytes:
        """What is sure to be no secret, of this and of what was kept back."""
        text = self._kept + chunk
        for form in self._forms:
            text = text.replace(form, HIDDEN.encode())
        keep = max((_overlap(text, form) for form in self._forms), default=0)
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> bytes:
        """What was kept back and was none."""
        kept, self._kept = self._kept, b""
        return kept


def scrubbed(body: bytes, secrets: Iterable[str]) -> bytes:
    """Whole bytes without secrets."""
    scrub = Scrub(secrets)
    return scrub.more(body) + scrub.end()


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches, those that touch as one, in order."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined


def _masked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, place = [], 0
    for begin, end in spans:
        parts += [text[place:begin], HIDDEN]
        place = end
    return "".join(parts) + text[place:] if parts else text


def _overlap(text: S, form: S) -> int:
    """How many of the last letters or bytes of a text begin a form."""
    for place in range(max(0, len(text) - len(form) + 1), len(text)):
        if text[place : place + 1] == form[:1] and text[place:] == form[: len(text) - place]:  # most begin otherwise
            return len(text) - place
    return 0
