"""How a fact becomes an event: the header's bytes, the payload's commitment, the hash over what came before.

    payload_commit = HMAC-SHA256(salt, payload)
    hash           = SHA-256("interlock/1" || len(prev) || prev || len(header) || header)

Lengths are 8 bytes, big endian. A header has no floats and no empty fields.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from json.encoder import encode_basestring as quoted
from typing import NamedTuple

from pydantic_core import from_json

from interlock.core.canonical import canonical, keyed
from interlock.core.event import Event, Fact, Kind
from interlock.errors import BadInput, LedgerError

SALT_BYTES = 32
Entropy = Callable[[int], bytes]
"""Gives that many random bytes; tests pass a counted one."""


class Head(NamedTuple):
    """The end of a chain: number and hash of its last event; 0 and empty before the first."""

    seq: int
    hash: bytes


EMPTY = Head(0, b"")


def link(head: Head, chain: str, tenant: str, fact: Fact, at_us: int, entropy: Entropy = os.urandom) -> Event:
    """The event that `fact` becomes after `head`.

    Raises:
        BadInput: The body has no JSON form, or an id of the fact is no Unicode.
    """
    return link_all(head, chain, tenant, (fact,), at_us, entropy)[0]


def link_all(
    head: Head, chain: str, tenant: str, facts: Sequence[Fact], at_us: int, entropy: Entropy = os.urandom
) -> list[Event]:
    """The events that facts become, one after the other, after `head`.

    Raises:
        BadInput: As `link`.
    """
    seq, prev = head
    place = _Place(at_us, quoted(chain), quoted(tenant))
    events = []
    salts = entropy(SALT_BYTES * len(facts))
    for number, fact in enumerate(facts):
        seq += 1
        salt = salts[SALT_BYTES * number : SALT_BYTES * (number + 1)]
        payload = canonical(fact.body)
        header = _header(place, seq, prev, fact, keyed(salt, payload))
        found = chain_hash(prev, header)
        events.append(Event(fact, tenant, chain, seq, at_us, prev, header, found, salt, payload))
        prev = found
    return events


class _Place(NamedTuple):
    """What the headers of one append share; chain and tenant as JSON."""

    at_us: int
    chain: str
    tenant: str


def _header(place: _Place, seq: int, prev_hash: bytes, fact: Fact, commit: bytes) -> bytes:
    """The canonical header, written out key by key: half the time of the encoder, for every event there is.

    The keys stand in the order of their code points; tests compare it with `canonical`.
    """
    kind, _, call_id, step, attempt, who, tool_hash, policy_hash, decision, outcome, approval_id, trace_id = fact
    at_us, chain, tenant = place
    text = "".join((
        f'{{"approval_id":{quoted(approval_id)},"at":{at_us}' if approval_id else f'{{"at":{at_us}',
        f',"attempt":{attempt}' if attempt else "",
        f',"call_id":{quoted(call_id)}' if call_id else "",
        f',"decision":{quoted(decision)}' if decision else "",
        f',"kind":{quoted(kind)}',
        f',"outcome":{quoted(outcome)}' if outcome else "",
        f',"payload_commit":"{commit.hex()}"',
        f',"policy_hash":{quoted(policy_hash)}' if policy_hash else "",
        f',"prev_hash":"{prev_hash.hex()}"',
        f',"principal_id":{quoted(who)}' if who else "",
        f',"run_id":{chain},"seq":{seq}',
        f',"step":{step}' if step else "",
        f',"tenant":{tenant}',
        f',"tool_hash":{quoted(tool_hash)}' if tool_hash else "",
        f',"trace_id":{quoted(trace_id)}' if trace_id else "",
        ',"v":1}',
    ))  # fmt: skip
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadInput("an id of a fact has a lone surrogate", code="json.surrogate") from None


def chain_hash(prev_hash: bytes, header: bytes) -> bytes:
    """Hash of the event with this header after the event with that hash."""
    return hashlib.sha256(
        b"interlock/1" + len(prev_hash).to_bytes(8, "big") + prev_hash + len(header).to_bytes(8, "big") + header
    ).digest()


def read_event(header: bytes, salt: bytes | None, payload: bytes | None) -> Event:
    """The event that stands in the store; a missing payload reads as an empty body.

    Raises:
        LedgerError: The bytes are no event that this release knows.
    """
    try:
        fields = json.loads(header)
        body = json.loads(payload) if payload is not None else {}
        fact = Fact(_KINDS[fields["kind"]], body, *map(fields.get, _OPTIONAL, _BLANK))
        prev = bytes.fromhex(fields["prev_hash"])
        return Event(
            fact, fields["tenant"], fields["run_id"], fields["seq"], fields["at"], prev, header,
            chain_hash(prev, header), salt or b"", payload or b"",
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(error) from error


def tail_event(seq: int, header: bytes, payload: bytes | None) -> Event:
    """The event that stands in the store, for a fold: see `Store.tail`. A quarter of the work of `read_event`.

    The parser is pydantic's, which takes two thirds of the standard library's time; what is verified is read by that.

    Raises:
        LedgerError: As `read_event`.
    """
    try:
        if payload is not None and (short := _SHORT(header)) is not None:
            at, attempt, call_id, outcome = short.groups()
            if call_id is None:
                fact = _make(Fact, (_MESSAGE, _read(payload), "", 0, 0, "", "", "", "", "", "", ""))
            else:
                fact = _make(Fact, (
                    _RESULT, {}, call_id.decode(), 0, int(attempt), "", "", "", "", outcome.decode(), "", "",
                ))  # fmt: skip
            return _make(Event, (fact, "", "", seq, int(at), b"", b"", b"", b"", payload))
        fields = _read(header)
        body = _read(payload) if payload is not None else {}
        field = fields.get
        fact = _make(Fact, (
            _KINDS[fields["kind"]], body, field("call_id", ""), field("step", 0), field("attempt", 0),
            field("principal_id", ""), field("tool_hash", ""), field("policy_hash", ""), field("decision", ""),
            field("outcome", ""), field("approval_id", ""), field("trace_id", ""),
        ))  # fmt: skip
        return _make(Event, (
            fact, fields["tenant"], fields["run_id"], seq, fields["at"], b"", b"", b"", b"", payload or b"",
        ))  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(error) from error


_SHORT = re.compile(
    rb'\{"at":(\d+),'
    rb'(?:"attempt":(\d+),"call_id":"([^"\\]+)","kind":"call\.result","outcome":"([a-z]+)"|"kind":"message",)'
).match
"""The beginning of the header of a result or a message: in canonical form it says all that a fold asks of one."""

_MESSAGE, _RESULT = Kind.MESSAGE, Kind.CALL_RESULT
_read = partial(from_json, cache_strings="keys")

_make = tuple.__new__

_KINDS = {kind.value: kind for kind in Kind}
_OPTIONAL, _BLANK = zip(*Fact._field_defaults.items(), strict=True)


def _unreadable(error: Exception) -> LedgerError:
    return LedgerError(
        f"an event cannot be read: {error}", code="ledger.unreadable",
        remedy="It is damaged, or a newer release wrote it: verify the ledger.",
    )  # fmt: skip


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
            and (not event.salt or keyed(event.salt, event.payload).hex() == fields["payload_commit"])
        )
        if not sound:
            return head.seq + 1
        head = Head(event.seq, event.hash)
    return 0
