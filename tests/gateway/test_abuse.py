"""The proofs `make fuzz` and `make isolation` in little: a real gateway under frames that nobody sends."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from proof.frames import frames, numbers_in
from proof.fuzz import abuse
from proof.gateway_process import Answer, messages_of
from proof.isolation import isolate

pytestmark = pytest.mark.anyio


async def test_whatever_frames_come_the_gateway_lives_stays_small_and_runs_only_what_is_valid(tmp_path: Path) -> None:
    """Q9, T30: 3,000 frames over HTTP and stdio; `make fuzz` sends a million."""
    found = await abuse(tmp_path, 3000, seed=7, minutes=5)
    assert found.wrong == []
    assert found.held and found.sent == 3000
    assert found.executed > 20, "valid ones among them are executed"
    assert found.statuses[400] > 1000 and found.statuses[200] > 100


async def test_no_answer_reaches_another_of_64_clients_with_equal_ids(tmp_path: Path) -> None:
    """Q14, T14: 320 calls in both revisions; `make isolation` makes 100,000."""
    seen = Counter[str]()
    await isolate(tmp_path, 320, seen)
    assert seen == {"its own": 320}


def test_frames_are_the_same_for_the_same_seed_and_of_every_kind() -> None:
    first, again, other = (list(islice(frames(seed), 500)) for seed in (1, 1, 2))
    assert first == again != other
    valid = sum(bool(numbers_in(frame.body)) for frame in first)
    assert 20 < valid < 400
    assert any(frame.raw for frame in first) and any(frame.session for frame in first)


def test_what_reads_answers_tells_a_broken_one() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        messages_of(Answer(200, {"content-type": "application/json"}, b"{"))
    assert messages_of(Answer(200, {"content-type": "text/event-stream"}, b"event: x\ndata: {}\n\n")) == [{}]
