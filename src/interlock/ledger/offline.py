#!/usr/bin/env python3
"""Check an exported bundle of an Interlock ledger with nothing but Python: `python3 -I offline.py BUNDLE --key KEY`.

This file stands alone: it needs Python 3.9 or later and its standard library, no network, and nothing of Interlock.
KEY is the log's public key as its operator handed it out, on another way than the bundle: NAME+ID+BASE64.

It checks that every header is spelt in the one way there is and hashes to its leaf; that every event follows the one
before it in its chain, from the first on; that every leaf stands in the tree whose head is signed; that every payload
is the one that its header is committed to, and each one that is missing was erased with a record; that the keys handed
over to each other; and that the file is the one that was exported, whole.

Exit codes: 0 all of it holds, under the key that was given; 1 something does not hold, and it says what; 2 the command
line or the file cannot be read; 3 it all holds, but no key was given: whoever made up the key made up the rest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import sys
from typing import Any, NamedTuple, NoReturn

FORMAT = "bundle/1"
USAGE = "usage: python3 -I offline.py BUNDLE [--key NAME+ID+BASE64]"


class Bad(ValueError):
    """Something does not hold; the text says what and where."""


# ------------------------------------------------------------------ the bundle


class Key(NamedTuple):
    """A public key of the log."""

    name: str
    raw: bytes
    text: str


class Chain:
    """What was seen of one chain."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = b""
        self.kind = ""
        self.missing: list[int] = []
        self.erased: list[tuple[int, int, int, str]] = []  # first, last, number of the record, by whom


def check(raw: bytes, pinned: str = "") -> list[str]:
    """What the bundle shows, as sentences.

    Raises:
        Bad: Something does not hold.
    """
    texts = raw.split(b"\n")
    if texts.pop() != b"" or len(texts) < 5:
        raise Bad("the file is cut off or empty")
    lines = [_line(number, text) for number, text in enumerate(texts, 1)]
    _fields(1, lines[0], {"about": str, "interlock": str, "origin": str})
    if lines[0]["interlock"] != FORMAT:
        raise Bad(f"line 1: this file checks {FORMAT} and no other format")
    origin, at = lines[0]["origin"], 1
    keys: list[Key] = []
    while at < len(lines) and "key" in lines[at]:
        keys.append(_key(at + 1, lines[at], origin, keys, pinned))
        at += 1
    if not keys:
        raise Bad("line 2: no key")
    if pinned and pinned not in [key.text for key in keys]:
        raise Bad("the bundle is not of this log: the key that you gave is none of its keys")
    _whole(raw, texts, lines[-1], keys[-1])
    _fields(at + 1, lines[at], {"checkpoint": str})
    size, root = _head(at + 1, lines[at]["checkpoint"], origin, keys[-1])
    events = lines[at + 1 : -1]
    if lines[-1]["events"] != len(events) or not events:
        raise Bad(f"the last line counts {lines[-1]['events']!r} events, and there are {len(events)}")
    chains: dict[str, Chain] = {}
    indices = set()
    for number, line in enumerate(events, at + 2):
        index = _event(number, line, size, root, chains)
        if index in indices:
            raise Bad(f"line {number}: leaf {index} was there before")
        indices.add(index)
    for name, chain in chains.items():
        _records(name, chain)
    return _sentences(chains, len(events), size, root, keys, pinned)


def _sentences(
    chains: dict[str, Chain], events: int, size: int, root: bytes, keys: list[Key], pinned: str
) -> list[str]:
    said = [f"{events} events of {len(chains)} chains, each from its first event on:"]
    for name, chain in sorted(chains.items()):
        erased = ""
        if chain.missing:
            people = ", ".join(sorted({record[3] for record in chain.erased}))
            erased = f"; {len(chain.missing)} payloads erased, with a record by {people}"
        said.append(f"  {name}: events 1 to {chain.seq}, the last one says {chain.kind}{erased}")
    said.append(f"Every one stands in the log {keys[0].name}, whose head over {size} events has")
    said.append(f"  the root {base64.b64encode(root).decode()}")
    said.append(f"  and a signature of the key {keys[-1].text}")
    if len(keys) > 1:
        said.append(f"  to which {len(keys) - 1} earlier keys handed over, from {keys[0].text} on")
    said.append("The file is as it was exported. It does not show what came after, nor effects made outside the log.")
    unpinned = "UNPINNED: no key was given. Ask the operator for it on another way, and give it with --key."
    said.append("The key is the one that you gave." if pinned else unpinned)
    return said


def _whole(raw: bytes, texts: list[bytes], end: dict[str, Any], key: Key) -> None:
    """The last line signs all that stands before it."""
    _fields(len(texts), end, {"events": int, "sha256": str, "signature": str})
    found = hashlib.sha256(raw[: len(raw) - len(texts[-1]) - 1]).digest()
    if end["sha256"] != found.hex():
        raise Bad(f"the file was changed after it was exported: its digest is {found.hex()}")
    message = _framed("interlock/bundle/1", found, str(end["events"]).encode())
    if not signature_holds(key.raw, message, _base64(len(texts), end["signature"], 64)):
        raise Bad(f"the file is not signed by the key {key.text}")


def _key(number: int, line: dict[str, Any], origin: str, before: list[Key], pinned: str) -> Key:
    _fields(number, line, {"key": str, "word": str})
    text = line["key"]
    name, _, rest = text.partition("+")
    hint, _, encoded = rest.partition("+")
    raw = _base64(number, encoded, 33)
    if name != origin or raw[:1] != b"\x01" or hint != _key_id(name, raw[1:]).hex():
        raise Bad(f"line {number}: this is no key of the log {origin}")
    key = Key(name, raw[1:], text)
    if before and text != pinned:
        message = _framed("interlock/rotation/1", before[-1].text.encode(), text.encode())
        if not line["word"] or not signature_holds(before[-1].raw, message, _base64(number, line["word"], 64)):
            raise Bad(f"line {number}: the key before it did not hand over to the key {text}")
    return key


def _key_id(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]


def _head(number: int, note: str, origin: str, key: Key) -> tuple[int, bytes]:
    """Size and root of a checkpoint (C2SP tlog-checkpoint in a signed note) that the key signed."""
    lines = note.split("\n")
    if len(lines) < 6 or lines[-1] or lines[3] or lines[0] != origin or not lines[1].isdecimal():
        raise Bad(f"line {number}: this is no checkpoint of the log {origin}")
    size, root = int(lines[1]), _base64(number, lines[2], 32)
    if lines[1] != str(size):
        raise Bad(f"line {number}: the size of the checkpoint is not in its one spelling")
    message = "\n".join(lines[:3]).encode() + b"\n"
    for line in lines[4:-1]:
        dash, name, encoded = ([*line.split(" "), "", "", ""])[:3]
        signature = _base64(number, encoded, None)
        ours = (dash, name, signature[:4]) == ("\u2014", key.name, _key_id(key.name, key.raw))
        if ours and signature_holds(key.raw, message, signature[4:]):
            return size, root
    raise Bad(f"line {number}: the checkpoint is not signed by the key {key.text}")


def _event(number: int, line: dict[str, Any], size: int, root: bytes, chains: dict[str, Chain]) -> int:
    """Check one event and put it at the end of its chain; the index of its leaf."""
    erased = "salt" not in line and "payload" not in line
    texts = {} if erased else {"payload": str, "salt": str}
    _fields(number, line, {"header": str, "index": int, "proof": list, **texts})
    header = line["header"].encode()
    fields = _json(number, line["header"])
    if type(fields) is not dict or _canonical(fields) != header:
        raise Bad(f"line {number}: the header is not in its one spelling")
    parts: list[Any] = [fields.get(part) for part in ("run_id", "seq", "prev_hash", "payload_commit")]
    name, seq, prev, commit = parts
    if repr(fields.get("v")) != "1" or type(seq) is not int or {type(text) for text in (name, prev, commit)} != {str}:
        raise Bad(f"line {number}: the header is none that this file knows")
    chain = chains.setdefault(name, Chain())
    if (seq, prev) != (chain.seq + 1, chain.hash.hex()):
        raise Bad(f"line {number}: event {seq!r} of {name} does not follow event {chain.seq}")
    chain.seq, chain.kind = seq, str(fields.get("kind"))
    chain.hash = hashlib.sha256(_framed("interlock/1", bytes.fromhex(prev), header)).digest()
    leaf = hashlib.sha256(b"\x00" + chain.hash).digest()
    proof = [_hash(number, part) for part in line["proof"]]
    if not included(leaf, line["index"], size, proof, root):
        raise Bad(f"line {number}: event {seq} of {name} is not leaf {line['index']} of the log")
    if erased:
        chain.missing.append(seq)
        return int(line["index"])
    salt, payload = _hash(number, line["salt"]), line["payload"].encode()
    if hmac.new(salt, payload, hashlib.sha256).hexdigest() != commit:
        raise Bad(f"line {number}: the payload of event {seq} of {name} is not the one it was")
    if fields.get("kind") == "redact":
        body = _json(number, line["payload"])
        chain.erased += [(first, last, seq, str(body.get("approver"))) for first, last in body["events"]]
    return int(line["index"])


def _records(name: str, chain: Chain) -> None:
    for seq in chain.missing:
        if not any(first <= seq <= last < by for first, last, by, _ in chain.erased):
            raise Bad(f"the payload of event {seq} of {name} is missing, and no record says that it was erased")


def included(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether the leaf has this index in the tree with that size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = hashlib.sha256(b"\x01" + part + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + part).digest()
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


# ------------------------------------------------------------------ texts


def _line(number: int, text: bytes) -> dict[str, Any]:
    try:
        said = text.decode()
    except UnicodeDecodeError:
        raise Bad(f"line {number}: not UTF-8") from None
    found = _json(number, said)
    if type(found) is not dict or _canonical(found) != text:
        raise Bad(f"line {number}: not in its one spelling")
    return found


def _json(number: int, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Bad(f"line {number}: not JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _canonical(value: Any) -> bytes:
    """The one spelling: keys by code point, no spaces, what is not ASCII as it is."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _fields(number: int, line: dict[str, Any], kinds: dict[str, type]) -> None:
    if {name: type(value) for name, value in line.items()} != kinds:
        raise Bad(f"line {number}: it should have {', '.join(sorted(kinds))}, and nothing else")


def _framed(domain: str, *fields: bytes) -> bytes:
    return domain.encode() + b"".join(len(field).to_bytes(8, "big") + field for field in fields)


def _hash(number: int, text: Any) -> bytes:
    try:
        found = bytes.fromhex(text)
    except (ValueError, TypeError):
        found = b""
    if len(found) != 32 or found.hex() != text:
        raise Bad(f"line {number}: not 32 bytes in lower-case hexadecimal")
    return found


def _base64(number: int, text: str, length: int | None) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Bad(f"line {number}: not base64") from None
    if (length is not None and len(found) != length) or base64.b64encode(found).decode() != text:
        raise Bad(f"line {number}: not the base64 that belongs there")
    return found


# ------------------------------------------------------------------ Ed25519 (RFC 8032, 5.1)

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
Point = tuple[int, int, int, int]


def signature_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key made this signature of the message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point = _point(public), _point(signature[:32])
    factor = int.from_bytes(signature[32:], "little")
    if key is None or point is None or factor >= _ORDER:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    left, right = _times(factor, _BASE), _plus(point, _times(hashed, key))
    return not (left[0] * right[2] - right[0] * left[2]) % _P and not (left[1] * right[2] - right[1] * left[2]) % _P


def _plus(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: Point) -> Point:
    found = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            found = _plus(found, point)
        point = _plus(point, point)
        factor >>= 1
    return found


def _point(encoded: bytes) -> Point | None:
    """The point that 32 bytes are; None where they are none."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_base = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
assert _base is not None
_BASE: Point = _base


# ------------------------------------------------------------------ the command line


def main(arguments: list[str]) -> int:
    """Check the bundle that the command line names; the exit code."""
    pinned = ""
    if "--key" in arguments[:-1]:
        at = arguments.index("--key")
        pinned = arguments[at + 1].strip()
        arguments = arguments[:at] + arguments[at + 2 :]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return _say(2, USAGE)
    try:
        with open(arguments[0], "rb") as file:  # noqa: PTH123  # nothing beyond the builtin is needed
            raw = file.read()
    except OSError as error:
        return _say(2, f"{arguments[0]}: {error.strerror}")
    try:
        said = check(raw, pinned)
    except Bad as bad:
        return _say(1, f"NOT VERIFIED: {bad}.")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return _say(1, f"NOT VERIFIED: something is not what it must be: {error!r}.")
    return _say(0 if pinned else 3, "VERIFIED." if pinned else "CONSISTENT.", *said)


def _say(code: int, *lines: str) -> int:
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
