"""A file of what people have labelled, one JSON object a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from interlock.errors import BadInput

T = TypeVar("T")


def read_labels(file: Path, read: Callable[[bytes], T]) -> list[T]:
    """What stands in the file, a line each; empty lines are passed over.

    Args:
        read: Of one line; raises BadInput.

    Raises:
        OSError: It cannot be read.
        BadInput: A line is not acceptable; the message has its number.
    """
    found: list[T] = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found.append(read(line))
            except BadInput as error:
                raise BadInput(f"{file}:{number}: {error.args[0]}", code=error.code, remedy=error.remedy) from None
    return found
