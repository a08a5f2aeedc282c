"""Dates, times and day words as people write them, in one form."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BEGINNINGS: Final = frozenset(name[:3] for name in _MONTHS)
_MONTH: Final = r"(?P<month>" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS) + r"|sept)\.?"
_DAY: Final = r"(?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?"
_YEAR: Final = r"(?:[,]?\s+(?P<year>(?:19|20)[0-9]{2}))?"
_ISO: Final = re.compile(r"(?P<year>[12][0-9]{3})[-/.](?P<month>[01]?[0-9])[-/.](?P<day>[0-3]?[0-9])")
_DAY_FIRST: Final = re.compile(rf"{_DAY}(?:\s+of)?[\s-]+{_MONTH}(?:[,\s-]+(?P<year>(?:19|20)[0-9]{{2}}))?", re.I)
_MONTH_FIRST: Final = re.compile(rf"{_MONTH}\s*(?:the\s+)?{_DAY}{_YEAR}", re.I)
_YEAR_FIRST: Final = re.compile(rf"(?P<year>(?:19|20)[0-9]{{2}})[,\s]+{_MONTH}\s+(?:the\s+)?{_DAY}", re.I)
_SLASHED: Final = re.compile(r"(?P<one>[0-3]?[0-9])[/.-](?P<two>[0-3]?[0-9])[/.-](?P<year>(?:19|20)[0-9]{2})")
_MONTH_YEAR: Final = re.compile(rf"{_MONTH},?\s+(?P<year>(?:19|20)[0-9]{{2}})", re.I)
_CLOCK: Final = re.compile(
    r"(?P<hour>[0-2]?[0-9])(?:(?::|\.(?=[0-9]{2}\s*[ap]))(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:\.[0-9]+)?)?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?(?:Z|[+-]00:?00)?",
    re.I,
)
_UNITS: Final = {"day": 1, "week": 7, "fortnight": 14}
_COUNTS: Final = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
                  "eight": 8, "nine": 9, "ten": 10}  # fmt: skip
_SPAN: Final = re.compile(
    rf"\b(?P<count>[0-9]{{1,3}}|{'|'.join(_COUNTS)})\s+(?P<unit>day|week|fortnight|month|year)s?\b"
)
_DAY_WORDS: Final = {"today": 0, "tonight": 0, "now": 0, "tomorrow": 1, "yesterday": -1, "day after tomorrow": 2,
                     "day before yesterday": -2, "next week": 7, "last week": -7}  # fmt: skip


def read_date(text: str) -> str | None:
    """A date as `2024-05-15`, without a year as `--05-15`, with a time as `2024-05-15T10:00`; None where it is none.

    Where day and month can be told in two ways, it is none.
    """
    plain = " ".join(text.split())
    if len(plain) > 64 or not (plain[:1].isdigit() or plain[:3].lower() in _BEGINNINGS):
        return None
    day, _, rest = plain.replace("T", " ", 1).partition(" ") if plain[:4].isdigit() else (plain, "", "")
    if found := _ISO.fullmatch(day):
        said = _made(int(found["year"]), int(found["month"]), int(found["day"]))
        if said is None or not rest:
            return said
        clock = read_time(rest)
        return f"{said}T{clock}" if clock else None
    for pattern in (_DAY_FIRST, _MONTH_FIRST):
        if found := pattern.fullmatch(plain):
            return _made(int(found["year"] or 0), _month(found["month"]), int(found["day"]))
    if found := _YEAR_FIRST.fullmatch(plain):
        return _made(int(found["year"]), _month(found["month"]), int(found["day"]))
    ways = readings(plain)
    return ways[0] if len(ways) == 1 else None


def readings(text: str) -> list[str]:
    """Every date that a text in figures alone may mean: `03/06/2023` is of March or of June."""
    found = _SLASHED.fullmatch(text)
    return _slashed(found) if found else []


def read_time(text: str) -> str | None:
    """A time of day as `14:30`, with seconds where they are not nought; None where it is none."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None or (found["minute"] is None and found["half"] is None):
        return None
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
    if hour > 23:
        return None
    second = found["second"]
    return f"{hour:02}:{found['minute'] or '00'}" + (f":{second}" if second and second != "00" else "")


def dates_in(text: str) -> dict[str, tuple[int, int]]:
    """Every date in a text, in its one form, with the characters that say it. Of two ways to read one, both."""
    found: dict[str, tuple[int, int]] = {}
    for match in _ISO.finditer(text):
        _note(found, match, _made(int(match["year"]), int(match["month"]), int(match["day"])))
    for pattern in (_YEAR_FIRST, _DAY_FIRST, _MONTH_FIRST):
        for match in pattern.finditer(text):
            if _bounded(text, match):
                _note(found, match, _made(int(match["year"] or 0), _month(match["month"]), int(match["day"])))
    for match in _SLASHED.finditer(text):
        if _bounded(text, match):
            for said in _slashed(match):
                _note(found, match, said)
    for match in _MONTH_YEAR.finditer(text):
        _note(found, match, f"{match['year']}-{_month(match['month']):02}")
    return found


def times_in(text: str) -> dict[str, tuple[int, int]]:
    """Every time of day in a text, with the characters that say it."""
    found: dict[str, tuple[int, int]] = {}
    for match in _CLOCK.finditer(text):
        if _bounded(text, match):
            _note(found, match, read_time(match[0].strip()))
    for word, said in (("noon", "12:00"), ("midday", "12:00"), ("midnight", "00:00")):
        if (at := text.find(word)) >= 0:
            found.setdefault(said, (at, at + len(word)))
    return found


def days_meant(text: str, now_us: int) -> dict[str, tuple[int, int]]:
    """Days that day words of a text mean (`tomorrow`, `next friday`, `in 3 days`), by the run's clock, UTC.

    Args:
        text: In its normal form.
    """
    today = datetime.fromtimestamp(now_us / 1_000_000, UTC).date()
    found: dict[str, tuple[int, int]] = {}
    for word, days in _DAY_WORDS.items():
        if (match := re.search(rf"\b{word}\b", text)) and (day := _moved(today, days)):
            found.setdefault(day.isoformat(), match.span())
    for number, name in enumerate(_WEEKDAYS):
        if match := re.search(rf"\b(next |this |on |last )?{name}\b", text):
            ahead = (number - today.weekday()) % 7
            ways = (ahead - 7,) if match[1] == "last " else (ahead or 7, ahead + 7) if match[1] == "next " else (ahead,)
            for days in ways:
                if day := _moved(today, days):
                    found.setdefault(day.isoformat(), match.span())
    for days, span in spans_in(text):
        ago = text[span[1] :].startswith(" ago")
        meant = ago or text[: span[0]].endswith("in ") or text[span[1] :].startswith((" from now", " from today"))
        if meant and (day := _moved(today, -days if ago else days)):
            found.setdefault(day.isoformat(), span)
    return found


def spans_in(text: str) -> list[tuple[int, tuple[int, int]]]:
    """Whole days that a text, in its normal form, counts out (`3 days`, `two weeks`), and where."""
    found = []
    for match in _SPAN.finditer(text):
        if match["unit"] in _UNITS:
            count = _COUNTS.get(match["count"]) or int(match["count"])
            found.append((count * _UNITS[match["unit"]], match.span()))
    return found


def moved(day: str, days: int) -> str | None:
    """The date so many days on; None where it is none, or beyond the calendar."""
    try:
        made = _moved(date.fromisoformat(day), days)
    except ValueError:
        return None
    return made.isoformat() if made else None


def _moved(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _month(name: str) -> int:
    return next(number for number, full in enumerate(_MONTHS, 1) if full.startswith(name[:3].lower()))


def _made(year: int, month: int, day: int) -> str | None:
    try:
        said = date(year or 2000, month, day)
    except ValueError:
        return None
    return said.isoformat() if year else f"--{said.month:02}-{said.day:02}"


def _slashed(found: re.Match[str]) -> list[str]:
    one, two, year = int(found["one"]), int(found["two"]), int(found["year"])
    return sorted({said for said in (_made(year, two, one), _made(year, one, two)) if said})


def _bounded(text: str, match: re.Match[str]) -> bool:
    begin, end = match.span()
    return not text[begin - 1 : begin].isalnum() and not text[end : end + 1].isalnum()


def _note(found: dict[str, tuple[int, int]], match: re.Match[str], said: str | None) -> None:
    if said:
        found.setdefault(said, match.span())
