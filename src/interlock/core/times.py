"""Times as a person says them. JSON gets UTC in full (`core/clock.py: iso`)."""

from __future__ import annotations

import re
from datetime import datetime

from interlock.core.clock import SECOND_US
from interlock.errors import BadInput

_BEFORE = re.compile(r"([0-9]{1,6})([smhd])")
_LENGTHS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FOREVER_US = 1 << 62
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def ago(at_us: int, now_us: int) -> str:
    """`3 minutes ago`, `in 14 minutes 5 seconds`, `now`; cut, not rounded: no deadline seems later than it is."""
    seconds = abs(now_us - at_us) // SECOND_US
    if seconds < 1:
        return "now"
    return f"{_parts(seconds, 1)} ago" if at_us < now_us else f"in {_parts(seconds, 2)}"


def _parts(seconds: int, most: int) -> str:
    """The largest unit of which there is one and, where two are wanted, what is left in the next."""
    said = []
    for unit, length in _UNITS:
        count, rest = divmod(seconds, length)
        if count:
            said.append(f"{count} {unit}{'s' if count > 1 else ''}")
            seconds = rest
        if said and (len(said) == most or not count):
            break
    return " ".join(said)


def moment(said: str, now_us: int) -> int:
    """Microseconds UTC of a moment as it is typed: `90m`, `12h`, `7d` before now, or ISO 8601, local without a zone.

    Raises:
        BadInput: It is neither.
    """
    if found := _BEFORE.fullmatch(said):
        return now_us - int(found[1]) * _LENGTHS[found[2]] * SECOND_US
    try:
        return round(datetime.fromisoformat(said).astimezone().timestamp() * SECOND_US)
    except (ValueError, OverflowError):
        raise BadInput(
            f"time: {said!r}", code="time.unreadable", remedy="Write 2026-07-01, 2026-07-01T12:00Z, 90m, 12h or 7d."
        ) from None


def period(since: str, until: str | None, now_us: int) -> tuple[int, int]:
    """The time from one moment on and before another, for ever where there is none; see `moment`."""
    return moment(since, now_us), _FOREVER_US if until is None else moment(until, now_us)


def seconds(said: str) -> int:
    """Seconds of a length as it is typed: `90m`, `12h`, `7d`.

    Raises:
        BadInput: It is none.
    """
    found = _BEFORE.fullmatch(said)
    if found is None:
        raise BadInput(f"length of time: {said!r}", code="time.unreadable", remedy="Write 90m, 12h or 7d.")
    return int(found[1]) * _LENGTHS[found[2]]


def local(at_us: int) -> str:
    """Date, time and zone where the reader is, to the second."""
    return datetime.fromtimestamp(at_us / SECOND_US).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def took(duration_us: int) -> str:
    """`840 µs`, `12 ms`, `3.4 s`, `2 hours 5 minutes`: a duration in the unit that it is best read in."""
    if duration_us < 1000:
        return f"{duration_us} µs"
    if duration_us < SECOND_US:
        return f"{duration_us // 1000} ms"
    if duration_us < 120 * SECOND_US:
        return f"{duration_us / SECOND_US:.1f} s"
    return _parts(duration_us // SECOND_US, 2)
