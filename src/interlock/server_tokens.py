"""Tokens for servers behind: one holder each, sealed at rest, renewed by one at a time.

A token belongs to (tenant, principal, server) and is good for nobody else. It stands in a file of its own beside the
ledger, sealed under the deployment's key for just these names; it is read when a request needs it and goes into that
request's header and nowhere else.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from interlock.core.canonical import framed
from interlock.core.clock import SECOND_US, Clock
from interlock.errors import NotSent, SettingsError
from interlock.net.egress import Egress, trusted
from interlock.net.oauth import Client, Tokens, own_tokens, renew, revoke
from interlock.net.oauth_metadata import Grantor, discover
from interlock.net.reach import Reach, reach_of
from interlock.net.secrets import Box
from interlock.private_files import check_private, deployment_key, read_secret, write_private
from interlock.server_settings import TOKENS, ServerSettings
from interlock.settings import Settings

Holder = tuple[str, str]
"""Tenant and principal; both empty for this deployment itself."""

OURSELVES: Final[Holder] = ("", "")

EARLY_S: Final = 30
"""Seconds before its end at which a token is renewed."""

LOCK_S: Final = 45.0
"""Seconds that another process may take to renew."""

_PURPOSE: Final = "interlock/server-token/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is kept of a login.

    Attributes:
        url, issuer: What it was made for: in front of another address it is worth nothing.
        client_id, client_secret: The client that it was given to. That of the operator keeps its secret in a file.
        access, refresh: The tokens.
        until_us: Until when `access` is good, microseconds UTC; 0 where that was not said.
    """

    url: str
    issuer: str
    client_id: str
    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    until_us: int = 0


class TokenFiles:
    """The files of tokens of a deployment, one for each holder and server, mode 0600.

    Args:
        folder: Where they stand; made on the first login.
        box: Seals them.
    """

    def __init__(self, folder: Path, box: Box) -> None:
        self._folder = folder
        self._box = box

    def file(self, holder: Holder, server: str) -> Path:
        """Where the tokens of a holder for a server stand. A name says nothing of either."""
        hashed = hashlib.sha256(framed(_PURPOSE, *(name.encode() for name in (*holder, server))))
        return self._folder / f"{hashed.hexdigest()[:40]}.json"

    def read(self, holder: Holder, server: str) -> Held | None:
        """What is kept; None where nothing is, or what cannot be opened for just this holder and server."""
        file = self.file(holder, server)
        try:
            check_private(file)
            said: Any = json.loads(file.read_bytes())
            plain = self._box.open(base64.b64decode(said["sealed"], validate=True), *holder, server)
            return Held(**json.loads(plain))
        except (OSError, ValueError, KeyError, TypeError, SettingsError):
            return None

    def write(self, holder: Holder, server: str, held: Held, since_us: int) -> None:
        """Keep it in the place of what was kept.

        Args:
            since_us: When the login was.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sealed = self._box.seal(json.dumps(asdict(held)).encode(), *holder, server)
        said = {"server": server, "tenant": holder[0], "principal": holder[1], "since_us": since_us,
                "sealed": base64.b64encode(sealed).decode()}  # fmt: skip
        write_private(self.file(holder, server), json.dumps(said).encode())

    def remove(self, holder: Holder, server: str) -> bool:
        """Keep nothing; whether anything was kept."""
        try:
            self.file(holder, server).unlink()
        except FileNotFoundError:
            return False
        return True

    def holders(self, server: str) -> tuple[Holder, ...]:
        """Who is logged in to a server, the longest first."""
        found: list[tuple[int, Holder]] = []
        for file in self._folder.glob("*.json"):
            try:
                said = json.loads(file.read_bytes())
                holder = (str(said["tenant"]), str(said["principal"]))
                if said["server"] == server and file == self.file(holder, server):
                    found.append((int(said["since_us"]), holder))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return tuple(holder for _, holder in sorted(found))

    def since_us(self, holder: Holder, server: str) -> int:
        """When the login was, microseconds UTC; 0 where there is none."""
        try:
            return int(json.loads(self.file(holder, server).read_bytes())["since_us"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    @asynccontextmanager
    async def alone(self, holder: Holder, server: str) -> AsyncIterator[None]:
        """While no other process does this for the same holder and server.

        Raises:
            NotSent: Another one does, for longer than it may.
        """
        handle = await anyio.to_thread.run_sync(self._lock, holder, server)
        try:
            with anyio.move_on_after(LOCK_S) as waiting:
                while not _locked(handle):
                    await anyio.sleep(0.02)
            if waiting.cancelled_caught:
                raise NotSent(f"another process is renewing the token for server {server!r}", code="oauth.busy")
            yield
        finally:
            os.close(handle)

    def _lock(self, holder: Holder, server: str) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.file(holder, server).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """How tokens for one server are had, by the operator's word.

    Attributes:
        server: The operator's name of the server.
        url: Where it answers.
        issuer: Its authorization server.
        service: Whether this deployment has one token for everybody, instead of each principal theirs.
        scopes: What is asked for.
        client: The client that the operator registered; read in a thread. None where one is registered at each login.
    """

    server: str
    url: str
    issuer: str
    service: bool = False
    scopes: tuple[str, ...] = ()
    client: Callable[[], Client] | None = None


class ServerTokens:
    """The tokens for one server.

    Attributes:
        terms: How they are had.
        egress: What goes to the authorization server.
    """

    def __init__(self, terms: TokenTerms, egress: Egress, reach: Reach, files: TokenFiles, clock: Clock) -> None:
        self.terms, self.egress = terms, egress
        self._reach, self._files, self._clock = reach, files, clock
        self._grantor: Grantor | None = None
        self._own: Held | None = None
        self._holders: tuple[Holder, ...] = ()
        self._turns: defaultdict[Holder, anyio.Lock] = defaultdict(anyio.Lock)

    def lacking(self, holder: Holder) -> bool:
        """Whether this holder has to log in before anything is called, as it stood when it was last looked."""
        return not self.terms.service and holder not in self._holders

    async def look(self) -> None:
        """See who is logged in now: other processes log in and out."""
        self._holders = await anyio.to_thread.run_sync(self._files.holders, self.terms.server)

    def bearer(self, holder: Holder) -> Callable[[str], Awaitable[str]]:
        """What gives a connection its tokens: called for each request, with the token that was refused or nothing.

        The connection of nobody, which lists the tools alone, has those of who logged in first.
        """

        async def token(refused: str) -> str:
            if self.terms.service:
                return await self.token(OURSELVES, refused)
            if holder != OURSELVES:
                return await self.token(holder, refused)
            await self.look()
            if not self._holders:
                raise self._login("nobody has logged in")
            return await self.token(self._holders[0], refused)

        return token

    async def token(self, holder: Holder, refused: str = "") -> str:
        """A token that is good now, renewed where it has to be, by one at a time.

        Args:
            refused: One that the server did not take.

        Raises:
            NotSent: There is none, and there will be none before somebody logs in, or none could be had now.
        """
        held = await self._held(holder)
        if held is not None and self._good(held, refused):
            return held.access
        async with self._turns[holder], self._files.alone(holder, self.terms.server):
            held = await self._held(holder)
            if held is not None and self._good(held, refused):  # another one was faster
                return held.access
            # what was used up at their end must be kept here, whoever gives up waiting for it
            with anyio.CancelScope(shield=True):
                made = await (self._renewed(holder, held) if not self.terms.service else self._ours())
            return made.access

    async def keep(self, holder: Holder, client: Client, made: Tokens) -> None:
        """Keep what a login brought."""
        held = self._as_held(client, made)
        now_us = self._clock.wall_us()
        async with self._turns[holder], self._files.alone(holder, self.terms.server):
            await anyio.to_thread.run_sync(self._files.write, holder, self.terms.server, held, now_us)
        await self.look()

    async def forget(self, holder: Holder) -> bool | None:
        """Log a holder out here, and at the authorization server if it can be told.

        Returns:
            Whether it took the tokens back; None where there was nothing to forget.
        """
        async with self._turns[holder], self._files.alone(holder, self.terms.server):
            held = await self._held(holder)
            there = await anyio.to_thread.run_sync(self._files.remove, holder, self.terms.server)
        await self.look()
        if held is None:
            return False if there else None
        try:
            grantor, client = await self.grantor(), await self._client_of(held)
        except NotSent:
            return False
        told = [(held.refresh, "refresh_token"), (held.access, "access_token")]
        return all([await revoke(self.egress, grantor, client, token, kind) for token, kind in told if token])

    async def grantor(self) -> Grantor:
        """The authorization server, asked once in the life of this process.

        Raises:
            NotSent: It cannot be asked, or what it says is not acceptable.
        """
        if self._grantor is None:
            self._grantor = await discover(
                self.egress, self._reach, url=self.terms.url, issuer=self.terms.issuer, people=not self.terms.service
            )
        return self._grantor

    async def client(self) -> Client | None:
        """The client that the operator registered; None where one is registered at each login.

        Raises:
            NotSent: Its secret cannot be read.
        """
        if self.terms.client is None:
            return None
        try:
            return await anyio.to_thread.run_sync(self.terms.client)
        except SettingsError:
            raise NotSent(f"the secret for server {self.terms.server!r} cannot be read", code="oauth.client") from None

    async def _held(self, holder: Holder) -> Held | None:
        if self.terms.service:
            return self._own
        held = await anyio.to_thread.run_sync(self._files.read, holder, self.terms.server)
        same = held is not None and (held.url, held.issuer) == (self.terms.url, self.terms.issuer)
        return held if same else None

    def _good(self, held: Held, refused: str) -> bool:
        ends = held.until_us - EARLY_S * SECOND_US
        return held.access != refused and (held.until_us == 0 or self._clock.wall_us() < ends)

    async def _renewed(self, holder: Holder, held: Held | None) -> Held:
        if held is None:
            raise self._login("this principal has not logged in")
        if not held.refresh:
            raise self._login("the login of this principal is over")
        client = await self._client_of(held)
        since_us = await anyio.to_thread.run_sync(self._files.since_us, holder, self.terms.server)
        try:
            made = await renew(self.egress, await self.grantor(), client, held.refresh)
        except NotSent as error:
            if error.code != "oauth.over":
                raise
            await anyio.to_thread.run_sync(self._files.remove, holder, self.terms.server)
            await self.look()
            raise self._login("the login of this principal is over") from None
        kept = self._as_held(client, made)
        await anyio.to_thread.run_sync(self._files.write, holder, self.terms.server, kept, since_us)
        return kept

    async def _client_of(self, held: Held) -> Client:
        """The client that tokens were given to."""
        client = await self.client() or Client(id=held.client_id, secret=held.client_secret)
        if client.id != held.client_id:
            raise self._login("the login of this principal was for another client")
        return client

    async def _ours(self) -> Held:
        client = await self.client()
        assert client is not None, "the settings say one"
        made = await own_tokens(self.egress, await self.grantor(), client, self.terms.scopes)
        self._own = self._as_held(client, made)
        return self._own

    def _as_held(self, client: Client, made: Tokens) -> Held:
        until_us = self._clock.wall_us() + made.life_s * SECOND_US if made.life_s else 0
        return Held(
            url=self.terms.url, issuer=self.terms.issuer, client_id=client.id,
            client_secret=client.secret if self.terms.client is None else "",
            access=made.access, refresh=made.refresh, until_us=until_us,
        )  # fmt: skip

    def _login(self, why: str) -> NotSent:
        how = f"Run `interlock servers login {self.terms.server}`."
        return NotSent(f"{why}: interlock servers login {self.terms.server}", code="oauth.login", remedy=how)


def open_tokens(
    said: ServerSettings, settings: Settings, clock: Clock, entropy: Callable[[int], bytes],
    *, tls: ssl.SSLContext | None = None,
) -> ServerTokens:  # fmt: skip
    """The tokens for a server that wants OAuth. Reads files, so in a thread; sends nothing yet.

    Args:
        tls: Whom to trust; what the machine trusts where None.

    Raises:
        SettingsError: A file that the settings name is not acceptable.
    """
    oauth = said.oauth
    assert oauth is not None, "asked of a server that wants it"

    def client() -> Client:
        file = oauth.client_secret_file
        return Client(id=oauth.client_id, secret="" if file is None else read_secret(settings.at(file)))

    reach = reach_of(said.reach, f"servers {said.name}: reach").with_literal(said.url).with_literal(oauth.issuer)
    key = deployment_key(settings.state_folder / "deployment.key")
    files = TokenFiles(settings.state_folder / TOKENS, Box(key, _PURPOSE, entropy))
    terms = TokenTerms(
        server=said.name, url=said.url, issuer=oauth.issuer, service=oauth.of_service, scopes=oauth.scopes,
        client=client if oauth.client_id else None,
    )  # fmt: skip
    return ServerTokens(terms, Egress(reach, tls=tls or trusted(), keep=0), reach, files, clock)
