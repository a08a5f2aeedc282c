"""The gate `limit`: how many calls, and not the same one over and over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.core.call import AllowedCall, LimitedCall, Stop, ValidCall, refuse
from interlock.core.charge import Charge
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.ledger.refused import refused_by_limit
from interlock.limits.loop import Loops, loop
from interlock.limits.quota import Asked, Quotas
from interlock.registry.undoing import undoes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use at most.

    Attributes:
        calls_max: Calls of one run, refused ones included, since its user last said something.
        loops: How often calls that are alike, and how many at once.
        quotas: The rates and budgets that runs share.
    """

    calls_max: int = 200
    loops: Loops = field(default_factory=Loops)
    quotas: Quotas = field(default_factory=Quotas)

    def charges(
        self, principal: Principal, run: RunState, costs: Mapping[str, int], now_us: int
    ) -> tuple[Charge, ...]:  # fmt: skip
        """See `Quotas.charges`."""
        return self.quotas.charges(principal, run, costs, now_us)


async def limit(allowed: AllowedCall, limits: Limits, run: RunState, step: int) -> LimitedCall | Stop:
    """Refuse a call beyond the run's limits or what runs share, or one that is on its way already.

    What undoes a call is charged, and refused by no limit: that would leave standing what is to be undone.

    Args:
        step: Number of this call within the run, from 1.
    """
    valid = allowed.valid
    call = valid.call
    known = run.calls.get(call.call_id)
    if known is not None and known.status == "intent":
        return LimitedCall(allowed, ())  # taken up from a lost worker: it was counted when its intent was made
    undoing = call.parent_id != "" and not call.dry_run and undoes(valid, run) != ""
    if step - run.under_way.calls_before > limits.calls_max and not undoing:
        return refuse(
            call, "limit.calls", f"this run has used its {limits.calls_max} calls",
            next_step="Answer with what you have.", audit={"step": step},
        )  # fmt: skip
    first = run.under_way.open_writes.get(valid.digest, call.call_id)
    if valid.selected is not None:  # rolled back or on meanwhile, the same call is still the same
        first = next(filter(None, map(run.under_way.open_writes.get, valid.selected.others)), first)
    if first != call.call_id and not _once_more(first, valid, run):
        return refuse(
            call, "limit.duplicate", f"the same call is open already as {first}",
            next_step=f"Wait for {first}, or change the arguments if another effect is meant.", audit={"first": first},
        )  # fmt: skip
    if (stop := loop(valid, limits.loops, run)) is not None:
        return stop
    asked = limits.quotas.asked(allowed, run)
    if undoing:
        return _undoing(allowed, asked)
    decision = allowed.decision
    if decision.binding_hold is not None or decision.verify or call.dry_run:  # nobody is asked about what cannot run
        refused = await limits.quotas.refuses(asked)
        if refused is not None:
            return refused_by_limit(call, asked.charges, refused)
    return LimitedCall(allowed, asked.guards, asked.charges)


def _undoing(allowed: AllowedCall, asked: Asked) -> LimitedCall:
    """What undoes a call: its budgets pay, beyond their end if need be; rates counted the call that it undoes."""
    charges = asked.charges
    return LimitedCall(allowed, tuple(charge.guard._replace(at_most=None) for charge in charges), charges)


def _once_more(first: str, valid: ValidCall, run: RunState) -> bool:
    """Whether the open call is an earlier try for the same call, as of what undoes it, and doing it twice is once."""
    other = run.calls.get(first)
    same = other is not None and other.parent_id == valid.call.parent_id != "" and other.status == "unknown"
    return same and valid.tool.idempotent
