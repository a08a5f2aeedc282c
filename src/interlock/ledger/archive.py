"""Runs as a file that stands for itself: exported to be shown, or archived so that the ledger need not keep them.

An archived run keeps its headers, and with them its place in the chains and the tree; its payloads stand in the bundle
alone. What the ledger lets go of is checked in the file first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from interlock.core.event import Event
from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound
from interlock.ledger.bundle import Sealed, bundle
from interlock.ledger.note import read_note
from interlock.ledger.offline import check
from interlock.ledger.redact import erasable, redact_fact
from interlock.ledger.seal import Sealer
from interlock.ledger.signing import Signer
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log
from interlock.ledger.store import Append

_ALL = 1 << 62
_REASON = "archived"


class Exported(NamedTuple):
    """A bundle that was written.

    Attributes:
        file: Where.
        chains: What it has, by name.
        events: How many.
        key: The public key that it is to be checked with.
        sha256: Digest of the file, hexadecimal.
    """

    file: Path
    chains: Sequence[str]
    events: int
    key: str
    sha256: str


async def export(
    store: SqliteStore, sealer: Sealer, chains: Iterable[str], file: Path, person: Principal
) -> Exported:  # fmt: skip
    """Write whole chains of the person's tenant as a bundle, mode 0600, durable on return. Seals first.

    Raises:
        NotEntitled: The person is neither operator nor admin: a bundle has everything in clear.
        NotFound: No such chain in the person's tenant.
        BadInput: The file is there already, or cannot be written.
        StoreUnavailable: The ledger cannot be sealed.
    """
    _entitled(person)
    signer = await _sealed_by(sealer)
    names = sorted(set(chains))
    return await store.log(lambda log: _write(log, signer, names, file, person.tenant))


async def export_range(
    store: SqliteStore, sealer: Sealer, between_us: tuple[int, int], file: Path, person: Principal
) -> Exported:
    """The same for every run of the tenant that started in a time: from the first moment on, before the second.

    Raises:
        NotFound: No run started then.
        NotEntitled, BadInput, StoreUnavailable: As `export`.
    """
    _entitled(person)
    rows = await store.rows("run", {"tenant": person.tenant}, _ALL)
    since_us, until_us = between_us
    names = [row["run_id"] for row in rows if since_us <= (row["started_us"] or 0) < until_us]
    return await export(store, sealer, names, file, person)


async def archive(store: SqliteStore, sealer: Sealer, before_us: int, file: Path, person: Principal) -> Exported:
    """Export every run that was over before a moment, then erase its payloads here, with a record that names the file.

    A run with a call that is not closed stays as it is, and so does one that has nothing left to erase. Cut off in
    between, the rest is archived by the next one, into another file.

    Raises:
        NotFound: No run was over by then.
        Conflict: The file that was written does not hold; nothing was erased.
        NotEntitled, BadInput, StoreUnavailable: As `export`; nothing was erased.
    """
    _entitled(person)
    rows = await store.rows("run", {"tenant": person.tenant}, _ALL)
    over = [row["run_id"] for row in rows if row["status"] != "open" and (row["ended_us"] or _ALL) < before_us]
    gone = {name: seqs for name in over if (seqs := _all_or_none(await store.read(name)))}
    written = await export(store, sealer, gone, file, person)
    try:
        await anyio.to_thread.run_sync(lambda: check(file.read_bytes(), written.key))
    except ValueError as error:
        raise Conflict(f"the bundle {str(file)!r} does not hold: {error}", code="archive.bundle") from error
    for name, seqs in gone.items():
        fact = redact_fact(await store.read(name), seqs, _REASON, person.id, bundle=written.sha256)
        await store.erase(Append(name, person.tenant, [fact]), seqs)
    await sealer.seal()
    return written


def _all_or_none(events: Sequence[Event]) -> list[int]:
    """What of a run can be erased; nothing where a part of it is needed still."""
    calls = {event.fact.call_id for event in events} - {""}
    closed = {event.fact.call_id for event in events if event.fact.closes}
    return erasable(events) if calls <= closed else []


def _entitled(person: Principal) -> None:
    if not person.roles & {OPERATOR, ADMIN}:
        raise NotEntitled(
            f"{person.id!r} is neither {OPERATOR} nor {ADMIN}", code="archive.role", remedy="Ask somebody who is."
        )


async def _sealed_by(sealer: Sealer) -> Signer:
    await sealer.seal()
    return await sealer.signer()


def _write(log: Log, signer: Signer, names: Sequence[str], file: Path, tenant: str) -> Exported:
    newest = log.newest
    if not names or newest is None:
        raise NotFound("there is nothing to export", code="archive.nothing", remedy="See `interlock runs list`.")
    note, tree = read_note(newest.note), log.tree()
    sealed = Sealed(note, log.keys(), lambda index: tree.prove_inclusion(index, note.checkpoint.size))
    digest, events = hashlib.sha256(), 0
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadInput(
            f"{str(file)!r} cannot be written: {error.strerror}", code="archive.file", remedy="Name a new file."
        ) from error
    try:
        with os.fdopen(handle, "wb") as out:
            for line in bundle(_events(log, names, tenant, note.checkpoint.size), sealed, signer):
                out.write(line)
                digest.update(line)
                events += line.startswith(b'{"header"')
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        file.unlink()
        raise
    return Exported(file, names, events, signer.public.text, digest.hexdigest())


def _events(log: Log, names: Sequence[str], tenant: str, size: int) -> Iterator[tuple[int, Event]]:
    for name in names:
        found = [each for each in log.chain(name) if each[0] <= size]
        if not found or found[0][1].tenant != tenant:
            raise NotFound(
                f"no run {name!r} here", code="run.not_found", remedy="List runs with `interlock runs list`."
            )
        yield from found
