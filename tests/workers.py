"""What other processes do in a test, each in a fork of one that has imported everything: `killed(…)`, `Worker(…)`.

The functions below run there. They find the far end by its port, and a crash point ends them as `kill -9` would.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from interlock import CallContext, LedgerError, Settings, Tool, World, open_plane, tool
from interlock.core.ids import IdMaker
from interlock.policy.flags import Scope
from interlock.testing import EffectOracle, FrozenClock
from tests.planes import OPA

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pytest", "tests.workers"])


def killed(work: Callable[..., None], *given: Any) -> bool:
    """Do work in another process, and whether its crash point ended it.

    An end by anything else than the crash point or the end of its work fails the test.
    """
    process = _FORKS.Process(target=work, args=given)
    process.start()
    process.join(20)
    assert process.exitcode in (0, -signal.SIGKILL), f"{work.__name__} ended with {process.exitcode}"
    return process.exitcode != 0


class Worker:
    """Another process that works until it is told to go on; `send` and `receive` speak to it."""

    def __init__(self, work: Callable[..., None], *given: Any) -> None:
        self._ours, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(target=work, args=(theirs, *given))
        self._process.start()
        theirs.close()

    def send(self, word: str) -> None:
        """Say something."""
        self._ours.send(word)

    def receive(self) -> Any:
        """What it says next; it has ten seconds."""
        assert self._ours.poll(10), "the other process says nothing"
        return self._ours.recv()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as the one that stops it and the one that lets it go on."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def end(self) -> None:
        """Wait for its clean end."""
        self._process.join(10)
        assert self._process.exitcode == 0, f"the other process ended with {self._process.exitcode}"
        self._ours.close()


def counted(prefix: str) -> IdMaker:
    """Ids that count from 1 for each kind and say which process made them."""
    made: dict[str, int] = {}

    def new_id(kind: str) -> str:
        made[kind] = made.get(kind, 0) + 1
        return f"{kind}_{prefix}_{made[kind]}"

    return new_id


def far_tools(port: int, wait: Callable[[], None] | None = None) -> list[Tool]:
    """Three tools whose effects the far end at `port` writes down, and counts."""
    far = EffectOracle(Path())
    far.port = port

    def do(effect: str, n: int, context: CallContext) -> int:
        done: int = far.do(effect, {"n": n}, context.idempotency_key)["n"]
        if wait is not None:
            wait()
        return done

    @tool(effect="read")
    def get(n: int, context: CallContext) -> int:
        """Read a number."""
        return do("get", n, context)

    @tool(effect="reversible")
    def put(n: int, context: CallContext) -> int:
        """Put a number."""
        return do("put", n, context)

    @tool(effect="irreversible")
    def pay(n: int, context: CallContext) -> int:
        """Pay a number."""
        return do("pay", n, context)

    return [get, put, pay]


def advance_once(pipe: Connection, ledger: str, port: int, run_id: str) -> None:
    """Advance the run; say when the effect is done and wait there; say how it ended."""

    def wait() -> None:
        pipe.send("effect done")
        pipe.recv()

    async def main() -> None:
        async with _opened(ledger, "other", far_tools(port, wait), World()) as plane:
            try:
                pipe.send(await plane.advance(run_id))
            except LedgerError as error:
                pipe.send(type(error).__name__)

    anyio.run(main)


def stop_everything(ledger: str) -> None:
    """The stop switch, thrown in another process."""

    async def main() -> None:
        async with _opened(ledger, "stopper", [], World()) as plane:
            await plane.plane.switch.turn(Scope.ALL, "", OPA, stop=True)

    anyio.run(main)


def _opened(ledger: str, prefix: str, tools: list[Tool], world: World) -> Any:
    path = Path(ledger)
    own = World(clock=FrozenClock(), new_id=counted(prefix), reach=world.reach)
    return open_plane(Settings(ledger=path, folder=path.parent), tools=tools, world=own, engine=False)
