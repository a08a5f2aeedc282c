"""What other processes do in the engine's tests, each in a fork; `tests.workers.killed` starts them."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from pydantic import BaseModel

from interlock import CallContext, Entity, LedgerError, Settings, Tool, World, open_plane, tool
from interlock.engine.engine import InProcessEngine
from interlock.testing import EffectOracle, FrozenClock
from tests.planes import ANA
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

    @tool(effect="irreversible", keyed=True, resource="n", entities={"n": Entity(type="Account", lookup="account")})
    def pay(n: int, context: CallContext) -> int:
        """Pay into an account, once for each key: whoever works beside the deadly one may be lost over it."""
        done: int = far.do("pay", {"n": n}, context.idempotency_key, dedupe=True)["n"]
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


LEASE_S = 1.0


def long_call(pipe: Connection, ledger: str, port: int, blocks: bool) -> None:
    """One call that takes until the other side says so, in an async tool that lets the event loop turn or blocks it."""
    far = EffectOracle(Path())
    far.port = port

    @tool(effect="reversible")
    async def put(n: int, context: CallContext) -> int:
        """Put a number, slowly."""
        done: int = far.do("put", {"n": n}, context.idempotency_key)["n"]
        pipe.send(context.run_id)
        if blocks:
            pipe.recv()
        else:
            await anyio.to_thread.run_sync(pipe.recv)
        return done

    async def main() -> None:
        async with in_real_time(ledger, [put]) as plane, plane.run(ANA, words="slowly") as run:
            try:
                outcome = await run.call("put", {"n": 1})
                pipe.send(outcome.kind.value)
            except LedgerError as error:
                pipe.send(error.code)

    anyio.run(main)


def in_real_time(ledger: str, tools: list[Tool], *, engine: bool = False) -> Any:
    """A plane whose claims lapse, and are renewed, as the machine's clock says."""
    settings = Settings(ledger=Path(ledger), folder=Path(ledger).parent, lease_s=LEASE_S)
    return open_plane(settings, tools=tools, engine=engine)


def keyed_put(port: int, sent: Connection | None = None) -> Tool:
    """A write whose receiver tells repeats by their key; where `sent` is given, it waits there with the answer."""
    far = EffectOracle(Path())
    far.port = port

    @tool(effect="reversible", keyed=True)
    def put(n: int, context: CallContext) -> int:
        """Put a number, once for each key."""
        done: int = far.do("put", {"n": n}, context.idempotency_key, dedupe=True)["n"]
        if sent is not None:
            sent.send(context.run_id)
            sent.recv()
        return done

    return put


def stopped_call(pipe: Connection, ledger: str, port: int) -> None:
    """Two calls of one run; between the effect of the first and its record somebody stops the process."""

    async def main() -> None:
        async with in_real_time(ledger, [keyed_put(port, pipe)]) as plane, plane.run(ANA, words="twice") as run:
            for n in (1, 2):
                try:
                    outcome = await run.call("put", {"n": n})
                    pipe.send(outcome.kind.value)
                except LedgerError as error:
                    pipe.send(error.code)

    anyio.run(main)
