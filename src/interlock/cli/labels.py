"""A file of what people have labelled, one JSON object a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from interlock.errors import BadInput

T = TypeVar("T")


def read_labels(file: Path, read: Callable[[bytes], T], what: str, code: str) -> list[T]:
    """What stands in the file, a line each.

    Args:
        read: Of one line; raises BadInput.
        what: What a line has, for a file without any.
        code: Of a file that cannot be read or is empty.

    Raises:
        BadInput: It cannot be read, is empty, or a line is not acceptable; the message has its number.
    """
    found: list[T] = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    found.append(read(line))
                except BadInput as error:
                    raise BadInput(
                        f"{file}:{number}: {error.args[0]}", code=error.code, remedy=error.remedy
                    ) from None  # fmt: skip
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", code=code, remedy="Name a file of labels.") from None
    if not found:
        raise BadInput(f"{file}: no {what} in it", code=code, remedy="Write one object a line.")
    return found
