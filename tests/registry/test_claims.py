"""Annotations only raise. Threat T10."""

from __future__ import annotations

import pytest

from tests.registry.makers import foreign


@pytest.mark.parametrize(
    ("said", "hints", "effect"),
    [
        ("irreversible", {"readOnlyHint": True}, "irreversible"),
        ("reversible", {"readOnlyHint": True, "destructiveHint": False}, "reversible"),
        ("read", {"readOnlyHint": True}, "read"),
        ("read", {"readOnlyHint": False}, "reversible"),
        ("read", {"destructiveHint": True}, "irreversible"),
        ("reversible", {"destructiveHint": True}, "irreversible"),
        ("privileged", {"destructiveHint": True}, "privileged"),
        ("read", {"destructiveHint": True, "readOnlyHint": True}, "irreversible"),
        ("read", {"destructiveHint": "yes"}, "read"),
        ("read", None, "read"),
        ("read", [1], "read"),
    ],
)
def test_an_annotation_never_lowers_what_a_call_counts_as(said: str, hints: object, effect: str) -> None:
    assert foreign("pay", effect=said, claims={"annotations": hints}).effect == effect


def test_what_says_nothing_is_privileged() -> None:
    assert foreign("pay", effect="privileged", claims={"annotations": {"readOnlyHint": True}}).effect == "privileged"


def test_an_open_world_carries_data_out() -> None:
    assert foreign("fetch", effect="read", claims={"annotations": {"openWorldHint": True}}).outward
    assert not foreign("fetch", effect="read", claims={"annotations": {"openWorldHint": False}}).outward
    assert foreign("fetch", effect="read", outward=True, claims={"annotations": {"openWorldHint": False}}).outward
