"""What other processes do in the engine's tests, each in a fork; `tests.workers.killed` starts them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import anyio
from pydantic import BaseModel

from interlock import CallContext, Entity, Settings, Tool, World, open_plane, tool
from interlock.engine.engine import InProcessEngine
from interlock.testing import EffectOracle, FrozenClock
from tests.workers import counted

POISON = 13
"""The account over whose look-up a process dies, where it is to."""


class Account(BaseModel):
    owner: str


def accounts(port: int, *, deadly: bool = False) -> list[Tool]:
    """A payment into an account that is looked up before anything of the call is recorded."""
    far = EffectOracle(Path())
    far.port = port

    @tool(effect="read")
    async def account(n: int) -> Account:
        """Look up an account."""
        if deadly and n == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        return Account(owner="ana")

    @tool(effect="irreversible", resource="n", entities={"n": Entity(type="Account", lookup="account")})
    def pay(n: int, context: CallContext) -> int:
        """Pay into an account."""
        done: int = far.do("pay", {"n": n}, context.idempotency_key)["n"]
        return done

    return [account, pay]


def opened(ledger: str, prefix: str, tools: list[Tool], later_s: float = 0) -> Any:
    """A plane on this ledger whose time is so much later; it advances nothing by itself."""
    clock = FrozenClock()
    clock.advance(later_s)
    world = World(clock=clock, new_id=counted(prefix))
    return open_plane(Settings(ledger=Path(ledger), folder=Path(ledger).parent), tools=tools, world=world, engine=False)


def look_once(ledger: str, port: int, later_s: float) -> None:
    """A worker that does what is due once, in a world in which one account is deadly."""

    async def main() -> None:
        tools = accounts(port, deadly=True)
        async with opened(ledger, f"worker{later_s}", tools, later_s) as plane:
            await InProcessEngine(plane.plane.clock).look(plane.store, plane.advance)

    anyio.run(main)
