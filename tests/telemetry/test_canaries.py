"""Secrets that far ends repeat are in nothing that a collector gets, with all content switched on (D5, T32)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from interlock import World, load_settings, open_plane
from interlock.telemetry.exporting import exporting
from proof.canaries.caller import call_all, no_pause
from proof.canaries.look import canaries_in_environment, deployed, found, made
from proof.canaries.service import serving
from proof.collector import Collector, collecting

pytestmark = pytest.mark.anyio

CANARY, LEAKED = made(2, seed=11)


async def everything(folder: Path, collector: Collector, content: bool) -> bytes:
    """What a collector got of every call with a secret."""
    with serving() as url, canaries_in_environment([CANARY], LEAKED):
        await anyio.to_thread.run_sync(deployed, folder, url)
        more = f'\n[telemetry.otlp]\nendpoint = "{collector.url}"\nevery_s = 0.05\ncontent = {str(content).lower()}\n'
        file = folder / "interlock.toml"
        file.write_text(file.read_text() + more)
        settings = await anyio.to_thread.run_sync(load_settings, file)
        aside: Any = io.StringIO()
        async with (
            open_plane(settings, world=World(pause=no_pause)) as plane,
            exporting(settings, plane, World()) as told,
        ):
            await call_all(plane, 1, aside, aside)
            assert told is not None
            with anyio.fail_after(60):
                while told.position < plane.store.position():
                    await anyio.lowlevel.checkpoint()
    return b"".join(body for _, body in collector.bodies)


async def test_no_secret_is_in_what_a_collector_gets_and_what_nobody_knew_to_be_one_is(tmp_path: Path) -> None:
    with collecting() as collector:
        got = await everything(tmp_path, collector, content=True)
    times = found({"telemetry": got}, [CANARY])
    assert {form: count for (_, form), count in times.items() if count} == {}
    assert b"[secret]" in got and b"env://CANARY_0" in got, "it was looked where they would be"
    leaked = found({"telemetry": got}, [LEAKED])
    assert all(leaked.values()), leaked


async def test_without_content_not_even_that_is(tmp_path: Path) -> None:
    with collecting() as collector:
        got = await everything(tmp_path, collector, content=False)
    assert len(collector.spans()) > 90
    for secret in (CANARY, LEAKED):
        assert not any(found({"telemetry": got}, [secret]).values())
    assert b"env://CANARY_0" not in got
