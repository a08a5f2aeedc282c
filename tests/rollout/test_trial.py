"""When figures take a version back: the two tests against exact ones, and how often chance alone does. A8."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.registry.trial import CALLS_MIN, LEVEL, Figures, above, beyond, has_failed


def exactly_beyond(failed: int, calls: int, rate: Fraction) -> Fraction:
    return sum(
        (comb(calls, k) * rate**k * (1 - rate) ** (calls - k) for k in range(failed, calls + 1)), start=Fraction(0)
    )


def exactly_above(failed: int, calls: int, old_failed: int, old_calls: int) -> Fraction:
    both = failed + old_failed
    ways = sum(comb(calls, k) * comb(old_calls, both - k) for k in range(failed, min(both, calls) + 1))
    return Fraction(ways, comb(calls + old_calls, both))


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 99))
def test_the_first_test_is_the_binomial_one(calls: int, failed: int, percent: int) -> None:
    failed = min(failed, calls)
    found = beyond(failed, calls, percent / 100)
    exact = float(exactly_beyond(failed, calls, Fraction(percent, 100)))
    assert found == pytest.approx(exact, rel=1e-9) or (found == 1.0 and failed <= calls * percent / 100 + 1e-9)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40), st.integers(0, 40))
def test_the_second_test_is_fishers(calls: int, failed: int, old_calls: int, old_failed: int) -> None:
    failed, old_failed = min(failed, calls), min(old_failed, old_calls)
    found = above(failed, calls, old_failed, old_calls)
    exact = float(exactly_above(failed, calls, old_failed, old_calls))
    assert found == pytest.approx(exact, rel=1e-9) or (found == 1.0 and failed * old_calls <= old_failed * calls)


@pytest.mark.parametrize(
    ("figures", "tolerated", "back"),
    [
        (Figures(19, 19), 5, False),  # too few to say anything
        (Figures(20, 20), 5, True),
        (Figures(20, 5), 5, False),
        (Figures(20, 6), 5, True),
        (Figures(1000, 60), 5, False),  # a little beyond: it could be chance
        (Figures(1000, 80), 5, True),
        (Figures(1000, 40), 5, False),  # within what is tolerated, though the others hardly fail
        (Figures(1000, 40, 1000, 1), 5, False),
        (Figures(200, 200, 2000, 2000), 5, False),  # the far end fails both alike
        (Figures(200, 100, 2000, 1000), 5, False),
        (Figures(200, 100, 2000, 500), 5, True),
        (Figures(20, 20, 19, 19), 5, True),  # of the others too little is known
        (Figures(20, 1), 0, True),  # nothing is tolerated
        (Figures(20, 0), 0, False),
    ],
)
def test_figures_take_a_version_back_or_not(figures: Figures, tolerated: float, back: bool) -> None:
    assert has_failed(figures, tolerated) is back


def chance_of_rollback(rate: float, tolerated: float, calls: int) -> float:
    """How likely a version that fails at this rate is taken back within so many calls: every way, exactly."""
    left = {0: 1.0}
    gone = 0.0
    limit = 0
    for number in range(1, calls + 1):
        following: dict[int, float] = {}
        for failed, chance in left.items():
            following[failed] = following.get(failed, 0.0) + chance * (1 - rate)
            following[failed + 1] = following.get(failed + 1, 0.0) + chance * rate
        while number >= CALLS_MIN and not has_failed(Figures(number, limit), tolerated):
            limit += 1
        left = {}
        for failed, chance in following.items():
            if number >= CALLS_MIN and failed >= limit:
                gone += chance
            elif chance > 1e-15:
                left[failed] = chance
    return gone


def test_chance_alone_seldom_takes_back_what_is_as_good_as_tolerated_and_bad_versions_go_soon() -> None:
    """The numbers of the how-to: asked after every failure for a thousand calls, at exactly the tolerated rate."""
    assert 0.01 < chance_of_rollback(0.05, 5, 1000) < 0.011
    assert chance_of_rollback(0.02, 5, 1000) < 0.0002
    assert chance_of_rollback(0.5, 5, CALLS_MIN) > 0.97
    assert chance_of_rollback(0.2, 5, 150) > 0.95


def test_the_largest_figures_are_judged_at_once() -> None:
    assert has_failed(Figures(10**6, 10**5, 10**6, 10**4), 5)
    assert not has_failed(Figures(10**6, 5 * 10**4, 10**6, 10**4), 5)
    assert beyond(51_000, 10**6, 0.05) < LEVEL
