"""How far a deployment's ledger was exported, and which process exports it: two small files beside the ledger."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Final

from interlock.private_files import write_private

PLACE: Final = "telemetry.place"
LOCK: Final = "telemetry.lock"


class Place:
    """What one deployment keeps of its export. Every method reads or writes files: call them in a thread.

    Args:
        folder: Where the ledger stands; None keeps nothing beyond the process, which then exports alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._handle = -1

    def take(self) -> bool:
        """Whether this process is the one that exports. It stays so until it lets go or ends, however it ends."""
        if self._folder is None or self._handle >= 0:
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let another process export."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def read(self) -> int | None:
        """Position of the last event that was delivered; None where none ever was, or that cannot be read."""
        if self._folder is None:
            return None
        try:
            said = json.loads((self._folder / PLACE).read_bytes())
            position = said["position"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return position if type(position) is int and position >= 0 else None

    def write(self, position: int) -> None:
        """Keep it; on disk when this returns."""
        if self._folder is not None:
            write_private(self._folder / PLACE, json.dumps({"position": position}).encode())
