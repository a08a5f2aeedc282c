"""Where time went, as bars."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from interlock.console.waterfall import WIDTH, Bar, Scale

MOMENTS = st.integers(0, 10**15)
BARS = st.lists(st.builds(Bar, st.sampled_from(["model", "run", "held"]), MOMENTS, MOMENTS), max_size=20)


def test_what_works_is_as_wide_as_it_took() -> None:
    scale = Scale([Bar("model", 0, 100), Bar("run", 100, 400)], 0, 400)
    assert scale.at(100) == WIDTH / 4 and not scale.shortened


def test_a_long_wait_leaves_room_for_what_worked() -> None:
    scale = Scale(
        [Bar("run", 0, 80), Bar("held", 80, 3_600_000_000), Bar("run", 3_600_000_000, 3_600_000_080)], 0, 3_600_000_080
    )
    assert scale.shortened
    assert scale.at(80) > 0.4 * WIDTH and scale.at(3_600_000_000) < 0.6 * WIDTH


def test_a_run_in_which_nothing_took_time_is_drawn_all_the_same() -> None:
    assert 'class="part-moment"' in Scale([], 5, 5).drawn([], 5)


@given(BARS, MOMENTS, MOMENTS)
def test_bars_stay_in_the_picture_and_in_order(bars: list[Bar], first: int, last: int) -> None:
    scale = Scale(bars, first, last)
    ends = sorted({end for bar in bars if bar.from_us < bar.to_us for end in (bar.from_us, bar.to_us)})
    places = [scale.at(end) for end in ends]
    assert places == sorted(places)
    for bar in bars:
        for x, width in re.findall(r'x="([^"]+)" y="2" width="([^"]+)"', scale.drawn([bar], bar.from_us)):
            assert float(x) >= 0 and float(x) + float(width) <= WIDTH + 1
