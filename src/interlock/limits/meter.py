"""What a run's models cost, reserved and settled in its budgets."""

from __future__ import annotations

from interlock.core.clock import Clock
from interlock.core.principal import Principal
from interlock.ledger.conversation import Conversation
from interlock.ledger.reservation import reserve, settle
from interlock.limits.limit import Limits
from interlock.models.metered import Cost


class RunMeter:
    """The `Meter` of a run: every budget that has `tokens` or `micro_usd` pays its part, or nothing is asked."""

    def __init__(self, limits: Limits, conversation: Conversation, principal: Principal, clock: Clock) -> None:
        self._limits, self._conversation, self._principal, self._clock = limits, conversation, principal, clock

    @property
    def counts(self) -> bool:
        """Whether the run has any budget at all; without one, nothing is reserved and nothing settled."""
        return bool(self._conversation.state.budgets or self._limits.quotas.budgets.all)

    async def reserve(self, ref: str, worst: Cost) -> None:
        """See `Meter`."""
        run, now_us = self._conversation.state, self._clock.wall_us()
        charges = self._limits.charges(self._principal, run, worst._asdict(), now_us)
        await reserve(self._conversation, ref, charges)

    async def settle(self, ref: str, actual: Cost) -> None:
        """See `Meter`."""
        await settle(self._conversation, ref, actual._asdict())
