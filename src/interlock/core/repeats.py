"""Calls of a run that are alike, and whether anything came of them: kept call by call, each in constant time.

An equal call has the same digest; a nearly equal one the same outline (`registry.outline`). Rules read these figures
in `limits.loop`; here they are only kept, from what the ledger says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

_ANSWERED = frozenset({"done", "failed", "withheld"})
"""Outcomes that answer a call; a refusal does too where a person or a second model gave it."""

_EFFECT = frozenset({"done", "withheld"})
"""Outcomes of a write that may have changed the world."""

_JUDGES = frozenset({"verify", "approve"})
"""Gates whose refusal is somebody's answer to this call."""


class Call(Protocol):
    """What is asked of a call: see `core.run.CallState`."""

    call_id: str
    digest: str
    outline: str
    writes: bool
    counted: bool
    told: bytes


@dataclass(slots=True)
class Alike:
    """What came of the calls of a run that are alike.

    Attributes:
        under_way: Ids of those without an outcome, in the order in which they were found valid.
        answered: How many were answered, but for reads whose answer had changed without a change by this run.
        same: How many, the last ones in a row, were answered the same.
        vain: Whether the run changed something among those, and the answer stayed the same.
        last: Id of the last one that was answered; empty for none.
        seen: Changes by the run when it was answered.
        stopped: Whether one was refused as a loop.
    """

    under_way: dict[str, None] = field(default_factory=dict)
    answered: int = 0
    same: int = 0
    vain: bool = False
    last: str = ""
    seen: int = 0
    stopped: bool = False

    def ahead(self, call_id: str) -> int:
        """How many were found valid before this call and have no outcome yet."""
        for place, other in enumerate(self.under_way):
            if other == call_id:
                return place
        return len(self.under_way)

    def answer(self, call: Call, same: bool, changes: int) -> None:
        """One was answered, the same as the last one or otherwise, when the run had made so many changes."""
        changed = changes > self.seen
        self.answered += call.writes or same or changed or not self.last
        self.same = self.same + 1 if same else 1
        self.vain = same and (self.vain or changed)
        self.last = call.call_id


@dataclass(slots=True)
class Repeats:
    """The calls of one run by likeness.

    Attributes:
        equal: Call digest to the calls that have it.
        near: Outline to the calls that have it.
        changes: Calls that took an effect which none before them had: a write that is made again and answered the same
            changes nothing.
    """

    equal: dict[str, Alike] = field(default_factory=dict)
    near: dict[str, Alike] = field(default_factory=dict)
    changes: int = 0

    def note(self, call_id: str, digest: str, outline: str) -> None:
        """A call was found valid. Noting it twice is noting it once."""
        if digest:
            _of(self.equal, digest).under_way.setdefault(call_id)
        if outline:
            _of(self.near, outline).under_way.setdefault(call_id)

    def forget(self, call_id: str, digest: str, outline: str) -> None:
        """A call that was noted is not under way (any more) as what it was."""
        if digest:
            _forget(self.equal, digest, call_id)
        if outline:
            _forget(self.near, outline, call_id)

    def end(self, call: Call, outcome: str, body: Mapping[str, Any], told_of: Callable[[str], bytes]) -> None:
        """A valid call is over.

        Args:
            body: Of the event that told it; its `stop` says which gate refused it, and why.
            told_of: The event that told the outcome of an earlier call; empty where that was erased.
        """
        took_effect = call.writes and outcome in _EFFECT
        if not call.counted:
            self.changes += took_effect
            return
        self.forget(call.call_id, call.digest, call.outline)
        stop = body.get("stop", {}) if outcome == "refused" else {}
        if stop.get("code") == "limit.loop":
            for alike in (self.equal.get(call.digest), self.near.get(call.outline)):
                if alike is not None:
                    alike.stopped = True
        if outcome not in _ANSWERED and stop.get("gate") not in _JUDGES:
            return  # nothing came back, be it a failure
        equal = _of(self.equal, call.digest)
        same = bool(equal.last) and _same(equal, call, told_of)  # most calls have no equal
        equal.answer(call, same, self.changes)
        near = _of(self.near, call.outline) if call.outline else None
        if near is not None and took_effect:
            near.same, near.last = 0, ""  # with another text it is another effect, and no repeat
        elif near is not None:
            near.answer(call, bool(near.last) and _same(near, call, told_of), self.changes)
        if took_effect and not same:
            self.changes += 1
        equal.seen = self.changes
        if near is not None:
            near.seen = self.changes


def _of(table: dict[str, Alike], key: str) -> Alike:
    """The calls that have this key."""
    alike = table.get(key)
    if alike is None:
        alike = table[key] = Alike()
    return alike


def _forget(table: dict[str, Alike], key: str, call_id: str) -> None:
    alike = table.get(key)
    if alike is not None:
        alike.under_way.pop(call_id, None)
        if not alike.under_way and not alike.last:
            del table[key]


def _same(alike: Alike, call: Call, told_of: Callable[[str], bytes]) -> bool:
    """Whether it was answered as the last one was."""
    before = told_of(alike.last)
    return bool(before) and bool(json.loads(before)["outcome"] == json.loads(call.told)["outcome"])
