"""What running needs, put together once for a process."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from interlock.core.clock import Clock
from interlock.core.points import Points, pass_by
from interlock.core.progress import ProgressListeners
from interlock.execution.breaker import Breakers
from interlock.execution.bulkhead import Bulkhead
from interlock.execution.health import Health
from interlock.execution.keeper import Keeper, NoKeeper
from interlock.execution.reads import Reads
from interlock.execution.tracing import Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What running needs.

    Attributes:
        deployment_key: Secret of this deployment, 32 bytes: idempotency keys are made with it.
        clock: For durations and deadlines.
        bulkhead: Who may execute at once.
        breakers: Which tools are left alone for a while.
        health: Whether what tools depend on answers.
        reads: Which reads need not ask their tool by themselves.
        listeners: Who hears how far a call is.
        keeper: Where the secrets are kept that calls refer to.
        tracing: Whose trace far ends are told that a call belongs to.
        pause: Waits that many seconds between attempts.
        jitter: A number from -1 to 1.
        reach: Told the name of each crash point as it is passed.
    """

    deployment_key: bytes = field(repr=False)
    clock: Clock
    bulkhead: Bulkhead
    breakers: Breakers
    health: Health
    reads: Reads
    listeners: ProgressListeners
    keeper: Keeper = field(default_factory=NoKeeper)
    tracing: Tracing = field(default_factory=Tracing)
    pause: Callable[[float], Awaitable[None]] = anyio.sleep
    jitter: Callable[[], float] = lambda: random.uniform(-1, 1)  # spreads retries, guards nothing
    reach: Points = pass_by
