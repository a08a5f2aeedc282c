"""The simulation finds what it is there to find: every deliberately broken path diverges within a few seeds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.testing import Divergence, Simulator
from proof.simulate import simulator
from tests.simulate.mutants import MUTANTS

SEEDS = 3000
"""Within so many each one must be found."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_path_diverges(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    made = simulator()
    mutant(monkeypatch)
    found = next((seed for seed in range(SEEDS) if diverges(made, seed)), None)
    assert found is not None, f"not within {SEEDS} seeds"
    monkeypatch.undo()
    assert not diverges(made, found), "it is the mutant that was found"


def diverges(made: Simulator, seed: int) -> bool:
    try:
        made.run(seed)
    except Divergence:
        return True
    return False
