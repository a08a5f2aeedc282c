"""Both stores, an office over each, and a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interlock.ledger.store import MemoryStore, Store
from interlock.testing import FrozenClock
from tests.ledger import makers
from tests.net.receivers import Receiver
from tests.notices.office import Office, opened


@pytest.fixture(params=["memory", "sqlite"])
async def office(request: pytest.FixtureRequest, anyio_backend: str, tmp_path: Path) -> AsyncIterator[Office]:
    clock = FrozenClock()
    store: Store
    store = MemoryStore(clock) if request.param == "memory" else await makers.opened(tmp_path / "ledger.db", clock)
    async with opened(store, clock) as office:
        yield office
    await store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
