"""A text as it is and as what it may be an encoding of."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from html import unescape
from typing import Final
from urllib.parse import unquote_plus

from interlock.errors import BadInput
from interlock.grounding.normal import normal

_DEPTH_MAX: Final = 2
_FUEL: Final = 64
_SIZE_MAX: Final = 1 << 18
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE32: Final = re.compile(r"[A-Z2-7]{24,}={0,6}")
_HEX: Final = re.compile(r"\b(?:[0-9A-Fa-f]{2}[\s:,]){7,}[0-9A-Fa-f]{2}\b")
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]+")
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyz \n.,;:!?'-"
_NO_HEX: Final = re.compile(r"[\s:,]+")
_ODD: Final = re.compile(r"[a-z0-9+/][A-Z]|[0-9][a-z]|[A-Za-z][0-9]|[A-Z2-7]{8}")


def readings(text: str) -> Iterator[str]:
    """The text in its normal form, and what base64, base32, hex, URL, HTML and gzip encodings in it say.

    Two deep, and at most 64 readings of at most 256 KiB each.
    """
    fuel = _FUEL
    waiting, met = [(text, 0)], {text}
    while waiting and fuel:
        current, depth = waiting.pop(0)
        fuel -= 1
        try:
            plain = normal(current[:_SIZE_MAX])
        except BadInput:
            continue
        yield plain
        if depth < _DEPTH_MAX:
            for inner in _decoded(current[:_SIZE_MAX]):
                if inner not in met and len(met) < _FUEL:
                    met.add(inner)
                    waiting.append((inner, depth + 1))


def _decoded(text: str) -> Iterator[str]:
    if not text.isascii() and (inner := _untagged(text)) != text:
        yield inner
    if "%" in text and (inner := unquote_plus(text)) != text:
        yield inner
    if "&" in text and (inner := unescape(text)) != text:
        yield inner
    for piece in dict.fromkeys(_BASE64.findall(_joined(text))):
        yield from _bytes(_base64(piece))
        yield from _bytes(_base64(piece[::-1]))
        yield from _bytes(_base32(piece))
        yield from _bytes(_hex(piece))
    for found in _HEX.findall(text):
        yield from _bytes(_hex(found))


def _untagged(text: str) -> str:
    """The text with what is written in tags, which nobody sees, in letters."""
    return _TAGS.sub(lambda found: "".join(chr(ord(mark) - 0xE0000) for mark in found[0]), text)


def _joined(text: str) -> str:
    """The text without its spaces, where much of it looks like the pieces of an encoding; else as it is."""
    spaces = text.count(" ") + text.count("\n")
    strange = len(text.encode("utf-8", "replace").translate(None, _PLAIN))
    return "".join(text.split()) if spaces and 3 * strange > spaces and 3 * len(_ODD.findall(text)) > spaces else text


def _bytes(data: bytes) -> Iterator[str]:
    """What bytes say: as text, or unpacked as text."""
    if not data:
        return
    if data[:2] == b"\x1f\x8b" or data[:1] == b"\x78":
        try:
            data = zlib.decompressobj(47).decompress(data, _SIZE_MAX)
        except zlib.error:
            return
    text = data.decode("utf-8", "ignore")
    if len(text) >= 6 and sum(map(str.isprintable, text)) * 10 >= len(text) * 9:
        yield text


def _base64(piece: str) -> bytes:
    plain = piece.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "==")
    except (binascii.Error, ValueError):
        return b""


def _base32(piece: str) -> bytes:
    plain = piece.rstrip("=")
    if not _BASE32.fullmatch(plain):
        return b""
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8))
    except (binascii.Error, ValueError):
        return b""


def _hex(piece: str) -> bytes:
    plain = _NO_HEX.sub("", piece)
    try:
        return bytes.fromhex(plain[: len(plain) // 2 * 2])
    except ValueError:
        return b""
