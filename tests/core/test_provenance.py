"""Where values came from, as data: joins go down, and what is kept reads back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interlock.core.provenance import (
    ROLES,
    ArgumentOrigin,
    Evidence,
    Lack,
    Level,
    Provenance,
    provenance_from_json,
)

LEVELS = st.sampled_from(list(Level))
NAMES = st.text("abc/_~0", max_size=6)
EVIDENCE = st.builds(Evidence, NAMES, NAMES, st.integers(-1, 9), st.integers(-1, 9))
ORIGINS = st.builds(
    ArgumentOrigin, NAMES, st.sampled_from(ROLES), LEVELS, st.sampled_from(["r1", "r8"]),
    st.lists(EVIDENCE, max_size=2).map(tuple), st.lists(NAMES, max_size=2).map(tuple),
)  # fmt: skip
LACKS = st.builds(Lack, st.sampled_from([*ROLES, "mandate"]), NAMES, st.none() | LEVELS)
KNOWN = st.builds(
    Provenance,
    arguments=st.lists(ORIGINS, max_size=3, unique_by=lambda each: each.pointer).map(tuple),
    lacks=st.lists(LACKS, max_size=2).map(tuple),
    **dict.fromkeys(("profiled", "mandated", "words_seen", "saw_third", "saw_private", "sent_out"), st.booleans()),
)


@given(st.lists(LEVELS), LEVELS)
def test_one_source_more_never_makes_a_value_more_trusted(levels: list[Level], more: Level) -> None:
    assert Level.least([*levels, more]) <= more
    if levels:
        assert Level.least([*levels, more]) <= Level.least(levels)


def test_what_has_no_source_is_the_models() -> None:
    assert Level.least([]) is Level.MODEL


@given(KNOWN)
def test_what_is_kept_reads_back_as_it_was(known: Provenance) -> None:
    assert provenance_from_json(known.as_json()) == known


@given(KNOWN, st.sampled_from(ROLES))
def test_a_role_is_as_its_least_leaf(known: Provenance, role: str) -> None:
    levels = [each.level for each in known.arguments if each.role == role]
    assert known.least(role) == (Level.least(levels) if levels else None)
