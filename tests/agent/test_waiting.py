"""What waiting costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.waiting import measure

pytestmark = pytest.mark.anyio


async def test_waiting_runs_add_no_task_and_are_known_to_nobody(tmp_path: Path) -> None:
    """A part of `make waiting`: how many bytes each takes needs more runs than a test should make."""
    found = await measure(40, 10, tmp_path)
    assert (found.runs, found.tasks, found.known, found.due) == (40, 0, 0, 0)
