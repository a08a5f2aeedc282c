"""What is out of the ordinary is told: found by rules, raised once, resolved once, by whichever worker finds it first.

    alerts = Alerts(plane, measures, settings)
    alerts.note(event, counts)              # every event, for what is usual
    await alerts.look()                     # now and then: raise and resolve
    await alerts.standing("default")        # what stands, for pages and the API

An alert is an event (`alert.raised`, `alert.resolved`), so it survives a restart, is one for all workers, and is told
through the outbox as everything is that people wait for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from interlock.alert_settings import AlertSettings
from interlock.core.event import Event, Kind
from interlock.core.guard_row import read_row, rows_of
from interlock.core.principal import FIRST_TENANT
from interlock.ledger.alerted import About, Alert, AlertBook
from interlock.limits.budget import period, period_end_us
from interlock.limits.use import BudgetUse
from interlock.pipeline import Plane
from interlock.telemetry import alert_rules
from interlock.telemetry.alert_patterns import LEARNS_US, Past, Patterns
from interlock.telemetry.alert_rules import Finding
from interlock.telemetry.bodies import items
from interlock.telemetry.measures import Measures
from interlock.telemetry.measures_buckets import DAY_US, MINUTE_US
from interlock.telemetry.measures_fold import BY, UNKNOWN, Counts

READ_MAX: Final = 10_000
"""Rows of a table that are looked at."""

RUNS_MAX: Final = 20_000
"""Open runs that are remembered, with the budgets of their own: the newest."""

PER_RULE_MAX: Final = 50
"""Alerts of one rule and tenant that may stand at once: more would bury what matters."""


class Alerts:
    """The alerts of a deployment, as this process finds and tells them."""

    def __init__(self, plane: Plane, measures: Measures, settings: AlertSettings) -> None:
        self._plane = plane
        self._measures = measures
        self._settings = settings
        self._book = AlertBook(plane.ledger.store)
        self._usual: dict[str, Patterns] = {}
        self._open: dict[str, dict[str, int]] = {}

    def note(self, event: Event, counts: Counts, past: Past | None = None) -> None:
        """Learn what is usual from an event and what it counts.

        Args:
            past: The stretch of the ledger that it is of, where that is not the newest.
        """
        for key, _ in counts:
            if key[0] == BY and key[2] != UNKNOWN:
                self._of(event.tenant).add(event.at_us, key[1], key[2], past)
        if event.fact.kind is Kind.RUN_STARTED and past is None:
            self._open[event.chain] = _budgets(event.fact.body)
            if len(self._open) > RUNS_MAX:
                del self._open[next(iter(self._open))]
        elif event.fact.kind in (Kind.RUN_FINISHED, Kind.RUN_CANCELLED):
            self._open.pop(event.chain, None)

    def noted(self, past: Past, tenants: Iterable[str]) -> None:
        """A stretch is read to its end."""
        for tenant in tenants:
            self._of(tenant).done(past)

    async def standing(self, tenant: str) -> tuple[Alert, ...]:
        """Alerts of a tenant that stand, the newest first.

        Raises:
            StoreUnavailable: They cannot be read.
        """
        standing = (await self._book.now()).standing
        mine = [alert for about, alert in standing.items() if about.tenant == tenant]
        return tuple(sorted(mine, key=lambda alert: (-alert.raised_us, alert.alert_id)))

    async def over(self, tenant: str) -> tuple[Alert, ...]:
        """Alerts of a tenant that were resolved, the newest first; as many as are remembered.

        Raises:
            StoreUnavailable: They cannot be read.
        """
        return tuple(alert for alert in reversed((await self._book.now()).over) if alert.about.tenant == tenant)

    async def all_standing(self) -> tuple[About, ...]:
        """What the alerts of all tenants are about.

        Raises:
            StoreUnavailable: They cannot be read.
        """
        return tuple((await self._book.now()).standing)

    async def look(self) -> None:
        """Raise what is out of the ordinary and was not, and resolve what is not any more.

        Raises:
            LedgerError: The ledger cannot be read or written; what was not done is done at the next look.
        """
        now_us = self._plane.clock.wall_us()
        late = await self._late(now_us)
        tenants = {*self._measures.tenants(), *late, FIRST_TENANT}
        tenants |= {about.tenant for about in (await self._book.now()).standing}
        for tenant in sorted(tenants):
            found = [*late.get(tenant, ()), *await self._budgets(tenant, now_us), *self._counted(tenant, now_us)]
            await self._tell(tenant, found, self._undecided(now_us))

    async def _tell(self, tenant: str, found: Iterable[Finding], undecided: frozenset[str]) -> None:
        """Hold what was found against what stands.

        Args:
            undecided: Rules of which nothing can be said as yet: what stands of them goes on.
        """
        findings = {About(tenant, each.rule, each.subject): each for each in found}
        standing = {
            about: alert for about, alert in (await self._book.now()).standing.items() if about.tenant == tenant
        }
        for about, alert in standing.items():
            if about not in findings and about.rule not in undecided:
                await self._book.resolve(alert)
        of_rule = Counter(about.rule for about in standing)
        for about, finding in findings.items():
            if finding.raises and about not in standing and of_rule[about.rule] < PER_RULE_MAX:
                of_rule[about.rule] += 1
                await self._book.raise_(about, finding.says, finding.figures, finding.run_id)

    def _undecided(self, now_us: int) -> frozenset[str]:
        """Rules that need more of the past than was read as yet."""
        complete_us = now_us - self._measures.complete_from_us
        needs = {
            "errors": self._settings.errors_within_min * MINUTE_US, "burst": LEARNS_US, "new_tools": LEARNS_US,
            "fatigue": 7 * DAY_US,
        }  # fmt: skip
        return frozenset(rule for rule, us in needs.items() if complete_us < us)

    def _counted(self, tenant: str, now_us: int) -> list[Finding]:
        """Of the rules that look at figures."""
        settings, undecided = self._settings, self._undecided(now_us)
        found: list[Finding] = []
        if settings.errors and "errors" not in undecided:
            within = self._measures.over(tenant, now_us - settings.errors_within_min * MINUTE_US, now_us + 1)
            found += alert_rules.errors(within.tools, settings)
        if "burst" not in undecided and tenant in self._usual:
            self._usual[tenant].trim(now_us)
            found += alert_rules.patterns(self._usual[tenant], now_us, settings)
        if settings.fatigue and "fatigue" not in undecided:
            found += alert_rules.fatigue(self._measures.over(tenant, now_us - 7 * DAY_US, now_us + 1).approvers)
        return found

    async def _budgets(self, tenant: str, now_us: int) -> list[Finding]:
        """Of the budgets, which are noted for the overview as well."""
        known = {(budget.name, budget.unit): budget for budget in self._plane.limits.quotas.budgets.all}
        uses = []
        for row, value in (await self._plane.ledger.store.guards(rows_of(tenant))).items():
            match read_row(row):
                case [_, "budget", name, unit, now, *whose]:
                    budget = known.get((name, unit))
                    over = whose and dict(whose).get("run", "") not in {"", *self._open}
                    if budget is not None and now == period(budget.every, now_us) and not over:
                        anew_us = period_end_us(budget.every, now_us) if budget.every else None
                        uses.append(BudgetUse(name, unit, dict(whose), budget.most, 0, value, anew_us))
                case [_, "run", run_id, unit] if row in self._open.get(run_id, {}):
                    uses.append(BudgetUse("", unit, {"run": run_id}, self._open[run_id][row], 0, value, None))
        self._measures.note_budgets(tenant, [use for use in uses if use.name])
        return alert_rules.budgets(uses, self._settings)

    async def _late(self, now_us: int) -> Mapping[str, list[Finding]]:
        """Of what waits too long, by tenant."""
        store, settings = self._plane.ledger.store, self._settings
        due: dict[str, list[tuple[int, str]]] = {}
        held: dict[str, list[tuple[int, str]]] = {}
        for each in await store.due(READ_MAX) if settings.stuck_min else ():
            due.setdefault(each.tenant, []).append((each.at_us, each.run_id))
        for row in await store.rows("approval", {"status": "pending"}, READ_MAX) if settings.held_min else ():
            if row["expires_us"] is None or row["expires_us"] > now_us:
                held.setdefault(row["tenant"], []).append((row["requested_us"] or now_us, row["run_id"]))
        return {
            tenant: [
                *alert_rules.late("stuck", due.get(tenant, ()), now_us, settings.stuck_min),
                *alert_rules.late("held", held.get(tenant, ()), now_us, settings.held_min),
            ]
            for tenant in {*due, *held}
        }

    def _of(self, tenant: str) -> Patterns:
        found = self._usual.get(tenant)
        if found is None:
            found = self._usual[tenant] = Patterns()
        return found


def _budgets(body: Mapping[str, Any]) -> dict[str, int]:
    """The budgets of a run's own, by their rows; what is none, in a body of another release, is passed over."""
    found = {}
    for each in items(body.get("budgets")):
        match each:
            case [str(row), _, int(most)]:
                found[row] = most
    return found
