"""The proof in small: some recorded runs of the data folder, made again under policies that were asked beforehand."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from interlock.ledger.sqlite import SqliteStore
from interlock.testing import FrozenClock
from proof.backtest import BASE, POLICIES, compare, make, predict
from proof.recorded import recorded


@pytest.mark.evidence
def test_recorded_runs_come_out_as_the_backtest_predicts(data_dir: Path, tmp_path: Path) -> None:
    """Issue 7, shown by 5; `make backtest` does it with all of them."""

    async def prove() -> None:
        suites = {name: suite._replace(runs=suite.runs[:6]) for name, suite in recorded(data_dir).items()}
        base, tools = await make(suites, BASE, tmp_path / "ledger.db")
        store = await anyio.to_thread.run_sync(SqliteStore, tmp_path / "ledger.db", FrozenClock())
        for name in ("by counters", "by what is looked up", "by origin"):
            row, judged = await predict(store, name, POLICIES[name], tools)
            compare(row, judged, base, (await make(suites, POLICIES[name], None))[0])
            assert row.tally.changed and row.equal and not row.wrong, name
        await store.close()

    anyio.run(prove)
