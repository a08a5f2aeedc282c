"""Mutations of whole files: backups put back, logs dropped, histories forked, pages and sinks edited, bundles too."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from proof.tampering import forge
from proof.tampering.forge import Raw
from proof.tampering.ledgers import DATABASE_SINK, FILE_SINK, LEDGER, Made

Mutate = Callable[[Path, Made, Sequence[Raw], random.Random], int | None]
"""Changes the copy of a ledger in a folder; the first position that is no longer as it was, None where it cannot."""


def roll_back(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """The file of some time ago stands in the place of today's; the sinks are today's."""
    if made.backup is None or made.backup_events >= made.anchored:
        return None
    _put_back(folder, made.backup)
    return made.backup_events + 1


def drop_wal(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """The log of pages that were not yet brought into the file is gone."""
    assert made.live is not None
    before = events_of(made.folder / LEDGER)
    _put_back(folder, made.live)
    for ending in ("-wal", "-shm"):
        (folder / (LEDGER + ending)).unlink(missing_ok=True)
    try:
        left = len(events_of(folder / LEDGER))
    except apsw.Error:
        left = 0  # nothing was brought into it yet
    return left + 1 if left < len(before) else None


def two_auditors(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """From some event on another history, signed with the real key: whoever has a sink's heads is shown it."""
    with forge.opened(folder / LEDGER) as database:
        before = forge.raws(database)
        index = drawn.randrange(len(before))
        raw = before[index]
        events = forge.rechained([*before[:index], raw.saying(at=raw.fields["at"] + 7), *before[index + 1 :]])
        forge.write(database, events)
        forge.refold(database)
        forge.regrow(database, events, forge.real_signer(made.folder))
    return index + 1


def reuse_after_restore(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """A backup is put back and written on, so that numbers and ids are given out a second time."""
    if made.backup is None or made.backup_events >= made.anchored:
        return None
    _put_back(folder, made.backup)
    with forge.opened(folder / LEDGER) as database:
        before = forge.raws(database)
        count = made.anchored - len(before) + drawn.randint(0, 5)
        last = before[-1]
        again = [last.saying(at=last.fields["at"] + 1 + number) for number in range(count)]
        events = forge.rechained([*before, *again])
        forge.write(database, events)
        forge.refold(database)
        forge.regrow(database, events, forge.real_signer(made.folder))
    return made.backup_events + 1


def edit_page(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """Some bytes of a page are other ones; indices, checks and triggers know nothing of it."""
    path = folder / LEDGER
    whole, before = path.read_bytes(), contents(path)
    for _ in range(20):  # much of a page is free
        at = drawn.randrange(100, len(whole) - 8)
        old = whole[at : at + drawn.choice([1, 1, 2, 8])]
        forge.overwrite(path, at, bytes(byte ^ drawn.randint(1, 255) for byte in old))
        if contents(path) != before:
            return 1
        forge.overwrite(path, at, old)
    return None


def edit_sink(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """A head in the sink is another one: the ledger or the sink lies, and both must be looked at."""
    lines = (folder / FILE_SINK).read_text().splitlines()
    if not lines:
        return None
    index = drawn.randrange(len(lines))
    head = forge.read_note(json.loads(lines[index])["note"]).checkpoint
    root = bytes([head.root[0] ^ 1]) + head.root[1:]
    signer = forge.real_signer(made.folder) if drawn.random() < 0.5 else forge.evil_signer(made.folder)
    lines[index] = json.dumps({"note": signer.note(head._replace(root=root)).text})
    (folder / FILE_SINK).write_text("\n".join(lines) + "\n")
    return 1


def sign_sink_with_another_key(folder: Path, made: Made, other: Sequence[Raw], drawn: random.Random) -> int | None:
    """The newest head of the sink has its true root, and a signature of somebody else."""
    lines = (folder / FILE_SINK).read_text().splitlines()
    head = forge.read_note(json.loads(lines[-1])["note"]).checkpoint
    lines[-1] = json.dumps({"note": forge.evil_signer(made.folder).note(head).text})
    (folder / FILE_SINK).write_text("\n".join(lines) + "\n")
    return 1


FILES: dict[str, tuple[Mutate, frozenset[str]]] = {
    "roll back to a backup": (roll_back, frozenset({"fork or rollback", "truncated"})),
    "drop the WAL file": (drop_wal, frozenset({"fork or rollback", "truncated", "signature"})),
    "show two auditors different logs": (two_auditors, frozenset({"fork or rollback"})),
    "reuse an id after a restore": (reuse_after_restore, frozenset({"fork or rollback"})),
    "edit a page, the index stale": (edit_page, frozenset()),
    "edit a head in a sink": (edit_sink, frozenset({"fork or rollback", "signature"})),
    "sign a sink's head with another key": (sign_sink_with_another_key, frozenset({"signature"})),
}
"""The mutations of files, each with the findings that name it; none listed where any finding will do."""


def events_of(path: Path) -> list[Raw]:
    """The events that stand in a file."""
    database = apsw.Connection(str(path))
    try:
        return forge.raws(database)
    finally:
        database.close()


_TABLES = (
    "event", "payload", "extent", "chain", "checkpoint", "tile", "once", "run", "tool_call", "authz_decision",
    "tool_result", "approval", "due", "dead_letter", "compensation_action",
)  # fmt: skip


def contents(path: Path) -> list[object] | None:
    """Everything that the file proves or shows, with the state of its indices; None where it cannot be read.

    Guards and claims are not in it: no event says what they must be.
    """
    try:
        database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            said: list[object] = [database.execute(f"SELECT * FROM {table}").fetchall() for table in _TABLES]
            return [*said, database.execute("PRAGMA integrity_check").fetchall()]
        finally:
            database.close()
    except (apsw.Error, UnicodeDecodeError):
        return None


def _put_back(folder: Path, source: Path) -> None:
    """Put another state of the database in place; sinks and keys stay."""
    for ending in ("", "-wal", "-shm"):
        file = source / (LEDGER + ending)
        to = folder / (LEDGER + ending)
        to.unlink(missing_ok=True)
        if file.exists():
            shutil.copy(file, to)
    assert (folder / FILE_SINK).exists() or (folder / DATABASE_SINK).exists()
