from __future__ import annotations

import pytest

from interlock.core.times import ago, local, took

NOW = 1_767_225_600_000_000
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"), (0.4, "now"), (-1, "1 second ago"), (-59, "59 seconds ago"), (-60, "1 minute ago"),
        (-3 * 3600 - 59, "3 hours ago"), (-86_400 * 2, "2 days ago"), (1, "in 1 second"), (59, "in 59 seconds"),
        (61, "in 1 minute 1 second"), (14 * 60, "in 14 minutes"), (86_399, "in 23 hours 59 minutes"),
        (86_400 + 59, "in 1 day"), (30 * 86_400 + 3600, "in 30 days 1 hour"),
    ],
)  # fmt: skip
def test_a_time_is_said_from_now(seconds: float, said: str) -> None:
    assert ago(NOW + int(seconds * SECOND), NOW) == said


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (0, "0 µs"),
        (999, "999 µs"),
        (1000, "1 ms"),
        (12_345, "12 ms"),
        (3_400_000, "3.4 s"),
        (119_900_000, "119.9 s"),
        (7_500_000_000, "2 hours 5 minutes"),
    ],
)
def test_a_duration_is_said_in_the_unit_that_fits(us: int, said: str) -> None:
    assert took(us) == said


def test_a_local_time_names_its_zone() -> None:
    assert local(NOW).count(":") == 2
    assert len(local(NOW).split()) == 3
