"""What every test shares: a loop that nothing blocks, hypothesis without deadlines, the data folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings

# A slow machine is no finding: no deadline, and no complaint that making examples took long.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = os.environ.get("INTERLOCK_EVIDENCE") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the data folder is evidence, marked or not."""
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("evidence")


@pytest.fixture
def anyio_backend() -> str:
    """Interlock promises asyncio only, so the tests run on nothing else."""
    return "asyncio"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The data folder: `INTERLOCK_DATA`, else ../shared/data beside the checkout.

    Where it is absent the test is skipped; under `make evidence` it fails instead.
    """
    folder = Path(os.environ.get("INTERLOCK_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        absent = pytest.fail if EVIDENCE else pytest.skip
        absent(f"no data folder at {folder} (INTERLOCK_DATA)")
    return folder


@pytest.fixture(scope="session")
def _blockbuster() -> BlockBuster:
    # Only calls with a frame of ours in the stack count: a test may read a file, Interlock may not block.
    # The public doubles are left out; the effect oracle and the pytest plugin talk to other processes.
    return BlockBuster("interlock", excluded_modules=_doubles())


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """A call of Interlock's that blocks the event loop fails the async test that made it."""
    if request.node.get_closest_marker("anyio") is None:
        yield
        return
    guard: BlockBuster = request.getfixturevalue("_blockbuster")
    guard.activate()
    try:
        yield
    finally:
        guard.deactivate()


def _doubles() -> list[str]:
    return ["interlock.testing"] if (ROOT / "src/interlock/testing").is_dir() else []
