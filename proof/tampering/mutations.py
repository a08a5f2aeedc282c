"""Every mutation that spec/ledger.md lists: how it is made, and which findings name it.

Each is a function of a forger's `Work`; it returns the position from which on the ledger is no longer what it was, or
None where it cannot be made of this ledger.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import apsw

from interlock.core.canonical import canonical
from proof.tampering import forge
from proof.tampering.forge import Raw
from proof.tampering.ledgers import Made


@dataclass
class Work:
    """The copy of a ledger in a forger's hands.

    Attributes:
        made: What the ledger was before.
        other: Another ledger, of the same kinds of calls.
        drawn: Chance.
        database: The file, opened without its triggers.
        before: Its events.
        care: How far the forger goes; see `CARES`.
    """

    made: Made
    other: Sequence[Raw]
    drawn: random.Random
    database: apsw.Connection
    before: list[Raw]
    care: str = "raw"

    @property
    def at(self) -> int:
        """A random index of an event."""
        return self.drawn.randrange(len(self.before))

    @property
    def with_payload(self) -> int | None:
        """A random index of an event that has a payload."""
        found = [index for index, raw in enumerate(self.before) if raw.body is not None]
        return self.drawn.choice(found) if found else None

    def put(self, events: Sequence[Raw]) -> int | None:
        """Write the events with as much care as this forger takes; the first position that differs."""
        events = forge.rechained(events) if self.care != "raw" else list(events)
        if not events:
            return None
        try:
            forge.write(self.database, events)
        except (KeyError, TypeError, ValueError):
            return None
        if self.care in ("tables", "tree", "signed"):
            forge.refold(self.database)
        if self.care in ("tree", "signed"):
            signer = forge.evil_signer(self.made.folder) if self.care == "signed" else None
            forge.regrow(self.database, events, signer)
        return differ(self.before, events)


CARES = ("raw", "raw", "raw", "chained", "tables", "tree", "signed")
"""How far a forger goes: positions only; hashes made anew; the tables folded anew; the tree grown anew; its heads
signed with a key of their own."""


def differ(before: Sequence[Raw], after: Sequence[Raw]) -> int | None:
    """Position of the first event that is not as it was; None where all are."""
    for pos, (one, other) in enumerate(zip(before, after, strict=False), 1):
        if one != other:
            return pos
    return None if len(before) == len(after) else min(len(before), len(after)) + 1


# ------------------------------------------------------------------ events


def edit_header(work: Work) -> int | None:
    index = work.at
    raw = work.before[index]
    fields = raw.fields
    name = work.drawn.choice([name for name in fields if name not in ("v",)])
    return work.put(_with(work.before, index, raw.saying(**{name: _other_than(fields[name], work.drawn)})))


def edit_payload(work: Work) -> int | None:
    index = work.with_payload
    if index is None:
        return None
    raw = work.before[index]
    assert raw.body is not None
    at = work.drawn.randrange(len(raw.body))
    body = raw.body[:at] + bytes([raw.body[at] ^ 1 << work.drawn.randrange(8)]) + raw.body[at + 1 :]
    return _payload(work, index, raw.salt, body)


def swap_payloads(work: Work) -> int | None:
    found = [index for index, raw in enumerate(work.before) if raw.body is not None]
    if len(found) < 2:
        return None
    one, other = sorted(work.drawn.sample(found, 2))
    first, second = work.before[one], work.before[other]
    if work.care == "raw":
        _payload(work, one, second.salt, second.body)
        return _payload(work, other, first.salt, first.body) and one + 1
    events = _with(work.before, one, first._replace(salt=second.salt, body=second.body))
    return work.put(_with(events, other, second._replace(salt=first.salt, body=first.body)))


def other_salt(work: Work) -> int | None:
    index = work.with_payload
    if index is None:
        return None
    return _payload(work, index, work.drawn.randbytes(32), work.before[index].body)


def delete_middle(work: Work) -> int | None:
    index = work.drawn.randrange(1, len(work.before) - 1)
    if work.care == "raw" and work.drawn.random() < 0.5:  # leaves a gap in the positions
        work.database.execute("DELETE FROM event WHERE pos = ?", (index + 1,))
        if work.drawn.random() < 0.5:
            work.database.execute("DELETE FROM payload WHERE pos = ?", (index + 1,))
        return index + 1
    return work.put([*work.before[:index], *work.before[index + 1 :]])


def delete_tail(work: Work) -> int | None:
    return work.put(work.before[: work.drawn.randrange(1, len(work.before))])


def delete_first(work: Work) -> int | None:
    return work.put(work.before[1:])


def delete_run(work: Work) -> int | None:
    name = work.drawn.choice(sorted({raw.fields["run_id"] for raw in work.before}))
    return work.put([raw for raw in work.before if raw.fields["run_id"] != name])


def reorder(work: Work) -> int | None:
    events = list(work.before)
    one, other = work.drawn.sample(range(len(events)), 2)
    events[one], events[other] = events[other], events[one]
    return work.put(events)


def insert_event(work: Work) -> int | None:
    index = work.at
    raw = work.before[work.at]
    forged = raw.saying(seq=work.before[index].fields["seq"], run_id=work.before[index].fields["run_id"])
    return work.put([*work.before[:index], forged, *work.before[index:]])


def insert_run(work: Work) -> int | None:
    name = work.drawn.choice(sorted({raw.fields["run_id"] for raw in work.before}))
    run = [raw.saying(run_id="run_forged") for raw in work.before if raw.fields["run_id"] == name]
    index = work.at
    return work.put([*work.before[:index], *forge.rechained(run), *work.before[index:]])


def duplicate_seq(work: Work) -> int | None:
    index = work.at
    return work.put([*work.before[: index + 1], *work.before[index:]])


def rewrite_from(work: Work) -> int | None:
    """Rewrite all hashes from k on: the chain holds again, and the tree knows better."""
    index = work.at
    raw = work.before[index]
    if work.care == "raw":
        work.care = "chained"
    return work.put(_with(work.before, index, raw.saying(at=raw.fields["at"] + 1)))


def replace_log(work: Work) -> int | None:
    return work.put(work.other)


def splice(work: Work) -> int | None:
    """An event of another run, tenant or ledger in the place of this one's."""
    index = work.at
    return work.put(_with(work.before, index, work.drawn.choice([*work.other, *work.before])))


def change_clock(work: Work) -> int | None:
    index = work.at
    raw = work.before[index]
    shift = work.drawn.choice([-1, 1, 1_000_000, -86_400_000_000])
    return work.put(_with(work.before, index, raw.saying(at=raw.fields["at"] + shift)))


def erase_unrecorded(work: Work) -> int | None:
    index = work.with_payload
    if index is None:
        return None
    work.database.execute("DELETE FROM payload WHERE pos = ?", (index + 1,))
    if work.care in ("tables", "tree", "signed"):
        forge.refold(work.database)
    return index + 1


def other_spelling(work: Work) -> int | None:
    """A header that says the same in other bytes."""
    index = work.at
    header = work.before[index].header
    fields = list(work.before[index].fields.items())
    work.drawn.shuffle(fields)
    spelt = [
        header.replace(b",", b", ", 1), header + b" ", b"\xef\xbb\xbf" + header, header[:-1] + b',"v":1}',
        header.replace(b"run", b"\\u0072un", 1), header.replace(b'"v":1}', b'"v":1.0}'),
        header.replace(b'"v":1}', b'"v":1e0}'), canonical(dict(fields)).replace(b"}", b"\n}"),
    ]  # fmt: skip
    return _header(work, index, work.drawn.choice(spelt))


def shift_border(work: Work) -> int | None:
    """A byte moves from one field to its neighbour: a plain concatenation would hash to the same."""
    index = work.at
    raw = work.before[index]
    fields = raw.fields
    texts = [name for name in sorted(fields) if isinstance(fields[name], str) and len(fields[name]) > 1]
    one, other = work.drawn.sample(texts, 2)
    changed = {one: fields[one][:-1], other: fields[one][-1] + fields[other]}
    return _header(work, index, raw.saying(**changed).header)


def other_type(work: Work) -> int | None:
    """1 becomes "1", true or 1.0."""
    index = work.at
    raw = work.before[index]
    fields = raw.fields
    name = work.drawn.choice([name for name in fields if isinstance(fields[name], int)])
    value = work.drawn.choice([str(fields[name]), bool(fields[name]), float(fields[name])])
    return _header(work, index, raw.saying(**{name: value}).header)


# ------------------------------------------------------------------ tables


def stale_table(work: Work) -> int | None:
    """A row of a table says other than the events; the events are as they were."""
    table, column, value = work.drawn.choice([
        ("tool_call", "outcome", "refused"), ("tool_call", "status", "closed"), ("run", "principal_id", "eve"),
        ("authz_decision", "decision", "deny"), ("tool_result", "code", "x"), ("run", "tenant", "evil"),
        ("approval", "status", "approved"), ("tool_call", "tool", "other"),
    ])  # fmt: skip
    sql = f"UPDATE {table} SET {column} = ?1 WHERE pos = (SELECT pos FROM {table} WHERE {column} IS NOT ?1 LIMIT 1)"
    work.database.execute(sql, (value,))
    return 1 if work.database.changes() else None


def drop_row(work: Work) -> int | None:
    table = work.drawn.choice(["tool_call", "run", "authz_decision", "tool_result", "approval"])
    work.database.execute(f"DELETE FROM {table} WHERE pos = (SELECT max(pos) FROM {table})")
    return 1 if work.database.changes() else None


# ------------------------------------------------------------------ heads and keys


def sign_with_another_key(work: Work) -> int | None:
    signer = forge.evil_signer(work.made.folder)
    rows = work.database.execute("SELECT size, note FROM checkpoint").fetchall()
    size, note = work.drawn.choice(rows)
    forged = signer.note(forge.read_note(note).checkpoint).text
    work.database.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (forged, size))
    return 1


def garble_head(work: Work) -> int | None:
    size, note = work.drawn.choice(work.database.execute("SELECT size, note FROM checkpoint").fetchall())
    at = work.drawn.randrange(len(note))
    letter = work.drawn.choice("AZaz09+/=\n ")
    if note[at] == letter:
        return None
    work.database.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (note[:at] + letter + note[at + 1 :], size))
    return 1


def head_of_the_future(work: Work) -> int | None:
    """A head over more events than there are, or the right head under another number."""
    signer = forge.real_signer(work.made.folder) if work.drawn.random() < 0.5 else forge.evil_signer(work.made.folder)
    size = work.made.events + work.drawn.randint(1, 9)
    [note] = [row[0] for row in work.database.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")]
    head = forge.read_note(note).checkpoint._replace(size=size)
    work.database.execute("INSERT INTO checkpoint VALUES (?, 1, ?)", (size, signer.note(head).text))
    return 1


def head_of_the_past(work: Work) -> int | None:
    """An older head in the place of a newer one."""
    rows = work.database.execute("SELECT size, note FROM checkpoint ORDER BY size").fetchall()
    if len(rows) < 2:
        return None
    older, newer = sorted(work.drawn.sample(range(len(rows)), 2))
    work.database.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (rows[older][1], rows[newer][0]))
    return 1


def substitute_key(work: Work) -> int | None:
    """The event that brings in a key names another one."""
    found = [index for index, raw in enumerate(work.before) if raw.fields["kind"] == "key.rotated" and raw.body]
    if not found:
        return None
    index = work.drawn.choice(found)
    raw = work.before[index]
    body = canonical({"key": forge.evil_signer(work.made.folder).public.text, "word": ""})
    if work.care == "raw":
        return _payload(work, index, raw.salt, body)
    return work.put(_with(work.before, index, raw._replace(body=body)))


def garble_tile(work: Work) -> int | None:
    """A hash of the tree is another one."""
    level, no, hashes = work.drawn.choice(work.database.execute("SELECT level, no, hashes FROM tile").fetchall())
    at = work.drawn.randrange(len(hashes))
    changed = hashes[:at] + bytes([hashes[at] ^ 1 << work.drawn.randrange(8)]) + hashes[at + 1 :]
    work.database.execute("UPDATE tile SET hashes = ? WHERE level = ? AND no = ?", (changed, level, no))
    return 1


class Kind(NamedTuple):
    """A kind of mutation.

    Attributes:
        make: Makes it.
        found_as: The findings that name it.
    """

    make: Callable[[Work], int | None]
    found_as: frozenset[str]


def _kind(make: Callable[[Work], int | None], *found_as: str) -> Kind:
    return Kind(make, frozenset(found_as))


AT_THE_BORDER = ("truncated", "header")
"""How the last anchored events are missed: nothing stands there any more, or what came after them has moved up."""

KINDS: dict[str, Kind] = {
    "edit a header field": _kind(edit_header, "header", "order", "missing", "extra"),
    "edit a payload": _kind(edit_payload, "payload"),
    "swap two payloads": _kind(swap_payloads, "payload"),
    "payload with another salt": _kind(other_salt, "payload"),
    "delete from the middle": _kind(delete_middle, "missing", "order", *AT_THE_BORDER),
    "delete the tail": _kind(delete_tail, "truncated"),
    "delete the first event": _kind(delete_first, "missing", "order"),
    "delete a whole run": _kind(delete_run, "missing", *AT_THE_BORDER),
    "reorder": _kind(reorder, "order", "missing", "extra"),
    "insert an event": _kind(insert_event, "extra", "order"),
    "insert a run": _kind(insert_run, "extra", "order"),
    "duplicate a seq": _kind(duplicate_seq, "extra", "order"),
    "rewrite all hashes from k on": _kind(rewrite_from, "header", "fork or rollback"),
    "replace the whole log": _kind(replace_log, "fork or rollback", "truncated", "header"),
    "splice from another run or tenant": _kind(splice, "header", "order", "extra", "missing"),
    "change a clock": _kind(change_clock, "header"),
    "erase without a record": _kind(erase_unrecorded, "unrecorded erasure"),
    "another spelling of a header": _kind(other_spelling, "header"),
    "shift a field border": _kind(shift_border, "header", "order", "missing", "extra"),
    '1 becomes "1" or true': _kind(other_type, "header"),
    "sign with another key": _kind(sign_with_another_key, "signature"),
    "garble a head": _kind(garble_head, "signature", "fork or rollback", "truncated"),
    "a head of the future": _kind(head_of_the_future, "truncated", "fork or rollback", "signature"),
    "a head of the past": _kind(head_of_the_past, "fork or rollback", "signature"),
    "substitute a key": _kind(substitute_key, "payload", "signature", "header", "fork or rollback"),
    "a table says other than the events": _kind(stale_table, "projection"),
    "a row of a table is gone": _kind(drop_row, "projection"),
    "garble the tree": _kind(garble_tile, "projection"),
}
"""The mutations of one file. A careful forger's may also be found as what care leaves to be found: see `allowed`."""

BY_CARE = {
    "raw": frozenset[str](),
    "chained": frozenset({"header", "fork or rollback", "order"}),
    "tables": frozenset({"header", "fork or rollback", "order"}),
    "tree": frozenset({"header", "fork or rollback", "order", "signature"}),
    "signed": frozenset({"header", "fork or rollback", "order", "signature"}),
}


def allowed(kind: Kind, care: str) -> frozenset[str]:
    """The findings that name a mutation made with so much care."""
    return kind.found_as | BY_CARE[care]


def _with(events: Sequence[Raw], index: int, raw: Raw) -> list[Raw]:
    return [*events[:index], raw, *events[index + 1 :]]


def _payload(work: Work, index: int, salt: bytes | None, body: bytes | None) -> int | None:
    """Put another payload below an event's header."""
    raw = work.before[index]
    if (raw.salt, raw.body) == (salt, body):
        return None
    work.database.execute("UPDATE payload SET salt = ?, body = ? WHERE pos = ?", (salt, body, index + 1))
    return index + 1


def _header(work: Work, index: int, header: bytes) -> int | None:
    if header == work.before[index].header:
        return None
    work.database.execute("UPDATE event SET header = ? WHERE pos = ?", (header, index + 1))
    return index + 1


def _other_than(value: Any, drawn: random.Random) -> Any:
    if isinstance(value, int):
        return value + drawn.choice([-1, 1, 256])
    if not value:
        return "00"
    at = drawn.randrange(len(value))
    return value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :]
