"""A ledger in which somebody waits, a real receiver, and a notifier between them whose time a test owns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread

from interlock.core.clock import SECOND_US
from interlock.core.event import Fact, Kind
from interlock.core.points import Points, pass_by
from interlock.ledger.store import Append, Claim, Store
from interlock.net.egress import Egress
from interlock.net.reach import reach_of
from interlock.notices.channel import Channel
from interlock.notices.notice import Audience
from interlock.notices.notifier import Means, Notifier
from interlock.notices.webhook import Webhook
from interlock.testing import FrozenClock
from tests.ledger.makers import decided, proposed, requested, result, started, voice
from tests.net.receivers import KEY

LINK = "https://console.example/approvals/{approval_id}"


@dataclass
class Office:
    """A store with runs in it, and what tells people of them."""

    store: Store
    clock: FrozenClock
    egress: Egress
    runs: set[str] = field(default_factory=set)

    async def write(self, run_id: str, *facts: Fact, tenant: str = "default") -> None:
        """Facts of a run, begun where it is new."""
        begin = [] if run_id in self.runs else [started()]
        self.runs.add(run_id)
        await self.store.append(Append(run_id, tenant, [*begin, *facts]))

    async def ask(
        self, run_id: str, number: int = 1, *, groups: Sequence[str] = ("leads",), expires_s: float = 3600,
        tenant: str = "default", **body: Any,
    ) -> str:  # fmt: skip
        """A held call and its request; the request's id."""
        call_id, approval_id, now_us = f"call_{run_id}_{number}", f"appr_{run_id}_{number}", self.clock.wall_us()
        asked = requested(approval_id, call_id, now_us + int(expires_s * SECOND_US), groups=groups)
        asked = asked._replace(body=asked.body | {"requested_us": now_us} | body)
        held = decided(call_id, verdict="require_approval", outcome="held")
        await self.write(run_id, proposed(call_id), held, asked, tenant=tenant)
        return approval_id

    async def reject(self, run_id: str, number: int = 1) -> None:
        """Somebody says no."""
        said = voice(f"appr_{run_id}_{number}", f"call_{run_id}_{number}", "bob", "leads", decision="reject")
        await self.write(run_id, said)

    def webhook(self, port: int, name: str = "hook", audience: Audience | None = None, link: str = "") -> Webhook:
        """A channel to a receiver."""
        url = f"http://127.0.0.1:{port}/hooks/T0/s3cr3t"
        return Webhook(name, audience or Audience(), url, KEY, link, self.egress)

    def notifier(
        self, *channels: Channel, worker: str = "w1", jitter: float = 0.0, reach: Points = pass_by
    ) -> Notifier:
        """What tells, in a process of its own as far as the ledger can see."""
        means = Means(
            store=self.store, clock=self.clock, claim=Claim(worker, 30), jitter=lambda: jitter, reach=reach
        )  # fmt: skip
        return Notifier(means, channels)

    async def told(self, status: str = "delivered") -> list[str]:
        """What was recorded so far, by what it is about."""
        return [row["ref"] for row in await self.store.rows("notice", {"status": status})]


@asynccontextmanager
async def opened(store: Store, clock: FrozenClock) -> AsyncIterator[Office]:
    """An office over a store."""
    egress = await anyio.to_thread.run_sync(lambda: Egress(reach_of(["127.0.0.1"], "here"), timeout_s=5))
    try:
        yield Office(store, clock, egress)
    finally:
        await egress.close()


def given_up(call_id: str, outcome: str = "failed") -> tuple[Fact, ...]:
    """The last words on a call that was given up on."""
    letter = Fact(Kind.CALL_DEAD_LETTERED, {"code": "execute.busy", "attempts": 3}, call_id, 1, 3)
    return result(call_id, outcome), letter
