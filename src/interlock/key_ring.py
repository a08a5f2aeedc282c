"""The file of keys as a process that goes on reads it, and who is who by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread

from interlock.core.clock import Clock
from interlock.core.principal import Principal
from interlock.errors import SettingsError
from interlock.keys import Key, Keys, by_principal, found_in


@dataclass(frozen=True, slots=True)
class _Read:
    """The file as it was read once.

    Attributes:
        version: Of the file: another one once it is another; None while there never was one.
        keys: Every key by the hash of its text.
        of: The keys of a principal, by tenant and id.
    """

    version: tuple[int, int, int] | None = None
    keys: dict[str, Key] = field(default_factory=dict)
    of: Mapping[tuple[str, str], tuple[Key, ...]] = field(default_factory=dict)


_GONE = _Read((0, 0, 0))
"""Of a file that was there; no file has this version, so that one that comes back is read again."""


class KeyRing:
    """The file of keys as it stands now: read again whenever it has changed, so that what is revoked opens nothing.

    Args:
        file: The file; it need not exist. One that was there and is gone has no keys.
        clock: By which a key is past.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._read = _Read()

    async def find(self, key: str) -> Key:
        """Whose key this is, and what it opens.

        Raises:
            NotEntitled: No key, nobody's, or one that is past.
            InterlockError: The file cannot be read.
        """
        return found_in(await self.all() or {}, key, self._clock.wall_us())

    async def of(self, principal_id: str, tenant: str) -> tuple[Key, ...] | None:
        """The keys of a principal that open anything now; None while there never was a file.

        Raises:
            InterlockError: The file cannot be read.
        """
        read = await anyio.to_thread.run_sync(self._look)
        if read.version is None:
            return None
        now_us = self._clock.wall_us()
        return tuple(key for key in read.of.get((tenant, principal_id), ()) if key.open_at(now_us))

    async def all(self) -> dict[str, Key] | None:
        """Every key by the hash of its text, those that are past too; None while there never was a file.

        Raises:
            InterlockError: The file cannot be read.
        """
        read = await anyio.to_thread.run_sync(self._look)
        return None if read.version is None else read.keys

    def _look(self) -> _Read:
        """The file as it stands now.

        Several threads look at once, and one that read the old file may be the last to be done. Whatever is kept is one
        reading whole, with the version that it was read as: an old one is found out by the next look.
        """
        read = self._read
        try:
            found = self._file.stat()
        except FileNotFoundError:
            if read.version is not None:
                self._read = read = _GONE
            return read
        except OSError as error:
            raise SettingsError(f"{self._file}: {error.strerror}", code="settings.mode") from None
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        if version != read.version:
            keys = Keys(self._file).all()
            of = {whose: tuple(owned) for whose, owned in by_principal(keys.values())}
            self._read = read = _Read(version, keys, of)
        return read


class KeyPeople:
    """Who has which roles now, by the file of keys.

    While there is no such file, people are as they were authenticated or recorded: whoever embeds Interlock knows them.
    A file that was there and is gone makes nobody of everybody.

    Args:
        ring: The file, as it stands now.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def now(self, said: Principal) -> Principal | None:
        """The person as they are now; None for somebody who has no key that opens anything (any more).

        Raises:
            InterlockError: The file cannot be read.
        """
        keys = await self._ring.of(said.id, said.tenant)
        if keys is None:
            return said
        return keys[0].principal if keys else None
