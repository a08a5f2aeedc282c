"""Rollouts: who has which version of a tool, as a fold over what people and Interlock said of it. Pure.

Of a tool's versions, in the order of their registration, the first is what everybody has where nobody said otherwise;
of a later one nobody has any. A rollout gives a version to so many of a hundred principals. The newest is asked first:
who does not get it is asked about the one before, and so on. Who gets none has not the tool.

Whether a principal is among the first n of a hundred is a number made of tenant, tool, version and principal alone. So
the same ones stay with a version while its share grows, and another version begins with other principals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from interlock.core.call import ToolCall
from interlock.core.canonical import Json, digest
from interlock.core.event import Event, Kind
from interlock.core.principal import Principal
from interlock.core.selected import Selected, Trial
from interlock.core.tool import Tool

_PLACES = 1 << 32
"""Among so many places a principal has one, so that a share is met as nearly as numbers of people allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What was last said of one version of a tool.

    Attributes:
        rollout_id: Which word that was; figures are counted for it alone.
        server, tool, version: Of what.
        percent: How many of a hundred principals get it, by the person's word; 0 for none.
        tolerated: Percent of its calls that may fail.
        state: `live`, `off` (0 percent) or `rolled_back` (by its errors); only `live` gives it to anybody.
        by, reason: Whose word that was, and why.
        at_us: When.
        later: When that was said, there was an older version, which the others had.
        figures: Of one that was rolled back, what it was rolled back on.
    """

    rollout_id: str
    server: str
    tool: str
    version: str
    percent: int
    tolerated: float
    state: str
    by: str
    reason: str
    at_us: int
    later: bool = False
    figures: Mapping[str, Json] = field(default_factory=dict)

    @property
    def share(self) -> int:
        """How many of a hundred principals get it now."""
        return self.percent if self.state == "live" else 0


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What is rolled out in a tenant.

    Attributes:
        by_tool: Tool name and version to what was last said of it.
        unreadable: Digests of definitions of which the last word can no longer be read: nobody gets those.
    """

    by_tool: Mapping[str, Mapping[str, Rollout]] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()

    def after(self, events: Iterable[Event]) -> Rollouts:
        """These rollouts and what further events say; other kinds of event are passed over.

        What was rolled back stays so until a person says otherwise, and only the rollout that the figures were of is.
        """
        found = self
        for event in events:
            if event.fact.kind is Kind.ROLLOUT_SET:
                found = found._set(event)
            elif event.fact.kind is Kind.ROLLOUT_ROLLED_BACK:
                found = found._rolled_back(event)
        return found

    def share(self, tool: Tool, *, first: bool) -> int:
        """How many of a hundred principals get this version where they get none that is newer."""
        if tool.digest in self.unreadable:
            return 0
        rollout = self.by_tool.get(tool.name, _NONE).get(tool.version)
        if rollout is None or rollout.server != tool.server:
            return 100 if first else 0
        return rollout.share

    def left_over(self, oldest: Tool) -> bool:
        """Whether the oldest version that there is was rolled out beside one that is gone, and not to everybody.

        Whoever had that one has none then.
        """
        said = self.by_tool.get(oldest.name, _NONE).get(oldest.version)
        return said is not None and said.later and self.share(oldest, first=True) < 100

    def find(self, rollout_id: str) -> Rollout | None:
        """The rollout of this id, if nothing was said of its version since."""
        return next((each for each in self.all if each.rollout_id == rollout_id), None)

    @property
    def all(self) -> tuple[Rollout, ...]:
        """The last word on each version, by tool and in the order in which versions were first spoken of."""
        return tuple(each for _, versions in sorted(self.by_tool.items()) for each in versions.values())

    def _set(self, event: Event) -> Rollouts:
        fact = event.fact
        try:
            rollout = _read(event)
        except (KeyError, TypeError, ValueError):
            return replace(self, unreadable=self.unreadable | {fact.tool_hash})
        return replace(self._with(rollout), unreadable=self.unreadable - {fact.tool_hash})

    def _rolled_back(self, event: Event) -> Rollouts:
        rollout = self.find(event.fact.call_id)
        if rollout is None:
            return self
        return self._with(replace(rollout, state="rolled_back", at_us=event.at_us, figures=event.fact.body))

    def _with(self, rollout: Rollout) -> Rollouts:
        versions = {**self.by_tool.get(rollout.tool, {}), rollout.version: rollout}
        return replace(self, by_tool={**self.by_tool, rollout.tool: versions})


_NONE: Mapping[str, Rollout] = {}

NO_ROLLOUTS = Rollouts()
"""Where nobody ever said anything: everybody has the first version of everything."""


def choose(versions: Sequence[Tool], principal: Principal, rollouts: Rollouts) -> int | None:
    """Which of a tool's versions a principal has: its place among them; None where it has not the tool.

    Args:
        versions: In the order of their registration; at least one.
    """
    for place in range(len(versions) - 1, -1, -1):
        share = rollouts.share(versions[place], first=place == 0)
        if share >= 100 or (share > 0 and _place(versions[place], principal) * 100 < share * _PLACES):
            return place
    return None


def choose_for(versions: Sequence[Tool], call: ToolCall, rollouts: Rollouts) -> tuple[int, Selected] | None:
    """The same for a call, and how that came; None where its principal has not the tool.

    A call that was decided before keeps its version while anybody has that one, and in any case once its intent
    stands: what was sent as one version is settled as it.
    """
    kept = next((place for place, tool in enumerate(versions) if tool.version == call.version), None)
    if kept is not None and not (call.sent or rollouts.share(versions[kept], first=kept == 0)):
        kept = None
    place = choose(versions, call.principal, rollouts) if kept is None else kept
    if place is None:
        return None
    said = rollouts.by_tool.get(call.tool, _NONE).get(versions[place].version)
    by = "kept" if kept is not None else "first" if said is None else "rollout"
    share = rollouts.share(versions[place], first=place == 0)
    rollout_id = "" if said is None else said.rollout_id
    return place, Selected(by, share, rollout_id, _trials(versions, place, rollouts))


def _trials(versions: Sequence[Tool], chosen: int, rollouts: Rollouts) -> tuple[Trial, ...]:
    """The rollouts that a call of the chosen version counts in: its own, and those of newer ones."""
    said = rollouts.by_tool.get(versions[chosen].name, _NONE)
    live = [each if each is not None and each.share else None for each in (said.get(tool.version) for tool in versions)]
    return tuple(Trial(each.rollout_id, place == chosen) for place, each in enumerate(live) if each and place >= chosen)


def _place(tool: Tool, principal: Principal) -> int:
    """Where the principal stands among all that there could be, for this version: the same whoever asks, always."""
    parts = (principal.tenant, tool.server, tool.name, tool.version, principal.id)
    made = digest("interlock/rollout/1", *(part.encode("utf-8", "surrogatepass") for part in parts))
    return int.from_bytes(made[:4], "big")


def _read(event: Event) -> Rollout:
    body: dict[str, Any] = event.fact.body
    percent, tolerated = body["percent"], body["tolerated"]
    if type(percent) is not int or not 0 <= percent <= 100 or not 0 <= tolerated <= 100:
        raise ValueError("no share")
    return Rollout(
        rollout_id=event.fact.call_id, server=body["server"], tool=body["tool"], version=body["version"],
        percent=percent, tolerated=tolerated, state="live" if percent else "off", by=event.fact.principal_id,
        reason=body["reason"], at_us=event.at_us, later=body.get("later", False) is True,
    )  # fmt: skip
