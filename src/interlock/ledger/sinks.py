"""Where checkpoints go outside the ledger: the `Sink` protocol, and the sink that is a file.

A sink only ever grows, in the order in which heads came to be. What it has is what the ledger is held against.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from interlock.errors import BadInput, LedgerError
from interlock.ledger.note import NOTE_BYTES_MAX, Note, read_note

_TAIL = 2 * NOTE_BYTES_MAX
"""Bytes from the end of a file that are read for its newest checkpoint."""


class Sink(Protocol):
    """A place that the ledger's owner cannot rewrite silently.

    Every method blocks and may raise `LedgerError` with the code `ledger.sink`: it cannot be used now.
    """

    @property
    def name(self) -> str:
        """What it is called in reports."""
        ...

    def newest(self) -> str | None:
        """The note that came last; None where none did."""
        ...

    def notes(self) -> Iterator[str]:
        """Every note, in the order in which they came; what is none is given as it stands."""
        ...

    def send(self, notes: Sequence[str], onto: str | None) -> bool:
        """Append notes, durable on return. Nothing is written and the answer is no where `onto` is not the newest."""
        ...


class FileSink:
    """A file on another path: one JSON object a line, with the signed note as `note`.

    Args:
        path: Where; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._path)

    def newest(self) -> str | None:
        """See `Sink.newest`. A line that a crash cut off is passed over: what it said is sent again."""
        try:
            with self._path.open("rb") as file:
                return _last(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(self.name, error) from error

    def notes(self) -> Iterator[str]:
        """See `Sink.notes`."""
        try:
            with self._path.open("rb") as file:
                for line in file:
                    if line.strip():
                        yield _note(line) or line.decode(errors="backslashreplace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed(self.name, error) from error

    def send(self, notes: Sequence[str], onto: str | None) -> bool:
        """See `Sink.send`."""
        try:
            with _held(self._path) as handle:
                if _last(handle) != onto:
                    return False
                lines = b"".join(json.dumps({"note": note}).encode() + b"\n" for note in notes)
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    lines = b"\n" + lines  # after a line that a crash cut off
                while lines:
                    lines = lines[os.write(handle, lines) :]
                os.fsync(handle)
                if not size:
                    _sync_folder(self._path)
        except OSError as error:
            raise _failed(self.name, error) from error
        return True


def readable(text: str) -> Note | None:
    """The note that a text of a sink is; None where it is none."""
    try:
        return read_note(text)
    except BadInput:
        return None


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """The file, open for appending, and nobody else's meanwhile."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _last(handle: int) -> str | None:
    """The last note of a file."""
    size = os.fstat(handle).st_size
    tail = os.pread(handle, _TAIL, max(0, size - _TAIL))
    for line in reversed(tail.split(b"\n")):
        if note := _note(line):
            return note
    return None


def _note(line: bytes) -> str | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    note = found.get("note") if isinstance(found, dict) else None
    return note if isinstance(note, str) else None


def _sync_folder(path: Path) -> None:
    """Make the file's name durable too."""
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(name: str, error: OSError) -> LedgerError:
    return LedgerError(
        f"the sink {name!r} cannot be used: {error.strerror or error}",
        code="ledger.sink",
        remedy="Mend it: checkpoints wait in the ledger and are sent then.",
    )
