"""What a change makes of a guard's row, or why it may not: the same arithmetic for every store. Pure.

A row is an integer that runs share. Most count: what is used of a budget, the uses that are left of a grant. One that
refills is a time instead: the moment, in microseconds of store time, from which all of its rate is free again (the
token bucket as one number, GCRA). A call pushes it ahead; time catches up with it, so nothing ever has to fill it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from interlock.core.event import GuardChange
from interlock.errors import GuardRefused


def changed(changes: Iterable[GuardChange], read: Callable[[str], int], now_us: int) -> dict[str, int]:
    """The new values of the rows that these changes name, made in their order.

    Args:
        read: The value of a row as it stands; 0 where there is none.
        now_us: Store time, microseconds UTC.

    Raises:
        GuardRefused: A row says no. No change is made then; only `mended` is for the store to keep, if it is not None.
    """
    values: dict[str, int] = {}
    for change in changes:
        name, add, at_most, at_least, refills = change
        value = values.get(name)
        if value is None:
            value = read(name)
        if refills:
            values[name] = _pushed(change, value, now_us)
            continue
        values[name] = after = value + add
        if (at_most is not None and after > at_most) or (at_least is not None and after < at_least):
            raise GuardRefused(name, value=value)
    return values


def wait_us(change: GuardChange, value: int, now_us: int) -> int:
    """Microseconds until a row that refills would take the change; 0 where it takes it now."""
    assert change.at_most is not None, "what refills has a limit"
    return max(0, _caught_up(value, change.at_most, now_us) + change.add - change.at_most - now_us)


def ahead_us(value: int, at_most: int, now_us: int) -> int:
    """How far ahead of now a row that refills is: how much of it is in use."""
    return _caught_up(value, at_most, now_us) - now_us


def _pushed(change: GuardChange, value: int, now_us: int) -> int:
    """A row that refills, after one more use."""
    assert change.at_most is not None, "what refills has a limit"
    caught_up = _caught_up(value, change.at_most, now_us)
    wait = caught_up + change.add - change.at_most - now_us
    if wait > 0:
        mended = caught_up if caught_up < value else None  # the clock was set back, and it refills from there
        raise GuardRefused(change.name, value=caught_up, wait_us=wait, mended=mended)
    return caught_up + change.add


def _caught_up(value: int, at_most: int, now_us: int) -> int:
    """The row now: never behind the time, and never further ahead than its limit, which a clock set back would make it.

    So nothing but time that passes ever frees anything: where the clock is set back, all is in use.
    """
    return min(max(value, now_us), now_us + at_most)
