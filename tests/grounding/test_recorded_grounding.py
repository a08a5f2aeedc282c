"""Grounding on the data folder: `make grounding` prints the whole. Goal of issue 7, shown by 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.core.provenance import Level
from proof.grounding import FLAGGED_MIN, FOUND_MIN, leaves, swaps


@pytest.mark.evidence
def test_gold_arguments_are_found_in_the_words_and_those_of_another_case_are_not(data_dir: Path) -> None:
    needed = [leaf for leaf in leaves() if not leaf.optional]
    assert len(needed) > 2500
    assert sum(leaf.found for leaf in needed) >= FOUND_MIN * len(needed)
    swapped = list(swaps(needed))
    assert len(swapped) > 1000
    assert sum(each.origin.level < Level.USER for each in swapped) >= FLAGGED_MIN * len(swapped)
