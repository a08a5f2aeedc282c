"""Runs as a file that stands for itself: exported to be shown, or archived so that the ledger need not keep them.

An archived run keeps its headers, and with them its place in the chains and the tree; its payloads stand in the bundle
alone. What the ledger lets go of is checked in the file first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import anyio.to_thread

from interlock.core.event import Event, Kind
from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound
from interlock.ledger.bundle import Sealed, bundle
from interlock.ledger.note import read_note
from interlock.ledger.offline import check
from interlock.ledger.pages import Between
from interlock.ledger.redact import erasable, redact_fact
from interlock.ledger.seal import Sealer
from interlock.ledger.signing import Signer, is_signed
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log
from interlock.ledger.store import Append

_ALL = 1 << 62
_REASON = "archived"


class Exported(NamedTuple):
    """A bundle that was written.

    Attributes:
        chains: What it has, by name.
        events: How many.
        key: The public key that it is to be checked with.
        sha256: Digest of the file, hexadecimal.
    """

    chains: Sequence[str]
    events: int
    key: str
    sha256: str


async def export(
    store: SqliteStore, sealer: Sealer, chains: Iterable[str], file: Path, person: Principal
) -> Exported:  # fmt: skip
    """Write whole chains of the person's tenant as a bundle, mode 0600, durable on return. Seals first.

    Raises:
        BadInput: The file is there already, or cannot be written.
        NotEntitled, NotFound, Conflict, StoreUnavailable: As `export_to`; no file is left.
    """
    return await export_to(store, sealer, chains, _new(file), person)


async def export_to(
    store: SqliteStore, sealer: Sealer, chains: Iterable[str], into: AbstractContextManager[IO[bytes]],
    person: Principal, bytes_max: int = _ALL,
) -> Exported:  # fmt: skip
    """The same into any file.

    Args:
        into: Entered and left in a thread; what was written before an error is of no use.
        bytes_max: Of the bundle.

    Raises:
        NotEntitled: The person is neither operator nor admin: a bundle has everything in clear.
        NotFound: No such chain in the person's tenant, or none at all.
        Conflict: It is larger (`archive.large`); or the key was rotated, or something was erased, between the sealing
            and the reading (`archive.meanwhile`).
        StoreUnavailable: The ledger cannot be sealed.
    """
    _entitled(person)
    await sealer.seal()
    signer, names = await sealer.signer(), sorted(set(chains))

    def work(log: Log) -> Exported:
        with into as out:
            return _write(log, signer, names, person.tenant, _Within(out, bytes_max))

    return await store.log(work)


async def started_in(store: SqliteStore, tenant: str, between_us: tuple[int, int], limit: int = _ALL) -> list[str]:
    """Ids of the runs of a tenant that started in a time: from the first moment on, before the second."""
    rows = await store.rows("run", {"tenant": tenant, "started_us": Between(*between_us)}, limit)
    return [row["run_id"] for row in rows]


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


@contextmanager
def _new(file: Path) -> Iterator[IO[bytes]]:
    """A file that was not there, for its owner alone: durable once the block is left, gone where that fails.

    Raises:
        BadInput: It is there already, or cannot be written.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadInput(
            f"{str(file)!r} cannot be written: {error.strerror}", code="archive.file", remedy="Name a new file."
        ) from error
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        file.unlink()
        raise


class _Within:
    """A file that is written line by line, up to a size, with what is told of it then."""

    def __init__(self, out: IO[bytes], bytes_max: int) -> None:
        self._out = out
        self._left = bytes_max
        self.digest = hashlib.sha256()
        self.events = 0

    def write(self, line: bytes) -> None:
        """Write one more line.

        Raises:
            Conflict: There is no room for it.
        """
        self._left -= len(line)
        if self._left < 0:
            raise Conflict(
                "the bundle would be larger than what is sent", code="archive.large",
                remedy="Take fewer runs, or run `interlock ledger export`.",
            )  # fmt: skip
        self._out.write(line)
        self.digest.update(line)
        self.events += line.startswith(b'{"header"')


def _write(log: Log, signer: Signer, names: Sequence[str], tenant: str, out: _Within) -> Exported:
    newest = log.newest
    if not names or newest is None:
        raise NotFound("there is nothing to export", code="archive.nothing", remedy="See `interlock runs list`.")
    note, keys, tree = read_note(newest.note), log.keys(), log.tree()
    if keys[-1][0] != signer.public or not is_signed(note, signer.public):
        raise _meanwhile("the key was rotated")
    sealed = Sealed(note, keys, lambda index: tree.prove_inclusion(index, note.checkpoint.size))
    for line in bundle(_events(log, names, tenant, note.checkpoint.size), sealed, signer):
        out.write(line)
    return Exported(names, out.events, signer.public.text, out.digest.hexdigest())


def _events(log: Log, names: Sequence[str], tenant: str, size: int) -> Iterator[tuple[int, Event]]:
    for name in names:
        there = False
        for position, event in log.chain(name):
            if event.tenant != tenant:
                break
            if position <= size:
                there = True
                yield position, event
            elif event.fact.kind is Kind.REDACT:  # what it names is gone, and it could not say so in the bundle
                raise _meanwhile("something was erased")
        if not there:
            raise NotFound(
                f"no run {name!r} here", code="run.not_found", remedy="List runs with `interlock runs list`."
            )


def _meanwhile(what: str) -> Conflict:
    return Conflict(f"{what} while it was exported", code="archive.meanwhile", remedy="Export it again.")
