"""Alerts that stand, and those that are over: a fold over the chain of alerts, the same in every process.

An alert is one episode: raised once, resolved once. Its id is made of what it is about and of how many episodes of that
were over before, so that two workers who find the same write the same, and the store refuses the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from interlock.core.canonical import digest
from interlock.core.event import ALERTS, Event, Fact, Kind
from interlock.errors import DuplicateFact
from interlock.ledger.store import Append, Store

OVER_MAX: Final = 1_000
"""Alerts that are over and still remembered whole, the newest."""


class About(NamedTuple):
    """What alerts of one kind are about; one of them stands at a time.

    Attributes:
        tenant: Whose.
        rule: `errors`, `burst`, `new_tools`, `budget`, `stuck`, `held` or `fatigue`.
        subject: A tool, a principal, a budget, …; empty for the whole tenant.
    """

    tenant: str
    rule: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One episode.

    Attributes:
        alert_id: `alert_` and 32 hexadecimal digits.
        about: What it is about.
        says: One sentence for people, with the figures.
        figures: The same as numbers and names.
        run_id: The run that it is about, or the first of several; empty for none.
        raised_us: When it was raised.
        resolved_us: When it was over; 0 where it stands.
    """

    alert_id: str
    about: About
    says: str
    figures: Mapping[str, Any]
    run_id: str
    raised_us: int
    resolved_us: int = 0


@dataclass(frozen=True, slots=True)
class Alerted:
    """What the chain of alerts says.

    Attributes:
        standing: By what they are about.
        over: The newest that are over, the newest last.
        episodes: How many there were of each.
    """

    standing: Mapping[About, Alert] = field(default_factory=dict)
    over: tuple[Alert, ...] = ()
    episodes: Mapping[About, int] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> Alerted:
        """This and what further events say. One whose payload was erased is over, whatever it was."""
        standing, over, episodes = dict(self.standing), list(self.over), dict(self.episodes)
        for event in events:
            fact = event.fact
            if fact.kind is Kind.ALERT_RAISED and fact.body:
                alert = _read(event)
                standing[alert.about] = alert
                episodes[alert.about] = episodes.get(alert.about, 0) + 1
            elif fact.kind is Kind.ALERT_RESOLVED:
                for about in [about for about, alert in standing.items() if alert.alert_id == fact.call_id]:
                    over.append(replace(standing.pop(about), resolved_us=event.at_us))
        return Alerted(standing, tuple(over[-OVER_MAX:]), episodes)


class AlertBook:
    """The alerts of a ledger, read on at every look: a process has several of these, and none hears of another."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alerted, self._seen = Alerted(), 0

    async def now(self) -> Alerted:
        """What stands and what is over.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        events = [event for event in await self._store.read(ALERTS, self._seen) if event.seq > self._seen]
        if events:
            self._alerted, self._seen = self._alerted.after(events), events[-1].seq
        return self._alerted

    async def raise_(self, about: About, says: str, figures: Mapping[str, Any], run_id: str = "") -> bool:
        """Record that an episode begins; whether this process was the one that did.

        Raises:
            LedgerError: It could not be written.
        """
        alert_id = episode_id(about, (await self.now()).episodes.get(about, 0))
        body = {"rule": about.rule, "subject": about.subject, "says": says, "figures": dict(figures)}
        return await self._write(
            about.tenant, Fact(Kind.ALERT_RAISED, body | {"run_id": run_id} if run_id else body, alert_id)
        )

    async def resolve(self, alert: Alert) -> bool:
        """Record that an episode is over; whether this process was the one that did.

        Raises:
            LedgerError: It could not be written.
        """
        return await self._write(alert.about.tenant, Fact(Kind.ALERT_RESOLVED, {}, alert.alert_id))

    async def _write(self, tenant: str, fact: Fact) -> bool:
        try:
            await self._store.append(Append(ALERTS, tenant, [fact]))
        except DuplicateFact:
            return False  # another worker has found the same
        return True


def episode_id(about: About, episode: int) -> str:
    """The id of the alert: the same in every process that knows how many there were before."""
    parts = (part.encode("utf-8", "surrogatepass") for part in (*about, str(episode)))
    return "alert_" + digest("interlock/alert/1", *parts).hex()[:32]


def _read(event: Event) -> Alert:
    body = event.fact.body
    return Alert(
        alert_id=event.fact.call_id, about=About(event.tenant, body["rule"], body["subject"]), says=body["says"],
        figures=body["figures"], run_id=body.get("run_id", ""), raised_us=event.at_us,
    )  # fmt: skip
