"""A part of `make conversations`."""

from __future__ import annotations

import anyio
import pytest

from proof.conversations import make
from proof.recorded import FOLDER, recorded

pytestmark = [pytest.mark.evidence, pytest.mark.skipif(not FOLDER.is_dir(), reason="no data folder (INTERLOCK_DATA)")]


def test_every_call_of_recorded_conversations_is_decided_recorded_and_answered() -> None:
    """Defects 12, 55: each call has a record and one answer, whatever a real model proposed."""
    for name, suite in recorded(FOLDER).items():
        made = anyio.run(make, name, suite._replace(runs=suite.runs[::40]))
        assert made.wrong == []
        assert sum(made.outcomes.values()) == made.calls > 0
