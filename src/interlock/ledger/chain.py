"""How a fact becomes an event: the header's bytes, the payload's commitment, the hash over what came before.

    payload_commit = HMAC-SHA256(salt, payload)
    hash           = SHA-256("interlock/1" || len(prev) || prev || len(header) || header)

Lengths are 8 bytes, big endian. A header has no floats and no empty fields.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from interlock.core.canonical import canonical
from interlock.core.event import Event, Fact, Kind

SALT_BYTES = 32
Entropy = Callable[[int], bytes]
"""Gives that many random bytes; tests pass a counted one."""


class Head(NamedTuple):
    """The end of a chain: number and hash of its last event; 0 and empty before the first."""

    seq: int
    hash: bytes


EMPTY = Head(0, b"")


def link(head: Head, chain: str, tenant: str, fact: Fact, at_us: int, entropy: Entropy = os.urandom) -> Event:
    """The event that `fact` becomes after `head`."""
    salt = entropy(SALT_BYTES)
    payload = canonical(fact.body)
    fields: dict[str, object] = {
        "at": at_us,
        "kind": fact.kind,
        "payload_commit": hmac.digest(salt, payload, "sha256").hex(),
        "prev_hash": head.hash.hex(),
        "run_id": chain,
        "seq": head.seq + 1,
        "tenant": tenant,
        "v": 1,
    }
    for name, value in zip(_OPTIONAL, fact[2:], strict=True):
        if value:
            fields[name] = value
    header = canonical(fields)
    return Event(
        fact, tenant, chain, head.seq + 1, at_us, head.hash, header, chain_hash(head.hash, header), salt, payload
    )  # fmt: skip


_OPTIONAL = Fact._fields[2:]


def chain_hash(prev_hash: bytes, header: bytes) -> bytes:
    """Hash of the event with this header after the event with that hash."""
    return hashlib.sha256(
        b"interlock/1" + len(prev_hash).to_bytes(8, "big") + prev_hash + len(header).to_bytes(8, "big") + header
    ).digest()


def read_event(header: bytes, salt: bytes | None, payload: bytes | None) -> Event:
    """The event that stands in the store; a missing payload reads as an empty body."""
    fields = json.loads(header)
    body = json.loads(payload) if payload is not None else {}
    fact = Fact(Kind(fields["kind"]), body, *(fields.get(name, default) for name, default in _DEFAULTS))
    prev = bytes.fromhex(fields["prev_hash"])
    return Event(
        fact, fields["tenant"], fields["run_id"], fields["seq"], fields["at"], prev, header,
        chain_hash(prev, header), salt or b"", payload or b"",
    )  # fmt: skip


_DEFAULTS = tuple(Fact._field_defaults.items())


def first_bad(events: Iterable[Event]) -> int:
    """Number of the first event that does not follow or does not match its own bytes; 0 where all hold.

    Takes one chain, read from its start. The whole verification, with the log and its checkpoints, is `seal`'s.
    """
    head = EMPTY
    for event in events:
        fields = json.loads(event.header)
        sound = (
            canonical(fields) == event.header
            and (fields["seq"], fields["prev_hash"]) == (head.seq + 1, head.hash.hex())
            and chain_hash(head.hash, event.header) == event.hash
            and (not event.salt or hmac.digest(event.salt, event.payload, "sha256").hex() == fields["payload_commit"])
        )
        if not sound:
            return head.seq + 1
        head = Head(event.seq, event.hash)
    return 0
