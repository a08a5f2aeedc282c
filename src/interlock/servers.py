"""The servers behind a plane: opened with it, their tools among its own, and its registry replaced when they change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread

from interlock.behind_settings import SecretName
from interlock.compose import World, open_store
from interlock.core.principal import Principal
from interlock.core.secret import Reference, reference_of
from interlock.core.tool import Tool
from interlock.engine.beside import tasks_beside
from interlock.errors import LedgerError, MissingExtra, NotFound, PolicyError, SettingsError
from interlock.execution.health import Probe
from interlock.execution.keeper import Keeper
from interlock.ledger.definitions import Definitions
from interlock.net.reach import reach_of
from interlock.pipeline import Plane
from interlock.private_files import read_secret
from interlock.registry.accepted import Accepted
from interlock.registry.foreign import Listing, with_servers
from interlock.registry.pin import Pins, read_pins
from interlock.registry.registry import Registry
from interlock.secret_sources import keep_out_of_cores, secret_rules, sources_of
from interlock.server_book import Book, objection, read_book
from interlock.server_settings import TOKENS, ServerSettings
from interlock.settings import Settings, named_environment
from interlock.sources.mcp_connection import SHARED, Key, Plan, Terms
from interlock.sources.mcp_server import Server, State
from interlock.sources.mcp_tools import Profile
from interlock.sources.relay import Relay, Way

_LOG_IN: Final = "the user has not logged in to the server of this tool"

_AGAIN_S: Final = 1.0
"""Seconds until what could not be recorded is tried again."""

BOOK_S: Final = 2.0
"""Seconds after which a process notices what `interlock servers` was told."""


class Logins(Protocol):
    """Who is logged in to a server, as `server_tokens.ServerTokens` says it; what stands here needs no extra."""

    def lacking(self, holder: tuple[str, str]) -> bool:
        """Whether this tenant and principal have to log in before anything is called."""
        ...

    async def look(self) -> None:
        """See who is logged in now."""
        ...

    def bearer(self, holder: tuple[str, str]) -> Callable[[str], Awaitable[str]]:
        """What gives a connection its tokens; see `sources.mcp_http.Address`."""
        ...


class Fleet:
    """The servers of one plane.

    Attributes:
        relay: What they may ask of the clients in front.
        servers: Each by its name, in the order of the settings.
        refused: Server and name of a tool to why it is not in the registry.
        tokens: Of the servers that want OAuth, by name: the tokens for each.
    """

    def __init__(self, settings: Settings, relay: Relay) -> None:
        self.relay = relay
        self.servers: dict[str, Server] = {}
        self.refused: dict[tuple[str, str], str] = {}
        self.tokens: dict[str, Logins] = {}
        self._settings = settings
        self._trusted = {said.name for said in settings.servers if said.trust}
        self._own: Registry | None = None
        self._accepted = Accepted()
        self._changed = anyio.Event()
        self._book = Book()

    @property
    def tools(self) -> list[Tool]:
        """The tools of all servers, in order."""
        return [tool for server in self.servers.values() for tool in server.tools]

    def server(self, name: str) -> Server:
        """The server of that name.

        Raises:
            NotFound: There is none.
        """
        if name not in self.servers:
            raise NotFound(f"no server {name!r}", code="server.absent", remedy="See `interlock servers list`.")
        return self.servers[name]

    async def unseen(self, principal: Principal) -> frozenset[str]:
        """Names of tools that this principal's own connections to servers do not list: they are not offered (T43)."""
        lacking = self.lacking(principal)  # who has not logged in has no connection, and is told so instead
        apart = [server for name, server in self.servers.items() if server.plan.per_principal and name not in lacking]
        found: set[str] = set()
        if not apart:
            return frozenset()

        async def ask(server: Server) -> None:
            found.update(await server.unseen(principal.tenant, principal.id))

        async with anyio.create_task_group() as tasks:
            for server in apart:
                tasks.start_soon(ask, server)
        return frozenset(found)

    def follow(self, book: Book) -> None:
        """Do what a person said: let servers be started whose commands are reviewed, and start again those named."""
        for said in self._settings.servers:
            server = self.servers[said.name]
            server.object_to(objection(said, book))
            if book.again.get(said.name, 0) != self._book.again.get(said.name, 0):
                server.restart()
        self._book = book

    async def read_again(self) -> None:
        """Follow the book whenever it changes, and try again where somebody logged in, until cancelled."""
        file, folder = anyio.Path(book_file(self._settings)), anyio.Path(self._settings.state_folder / TOKENS)
        before, logins = await _stamp(file), (-1, -1)  # who logged in while the servers started is seen at once
        while True:
            await anyio.sleep(BOOK_S)
            if logins != (logins := await _stamp(folder)):
                for name, tokens in self.tokens.items():
                    await tokens.look()
                    self.servers[name].retry()
            now = await _stamp(file)
            if now != before:
                before = now
                try:
                    self.follow(await anyio.to_thread.run_sync(read_book, Path(file)))
                except SettingsError as error:
                    self.refused["", ""] = str(error)

    def lacking(self, principal: Principal) -> dict[str, str]:
        """The servers that a principal has to log in to first, each with what to tell the model."""
        holder = (principal.tenant, principal.id)
        return {name: _LOG_IN for name, tokens in self.tokens.items() if tokens.lacking(holder)}

    def note_change(self) -> None:
        """Have the registry replaced soon."""
        self._changed.set()

    def listings(self) -> list[Listing]:
        """What every server offers, in the order of the settings."""
        listed = [(said.name, self.servers.get(said.name)) for said in self._settings.servers]
        return [
            Listing(
                server=name, tools=() if server is None else server.tools, trusted=name in self._trusted,
                absent="" if server and server.state is State.READY else "its server does not answer",
            )
            for name, server in listed
        ]  # fmt: skip

    async def recall(self, settings: Settings, world: World) -> None:
        """Read what was accepted before, so that a policy loads which names tools of a server that is not there."""
        if (
            not settings.servers
            or settings.ledger is None
            or not await anyio.Path(settings.at(settings.ledger)).exists()
        ):
            return
        store = await anyio.to_thread.run_sync(open_store, settings, world)
        try:
            self._accepted = await Definitions(store).accepted()
        finally:
            await store.close()

    def admit(self, own: Iterable[Tool]) -> Registry:
        """The registry of own tools and of those that the servers list now, by what was accepted before."""
        self._own = Registry(own, pins=self._pins(), secrets=secret_rules(self._settings))
        return with_servers(self._own, self.listings(), self._accepted)[0]

    async def join(self, plane: Plane) -> None:
        """Record what is new about the servers' tools, and put the registry in force with the same policy for it.

        Raises:
            LedgerError: It could not be recorded; what was in force stays.
        """
        assert self._own is not None and plane.definitions is not None, "own tools were admitted"
        plane.lacking = self.lacking
        registry = await plane.definitions.take(self._own, self.listings())
        self.refused = {(each.tool.server, each.tool.name): each.reason for each in plane.definitions.aside}
        while True:
            before = plane.policy
            try:
                policy = await anyio.to_thread.run_sync(before.with_tools, registry.tools)
            except PolicyError as error:
                self.refused["", ""] = str(error)  # what was in force stays; what changed is refused when called
                return
            if plane.policy is before:  # else another one was loaded meanwhile
                break
        plane.registry, plane.policy = registry, policy

    async def keep(self, plane: Plane) -> None:
        """Replace the plane's registry and policy whenever something changed, until cancelled."""
        for name, server in self.servers.items():
            plane.executor.health.watch(
                Probe(name=f"server {name}", ask=partial(_ready, server), server=name, every_s=5)
            )
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            try:
                await self.join(plane)
            except LedgerError:
                await anyio.sleep(_AGAIN_S)
                self._changed.set()

    def _pins(self) -> Pins | None:
        named = self._settings.pins
        return read_pins(self._settings.at(named)) if named is not None else None


async def _ready(server: Server) -> bool:
    return server.state is State.READY


async def _stamp(file: anyio.Path) -> tuple[int, int]:
    """What changes with a file's content; zeros where there is none."""
    try:
        seen = await file.stat()
    except OSError:
        return 0, 0
    return seen.st_mtime_ns, seen.st_ino


@asynccontextmanager
async def open_fleet(settings: Settings, world: World, *, start: bool = True) -> AsyncIterator[Fleet]:
    """Start every server and list its tools, each within its own time; one that fails costs its own tools alone.

    Args:
        start: Whether they are started at all; else there is none, and all of them are absent.

    Raises:
        SettingsError: A file that the settings name is not acceptable; nothing was started.
    """
    fleet = Fleet(settings, Relay())
    if not start:
        yield fleet
        return
    plans, book = await anyio.to_thread.run_sync(_read, settings, fleet, world)
    for tokens in fleet.tokens.values():
        await tokens.look()
    async with tasks_beside() as tasks:
        for plan in plans:
            fleet.servers[plan.terms.server] = Server(plan, world.clock, tasks, fleet.note_change)
        fleet.follow(book)
        async with anyio.create_task_group() as starting:
            for server in fleet.servers.values():
                starting.start_soon(server.start)
        for server in fleet.servers.values():
            tasks.start_soon(server.tend)
        if plans:
            tasks.start_soon(fleet.read_again)
        yield fleet


def book_file(settings: Settings) -> Path:
    """Where it stands what a person said of the servers."""
    return settings.state_folder / "servers.json"


def _read(settings: Settings, fleet: Fleet, world: World) -> tuple[list[Plan], Book]:
    if any(said.oauth for said in settings.servers):
        from interlock.server_tokens import open_tokens  # brings httpx2 and cryptography

        opened = (open_tokens(said, settings, world.clock, world.entropy) for said in settings.servers if said.oauth)
        fleet.tokens = {tokens.terms.server: tokens for tokens in opened}
    if any(named_secrets(each) for said in settings.servers for each in (said.env, said.headers)):
        keep_out_of_cores()
    keeper = sources_of(settings, world.clock)
    plans = [plan_of(said, settings, fleet.relay, keeper, fleet.tokens.get(said.name)) for said in settings.servers]
    return plans, read_book(book_file(settings))


def plan_of(
    said: ServerSettings, settings: Settings, relay: Relay, keeper: Keeper, tokens: Logins | None = None
) -> Plan:  # fmt: skip
    """What a server is reached by, from what the settings say of it.

    Args:
        keeper: What keeps the secrets that the settings refer to: asked whenever a connection is made.
        tokens: What each connection says who it is by; None for a server without OAuth.

    Raises:
        SettingsError: A file that they name is not acceptable.
        MissingExtra: What speaks to servers is not installed.
    """
    try:
        from interlock.sources.mcp_session import Connection  # brings the SDK of the protocol
    except ImportError:
        raise MissingExtra("servers need the extra 'mcp'", remedy="Run `pip install 'interlock[mcp]'`.") from None

    allow = frozenset(said.allow)
    terms = Terms(
        server=said.name, allow=allow, start_s=said.start_s, items_max=said.tools_max, alone=bool(said.command)
    )  # fmt: skip
    dial = _stdio(said, settings, keeper) if said.command else _http(said, settings, keeper, tokens)

    def connect(key: Key) -> Connection:
        return Connection(terms, dial(key), relay, handshake=key[2], hears=key == SHARED)

    return Plan(
        terms=terms, connect=connect, profile=profile_of(said), per_principal=said.apart, relist_s=said.relist_s,
        older=lambda call_id: relay.client_of(call_id).way is Way.DURING,
    )  # fmt: skip


def named_secrets(values: Mapping[str, str | SecretName]) -> dict[str, Reference]:
    """Name to reference, of those values that are none but say where they are kept."""
    return {name: reference_of(each.reference) for name, each in values.items() if isinstance(each, SecretName)}


def _texts(values: Mapping[str, str | SecretName]) -> dict[str, str]:
    return {name: each for name, each in values.items() if isinstance(each, str)}


async def _had(named: Mapping[str, Reference], keeper: Keeper) -> dict[str, str]:
    return {name: await keeper.secret(reference) for name, reference in named.items()}


def _stdio(said: ServerSettings, settings: Settings, keeper: Keeper) -> Callable[[Key], Any]:
    """What starts a server, whoever it is started for."""
    from interlock.sources.mcp_stdio import Command, stdio_link

    command = Command(
        argv=said.command, env=_environment(said, settings), frame_max=said.result_bytes_max,
        cwd=settings.at(said.cwd) if said.cwd is not None else settings.folder,
    )  # fmt: skip
    named = named_secrets(said.env)

    @asynccontextmanager
    async def started() -> AsyncIterator[Any]:
        secrets = await _had(named, keeper)
        async with stdio_link(replace(command, env={**command.env, **secrets})) as link:
            yield link

    return lambda key: started


def _http(
    said: ServerSettings, settings: Settings, keeper: Keeper, tokens: Logins | None
) -> Callable[[Key], Any]:  # fmt: skip
    """What dials a server, with the token of whom it is dialled for."""
    from interlock.sources.mcp_http import Address, http_link

    files = {name: read_secret(settings.at(file)) for name, file in said.header_files.items()}
    headers, secrets = _texts(said.headers) | files, list(files.values())
    if said.key_file is not None:
        secrets.append(read_secret(settings.at(said.key_file)))
        headers["authorization"] = f"Bearer {secrets[-1]}"
    reach = reach_of(said.reach, f"servers {said.name}: reach").with_literal(said.url)
    address = Address(
        url=said.url, reach=reach, headers=headers, frame_max=said.result_bytes_max, secrets=tuple(secrets)
    )  # fmt: skip
    named = named_secrets(said.headers)

    @asynccontextmanager
    async def dialled(at: Address) -> AsyncIterator[Any]:
        had = await _had(named, keeper)
        whole = replace(at, headers={**at.headers, **had}, secrets=(*at.secrets, *had.values()))
        async with http_link(whole) as link:
            yield link

    if tokens is None:
        return lambda key: partial(dialled, address)
    return lambda key: partial(dialled, replace(address, bearer=tokens.bearer(key[:2])))


def _environment(said: ServerSettings, settings: Settings) -> dict[str, str]:
    """The variables that a server gets: PATH and HOME, and those that the operator names."""
    found = named_environment(("PATH", "HOME", *said.env_pass))
    if missing := [name for name in said.env_pass if name not in found]:
        raise SettingsError(
            f"servers.{said.name}.env_pass: {missing[0]} is not set", remedy="Set it, or remove it from the list."
        )
    files = {name: read_secret(settings.at(file)) for name, file in said.env_files.items()}
    return {**found, **_texts(said.env), **files}


def profile_of(said: ServerSettings) -> Profile:
    """The operator's word on the tools of a server."""
    options: dict[str, dict[str, Any]] = {
        name: profile.model_dump(exclude_none=True) for name, profile in said.tools.items()
    }
    for name, effect in said.effects.items():
        options.setdefault(name, {}).setdefault("effect", effect)
    return Profile(server=said.name, prefix=said.prefixed, timeout_s=said.timeout_s, options=options)
