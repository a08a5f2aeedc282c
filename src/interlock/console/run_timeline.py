"""A run's timeline: a stretch of its events as steps with their gates, and bars that show where the time went."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from interlock.api.site import Site
from interlock.console.waterfall import Bar, Scale
from interlock.core.ids import fallback_call_id
from interlock.core.run import RunState
from interlock.ledger.story import Story
from interlock.ledger.story_entries import Call, Entry, Note, Turn
from interlock.markup.tags import Markup

EVENTS_MAX: Final = 120
"""Events that a page shows, about fifty steps: what comes before is on the next page, however long the run is."""

NOTES: Final[Mapping[str, str]] = {
    "run.started": "The user began", "run.words": "The user said", "run.waiting": "Wait", "run.finished": "End",
    "run.cancelled": "Cancelled", "operator": "A person's word", "redact": "Erasure",
}  # fmt: skip
"""What each kind of note is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some events of a run.

    Attributes:
        entries: What happened.
        first, last: Numbers of the first and the last event; 0 where there is none.
        total: Number of the run's last event.
    """

    entries: Sequence[Entry]
    first: int
    last: int
    total: int

    @property
    def older(self) -> int | None:
        """Where the page in front of this one ends; None where there is none."""
        return self.first if self.first > 1 else None

    @property
    def newer(self) -> int | None:
        """Where the page behind this one ends; None where it is the newest."""
        return min(self.last + EVENTS_MAX, self.total) + 1 if self.last < self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the timeline.

    Attributes:
        entry: What happened.
        bar: When, as a picture.
        took_us: How long it worked; None where that is not known, or it did not.
        waited_us: How long it waited for people; 0 where it did not.
        for_: What it is for, in words: a fallback, an undoing, a look-up; empty for a call of the run's own.
        of: Id of the call that it is for.
    """

    entry: Entry
    bar: Markup
    took_us: int | None
    waited_us: int
    for_: str = ""
    of: str = ""


async def stretch_of(site: Site, run: RunState, before: int | None) -> Stretch:
    """A stretch of a run, the newest where nothing else is asked for.

    Args:
        before: Only events below this number.

    Raises:
        LedgerError: They cannot be read.
    """
    last = run.seq if before is None else max(min(before - 1, run.seq), 0)
    after = max(last - EVENTS_MAX, 0)
    events = await site.store.read(run.run_id, after, last - after) if last > after else []
    turns = 0 if run.transcript is None else bisect_right(run.transcript.seqs, after)
    story = Story(run.run_id, turns).absorb(events)
    for call in story.calls.values():
        if not call.tool and (known := run.calls.get(call.call_id)) is not None:
            call.tool, call.step = known.tool, known.step
    return Stretch(entries=story.entries, first=after + 1 if events else 0, last=last, total=run.seq)


def steps_of(run: RunState, entries: Sequence[Entry], now_us: int) -> tuple[list[Step], bool]:
    """The lines of a timeline, and whether some stretch of time is drawn shorter than it was.

    Args:
        now_us: Until when what is not over is drawn.
    """
    until_us = now_us if run.status == "open" else max(map(_end, entries), default=0)
    bars = [bars_of(entry, until_us) for entry in entries]
    drawn = [bar for some in bars for bar in some]
    moments = [entry.at_us for entry in entries] + [end for bar in drawn for end in (bar.from_us, bar.to_us)]
    scale = Scale(drawn, min(moments, default=0), max(moments, default=1))
    return [_step(run, entry, some, scale) for entry, some in zip(entries, bars, strict=True)], scale.shortened


def bars_of(entry: Entry, until_us: int) -> list[Bar]:
    """The stretches of time that one entry took."""
    if isinstance(entry, Turn):
        return [Bar("model", entry.at_us - entry.took_us, entry.at_us)] if entry.took_us else []
    if isinstance(entry, Note):
        return []
    found = [Bar("held", hold.from_us, hold.to_us or until_us) for hold in entry.holds]
    if entry.took_us and entry.ended_us is not None:
        found.append(Bar("run", entry.ended_us - entry.took_us, entry.ended_us))
    elif entry.intent_us is not None:
        found.append(Bar("run", entry.intent_us, entry.ended_us or until_us))
    return found


def _step(run: RunState, entry: Entry, bars: Sequence[Bar], scale: Scale) -> Step:
    bar = scale.drawn(bars, entry.at_us)
    if isinstance(entry, Call):
        waited = sum(each.to_us - each.from_us for each in bars if each.what == "held")
        worked = sum(each.to_us - each.from_us for each in bars if each.what == "run")
        for_, of = _purpose(run, entry)
        took = entry.took_us if entry.took_us is not None else worked or None
        return Step(entry=entry, bar=bar, took_us=took, waited_us=waited, for_=for_, of=of)
    return Step(entry=entry, bar=bar, took_us=entry.took_us if isinstance(entry, Turn) else None, waited_us=0)


def _purpose(run: RunState, call: Call) -> tuple[str, str]:
    if call.undoes:
        return "undoes", call.undoes
    if not call.parent_id:
        return "", ""
    if call.call_id == fallback_call_id(run.run_id, call.parent_id):
        return "in the place of", call.parent_id
    above = run.calls.get(call.parent_id)
    told = above.outcome if above is not None else None
    if told is not None and told.instead == call.call_id:
        return "as somebody edited", call.parent_id
    return "looked up for", call.parent_id


def _end(entry: Entry) -> int:
    return max(entry.at_us, entry.ended_us or 0) if isinstance(entry, Call) else entry.at_us
