"""Rollouts in the ledger: a person's word, the figures that all processes count together, and the rollback.

Words stand in the tenant's chain, where every process reads them before its next call. Figures are guard rows, changed
in the transaction of the event that ends a call: so many calls, so many of them failed, of what is rolled out, by each
principal too, and of what the others got in the same time.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.event import Fact, GuardChange, Kind
from interlock.core.points import Points
from interlock.core.principal import Principal
from interlock.core.selected import Selected, Trial
from interlock.core.tool import Tool
from interlock.errors import LedgerError
from interlock.ledger.store import Store
from interlock.ledger.switch import StopSwitch
from interlock.registry.rollout import Rollout
from interlock.registry.trial import Figures, has_failed, works_for

INTERLOCK = "interlock"
"""Who takes a version back, in the record."""

_OF_ANOTHER = ("cached", "shared")
"""Where an answer is one that another call got: that one is counted."""

_SHUT = "execute.open"
"""Code of a call that was not made because others had failed: it says nothing of its own principal's calls."""

_NOT_ITS_OWN = frozenset({"execute.full", "call.cancelled"})
"""Codes of calls that say nothing of their version: there was no room, or the caller went away."""


def counted(
    principal: Principal, selected: Selected, outcome: Outcome, how: Container[str]
) -> tuple[tuple[GuardChange, ...], tuple[Trial, ...]]:
    """What the end of a call that reached its tool adds to figures, and of a failure the rollouts to be judged.

    Failed and unknown are failures, and so is a result that is withheld: it is not what the tool declares.

    Args:
        how: Words of the record on where the answer is from.
    """
    kind = outcome.kind
    alone = not any(word in how for word in _OF_ANOTHER) and outcome.code not in _NOT_ITS_OWN
    if not alone or kind in (OutcomeKind.REFUSED, OutcomeKind.HELD):
        return (), ()
    failed = kind is not OutcomeKind.DONE
    changes: list[GuardChange] = []
    for trial in selected.trials:
        rows = [f"{_rows(principal.tenant, trial.rollout_id)}{'new' if trial.new else 'old'}"]
        if trial.new and outcome.code != _SHUT:
            rows.append(_rows_by(principal.tenant, trial.rollout_id) + principal.id)
        for row in rows:
            changes += [GuardChange(f"{row}/calls", 1), *([GuardChange(f"{row}/failed", 1)] if failed else ())]
    return tuple(changes), selected.trials if failed else ()


async def figures_of(store: Store, tenant: str, rollout_id: str) -> Figures:
    """What came of the calls of a rollout so far.

    Raises:
        StoreUnavailable: They cannot be read.
    """
    prefix = _rows(tenant, rollout_id)
    rows = await store.guards(prefix)
    return Figures(*(rows.get(prefix + row, 0) for row in ("new/calls", "new/failed", "old/calls", "old/failed")))


async def judge(switch: StopSwitch, store: Store, tenant: str, trials: Iterable[Trial], reach: Points) -> None:
    """Take back what has failed, once, whoever counts the last failure. Called after a failure was recorded.

    Killed before it is recorded, or where the ledger cannot be read or written, the next failure, of any process, comes
    here with the same figures: the call that failed is recorded already, and its caller is told what came of it.
    """
    try:
        rollouts = (await switch.standing(tenant)).rollouts
        for trial in trials:
            rollout = rollouts.find(trial.rollout_id) if trial.new else None
            if rollout is None or not rollout.share:
                continue
            figures = await figures_of(store, tenant, rollout.rollout_id)
            if not has_failed(figures, rollout.tolerated):
                continue
            worst, others = await _worst(store, tenant, rollout.rollout_id)
            if works_for(others, rollout.tolerated):
                continue
            reach("rollback.before")
            await switch.say(tenant, _taken_back(rollout, figures, worst))
            reach("rollback.committed")
    except LedgerError:
        return  # also where another process was first


def word(rollout_id: str, tool: Tool, said: dict[str, Any], person: Principal) -> Fact:
    """A person's word on a version.

    Args:
        said: `percent`, `tolerated`, `reason`, what it was before, and whether it is `later` than another.
    """
    body = {"server": tool.server, "tool": tool.name, "version": tool.version, **said}
    return Fact(Kind.ROLLOUT_SET, body, rollout_id, principal_id=person.id, tool_hash=tool.digest)


async def _worst(store: Store, tenant: str, rollout_id: str) -> tuple[Figures, Figures]:
    """What came of the calls of the principal of whom most failed, and of those of all others."""
    rows = await store.guards(_rows_by(tenant, rollout_id))
    every = {row.removesuffix("/calls"): calls for row, calls in rows.items() if row.endswith("/calls")}
    found = [Figures(calls, rows.get(f"{row}/failed", 0)) for row, calls in every.items()]
    worst = max(found, key=lambda each: (each.failed, -each.calls), default=Figures())
    calls, failed = sum(each.calls for each in found), sum(each.failed for each in found)
    return worst, Figures(calls - worst.calls, failed - worst.failed)


def _taken_back(rollout: Rollout, figures: Figures, worst: Figures) -> Fact:
    body: dict[str, Any] = {"server": rollout.server, "tool": rollout.tool, "version": rollout.version}
    body |= {"percent": rollout.percent, "tolerated": rollout.tolerated, **figures.as_json()}
    body |= {"worst_calls": worst.calls, "worst_failed": worst.failed}
    return Fact(Kind.ROLLOUT_ROLLED_BACK, body, rollout.rollout_id, principal_id=INTERLOCK)


def _rows(tenant: str, rollout_id: str) -> str:
    return f"{tenant}/rollout/{rollout_id}/"


def _rows_by(tenant: str, rollout_id: str) -> str:
    """What is counted by principal: apart, because it is read only where the figures of all are bad."""
    return f"{tenant}/rollout-by/{rollout_id}/"
