"""Whether a process can work, as whoever sends requests to it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.errors import StoreUnavailable
from tests.api.stand import opened

pytestmark = pytest.mark.anyio


async def test_a_process_that_lost_its_ledger_is_not_ready_again_before_it_is_started_again(tmp_path: Path) -> None:
    file, away = tmp_path / "ledger.db", tmp_path / "away.db"
    async with opened(tmp_path, ledger=file) as api:
        run_id = await api.run("ana")
        assert (await api.client.get("/readyz")).text == "ready\n"
        file.rename(away)
        assert (await api.client.get("/readyz")).status_code == 503
        with pytest.raises(StoreUnavailable, match="is gone"):
            await api.site.store.release(run_id, 0)
        away.rename(file)
        assert (await api.call(run_id, "note")).code == "ledger.replaced", "it takes nothing more"
        gone = await api.client.get("/readyz")
        assert (gone.status_code, gone.text) == (503, "not ready\n")
    async with opened(tmp_path / "again", ledger=file) as api:
        assert (await api.client.get("/readyz")).text == "ready\n"
