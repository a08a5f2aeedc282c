"""What the settings name, opened for one command: who types, the ledger, the plane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from interlock.app import Interlock, open_plane
from interlock.approvals.people import People
from interlock.cli.output import Output
from interlock.compose import World, open_sealer, open_store, people_of
from interlock.core.principal import Principal
from interlock.errors import NotEntitled, SettingsError
from interlock.keys import TOOLS, Key, Keys
from interlock.ledger.seal import Sealer
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import MemoryStore, Store
from interlock.settings import Settings, kept_keys, load_settings, typed_key
from interlock.upkeep import open_ledger

T = TypeVar("T")

CLIENT_KEY = "client.key"
"""File, beside the ledger, of the key that a client's gateway acts by."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment, as the command line meets it.

    Attributes:
        file: The settings file that was named; None to look for it.
        world: Clocks, ids and randomness.
        output: Where the command writes.
    """

    file: Path | None
    world: World
    output: Output

    @cached_property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            SettingsError: They are not acceptable.
        """
        return load_settings(self.file)

    @property
    def keys(self) -> Keys:
        """The hashed keys of people and services."""
        return Keys(self.keys_file)

    @property
    def keys_file(self) -> Path:
        """Where the hashed keys stand; absent while nobody has one."""
        return self.settings.state_folder / "keys.json"

    def people(self, store: Store) -> People:
        """Who has which roles now."""
        return people_of(self.settings, store, self.world.clock)

    @property
    def person(self) -> Principal:
        """Whose key is typed.

        Raises:
            NotEntitled: No key, or nobody's.
        """
        return self.typed.principal

    @cached_property
    def typed(self) -> Key:
        """The key that is typed.

        Raises:
            NotEntitled: No key, nobody's, or one that is past.
        """
        folder = self.settings.state_folder
        if self.typed_text:
            return self.keys.find(self.typed_text, self.now_us)
        if not self.keys_file.exists():
            raise NotEntitled(
                f"no key is typed, and nobody has one in {folder}", code="keys.missing",
                remedy="Run `interlock init` for a new deployment, or name its settings with --settings.",
            )  # fmt: skip
        raise NotEntitled(
            f"no key is typed, and none is kept that opens {folder}",
            code="keys.missing",
            remedy="Run `interlock login` with one of its keys, or set INTERLOCK_KEY.",
        )

    @cached_property
    def typed_text(self) -> str:
        """The text of that key: of those that were kept the one that is somebody's here; empty for none."""
        return typed_key() or next((key for key in kept_keys() if self.keys.knows(key)), "")

    def agents(self, key: Key) -> Key:
        """That key, if whoever bears it may have tools called: a person's own key decides about calls instead.

        Raises:
            NotEntitled: It opens no tools.
        """
        if TOOLS not in key.scopes:
            raise NotEntitled(
                f"the key of {key.principal.id!r} opens no tools", code="gateway.scope",
                remedy=f"Name one that does with --key-file: {self.settings.state_folder / CLIENT_KEY}, or one that "
                f"`interlock keys add NAME --scope {TOOLS}` gives.",
            )  # fmt: skip
        return key

    def require(self, *roles: str) -> Principal:
        """Whose key is typed, where they have one of the roles.

        Raises:
            NotEntitled: No key, nobody's, or none of the roles.
        """
        person = self.person
        if not person.roles.intersection(roles):
            wanted = " or ".join(repr(role) for role in roles)
            raise NotEntitled(
                f"{person.id!r} has not the role {wanted}", code="cli.role", remedy="Ask an administrator for it."
            )
        return person

    @property
    def now_us(self) -> int:
        """The time, microseconds UTC."""
        return self.world.clock.wall_us()

    def with_store(self, work: Callable[[Store], Awaitable[T]], *, writes: bool = False) -> T:
        """Do something with the ledger alone: neither tools nor policy need to load.

        Args:
            writes: Whether to make the ledger where there is none; reading finds an empty one.

        Raises:
            LedgerError: The ledger cannot be opened, or what the work raised.
        """
        return anyio.run(partial(self._with_store, work, writes))

    def with_plane(
        self, work: Callable[[Interlock], Awaitable[T]], *, engine: bool = False, exports: bool = False
    ) -> T:  # fmt: skip
        """Do something with the whole plane.

        Args:
            engine: Whether what is due is advanced meanwhile; else nothing advances by itself.
            exports: Whether what the ledger says is told to the collector of the settings, as with an engine.

        Raises:
            InterlockError: It cannot be opened, or what the work raised.
        """
        return anyio.run(partial(self._with_plane, work, engine, exports or engine))

    def with_sealed(self, work: Callable[[SqliteStore, Sealer], Awaitable[T]], *, held: bool = True) -> T:
        """Do something with the ledger and its sealer. Nothing is sealed but by the work.

        Args:
            held: Whether the ledger is held against its sinks first, as for everything that writes.

        Raises:
            SettingsError: There is no ledger yet, or sealing is off.
            LedgerError: The ledger cannot be opened, was rolled back or forked, or what the work raised.
        """
        return anyio.run(partial(self._with_sealed, work, held))

    async def _with_sealed(self, work: Callable[[SqliteStore, Sealer], Awaitable[T]], held: bool) -> T:
        settings = self.settings
        if settings.ledger is None or not settings.at(settings.ledger).exists():
            raise SettingsError("there is no ledger yet", code="settings.no_ledger", remedy="Make a first call.")
        store = await anyio.to_thread.run_sync(open_store, settings, self.world)
        try:
            sealer = open_sealer(settings, store, self.world)
            if not isinstance(sealer, Sealer) or not isinstance(store, SqliteStore):
                raise SettingsError("sealing is off", code="settings.unsealed", remedy="Set `on = true` under [seal].")
            if held:
                await sealer.open()
            return await work(store, sealer)
        finally:
            await store.close()

    async def _with_store(self, work: Callable[[Store], Awaitable[T]], writes: bool) -> T:
        if writes:
            async with open_ledger(self.settings, self.world) as kept:
                return await work(kept)
        there = self.settings.ledger is not None and self.settings.at(self.settings.ledger).exists()
        store = open_store(self.settings, self.world) if there else MemoryStore(self.world.clock)
        try:
            return await work(store)
        finally:
            await store.close()

    async def _with_plane(self, work: Callable[[Interlock], Awaitable[T]], engine: bool, exports: bool) -> T:
        async with open_plane(self.settings, world=self.world, engine=engine) as plane:
            if not exports or not self.settings.telemetry.otlp.endpoint:
                return await work(plane)
            from interlock.telemetry.exporting import exporting  # brings screens that most commands do without

            async with exporting(self.settings, plane, self.world):
                return await work(plane)
