"""Files that nobody but their owner may read: secrets that this deployment makes, and those that others gave."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from interlock.errors import SettingsError


def deployment_key(file: Path) -> bytes:
    """The deployment's secret of 32 bytes, made on first use in a file of mode 0600.

    Raises:
        SettingsError: Others may read the file, or it has not 32 bytes.
    """
    if not file.exists():
        write_private(file, secrets.token_bytes(32), once=True)
    check_private(file)
    key = file.read_bytes()
    if len(key) != 32:
        raise SettingsError(
            f"{file}: {len(key)} bytes instead of 32", code="settings.key", remedy="Restore it from a backup."
        )
    return key


class SigningKeyFile:
    """The file of the key that signs the ledger's heads, mode 0600: a `KeyHolder`.

    Args:
        file: Where. A key that is to follow stands beside it, under its id.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> str:
        """The key's text; empty where there is no file.

        Raises:
            SettingsError: Others may read it, or this process may not.
        """
        return _read_secret(self._file)

    def write_first(self, text: str) -> None:
        """Make the file; one that is there stays."""
        write_private(self._file, text.encode(), once=True)

    def stage(self, key_id: str, text: str) -> None:
        """Keep a key that is to follow beside this one."""
        write_private(self._beside(key_id), text.encode())

    def staged(self, key_id: str) -> str:
        """That key's text; empty where there is none.

        Raises:
            SettingsError: As `read`.
        """
        return _read_secret(self._beside(key_id))

    def promote(self, key_id: str) -> None:
        """Put that key in this one's place; nothing happens where another process has."""
        with suppress(FileNotFoundError):
            self._beside(key_id).replace(self._file)

    def discard(self, key_id: str) -> None:
        """Delete that key: it will not follow."""
        self._beside(key_id).unlink(missing_ok=True)

    def _beside(self, key_id: str) -> Path:
        return self._file.with_name(f"{self._file.name}.{key_id}")


def read_secret(file: Path) -> str:
    """A secret that somebody else gave, from its file: one line.

    Raises:
        SettingsError: There is none, it is empty or longer, or others may read it.
    """
    text = _read_secret(file).strip()
    if not text or len(text.splitlines()) > 1:
        raise SettingsError(f"{file}: no secret of one line", code="settings.secret", remedy="Put it there, mode 0600.")
    return text


def _read_secret(file: Path) -> str:
    try:
        check_private(file)
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(
            f"{file}: {error.strerror}", code="settings.mode", remedy="Let its owner read it."
        ) from None


def check_private(file: Path) -> None:
    """Refuse a secret file that others may read.

    Raises:
        SettingsError: Its mode lets the group or others in.
    """
    if file.stat().st_mode & 0o077:
        raise SettingsError(f"{file}: others may read it", code="settings.mode", remedy=f"Run `chmod 600 {file}`.")


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Say of whatever fails within that the file cannot be written.

    Raises:
        SettingsError: Something failed; the file is as it was.
    """
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror or error}", code="settings.write",
            remedy="Make room, or let its owner write there.",
        ) from None  # fmt: skip


def write_private(file: Path, content: bytes, *, once: bool = False) -> None:
    """Replace a file whole, with mode 0600 from its first byte on.

    Args:
        once: Leave a file that is there already: of several processes that make it, the first one does.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(8)}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except OSError:  # a full disk: nothing of a secret stays behind
        fresh.unlink()
        raise
    if once:
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    else:
        fresh.replace(file)
