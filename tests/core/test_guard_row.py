"""Names of guard rows: no two subjects share one, whatever they are called (defect 68)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interlock.core.guard_row import WHOM, Subject, read_row, row_name, rows_of
from interlock.core.principal import Principal

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6) | st.sampled_from(
    ["a", "a:b", "b", '"', '","', "]", "/", "\\u002f", "tool", '["tool","b"]', "acme/cache/x"]
)
SUBJECTS = st.builds(Subject, st.builds(Principal, NAMES, NAMES), NAMES, NAMES)
PER = st.lists(st.sampled_from(WHOM), max_size=4)


def seen(subject: Subject, per: list[str]) -> tuple[object, ...]:
    """What of a subject a row is to tell apart."""
    who, run_id, tool = subject
    kept = {"principal": who.id, "tool": tool, "run": run_id}
    return who.tenant, *(kept[kind] if kind in per else None for kind in kept)


@given(SUBJECTS, SUBJECTS, PER, NAMES, NAMES)
def test_two_subjects_share_a_row_only_where_they_are_the_same_to_it(
    one: Subject, other: Subject, per: list[str], name: str, other_name: str
) -> None:
    """`user:name` joined by a colon is not such a name: `a:b` and `c` are `a` and `b:c`."""
    rows = row_name(one, ("rate", name), per), row_name(other, ("rate", other_name), per)
    assert (rows[0] == rows[1]) == ((seen(one, per), name) == (seen(other, per), other_name))


@given(SUBJECTS, PER, NAMES)
def test_a_row_says_whose_it_is_and_begins_with_its_tenant(subject: Subject, per: list[str], name: str) -> None:
    row = row_name(subject, ("budget", name, "calls", ""), per)
    assert row.startswith(rows_of(subject.principal.tenant))
    parts = read_row(row)
    assert parts is not None
    assert parts[:5] == [subject.principal.tenant, "budget", name, "calls", ""]
    assert [kind for kind, _ in parts[5:]] == [kind for kind in ("principal", "tool", "run") if kind in per]


@given(SUBJECTS, NAMES, NAMES)
def test_no_row_of_a_limit_is_one_of_a_cache_tag(subject: Subject, tenant: str, tag: str) -> None:
    assert "/" not in row_name(subject, ("rate", "r"), WHOM)


def test_another_guards_row_has_no_parts() -> None:
    assert read_row("acme/cache/rents") is None
    assert read_row("[not json") is None
