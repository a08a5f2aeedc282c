"""What the ledger and the service say when a demonstration is over."""

from __future__ import annotations

from typing import NamedTuple

import anyio.to_thread

from examples.runtime import Verdict
from examples.scene import Row, Scene


class Account(NamedTuple):
    """What the ledger and the service say when all is over.

    Attributes:
        run_id: The session's run.
        rows: Every call, and what people did.
        look_ups: Reads that Interlock made by itself, to check what the calls named.
        verdict: What verifying the ledger says.
        done: Calls with effects that were done, by the ledger's count.
        effects: Effects, by the service's own count.
    """

    run_id: str
    rows: list[Row]
    look_ups: int
    verdict: Verdict
    done: int
    effects: int

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be; nothing where every expectation held."""
        found = [f"{row.name}: {row.wrong}" for row in self.rows if row.wrong]
        if self.verdict.wrong:
            found.append(f"the ledger: {self.verdict.wrong}")
        if self.done != self.effects:
            found.append(f"the ledger has {self.done} effects, the service counted {self.effects}")
        return found


async def account_of(scene: Scene, run_id: str) -> Account:
    """The account so far; the ledger is still to be verified."""
    store = scene.plane.store
    calls = await store.rows("tool_call")
    return Account(
        run_id=run_id,
        rows=scene.rows,
        look_ups=sum(bool(call["parent_id"]) and call["effect"] == "read" for call in calls),
        verdict=Verdict("it was not asked for", 0, 0),
        done=sum(call["outcome"] == "done" and call["effect"] != "read" for call in calls),
        effects=len(await anyio.to_thread.run_sync(scene.far_end.effects)),
    )
