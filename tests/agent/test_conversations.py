"""A part of `make conversations`."""

from __future__ import annotations

from pathlib import Path

import anyio

from proof.conversations import make
from proof.recorded import recorded


def test_every_call_of_recorded_conversations_is_decided_recorded_and_answered(data_dir: Path) -> None:
    """Defects 12, 55: each call has a record and one answer, whatever a real model proposed."""
    for name, suite in recorded(data_dir).items():
        made = anyio.run(make, name, suite._replace(runs=suite.runs[::40]))
        assert made.wrong == []
        assert sum(made.outcomes.values()) == made.calls > 0
