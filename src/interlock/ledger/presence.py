"""Who has the ledger open, as the operating system knows it: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Presence:
    """A lock on `<ledger>-open` for as long as the ledger is open here.

    A file of its own, never the ledger's: closing a descriptor of that would let go of SQLite's locks.

    Attributes:
        first: Whether nobody else had the ledger open. Whoever comes meanwhile waits until `share`.
    """

    def __init__(self, ledger: Path) -> None:
        """Take part.

        Raises:
            OSError: The file cannot be made.
        """
        path = ledger.with_name(ledger.name + "-open")
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.first = self._alone()
        if not self.first:
            self.share()

    def share(self) -> None:
        """Let others in."""
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def last(self) -> bool:
        """Whether nobody else has the ledger open; others wait from now on until `close`."""
        return self._alone()

    def close(self) -> None:
        """Have it open no more."""
        os.close(self._handle)

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
