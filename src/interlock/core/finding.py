"""What was found in a text that came back from a tool, as a record may keep it: never the value itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from interlock.core.canonical import Json

FINDINGS_MAX = 64
"""Findings that a record lists one by one; of more, each kind is listed once, for the whole value."""


class Act(StrEnum):
    """What is done about a class of findings, from least to most."""

    OFF = "off"
    """Nothing: it is not looked for."""
    FLAG = "flag"
    """It is told as it is, and said to be there."""
    REDACT = "redact"
    """It is taken out of what is told, or made so that it does nothing, and said to have been there."""
    WITHHOLD = "withhold"
    """Nothing of the result is told."""


class Finding(NamedTuple):
    """One kind of thing in one place.

    Attributes:
        what: Class and kind: `characters.bidi`, `content.image`, `secrets.github`, `injection.override`,
            `personal.email`.
        at: RFC 6901 pointer to the text, or to the object whose key it is; the whole value is the empty string.
        times: How often.
        act: What was done.
    """

    what: str
    at: str
    times: int
    act: Act

    def as_json(self) -> dict[str, Json]:
        """The finding as events keep it and a model reads it."""
        return {"what": self.what, "at": self.at, "count": self.times, "act": self.act.value}


def finding_from_json(said: Mapping[str, Any]) -> Finding:
    """The finding that `as_json` gave."""
    return Finding(said["what"], said["at"], said["count"], Act(said["act"]))


def summed(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in order, at most 64: of more, what was found and done, without the places."""
    listed = tuple(found)
    if len(listed) <= FINDINGS_MAX:
        return listed
    counts: dict[tuple[str, Act], int] = {}
    for each in listed:
        counts[each.what, each.act] = counts.get((each.what, each.act), 0) + each.times
    return tuple(Finding(what, "", count, act) for (what, act), count in counts.items())[:FINDINGS_MAX]
