"""How much of the disk a database takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def size(path: Path, connect: Callable[[str], Any]) -> int:
    """Bytes of a SQLite file with everything of its log in it. Nobody may be writing.

    Args:
        connect: Of the SQLite that has the file open in this process: two of them undo each other's locks.
    """
    database = connect(str(path))
    try:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        database.close()
    return path.stat().st_size
