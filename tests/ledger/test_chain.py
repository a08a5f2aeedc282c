"""The bytes of an event: what is hashed, what is committed to, and that a change shows."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.canonical import canonical
from interlock.core.event import Event, Fact, Kind
from interlock.errors import BadInput, LedgerError
from interlock.ledger.chain import EMPTY, Head, first_bad, link, link_all, read_event
from tests.ledger.makers import chained, read_call, started

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
    max_leaves=8,
)
FACTS = st.builds(
    Fact, st.sampled_from(list(Kind)), st.dictionaries(TEXT, JSON, max_size=4), TEXT, st.integers(0, 2**40),
    st.integers(0, 9), TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT,
)  # fmt: skip


@settings(max_examples=200)
@given(FACTS, TEXT, TEXT, st.integers(0, 2**53), st.integers(0, 10**6))
def test_a_header_is_the_canonical_json_of_its_fields_and_none_is_empty(
    fact: Fact, chain: str, tenant: str, at_us: int, seq: int
) -> None:
    event = link(Head(seq, b"\x07" * 32), chain, tenant, fact, at_us)
    fields = json.loads(event.header)
    assert canonical(fields) == event.header
    assert (fields["run_id"], fields["tenant"], fields["at"], fields["seq"]) == (chain, tenant, at_us, seq + 1)
    optional = {name: value for name, value in zip(Fact._fields[2:], fact[2:], strict=True) if value}
    needed = {"at", "kind", "payload_commit", "prev_hash", "run_id", "seq", "tenant", "v"}
    assert fields.keys() == needed | optional.keys()
    assert {name: fields[name] for name in optional} == optional
    assert not any(isinstance(value, float) for value in fields.values())


@settings(max_examples=200)
@given(FACTS)
def test_an_event_reads_back_as_it_was_written(fact: Fact) -> None:
    event = link(EMPTY, "run_1", "acme", fact, 5)
    assert read_event(event.header, event.salt, event.payload) == event


def test_hash_and_commitment_are_those_of_the_specification() -> None:
    """The formulas, written out a second time."""
    first, second = link_all(EMPTY, "run_1", "acme", [started(), started()], 5, lambda count: b"s" * count)
    for prev, event in ((b"", first), (first.hash, second)):
        header = json.loads(event.header)
        assert header["payload_commit"] == hmac.new(b"s" * 32, event.payload, hashlib.sha256).hexdigest()
        assert header["prev_hash"] == prev.hex()
        counted = [length.to_bytes(8, "big") + field for field in (prev, event.header) for length in [len(field)]]
        assert event.hash == hashlib.sha256(b"interlock/1" + b"".join(counted)).digest()


def test_salts_are_fresh_for_every_event() -> None:
    events = link_all(EMPTY, "run_1", "acme", [started()] * 50, 5)
    assert len({event.salt for event in events}) == 50
    assert all(len(event.salt) == 32 for event in events)


@pytest.mark.parametrize("fact", [started(words="\ud800"), started()._replace(call_id="\udfff")], ids=["body", "id"])
def test_what_is_no_unicode_is_refused(fact: Fact) -> None:
    with pytest.raises(BadInput):
        link(EMPTY, "run_1", "acme", fact, 5)


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b"\xff\xfe", b"{}"),
        (b"[]", b"{}"),
        (b"{}", b"{}"),
        (b'{"kind":"call.teleported","prev_hash":""}', b"{}"),
        (b'{"kind":"flag","prev_hash":"zz"}', b"{}"),
        (b'{"kind":"flag","prev_hash":""}', b"{"),
    ],
    ids=["no text", "no object", "nothing", "unknown kind", "no hash", "no body"],
)
def test_bytes_that_are_no_event_are_refused_by_name(header: bytes, payload: bytes) -> None:
    """Fault K46 too: what a newer release wrote is not guessed at."""
    with pytest.raises(LedgerError) as refused:
        read_event(header, b"", payload)
    assert refused.value.code == "ledger.unreadable"


def chain() -> list[Event]:
    return chained([started(), *read_call("call_1"), *read_call("call_2", 2)])


def test_a_sound_chain_has_no_bad_event_and_neither_has_any_beginning_of_it() -> None:
    events = chain()
    assert all(first_bad(events[:end]) == 0 for end in range(len(events) + 1))


def changed_header(event: Event, **fields: Any) -> Event:
    return event._replace(header=canonical(json.loads(event.header) | fields))


@pytest.mark.parametrize(
    "change",
    [
        lambda event: changed_header(event, principal_id="eve"),
        lambda event: changed_header(event, at=7),
        lambda event: changed_header(event, seq=9),
        lambda event: event._replace(header=event.header.replace(b":", b": ", 1)),
        lambda event: event._replace(payload=event.payload.replace(b"refund", b"rescue")),
        lambda event: event._replace(salt=b"\x01" * 32),
        lambda event: event._replace(hash=b"\x01" * 32),
    ],
    ids=["field", "time", "number", "spelling", "payload", "salt", "hash"],
)
def test_a_change_of_one_event_is_found_at_that_event(change: Any) -> None:
    events = chain()
    assert b"refund" in events[3].payload
    events[3] = change(events[3])
    assert first_bad(events) == 4


@pytest.mark.parametrize(
    ("edit", "bad"),
    [
        (lambda events: events[:2] + events[3:], 3),
        (lambda events: events[1:], 1),
        (lambda events: [*events[:2], events[3], events[2], *events[4:]], 3),
        (lambda events: [*events[:3], events[2], *events[3:]], 4),
    ],
    ids=["deleted", "first deleted", "swapped", "doubled"],
)
def test_events_that_are_deleted_moved_or_doubled_are_found(edit: Any, bad: int) -> None:
    assert first_bad(edit(chain())) == bad


def test_an_erased_payload_is_no_finding_here_because_its_commitment_stands() -> None:
    events = chain()
    events[2] = events[2]._replace(salt=b"", payload=b"")
    assert first_bad(events) == 0
