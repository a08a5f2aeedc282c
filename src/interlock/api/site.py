"""What every route and page has: the plane, the settings, and who is let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.api.admission import Admission, Everybody
from interlock.api.heavy import Heavy
from interlock.api.identity import Identity, open_identity
from interlock.api.open_runs import OpenRuns
from interlock.app import Interlock
from interlock.compose import World
from interlock.core.clock import Clock
from interlock.core.ids import IdMaker
from interlock.engine.beside import beside
from interlock.key_ring import KeyRing
from interlock.ledger.feed import Feed
from interlock.ledger.store import Store
from interlock.settings import Settings
from interlock.telemetry.following import Telemetry, open_telemetry
from interlock.telemetry.measures import Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One for each process.

    Attributes:
        plane: The open plane.
        settings: What the deployment is made of.
        ring: The deployment's keys, as they stand now.
        identity: How people sign in, and what programs come with.
        admission: Says whose a request is.
        clock: For every time that is shown or judged.
        new_id: Makes ids of requests.
        feed: Tells what is committed, by this process and by others.
        telemetry: Figures over time, counts and alerts.
        runs: The runs that requests of this process work in.
        heavy: The turn of what takes a core for a while: a verification, a backtest.
    """

    plane: Interlock
    settings: Settings
    ring: KeyRing
    identity: Identity
    admission: Admission
    clock: Clock
    new_id: IdMaker
    feed: Feed
    telemetry: Telemetry
    runs: OpenRuns
    heavy: Heavy

    @property
    def store(self) -> Store:
        """Where everything is recorded."""
        return self.plane.store

    @property
    def measures(self) -> Measures:
        """Figures over time."""
        return self.telemetry.measures

    @property
    def now_us(self) -> int:
        """The time, microseconds UTC."""
        return self.clock.wall_us()


@asynccontextmanager
async def open_site(settings: Settings, plane: Interlock, world: World, keys_file: Path) -> AsyncIterator[Site]:
    """What the pages and the API of an open plane have, for as long as the block lasts.

    Args:
        keys_file: The deployment's keys; it need not exist.
    """
    ring = KeyRing(keys_file, world.clock)
    identity = await open_identity(settings, plane, ring, world)
    admission = Everybody(identity.programs, identity.sessions, lambda: plane.plane.policy.approvers, world.clock)
    feed = Feed(plane.store)
    async with beside(feed.run), open_telemetry(plane.plane, feed, settings.alerts) as telemetry:
        yield Site(
            plane=plane, settings=settings, ring=ring, identity=identity, admission=admission, clock=world.clock,
            new_id=plane.plane.new_id, feed=feed, telemetry=telemetry,
            runs=OpenRuns(plane), heavy=Heavy(),
        )  # fmt: skip
