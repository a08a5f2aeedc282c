"""What a pattern weighs. Threat T31."""

from __future__ import annotations

import pytest

from interlock.registry.patterns import patterns_weight


@pytest.mark.parametrize(
    ("pattern", "weight"),
    [
        ("", 1),
        ("abc", 3),
        ("a{1000}", 1_000),
        ("a{2,30}", 30),
        ("a{5,}", 5),
        ("a{,7}", 7),
        ("a{x}", 4),
        ("{3}", 1),
        ("(ab){10}c", 21),
        ("((a{10}){10}){10}", 1_000),
        ("[a-z]{3}", 3),
        ("[\\]x]{3}", 3),
        ("[a", 1),
        ("\\d{4}-\\d{2}", 7),
        ("\\p{L}", 43),
        ("[\\p{L}]", 41),
        ("(a", 1),
        ("a)", 2),
        ("\\", 1),
    ],
)
def test_counted_repetitions_are_written_out(pattern: str, weight: int) -> None:
    assert patterns_weight({"pattern": pattern}) == weight


def test_all_patterns_of_a_subschema_count() -> None:
    assert patterns_weight({}) == 0
    assert patterns_weight({"pattern": 5, "patternProperties": []}) == 0
    assert patterns_weight({"pattern": "ab", "patternProperties": {"abc": {}, "d": {}}}) == 6
