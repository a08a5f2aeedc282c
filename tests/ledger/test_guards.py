"""The arithmetic of shared rows: what counts, and what refills with time (B6, T29)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.event import GuardChange
from interlock.errors import GuardRefused
from interlock.ledger.guards import changed, wait_us
from interlock.ledger.store import Store
from interlock.testing import FrozenClock
from tests.ledger.makers import intent, to

NOW = 1_750_000_000_000_000


def rate(add: int = 100, burst: int = 3) -> GuardChange:
    return GuardChange("acme/rate", add, at_most=burst * add, refills=True)


def taken(value: int, change: GuardChange, now_us: int) -> int:
    return changed([change], lambda name: value, now_us)[change.name]


def test_a_row_that_refills_takes_its_burst_and_then_one_for_each_step_of_time() -> None:
    value = 0
    for _ in range(3):
        value = taken(value, rate(), NOW)
    with pytest.raises(GuardRefused) as refused:
        taken(value, rate(), NOW + 30)
    assert refused.value.guard == "acme/rate"
    assert refused.value.wait_us == 70
    assert wait_us(rate(), value, NOW + 30) == 70
    value = taken(value, rate(), NOW + 100)
    with pytest.raises(GuardRefused):
        taken(value, rate(), NOW + 199)
    assert taken(value, rate(), NOW + 10_000) == NOW + 10_100


def test_a_clock_that_is_set_back_frees_nothing_and_locks_nothing_for_good() -> None:
    ahead = taken(0, rate(), NOW + 1_000_000_000)
    with pytest.raises(GuardRefused) as refused:
        taken(ahead, rate(), NOW)
    assert refused.value.wait_us == 100  # all is in use, and refills from here: not a thousand seconds
    assert refused.value.mended == NOW + 300
    assert taken(NOW + 300, rate(), NOW + 100) == NOW + 400


def test_a_change_that_is_refused_says_what_stood_in_the_row() -> None:
    with pytest.raises(GuardRefused) as refused:
        changed([GuardChange("acme/budget", 4, at_most=10)], lambda name: 7, NOW)
    assert (refused.value.value, refused.value.wait_us) == (7, 0)


def test_a_row_without_limits_takes_whatever_comes() -> None:
    assert changed([GuardChange("acme/budget", -9, at_least=None)], lambda name: 7, NOW) == {"acme/budget": -2}


moves = st.lists(st.integers(-500_000, 500_000) | st.integers(0, 300), max_size=120)


@given(moves, st.integers(1, 300), st.integers(1, 8))
@settings(max_examples=300)
def test_in_any_window_at_most_the_burst_and_what_the_time_in_it_gives_passes(
    moves: list[int], add: int, burst: int
) -> None:
    """Whatever the clock does: only time that passes frees anything, and a clock that is set back is no time."""
    change = rate(add, burst)
    value, now, passed, calls = 0, NOW, 0, []
    for move in moves:
        now += move
        passed += max(0, move)
        try:
            value = taken(value, change, now)
        except GuardRefused as refused:
            assert refused.wait_us > 0
            value = value if refused.mended is None else refused.mended
            assert taken(value, change, now + refused.wait_us)  # what it says is true
            assert wait_us(change, value, now + refused.wait_us - 1) > 0
        else:
            calls.append(passed)
    for first in range(len(calls)):
        for last in range(first, len(calls)):
            window = calls[last] - calls[first]
            assert last - first + 1 <= burst + window // add


async def test_a_store_keeps_a_rate_by_its_own_time(store: Store, clock: FrozenClock) -> None:
    second = GuardChange("acme/rate", 1_000_000, at_most=2_000_000, refills=True)
    passed = []
    for number in range(40):
        try:
            await store.append(to(f"run_{number}", intent("call_1"), guards=(second,)))
            passed.append(number)
        except GuardRefused as refused:
            assert 0 < refused.wait_us <= 1_000_000
        clock.advance(0.25)
    assert passed == [0, 1, *range(4, 40, 4)]  # two at once, and then one for each second


async def test_a_rate_goes_on_where_the_clock_was_set_back(store: Store, clock: FrozenClock) -> None:
    second = GuardChange("acme/rate", 1_000_000, at_most=2_000_000, refills=True)
    await store.append(to("run_a", intent("call_1"), guards=(second,)))
    clock.jump_wall(-3600)
    passed = []
    for number in range(8):
        with suppress(GuardRefused):
            await store.append(to(f"run_{number}", intent("call_1"), guards=(second,)))
            passed.append(number)
        clock.advance(0.5)
    assert passed == [2, 4, 6]
    assert await store.read("run_0") == []


@pytest.mark.parametrize("least", [0, 3])
def test_a_row_falls_to_its_lower_limit_and_no_further(least: int) -> None:
    change = GuardChange("acme/uses", -4, at_least=least)
    assert changed([change], lambda name: 4 + least, NOW) == {"acme/uses": least}
    with pytest.raises(GuardRefused):
        changed([change], lambda name: 3 + least, NOW)
