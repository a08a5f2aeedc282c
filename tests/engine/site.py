"""A deployment whose workers are processes of their own: `interlock work`, started, killed and asked to end."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from interlock import Interlock, load_settings, open_plane
from interlock.core.principal import Principal
from interlock.keys import Keys
from interlock.testing import EffectOracle
from tests.planes import ANA, BOB, CAY, saying

PEOPLE = (BOB, CAY)

INTERLOCK = Path(sys.executable).with_name("interlock")

TOOLS = '''
import os, signal, threading
from pathlib import Path
from pydantic import BaseModel
import interlock
from interlock.testing import EffectOracle

far = EffectOracle(Path())
far.port = {port}
here = Path({folder!r})

def do(effect, n, context, dedupe=False):
    return far.do(effect, {{"n": n}}, context.idempotency_key, dedupe=dedupe)["n"]

@interlock.tool(effect="irreversible", attempts_max=1)
def pay(n: int, context: interlock.CallContext) -> int:
    """Pay a number."""
    return do("pay", n, context)

@interlock.tool(effect="irreversible", keyed=True)
def pay_once(n: int, context: interlock.CallContext) -> int:
    """Pay a number, once for each key; the process dies over it where it is told to."""
    done = do("pay_once", n, context, dedupe=True)
    if (here / "die").exists():
        threading.Event().wait()
    return done

@interlock.tool(effect="irreversible", attempts_max=1)
def hang(n: int, context: interlock.CallContext) -> int:
    """Take effect and never return."""
    do("hang", n, context)
    threading.Event().wait()
    return n

class Account(BaseModel):
    owner: str

@interlock.tool(effect="read")
def account(n: int) -> Account:
    """Look up an account; the thirteenth kills whoever looks, where it is told to."""
    if n == 13 and (here / "poison").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return Account(owner="ana")

@interlock.tool(effect="irreversible", attempts_max=1, resource="n",
                entities={{"n": interlock.Entity(type="Account", lookup="account")}})
def pay_account(n: int, context: interlock.CallContext) -> int:
    """Pay into an account that is looked up first."""
    return do("pay_account", n, context)
'''

_modules = itertools.count()


@dataclass
class Site:
    """The folder, the far end, and whoever works there.

    Attributes:
        workers: Every worker that was started.
    """

    folder: Path
    far: EffectOracle
    lease_s: float = 1.0
    drain_s: float = 10.0
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        module = f"far_shop_{os.getpid()}_{next(_modules)}"
        text = TOOLS.format(port=self.far.port, folder=str(self.folder))
        (self.folder / f"{module}.py").write_text(text, encoding="utf-8")
        (self.folder / "interlock.toml").write_text(
            f'tools = ["{module}"]\nlease_s = {self.lease_s}\ndrain_s = {self.drain_s}\n', encoding="utf-8"
        )
        keys = Keys(self.folder / ".interlock" / "keys.json")
        self.key = keys.add(Principal("worker", roles=frozenset({"operator"}), kind="service"))
        for person in PEOPLE:
            keys.add(person)
        self._answers = 0

    def within(self, work: Callable[[Interlock], Any]) -> Any:
        """Do something with the plane in this process, which advances nothing by itself."""

        async def main() -> Any:
            async with open_plane(load_settings(self.folder / "interlock.toml"), engine=False) as plane:
                return await work(plane)

        path = list(sys.path)
        try:
            return anyio.run(main)
        finally:
            sys.path[:] = path

    def propose(self, tool: str, *numbers: int, approve: bool = True) -> list[str]:
        """Calls that are held, each in a run of its own, and approved unless that is not wanted; their approvals."""

        async def work(plane: Interlock) -> list[str]:
            made = []
            for number in numbers:
                async with plane.run(ANA, words="pay") as run:
                    held = await run.call(tool, {"n": number})
                assert held.approval_id, held
                made.append(held.approval_id)
            return made

        made: list[str] = self.within(work)
        if approve:
            self.approve(made)
        return made

    def approve(self, approvals: list[str]) -> None:
        """Say yes to all of them, one after the other."""

        async def work(plane: Interlock) -> None:
            for approval_id in approvals:
                asked = await plane.approval(approval_id)
                person = PEOPLE[self._answers % len(PEOPLE)]  # one alone would decide too fast
                self._answers += 1
                await plane.answer(approval_id, saying(asked.request), person)

        self.within(work)

    def rows(self, table: str = "tool_call", **where: Any) -> list[dict[str, Any]]:
        """Rows of a projection."""
        found: list[dict[str, Any]] = self.within(lambda plane: plane.store.rows(table, where))
        return found

    def calls(self, **where: Any) -> list[dict[str, Any]]:
        """The calls that were proposed, without the look-ups made on their behalf."""
        return [row for row in self.rows(**where) if not row["parent_id"]]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A worker; it need not be at work yet, see `at_work`."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")}
        worker = subprocess.Popen(
            [INTERLOCK, "work", "--json", *words], cwd=self.folder, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=env | {"INTERLOCK_KEY": self.key},
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End whoever is still at work."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.communicate()
        for name in [name for name in sys.modules if name.startswith("far_shop_")]:
            del sys.modules[name]


def at_work(*workers: subprocess.Popen[str]) -> None:
    """Wait until they say that they are."""
    for worker in workers:
        assert worker.stdout is not None
        assert "worker" in worker.stdout.readline()


def ended(worker: subprocess.Popen[str], *, asked: bool = False) -> tuple[int, list[dict[str, Any]], str]:
    """Wait for the end of a worker, after asking for it if that is wanted; code, what it told, its error output."""
    if asked:
        worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=60)
    assert "\n  " not in out, out + err
    return worker.returncode, [json.loads(line) for line in out.splitlines()], err


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does."""
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")
