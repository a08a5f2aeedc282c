"""What works beside an open plane: the sealing of its ledger, and the telling of people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import anyio
import anyio.to_thread

from interlock.compose import World, open_sealer, open_store
from interlock.core.principal import FIRST_TENANT
from interlock.engine.beside import beside
from interlock.errors import StoreUnavailable
from interlock.ledger.sealing import Seals
from interlock.ledger.store import Claim, Store
from interlock.notices.notifier import Notifier
from interlock.pipeline import Plane
from interlock.settings import Settings

_EVERY_S: Final = 1.0


@asynccontextmanager
async def notifying(settings: Settings, store: Store, claim: Claim, world: World) -> AsyncIterator[Notifier | None]:
    """What tells people that they are waited for, for as long as the block lasts; None where nobody is to be told.

    Args:
        claim: Of the process that tells.

    Raises:
        SettingsError, MissingExtra: See `channels.open_channels`.
    """
    if not settings.notify.webhooks and not settings.notify.mail:
        yield None
        return
    from interlock.channels import open_notifier  # brings mail and TLS

    notifier = await anyio.to_thread.run_sync(open_notifier, settings, store, world, claim)
    try:
        yield notifier
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await notifier.close()


@asynccontextmanager
async def open_ledger(settings: Settings, world: World) -> AsyncIterator[Store]:
    """The ledger alone, to be written to: held against its sinks first, and sealed when the block is left.

    Raises:
        StoreUnavailable: It cannot be opened, or was rolled back or forked.
    """
    store = await anyio.to_thread.run_sync(open_store, settings, world)
    try:
        async with sealing(settings, store, world):
            yield store
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()


@asynccontextmanager
async def sealing(settings: Settings, store: Store, world: World) -> AsyncIterator[Seals | None]:
    """The sealer of a store at work, and once more at the end; None where nothing is sealed.

    Raises:
        StoreUnavailable: The ledger was rolled back or forked.
    """
    sealer = await anyio.to_thread.run_sync(open_sealer, settings, store, world)
    if sealer is None:
        yield None
        return
    await sealer.open()
    try:
        async with beside(sealer.run):
            yield sealer
    finally:
        with anyio.CancelScope(shield=True):
            await sealer.close()


@asynccontextmanager
async def watching(plane: Plane, worker: str) -> AsyncIterator[None]:
    """What tools depend on is asked, and what people accept elsewhere is seen, for as long as the block lasts."""
    health = plane.executor.health
    health.worker = worker
    async with beside(health.run), beside(partial(_keep_current, plane)):
        yield


async def _keep_current(plane: Plane) -> None:
    """What is accepted or loaded elsewhere is in force here within a second, though nobody calls here: for lists."""
    while True:
        with suppress(StoreUnavailable):  # the next call says so
            await plane.take_up((await plane.switch.standing(FIRST_TENANT)).loaded)
            await plane.tools_now()
        await anyio.sleep(_EVERY_S)


@asynccontextmanager
async def telling(settings: Settings, store: Store, claim: Claim, world: World) -> AsyncIterator[None]:
    """People are told that they are waited for, for as long as the block lasts; see `notifying`."""
    async with notifying(settings, store, claim, world) as notifier:
        if notifier is None:
            yield
            return
        async with beside(notifier.run):
            yield
