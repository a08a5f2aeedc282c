"""What the screens find and change in the labelled texts of the data folder: `python -m proof.screening`."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.screening import FLAGGED_MAX, FOUND_MIN, measure_clean, measure_injection, measure_secrets

pytestmark = pytest.mark.evidence


def test_secrets_are_found_and_clean_results_are_told_character_for_character(data_dir: Path) -> None:
    """B16; issue 7, shown by 3."""
    secrets = measure_secrets(data_dir)
    assert (secrets["found"].value or 0) >= FOUND_MIN
    assert (secrets["flagged"].value or 1) <= FLAGGED_MAX
    clean = measure_clean(data_dir)
    assert sum(counts["texts"] for counts in clean.values()) >= 1400
    assert {name: counts["changed"] for name, counts in clean.items() if counts["changed"]} == {}
    assert sum(counts["active"] for counts in clean.values()) <= 2


def test_most_of_the_instructions_that_are_worded_as_such_are_flagged(data_dir: Path) -> None:
    shares = measure_injection(data_dir)
    assert (shares["injected, agentdojo"].value or 0) >= 0.95
    assert (shares["clean, agentdyn"].value or 1) <= 0.05
