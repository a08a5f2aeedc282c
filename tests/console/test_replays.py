"""A replay that is kept while somebody walks through it is never that of the run as it was before."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.console.run import _Replays
from interlock.core.event import Kind
from interlock.ledger.redact import redact
from tests.api.stand import OPA, opened

pytestmark = pytest.mark.anyio


async def test_a_run_that_goes_on_or_is_erased_in_part_is_replayed_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as api:
        run_id = await api.run("ana")
        await api.call(run_id, "look_up")
        replays = _Replays(api.site)
        events, steps = await replays.of(run_id)
        assert (await replays.of(run_id))[1] is steps, "where nothing happened it is kept"
        await api.call(run_id, "look_up", n=2)
        later, more = await replays.of(run_id)
        assert (len(later) > len(events), len(more) > len(steps)) == (True, True)
        await api.post("ana", f"/runs/{run_id}/finish")
        told = next(event.seq for event in later if event.fact.kind is Kind.CALL_RESULT)
        await redact(api.site.store, run_id, [told], "asked for", OPA)
        erased, _ = await replays.of(run_id)
        assert (bool(later[told - 1].payload), bool(erased[told - 1].payload)) == (True, False)
