"""Keys of people and services: who is typing. Only hashes are stored.

A key has 160 random bits, so that a plain SHA-256 of it is as good as a slow hash. The file has mode 0600.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from interlock.core.principal import Principal
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound
from interlock.private_files import check_private, write_private, writing

_PREFIX = "ilk_"
_FORMAT = 2
_LIST = "See `interlock keys list`."

TOOLS: Final = "tools"
"""Scope of a key whose bearer may call tools through a door."""

WORDS: Final = "attest:words"
"""Scope of a key whose bearer may say what the user's own words are: a host's, never a model's."""

READ: Final = "read"
"""Scope of a key whose bearer may see over the API what its roles let it see."""

WRITE: Final = "write"
"""Scope of a key whose bearer may also operate over the API: cancel, settle, stop."""

CONSOLE: Final = "console"
"""Scope of a person's key: signs in to the console, and does there all that their roles let them, deciding included."""

SCOPES: Final = frozenset({TOOLS, WORDS, READ, WRITE, CONSOLE})

OF_AGENTS: Final = frozenset({TOOLS, WORDS})
"""What programs that act for a model bear: never together with `CONSOLE`."""


@dataclass(frozen=True, slots=True)
class Key:
    """Who bears a key, and what it opens.

    Attributes:
        principal: Whose it is.
        scopes: What its bearer may do at a door; the command line asks for roles alone.
        made_us: When it was made, microseconds UTC; 0 where that was not kept.
        id: What it is called, `key:` and eight digits of its hash: no secret. Empty for whoever came without a key.
        expires_us: When it ceases to open anything, microseconds UTC; None for never.
        replaces: Id of the key in whose place it was made; empty for none.
    """

    principal: Principal
    scopes: frozenset[str] = frozenset({TOOLS})
    made_us: int = 0
    id: str = ""
    expires_us: int | None = None
    replaces: str = ""

    def open_at(self, now_us: int) -> bool:
        """Whether it opens anything at that time."""
        return self.expires_us is None or now_us < self.expires_us


class Keys:
    """The file of hashed keys. What one process changes, no other overwrites.

    Args:
        file: JSON file; made on the first `add`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(
        self, principal: Principal, scopes: Iterable[str] = (TOOLS,), made_us: int = 0, expires_us: int | None = None
    ) -> str:
        """Make one more key for a principal and return it: the only time that it can be read.

        Args:
            scopes: What it opens, of `SCOPES`.
            made_us: The time, microseconds UTC, by which its age is known; 0 keeps none.
            expires_us: When it ceases to open anything; None for never.

        Raises:
            BadInput: These scopes are not for one key.
            Conflict: The principal has a key with other roles or of another kind.
        """
        made = Key(principal, _checked(principal, scopes), made_us, expires_us=expires_us)
        with self._changing() as stored:
            before = next((key.principal for key in stored.values() if _same(key.principal, principal)), principal)
            if before != principal:
                raise Conflict(
                    f"{principal.id!r} has a key as a {before.kind} with the roles {sorted(before.roles)}",
                    code="keys.other_roles", remedy="Name the same roles, or revoke those keys first.",
                )  # fmt: skip
            return _put(stored, made)

    def rotate(
        self, which: str, tenant: str, now_us: int, overlap_s: float, expires_us: int | None = None
    ) -> tuple[Key, str]:
        """Make a key in the place of another, which opens the same for a while more.

        Args:
            which: Id of a key, or of a principal that has one key to replace.
            overlap_s: Seconds that the old one still holds.
            expires_us: When the new one ceases to open anything; None for after as long as the old one was made for.

        Returns:
            The old one as it is now, and the new one's text.

        Raises:
            NotFound: There is no such key, or it is past.
            Conflict: The principal has several.
        """
        with self._changing() as stored:
            followed = {key.replaces for key in stored.values()}
            found = [
                mark for mark, key in stored.items()
                if _is(key, which, tenant) and key.open_at(now_us) and key.id not in followed
            ]  # fmt: skip
            if not found:
                raise NotFound(f"{which!r} is no key to replace, and has none", code="keys.none", remedy=_LIST)
            if len(found) > 1:
                raise Conflict(
                    f"{which!r} has {len(found)} keys", code="keys.several",
                    remedy=f"Name one of {', '.join(sorted(stored[mark].id for mark in found))}.",
                )  # fmt: skip
            old = stored[found[0]]
            until_us = now_us + int(overlap_s * 1_000_000)
            if expires_us is None and old.expires_us is not None:
                expires_us = now_us + old.expires_us - old.made_us if old.made_us else old.expires_us
            stored[found[0]] = replace(old, expires_us=min(until_us, old.expires_us or until_us))
            new = replace(old, made_us=now_us, expires_us=expires_us, replaces=old.id)
            return stored[found[0]], _put(stored, new)

    def revoke(self, which: str, tenant: str, check: Callable[[Iterable[Key]], None] = lambda left: None) -> list[Key]:
        """Forget one key by its id, or every key of a principal.

        Args:
            check: Told what would be left; raises where that may not be.

        Returns:
            What was forgotten.

        Raises:
            NotFound: There is none.
        """
        with self._changing() as stored:
            gone = {mark: key for mark, key in stored.items() if _is(key, which, tenant)}
            if not gone:
                raise NotFound(f"{which!r} is no key, and has none", code="keys.none", remedy=_LIST)
            for mark in gone:
                del stored[mark]
            check(stored.values())
            return list(gone.values())

    def principal(self, key: str, now_us: int) -> Principal:
        """Whose key this is.

        Raises:
            NotEntitled: No key, nobody's, or one that is past.
        """
        return self.find(key, now_us).principal

    def find(self, key: str, now_us: int) -> Key:
        """Whose key this is, and what it opens.

        Raises:
            NotEntitled: No key, nobody's, or one that is past.
        """
        return found_in(self.all(), key, now_us)

    def knows(self, key: str) -> bool:
        """Whether this is somebody's key, past or not."""
        return _hash(key) in self.all()

    def all(self) -> dict[str, Key]:
        """Every key by the hash of its text, those that are past too."""
        if not self._file.exists():
            return {}
        check_private(self._file)
        try:
            return _parsed(json.loads(self._file.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(
                f"{self._file}: no file of keys", code="keys.syntax", remedy="Restore it from a backup."
            ) from None

    def list(self) -> list[Principal]:
        """Everybody who has a key, by tenant and id."""
        return sorted({key.principal for key in self.all().values()}, key=_order)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        """The keys, to be changed and kept when the block ends well; nobody else changes them meanwhile."""
        with writing(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            stored = self.all()
            yield stored
            with writing(self._file):
                write_private(self._file, json.dumps(_plain(stored), indent=1).encode() + b"\n")
        finally:
            os.close(folder)


def found_in(known: Mapping[str, Key], key: str, now_us: int) -> Key:
    """Whose key this is, among those that are known by the hash of their text.

    Raises:
        NotEntitled: No key, nobody's, or one that is past.
    """
    if not key:
        raise NotEntitled(
            "no key", code="keys.missing", remedy="Send `Authorization: Bearer KEY`: `interlock keys add` gives one."
        )
    found = known.get(_hash(key))  # by its hash: how long the search takes says nothing of the key
    if found is None:
        raise NotEntitled("this key is nobody's", code="keys.unknown", remedy="Ask an administrator for a new one.")
    if not found.open_at(now_us):
        raise NotEntitled("this key is past", code="keys.expired", remedy="Ask an administrator for a new one.")
    return found


def by_principal(keys: Iterable[Key]) -> Iterator[tuple[tuple[str, str], Iterator[Key]]]:
    """The keys of each principal, by tenant and id."""
    return groupby(sorted(keys, key=lambda key: (_order(key.principal), key.id)), key=lambda key: _order(key.principal))


def _checked(principal: Principal, scopes: Iterable[str]) -> frozenset[str]:
    """Scopes that one key may have together: what an agent bears never decides (threat T24)."""
    found = frozenset(scopes)
    if unknown := found - SCOPES:
        raise BadInput(f"scope: {min(unknown)!r}", code="keys.scope", remedy=f"Scopes are {', '.join(sorted(SCOPES))}.")
    if CONSOLE in found and found & OF_AGENTS:
        raise BadInput(
            f"scope: {CONSOLE!r} and {min(found & OF_AGENTS)!r} in one key", code="keys.scopes",
            remedy="Make a key for each: whoever bears the key of an agent must not decide about its calls.",
        )  # fmt: skip
    if CONSOLE in found and principal.kind != "user":
        raise BadInput(
            f"scope: {CONSOLE!r} is for people", code="keys.scopes", remedy=f"Give a service {READ!r} or {WRITE!r}."
        )
    return found


def _put(stored: dict[str, Key], key: Key) -> str:
    """Give a fresh text to a key and keep it by its hash."""
    while True:
        text = _PREFIX + secrets.token_hex(20)
        mark = _hash(text)
        if all(other.id != _id(mark) for other in stored.values()):
            stored[mark] = replace(key, id=_id(mark))
            return text


def _is(key: Key, which: str, tenant: str) -> bool:
    return key.principal.tenant == tenant and which in (key.id, key.principal.id)


def _same(one: Principal, other: Principal) -> bool:
    return (one.tenant, one.id) == (other.tenant, other.id)


def _order(person: Principal) -> tuple[str, str]:
    return person.tenant, person.id


def _plain(stored: Mapping[str, Key]) -> dict[str, Any]:
    """The keys as the file has them: roles and kind stand once for each principal."""
    marks = {key.id: mark for mark, key in stored.items()}
    people = []
    for _, keys in by_principal(stored.values()):
        several = list(keys)
        person = several[0].principal
        written = {
            marks[key.id]: {"scopes": sorted(key.scopes), "made_us": key.made_us, "expires_us": key.expires_us,
                            "replaces": key.replaces}
            for key in several
        }  # fmt: skip
        said = {"id": person.id, "tenant": person.tenant, "kind": person.kind, "roles": sorted(person.roles)}
        people.append({**said, "keys": written})
    return {"format": _FORMAT, "people": people}


def _parsed(said: Any) -> dict[str, Key]:
    """The keys that a file has.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is no such file.
    """
    found: dict[str, Key] = {}
    whose: set[tuple[str, str]] = set()
    if said["format"] != _FORMAT:
        raise ValueError
    for entry in said["people"]:
        if entry["kind"] not in ("user", "service") or not isinstance(entry["roles"], list):
            raise ValueError
        person = Principal(
            _text(entry["id"]), _text(entry["tenant"]), frozenset(map(_text, entry["roles"])), entry["kind"]
        )
        if _order(person) in whose or not entry["keys"]:
            raise ValueError
        whose.add(_order(person))
        for mark, key in entry["keys"].items():
            if not isinstance(key["scopes"], list) or mark in found or not isinstance(key["replaces"], str):
                raise ValueError
            scopes, expires = frozenset(map(_text, key["scopes"])), key["expires_us"]
            until_us = None if expires is None else _number(expires)
            found[mark] = Key(person, scopes, _number(key["made_us"]), _id(mark), until_us, key["replaces"])
    return found


def _text(said: object) -> str:
    if not isinstance(said, str) or not said:
        raise ValueError
    return said


def _number(said: object) -> int:
    if type(said) is not int:
        raise ValueError
    return said


def _id(mark: str) -> str:
    return f"key:{mark[:8]}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
