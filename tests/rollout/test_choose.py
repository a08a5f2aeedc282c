"""Who has which version: sticky, monotone, spread evenly, and the old one where nothing can be read. A8."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from interlock.core.call import ToolCall
from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import Principal
from interlock.core.tool import Tool
from interlock.errors import DefinitionError
from interlock.registry.registry import Registry
from interlock.registry.rollout import NO_ROLLOUTS, Rollouts, choose, choose_for
from tests.planes import Far
from tests.rollout.two import given, people, versions

NAMES = st.text(min_size=1, max_size=30)


def pair() -> tuple[Tool, Tool]:
    return versions(Far())


PAIR = pair()
PEOPLE = people(10_000)


def those_with_2(percent: int, of: tuple[Tool, ...] = PAIR) -> set[str]:
    return {who.id for who in PEOPLE if choose(of, who, given(percent)) == 1}


@drawn(NAMES, NAMES, st.integers(0, 100), st.integers(0, 100))
def test_who_has_a_version_keeps_it_while_its_share_grows(who: str, tenant: str, one: int, other: int) -> None:
    principal, low, high = Principal(who, tenant), min(one, other), max(one, other)
    if choose(PAIR, principal, given(low)) == 1:
        assert choose(PAIR, principal, given(high)) == 1
    assert choose(PAIR, principal, given(0)) == 0
    assert choose(PAIR, principal, given(100)) == 1


@drawn(NAMES, st.integers(1, 99))
def test_a_principal_gets_the_same_version_on_every_ask_and_in_every_process(who: str, percent: int) -> None:
    """Roles and kind do not count: who is given a role gets no other version by it."""
    one, same = Principal(who, roles=frozenset({"a"})), Principal(who, roles=frozenset({"b"}), kind="service")
    assert choose(PAIR, one, given(percent)) == choose(pair(), same, given(percent))


def test_who_gets_a_version_does_not_change_with_the_release() -> None:
    """The very ones: a release that chose others would move everybody."""
    assert [who.id for who in PEOPLE[:60] if choose(PAIR, who, given(5)) == 1] == ["user_28", "user_53"]


@pytest.mark.parametrize("percent", [1, 5, 25, 50, 75])
def test_so_many_of_a_hundred_get_it(percent: int) -> None:
    """Within five standard deviations of a fair draw."""
    expected, whole = len(PEOPLE) * percent / 100, len(PEOPLE)
    assert abs(len(those_with_2(percent)) - expected) < 5 * sqrt(whole * percent / 100 * (1 - percent / 100))


def test_another_version_and_another_tenant_begin_with_other_principals() -> None:
    third = replace(PAIR[1], version="3")
    both = those_with_2(25)
    other = {who.id for who in PEOPLE if choose((PAIR[0], third), who, given(25, "3")) == 1}
    assert abs(len(both & other) - len(PEOPLE) / 16) < 5 * sqrt(len(PEOPLE) / 16)
    elsewhere = {who.id for who in people(10_000, "other") if choose(PAIR, who, given(25)) == 1}
    assert abs(len(both & elsewhere) - len(PEOPLE) / 16) < 5 * sqrt(len(PEOPLE) / 16)


def test_of_several_versions_the_newest_that_one_has_is_theirs() -> None:
    three = (*PAIR, replace(PAIR[1], version="3"))
    rollouts = given(100)._with(given(5, "3").all[0])
    got = [choose(three, who, rollouts) for who in PEOPLE]
    assert set(got) == {1, 2}
    assert got.count(2) == len([who for who in PEOPLE if choose((PAIR[0], three[2]), who, given(5, "3")) == 1])


def test_a_tool_of_one_version_can_be_for_some_alone() -> None:
    """A feature flag: off for all but some."""
    one = (PAIR[0],)
    got = [choose(one, who, given(5, "1")) for who in PEOPLE]
    assert set(got) == {0, None} and 400 < got.count(0) < 600
    assert choose(one, PEOPLE[0], given(0, "1")) is None
    assert choose(one, PEOPLE[0], NO_ROLLOUTS) == 0


# ------------------------------------------------------------------ what stands


def event(fact: Fact, seq: int = 1) -> Event:
    return Event(fact, "default", "tenant/default", seq, 7, b"", b"", b"", b"", b"{}")


def word(percent: object, rollout_id: str = "r1", /, **changes: object) -> Event:
    body = {
        "server": "local", "tool": "pay", "version": "2", "percent": percent, "tolerated": 5.0, "reason": "x", "was": 0
    }  # fmt: skip
    return event(Fact(Kind.ROLLOUT_SET, {**body, **changes}, rollout_id, principal_id="opa", tool_hash=PAIR[1].digest))


def rolled_back(rollout_id: str = "r1") -> Event:
    return event(Fact(Kind.ROLLOUT_ROLLED_BACK, {"calls": 20, "failed": 20}, rollout_id))


def share(rollouts: Rollouts) -> int:
    return rollouts.share(PAIR[1], first=False)


def test_what_was_rolled_back_is_nobodys_until_a_person_speaks_again() -> None:
    back = NO_ROLLOUTS.after([word(100), rolled_back()])
    assert share(back) == 0 and back.all[0].figures["failed"] == 20
    assert share(back.after([word(5, "r2")])) == 5


def test_a_rollback_of_an_earlier_word_takes_nothing_from_a_later_one() -> None:
    """Its figures were of that word alone."""
    assert share(NO_ROLLOUTS.after([word(5), word(25, "r2"), rolled_back("r1")])) == 25


@pytest.mark.parametrize("body", [{"percent": 101}, {"percent": "50"}, {"percent": True}, {"tolerated": None}])
def test_a_word_that_cannot_be_read_gives_the_version_to_nobody(body: dict[str, object]) -> None:
    """Fail closed: the old version is what everybody has."""
    unread = NO_ROLLOUTS.after([word(100), word(100, "r2", **body)])
    assert share(unread) == 0
    assert [choose(PAIR, who, unread) for who in PEOPLE[:50]] == [0] * 50
    assert share(unread.after([word(50, "r3")])) == 50


def test_a_word_that_was_erased_gives_the_version_to_nobody() -> None:
    erased = event(Fact(Kind.ROLLOUT_SET, {}, "r2", principal_id="opa", tool_hash=PAIR[1].digest))
    assert share(NO_ROLLOUTS.after([word(100), erased])) == 0
    assert choose((PAIR[1],), PEOPLE[0], NO_ROLLOUTS.after([erased])) is None, "a tool that was for some is for nobody"


# ---------------------------------------------------------------------- the call


def asked(version: str = "", *, sent: bool = False) -> ToolCall:
    return ToolCall(
        run_id="r", call_id="c", tool="pay", arguments={}, principal=PEOPLE[0], version=version, sent=sent
    )  # fmt: skip


@pytest.mark.parametrize(
    ("percent", "call", "place", "by"),
    [
        (100, asked(), 1, "rollout"),
        (0, asked(), 0, "first"),
        (100, asked("1"), 0, "kept"),
        (1, asked("2"), 1, "kept"),
        (0, asked("2"), 0, "first"),
        (0, asked("2", sent=True), 1, "kept"),
        (100, asked("9", sent=True), 1, "rollout"),
    ],
)
def test_a_call_keeps_its_version_while_anybody_has_it_and_in_any_case_once_it_was_sent(
    percent: int, call: ToolCall, place: int, by: str
) -> None:
    chosen = choose_for(PAIR, call, given(percent))
    assert chosen is not None and (chosen[0], chosen[1].by) == (place, by)


# ------------------------------------------------------------------ the registry


def test_a_further_version_is_registered_beside_the_first() -> None:
    registry = Registry(PAIR)
    assert registry.find("pay") is not None and registry.find("pay").tool is PAIR[0]  # type: ignore[union-attr]
    assert registry.tools == PAIR and registry.offered == PAIR[:1] and len(registry) == 1
    assert registry.offered_to(PEOPLE[0], given(100)) == PAIR[1:]
    assert Registry([*PAIR, *PAIR]).tools == PAIR, "the same object counts once"


def test_two_of_one_name_and_label_are_refused_and_so_is_one_that_does_something_else() -> None:
    first, second = PAIR
    for code, other in (
        ("definition.duplicate", replace(second, version="1")),
        ("definition.version", replace(second, server="far")),
        ("definition.version", replace(second, outward=True)),
        ("definition.version", Far().tool("pay", "privileged", version="2")),
    ):
        with pytest.raises(DefinitionError) as refused:
            Registry([first, other])
        assert refused.value.code == code


def test_what_checks_settles_or_undoes_others_has_one_version() -> None:
    far = Far()
    undo = [far.tool("unpay", "reversible", version=label) for label in "12"]
    pay = far.tool("pay", "reversible", compensate="unpay", compensate_with={"n": "/arguments/n"})
    assert len(Registry([pay, undo[0]])) == 2
    with pytest.raises(DefinitionError, match="several versions"):
        Registry([pay, *undo])
