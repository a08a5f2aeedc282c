"""JSON as Interlock reads it and writes it: strictly in, one spelling out, and digests over that spelling.

Canonical form: keys by code point, no spaces, integers exact, floats as the shortest text that reads
back the same, strings as given. It is what Python's own encoder writes, so that a verifier needs only
the standard library (docs/adr/0002).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import (  # type: ignore[attr-defined]  # the C encoder has no stub
    c_make_encoder,  # pyright: ignore[reportAttributeAccessIssue]
    encode_basestring,
)
from typing import Any

from interlock.errors import BadInput

_TYPE_ERROR = "a value of type {} has no JSON form"

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A JSON value as Python holds it: lists and dicts, read only by agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """What a JSON text or value may be at most. Defaults: spec «limits and goals».

    Attributes:
        bytes_max: Encoded size in bytes.
        depth_max: Levels of nesting; a scalar has none.
        keys_max: Keys of one object.
        items_max: Items of one array.
        string_max: Characters of one string.
        digits_max: Characters of one number as written.
        integer_bits_max: Bits of an integer's magnitude; 64 admits the ids of real services.
    """

    bytes_max: int = 1 << 20
    depth_max: int = 64
    keys_max: int = 10_000
    items_max: int = 100_000
    string_max: int = 1 << 20
    digits_max: int = 40
    integer_bits_max: int = 64


LIMITS = JsonLimits()


def parse_json(text: str | bytes, limits: JsonLimits = LIMITS) -> Json:
    """Read one JSON text strictly.

    Raises:
        BadInput: Not JSON, or a duplicate key, NaN or infinity, a lone surrogate, or a limit passed.
            The message says which and never repeats the text.
    """
    whole = _utf8(text) if isinstance(text, str) else text
    if len(whole) > limits.bytes_max:
        raise BadInput(
            f"JSON text of {len(whole)} bytes", code="json.too_large", remedy=f"Send at most {limits.bytes_max} bytes."
        )
    try:
        value: Json = _decoder(limits).decode(text if isinstance(text, str) else text.decode())
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start}", code="json.utf8") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"not JSON: {error.msg} at character {error.pos}", code="json.syntax") from None
    except RecursionError:
        raise BadInput(
            "JSON nested too deeply", code="json.depth", remedy=f"Nest at most {limits.depth_max} levels."
        ) from None
    check_json(value, limits)
    if b"\\u" in whole:
        canonical(value)  # half a surrogate pair can only come as an escape, and has no form
    return value


@lru_cache(maxsize=16)
def _decoder(limits: JsonLimits) -> json.JSONDecoder:
    """A strict decoder, made once: `json.loads` with hooks makes one per call and costs twice as much."""

    def long() -> BadInput:
        return BadInput("a number is too long", code="json.number", remedy=f"Use at most {limits.digits_max} digits.")

    def number(digits: str) -> float:
        if len(digits) > limits.digits_max:
            raise long()
        return float(digits)

    def integer(digits: str) -> int:
        if len(digits) > limits.digits_max:
            raise long()
        return int(digits)

    return json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=_no_constant, parse_float=number, parse_int=integer
    )


def check_json(value: object, limits: JsonLimits = LIMITS) -> None:
    """Refuse what strict JSON could not have said: other types, NaN, keys that are no strings, limits passed.

    Raises:
        BadInput: With the code of what was found (`json.type`, `json.number`, `json.depth`, …).
    """
    if type(value) is dict and _is_flat(value, limits):
        return
    level: list[object] = [value]
    for _ in range(limits.depth_max + 1):
        deeper: list[object] = []
        for item in level:
            kind = type(item)
            if kind is str:
                if len(item) > limits.string_max:  # type: ignore[arg-type]  # narrowed by the exact type
                    raise BadInput(
                        "a string is too long",
                        code="json.string",
                        remedy=f"Use at most {limits.string_max} characters.",
                    )
            elif kind is int:
                if item.bit_length() > limits.integer_bits_max:  # type: ignore[attr-defined]
                    raise BadInput(
                        f"an integer has more than {limits.integer_bits_max} bits",
                        code="json.integer",
                        remedy="Send it as a string.",
                    )
            elif kind is float:
                if not math.isfinite(item):  # type: ignore[arg-type]
                    raise BadInput("NaN and infinity are not JSON", code="json.number")
            elif kind is dict:
                if len(item) > limits.keys_max:  # type: ignore[arg-type]
                    raise BadInput(
                        "an object has too many keys", code="json.keys", remedy=f"Use at most {limits.keys_max}."
                    )
                for key in item:  # type: ignore[attr-defined]
                    _check_key(key, limits)
                deeper.extend(item.values())  # type: ignore[attr-defined]
            elif kind is list:
                if len(item) > limits.items_max:  # type: ignore[arg-type]
                    raise BadInput(
                        "an array has too many items", code="json.items", remedy=f"Use at most {limits.items_max}."
                    )
                deeper.extend(item)  # type: ignore[arg-type]
            elif item is not None and kind is not bool:
                raise BadInput(_TYPE_ERROR.format(kind.__name__), code="json.type", remedy="Use JSON values only.")
            if len(deeper) > limits.bytes_max:  # parts that are shared are few to hold and endless to write
                raise BadInput("a value has too many parts", code="json.too_large", remedy="Send less at once.")
        if not deeper:
            return
        level = deeper
    raise BadInput("JSON nested too deeply", code="json.depth", remedy=f"Nest at most {limits.depth_max} levels.")


def is_json(value: object) -> bool:
    """Whether `check_json` has nothing against it."""
    try:
        check_json(value)
    except BadInput:
        return False
    return True


def _is_flat(value: dict[object, object], limits: JsonLimits) -> bool:
    """Whether this is an object of scalars within the limits: most arguments are, and need no second look."""
    if len(value) > limits.keys_max:
        return False
    for key, item in value.items():
        kind = type(item)
        if type(key) is not str or len(key) > limits.string_max:
            return False
        if kind is str:
            if len(item) > limits.string_max:  # type: ignore[arg-type]  # narrowed by the exact type
                return False
        elif kind is int:
            if item.bit_length() > limits.integer_bits_max:  # type: ignore[attr-defined]
                return False
        elif kind is float:
            if not math.isfinite(item):  # type: ignore[arg-type]
                return False
        elif kind is not bool and item is not None:
            return False
    return True


def _check_key(key: object, limits: JsonLimits) -> None:
    if type(key) is not str:
        raise BadInput(f"an object key is of type {type(key).__name__}", code="json.type", remedy="Use string keys.")
    if len(key) > limits.string_max:
        raise BadInput("a key is too long", code="json.string", remedy=f"Use at most {limits.string_max} characters.")


class Written(dict[str, Any]):
    """A JSON object that keeps its canonical form, so that it is written once, wherever it stands afterwards.

    Nothing may change it: its parts and its text would no longer say the same.

    Attributes:
        text: The canonical form.
    """

    __slots__ = ("text",)

    def __init__(self, parts: Mapping[str, Any], text: bytes | None = None) -> None:
        """Keep the text, or write it.

        Raises:
            BadInput: There was none, and a part has no JSON form.
        """
        super().__init__(parts)
        self.text = canonical(parts) if text is None else text


def compose(parts: Mapping[str, Any]) -> Written:
    """The object of these parts; those that are `Written` are not written again.

    Raises:
        BadInput: A part has no JSON form.
    """
    texts = [_key(name) + canonical(part) for name, part in sorted(parts.items())]
    return Written(parts, b"{" + b",".join(texts) + b"}")


@lru_cache(maxsize=256)
def _key(name: str) -> bytes:
    return canonical(name) + b":"


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value, as UTF-8.

    Raises:
        BadInput: A value that has no strict JSON form (NaN, a set, a lone surrogate, a cycle).
    """
    if type(value) is Written:
        return value.text
    try:
        return "".join(_encode(value, 0)).encode()
    except UnicodeEncodeError:
        raise BadInput("a string has a lone surrogate", code="json.surrogate") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"not a JSON value: {error}", code="json.type") from None


def reread(text: bytes) -> Any:
    """The value of a text that `canonical` wrote, in parts that nobody else holds."""
    return _scan(text.decode(), 0)[0]


def part_of(text: str, start: int) -> str:
    """The part that begins there of a text that `canonical` wrote, as it stands in it."""
    return text[start : _scan(text, start)[1]]


def digest(domain: str, *fields: bytes) -> bytes:
    """SHA-256 over the domain and the fields, each behind its length (8 bytes, big endian): none can borrow."""
    return hashlib.sha256(framed(domain, *fields)).digest()


def keyed(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104), from its definition: `hmac.digest` takes twice as long for a short text.

    Args:
        key: At most 64 bytes.
    """
    assert len(key) <= 64, "a longer key would have to be hashed first"
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(block.translate(_INNER) + text).digest()
    return hashlib.sha256(block.translate(_OUTER) + inner).digest()


_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def framed(domain: str, *fields: bytes) -> bytes:
    """The domain and the length-prefixed fields, as `digest` hashes them."""
    parts = [domain.encode()]
    for field in fields:
        parts.append(len(field).to_bytes(8, "big"))
        parts.append(field)
    return b"".join(parts)


def pointer(path: list[str | int]) -> str:
    """RFC 6901 pointer of a path; the whole value is the empty string."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def at_pointer(value: object, where: str) -> object:
    """The part of a JSON value that an RFC 6901 pointer names.

    Raises:
        BadInput: Nothing is there.
    """
    first, *parts = where.split("/")
    if first:
        raise BadInput(f"{where!r} is no pointer", code="json.pointer", remedy="Begin it with a slash.")
    for part in parts:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[_index(key)] if isinstance(value, list) else value[key]  # type: ignore[index]
        except (KeyError, IndexError, ValueError, TypeError):
            raise BadInput(f"nothing at {where!r}", code="json.pointer") from None
    return value


def _index(key: str) -> int:
    """The index that a pointer's part spells: digits alone, and no leading zero."""
    if not (key.isascii() and key.isdigit()) or (key[0] == "0" and key != "0"):
        raise ValueError
    return int(key)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("an object names a key twice", code="json.duplicate_key", remedy="Name each key once.")
    return found


def _no_constant(name: str) -> float:
    raise BadInput(f"{name} is not JSON", code="json.number")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadInput("the text has a lone surrogate", code="json.surrogate") from None


def _no_form(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(_TYPE_ERROR.format(type(value).__name__))


_encode = c_make_encoder(None, _no_form, encode_basestring, None, ":", ",", True, False, False)
# The standard library's C encoder, made once: `JSONEncoder.encode` makes one per call and costs twice as much.

_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # it has no stub
# Its C scanner: `json.loads` looks for encodings and spaces first, which a canonical text does not have.
