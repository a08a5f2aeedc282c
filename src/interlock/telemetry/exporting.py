"""The door of the export: what the settings name, put together for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module

import anyio.to_thread

from interlock.app import Interlock
from interlock.compose import World
from interlock.engine.beside import beside, tasks_beside
from interlock.ledger.feed import Feed
from interlock.settings import Settings
from interlock.telemetry.told import Told


@asynccontextmanager
async def exporting(
    settings: Settings, plane: Interlock, world: World, feed: Feed | None = None
) -> AsyncIterator[Told | None]:  # fmt: skip
    """What a plane's ledger says, delivered to the collector that the settings name, for as long as the block lasts.

    Args:
        feed: What tells of commits, where one runs already; else one is made.

    Returns:
        How it stands, kept current; None where the settings name no collector, and nothing is sent anywhere.

    Raises:
        SettingsError: The address or the file of headers is not acceptable.
        MissingExtra: The extra `otel` is not installed.
    """
    said = settings.telemetry.otlp
    if not said.endpoint:
        yield None
        return
    async with AsyncExitStack() as stack:
        if feed is None:
            feed = Feed(plane.store)
            await stack.enter_async_context(beside(feed.run))
        # In threads: it reads files, and what it imports does so too.
        await anyio.to_thread.run_sync(import_module, "interlock.telemetry.otel_open")
        from interlock.telemetry.otel_open import open_exporter  # brings protobuf and httpx2

        exporter = await anyio.to_thread.run_sync(open_exporter, settings, plane, world, feed)
        exporter.begin()
        async with tasks_beside(exporter.stop) as tasks:
            tasks.start_soon(exporter.run)
            yield exporter.told
