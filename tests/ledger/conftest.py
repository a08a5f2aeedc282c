"""Both stores under one name: what holds for `Store` holds for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import MemoryStore, Store
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import opened


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, anyio_backend: str, clock: FrozenClock, tmp_path: Path
) -> AsyncIterator[Store]:
    found: Store
    found = MemoryStore(clock) if request.param == "memory" else await opened(tmp_path / "ledger.db", clock)
    yield found
    await found.close()


@pytest.fixture
async def sqlite(anyio_backend: str, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    found = await opened(tmp_path / "ledger.db", clock)
    yield found
    await found.close()
