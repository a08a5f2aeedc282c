"""A part of `make evals`."""

from __future__ import annotations

from pathlib import Path

import anyio

from proof.evals import held, wrong


def test_recorded_runs_are_graded_as_their_labels_say(data_dir: Path, tmp_path: Path) -> None:
    """F1: tool selection on runs of a real model, with labels that others made."""
    result, said = anyio.run(held, data_dir, tmp_path, 12)
    assert wrong(result, said) == []
    assert len(result.trials) == 12
