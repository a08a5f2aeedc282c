"""Where secrets are kept that are referred to: the environment, files beneath one folder, and what else is given.

Nothing is kept here: each secret is read when a call needs it. No error says anything of a value.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

import anyio
import anyio.to_thread

from interlock.core.canonical import parse_json
from interlock.core.secret import VALUE_MAX, Reference
from interlock.errors import BadInput, SecretError

FILE_MAX: Final = 4 * VALUE_MAX
"""Bytes of a file with secrets."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Source(Protocol):
    """Keeps the secrets of one scheme."""

    async def secret(self, reference: Reference) -> str:
        """The secret of a reference, as it is now.

        Raises:
            SecretError: It cannot be had.
        """
        ...


class Sources:
    """Keeps the secrets of every scheme that has a source.

    Args:
        sources: By scheme.
        timeout_s: Seconds until a secret must be there.
    """

    def __init__(self, sources: Mapping[str, Source], timeout_s: float) -> None:
        self._sources = dict(sources)
        self._timeout_s = timeout_s

    async def secret(self, reference: Reference) -> str:
        """The secret of a reference, as it is now.

        Raises:
            SecretError: It cannot be had, not in time, or its scheme has no source.
        """
        source = self._sources.get(reference.scheme)
        if source is None:
            raise SecretError(
                f"{reference.text}: nothing keeps {reference.scheme} secrets", code="secret.scheme",
                remedy="Write secrets.folder for files, [secrets.vault] for Vault.",
            )  # fmt: skip
        with anyio.move_on_after(self._timeout_s):
            return await source.secret(reference)
        raise SecretError(f"{reference.text}: not there within {self._timeout_s:g} s", code="secret.timeout")


class Environment:
    """Variables of the environment.

    Args:
        read: The variables of these names, as far as they are set.
    """

    def __init__(self, read: Callable[[Iterable[str]], Mapping[str, str]]) -> None:
        self._read = read

    async def secret(self, reference: Reference) -> str:
        """See `Source.secret`."""
        found = self._read([reference.path]).get(reference.path)
        if found is None:
            raise _absent(reference, "the variable is not set")
        try:
            found.encode()
        except UnicodeEncodeError:
            raise _form(reference, "no Unicode") from None
        return found


class Files:
    """Files beneath a folder: no link is followed, and nobody else may read them.

    Args:
        folder: Absolute; a path that is not beneath it, part by part, is no secret's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def secret(self, reference: Reference) -> str:
        """See `Source.secret`."""
        return await anyio.to_thread.run_sync(self._secret, reference, abandon_on_cancel=True)

    def _secret(self, reference: Reference) -> str:
        try:
            parts = PurePosixPath(reference.path).relative_to(self._folder.as_posix()).parts
        except ValueError:
            raise SecretError(f"{reference.text}: not beneath the folder of secrets", code="secret.path") from None
        if not parts or ".." in parts:
            raise SecretError(f"{reference.text}: no file", code="secret.path")
        try:
            raw = self._read(reference, parts)
        except OSError as error:
            raise _absent(reference, error.strerror or "it cannot be read") from None
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise _form(reference, "no UTF-8") from None
        return _field(reference, text) if reference.field else text.removesuffix("\n").removesuffix("\r")

    def _read(self, reference: Reference, parts: tuple[str, ...]) -> bytes:
        at = os.open(self._folder, _FOLDER)
        try:
            for part in parts[:-1]:
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = below
            file = os.open(parts[-1], _FILE, dir_fd=at)
        finally:
            os.close(at)
        with os.fdopen(file, "rb") as opened:
            seen = os.fstat(file)
            if not stat.S_ISREG(seen.st_mode):
                raise SecretError(f"{reference.text}: no file", code="secret.path")
            if seen.st_mode & 0o077 or seen.st_uid not in (os.geteuid(), 0):
                raise SecretError(
                    f"{reference.text}: others may read it, or it is another's", code="secret.mode",
                    remedy="Run `chmod 600` on it, as its owner.",
                )  # fmt: skip
            raw = opened.read(FILE_MAX + 1)
        if len(raw) > FILE_MAX:
            raise _form(reference, f"more than {FILE_MAX} bytes")
        return raw


def _field(reference: Reference, text: str) -> str:
    try:
        found = parse_json(text)
    except BadInput:
        raise _form(reference, "no JSON, which has fields") from None
    value = found.get(reference.field) if isinstance(found, dict) else None
    if not isinstance(value, str):
        raise _absent(reference, "it has no such field with a text")
    return value


def _absent(reference: Reference, why: str) -> SecretError:
    return SecretError(f"{reference.text}: {why}", code="secret.absent")


def _form(reference: Reference, why: str) -> SecretError:
    return SecretError(f"{reference.text}: {why}", code="secret.form")
