"""What sealing is to whoever opens a ledger. Brings neither SQLite nor cryptography: `seal` does the work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from interlock.core.principal import Principal
from interlock.ledger.note import Checkpoint


class Stored(NamedTuple):
    """A checkpoint of this ledger's own.

    Attributes:
        size: Events that it is over.
        at_us: When it was made, store time. Not signed.
        note: The signed note.
    """

    size: int
    at_us: int
    note: str


class Standing(StrEnum):
    """How the ledger stands towards a sink."""

    CURRENT = "current"
    BEHIND = "behind"
    ROLLBACK = "rollback"
    FORK = "fork"
    UNREACHABLE = "unreachable"


class SinkState(NamedTuple):
    """A sink, and what it says of this ledger.

    Attributes:
        sink: Its name.
        standing: `behind` where checkpoints wait to be sent; `rollback` and `fork` refuse all writes.
        newest: The head that it was sent last; None where none, or none that can be read.
        text: That as it stands in the sink.
        after: Checkpoints of this ledger over more than so many events are still to be sent.
        why: What is wrong, one sentence; empty where nothing is.
    """

    sink: str
    standing: Standing
    newest: Checkpoint | None = None
    text: str | None = None
    after: int = 0
    why: str = ""


class KeyHolder(Protocol):
    """Where the signing key stands: outside the database. Every method blocks."""

    def read(self) -> str:
        """The key's text; empty where there is none.

        Raises:
            SettingsError: Others may read it.
        """
        ...

    def write_first(self, text: str) -> None:
        """Keep the first key; one that another process has kept meanwhile stays."""
        ...

    def stage(self, key_id: str, text: str) -> None:
        """Keep a key that is to follow beside the one that is there."""
        ...

    def staged(self, key_id: str) -> str:
        """That key's text; empty where there is none."""
        ...

    def promote(self, key_id: str) -> None:
        """Let it take the place of the one that is there."""
        ...

    def discard(self, key_id: str) -> None:
        """Delete it: it will not follow."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SealOptions:
    """When to seal.

    Attributes:
        every_events: So many events of this process are sealed at once.
        every_s: Seconds after which fewer are sealed too.
        unsigned: Go on writing where the signing key is missing: what is written then is not sealed.
    """

    every_events: int = 256
    every_s: float = 1.0
    unsigned: bool = False


class Seals(Protocol):
    """What seals one ledger.

    Attributes:
        problems: What is wrong now, by `key`, `ledger` or a sink's name, one sentence each.
    """

    problems: dict[str, str]

    async def open(self) -> None:
        """Hold the ledger against its sinks, and make the first key where there is none.

        Raises:
            StoreUnavailable: The ledger was rolled back or forked, its newest checkpoint is not its key's, or that
                key is missing and `unsigned` was not chosen. Nothing was written.
        """
        ...

    async def run(self) -> None:
        """Seal when enough was written or some time has passed, until cancelled. What fails is tried again."""
        ...

    async def seal(self) -> Stored | None:
        """Seal all that is committed now and send it out; the newest checkpoint, None where nothing was ever sealed.

        Raises:
            StoreUnavailable: The key is missing, or the ledger cannot be read or written.
        """
        ...

    async def rotate(self, person: Principal) -> str:
        """Put a new signing key in the old one's place; its public form. What is unsealed is sealed first.

        Raises:
            StoreUnavailable: The old key is missing, so that nothing could hand over.
            Conflict: Another process has rotated at the same time; read the key again.
        """
        ...

    async def accept_restore(self, person: Principal, reason: str) -> list[SinkState]:
        """Record that a backup was restored knowingly, and go on from it; how the sinks stood before.

        Raises:
            Conflict: No sink has more than this ledger or other roots: there is nothing to accept.
            StoreUnavailable: The signing key is missing: nobody could tell this word from a thief's.
        """
        ...

    async def close(self) -> None:
        """Seal what is left; where that fails, it is done at the next start."""
        ...
