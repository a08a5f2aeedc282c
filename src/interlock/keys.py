"""Keys of people and services: who is typing. Only hashes are stored.

A key has 160 random bits, so that a plain SHA-256 of it is as good as a slow hash. The file has mode 0600.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from interlock.core.principal import Principal
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound, SettingsError

_PREFIX = "ilk_"

TOOLS = "tools"
"""Scope of a key whose bearer may call tools through a door."""

WORDS = "attest:words"
"""Scope of a key whose bearer may say what the user's own words are: a host's, never a model's."""

SCOPES = frozenset({TOOLS, WORDS})


@dataclass(frozen=True, slots=True)
class Key:
    """Who bears a key, and what it opens.

    Attributes:
        principal: Whose it is.
        scopes: What its bearer may do at a door; the command line asks for roles alone.
        made_us: When it was made, microseconds UTC; 0 where that was not kept.
    """

    principal: Principal
    scopes: frozenset[str] = frozenset({TOOLS})
    made_us: int = 0


class Keys:
    """The file of hashed keys.

    Args:
        file: JSON file; made on the first `add`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, principal: Principal, scopes: Iterable[str] = (TOOLS,), made_us: int = 0) -> str:
        """Make a key for a principal and return it: the only time that it can be read.

        Args:
            scopes: What it opens at a door, of `SCOPES`.
            made_us: The time, microseconds UTC, by which its age is known; 0 keeps none.

        Raises:
            Conflict: The principal has a key already; revoke it first.
        """
        stored = self._read()
        if any(entry["id"] == principal.id and entry["tenant"] == principal.tenant for entry in stored.values()):
            raise Conflict(f"{principal.id!r} has a key already", code="keys.exists", remedy="Revoke it first.")
        key = _PREFIX + secrets.token_hex(20)
        stored[_hash(key)] = {
            "id": principal.id,
            "tenant": principal.tenant,
            "roles": sorted(principal.roles),
            "kind": principal.kind,
        }
        if set(scopes) != {TOOLS}:  # so that a file without others is as it always was
            stored[_hash(key)]["scopes"] = sorted(set(scopes))
        if made_us:
            stored[_hash(key)]["made_us"] = made_us
        self._write(stored)
        return key

    def revoke(self, principal_id: str, tenant: str) -> None:
        """Forget a principal's key.

        Raises:
            NotFound: It has none.
        """
        stored = self._read()
        left = {
            mark: entry for mark, entry in stored.items() if (entry["id"], entry["tenant"]) != (principal_id, tenant)
        }
        if len(left) == len(stored):
            raise NotFound(f"{principal_id!r} has no key", code="keys.none")
        self._write(left)

    def principal(self, key: str) -> Principal:
        """Whose key this is.

        Raises:
            NotEntitled: No key, or nobody's.
        """
        return self.find(key).principal

    def find(self, key: str) -> Key:
        """Whose key this is, and what it opens.

        Raises:
            NotEntitled: No key, or nobody's.
        """
        return _found(key, self.all())

    def all(self) -> dict[str, Key]:
        """Every key by the hash of its text."""
        return {mark: _key(entry) for mark, entry in self._read().items()}

    def list(self) -> list[Principal]:
        """Everybody who has a key, by tenant and id."""
        found = [key.principal for key in self.all().values()]
        return sorted(found, key=lambda person: (person.tenant, person.id))

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._file.exists():
            return {}
        check_private(self._file)
        try:
            stored: Any = json.loads(self._file.read_text(encoding="utf-8"))
        except ValueError:
            raise BadInput(f"{self._file}: not JSON", code="keys.syntax", remedy="Restore it from a backup.") from None
        if not isinstance(stored, dict) or not all(_sound(entry) for entry in stored.values()):
            raise BadInput(f"{self._file}: no file of keys", code="keys.syntax", remedy="Restore it from a backup.")
        entries: dict[str, dict[str, Any]] = stored
        return entries

    def _write(self, stored: dict[str, dict[str, Any]]) -> None:
        write_private(self._file, json.dumps(stored, indent=1, sort_keys=True).encode() + b"\n")


class KeyRing:
    """The file of keys as it stands now: read again whenever it has changed, so that what is revoked opens nothing.

    Args:
        file: The file; it need not exist. One that was there and is gone has no keys.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}

    async def find(self, key: str) -> Key:
        """Whose key this is, and what it opens.

        Raises:
            NotEntitled: No key, or nobody's.
            InterlockError: The file cannot be read.
        """
        return _found(key, await self.all() or {})

    async def all(self) -> dict[str, Key] | None:
        """Every key by the hash of its text; None while there never was a file.

        Raises:
            InterlockError: The file cannot be read.
        """
        await anyio.to_thread.run_sync(self._look)
        return None if self._version is None else self._keys

    def _look(self) -> None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            if self._version is not None:
                self._keys, self._version = {}, (0, 0, 0)  # that of no file: one that comes back is read again
            return
        except OSError as error:
            raise SettingsError(f"{self._file}: {error.strerror}", code="settings.mode") from None
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        if version != self._version:
            self._keys = Keys(self._file).all()
            self._version = version


class KeyPeople:
    """Who has which roles now, by the file of keys.

    While there is no such file, people are as they were authenticated or recorded: whoever embeds Interlock knows them.
    A file that was there and is gone makes nobody of everybody.

    Args:
        file: The file; it need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._ring = KeyRing(file)

    async def now(self, said: Principal) -> Principal | None:
        """The person as they are now; None for somebody who has no key (any more).

        Raises:
            InterlockError: The file cannot be read.
        """
        keys = await self._ring.all()
        if keys is None:
            return said
        who = (said.id, said.tenant)
        return next((key.principal for key in keys.values() if (key.principal.id, key.principal.tenant) == who), None)


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


def write_private(file: Path, content: bytes, *, once: bool = False) -> None:
    """Replace a file whole, with mode 0600 from its first byte on.

    Args:
        once: Leave a file that is there already: of several processes that make it, the first one does.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(8)}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    if once:
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    else:
        fresh.replace(file)


def _key(entry: dict[str, Any]) -> Key:
    person = Principal(entry["id"], entry["tenant"], frozenset(entry["roles"]), entry["kind"])
    return Key(person, frozenset(entry.get("scopes", (TOOLS,))), entry.get("made_us", 0))


def _found(key: str, known: dict[str, Key]) -> Key:
    if not key:
        raise NotEntitled("no key", code="keys.missing", remedy="Run `interlock login`, or set INTERLOCK_KEY.")
    found = known.get(_hash(key))  # by its hash: how long the search takes says nothing of the key
    if found is None:
        raise NotEntitled("this key is nobody's", code="keys.unknown", remedy="Ask an administrator for a new one.")
    return found


def _sound(entry: object) -> bool:
    """Whether this says who somebody is."""
    if not isinstance(entry, dict) or entry.keys() - {"scopes", "made_us"} != {"id", "tenant", "roles", "kind"}:
        return False
    if type(entry.get("made_us", 0)) is not int:
        return False
    several = [*_texts(entry["roles"]), *_texts(entry.get("scopes", []))]
    texts = [entry["id"], entry["tenant"], *several]
    return all(isinstance(text, str) and text for text in texts) and entry["kind"] in ("user", "service")


def _texts(said: object) -> list[object]:
    return said if isinstance(said, list) else [None]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
