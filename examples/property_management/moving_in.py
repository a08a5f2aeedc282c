"""The fourth act: two tenants are taken in, each as a whole or not at all, and the runtime is killed in between.

A saga's steps stand in the ledger. So nobody has to be there to undo them: not who started it, and not the process
that had begun to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.to_thread

from examples.property_management.deployment import LEASE_S
from examples.property_management.onboarding import ADA, BO, MANAGER, ONBOARDING
from examples.runtime import Runtime
from examples.scene import Scene, comes_true
from examples.service.faults import REFUSE, STALL_AFTER_EFFECT
from interlock import SagaOutcome, SagaStatus

WORDS = "Bo Lind moves into 1003 in February, and Ada Brandt into Elmfield Gardens. Take both in."

MADE = ("create_tenant", "generate_lease")
UNDONE = ("void_lease", "delete_tenant")
"""What the two steps are undone by, the last one first."""


async def take_tenants_in(scene: Scene, folder: Path) -> None:
    """One saga fails at its last step, and what it did is undone across a `kill -9`; another one completes."""
    scene.teller.says(MANAGER.id, WORDS)
    said = "Each in four steps: find the flat, make the record, draw up the lease, welcome them. All of them, or none."
    scene.teller.says("saga", said)
    await anyio.to_thread.run_sync(scene.far_end.arm, "send_notice", REFUSE)
    await anyio.to_thread.run_sync(scene.far_end.arm, UNDONE[0], STALL_AFTER_EFFECT)
    bo = await _started(scene, BO)
    runtime = await anyio.to_thread.run_sync(Runtime, folder)
    scene.teller.says("runtime", f"`interlock work` starts, process {runtime.pid}: it goes on with what is due.")
    await _turned_back(scene, bo)
    await _killed(scene, runtime, bo)
    runtime = await anyio.to_thread.run_sync(Runtime, folder)
    scene.teller.says("runtime", f"starts again, process {runtime.pid}; the saga is its own in {LEASE_S} s.")
    await _undone(scene, bo)
    await _completed(scene, await _started(scene, ADA))
    code, _ = await anyio.to_thread.run_sync(runtime.end)
    scene.teller.says("runtime", f"gets a SIGTERM, has nothing left to do, and ends with {code}.")


async def _started(scene: Scene, person: dict[str, Any]) -> str:
    """Begin one, and leave it to whoever works; its run."""
    words = f"Take {person['name']} in as a tenant."
    async with scene.plane.saga(ONBOARDING, MANAGER, person, words=words, name=person["email"]) as saga:
        return saga.run_id


async def _turned_back(scene: Scene, run_id: str) -> None:
    """The letter is refused; the runtime has begun to undo what was done, and is not answered."""

    async def stalled() -> bool:
        return not await anyio.to_thread.run_sync(scene.far_end.armed, UNDONE[0])

    await comes_true(stalled)
    outcome = await scene.plane.saga_outcome(run_id)
    why = f"{_failed(outcome)}: the lease is made void first, and the service does not answer"
    await _happened(
        scene, "Bo's saga turns back", outcome.status.value, SagaStatus.COMPENSATING, why, (*MADE, UNDONE[0])
    )


async def _killed(scene: Scene, runtime: Runtime, run_id: str) -> None:
    await anyio.to_thread.run_sync(runtime.kill)
    scene.teller.says("kill -9", f"process {runtime.pid}, while it undoes.")
    outcome = await scene.plane.saga_outcome(run_id)
    left = sum(step.undo is not step.undo.NONE and step.undo is not step.undo.DONE for step in outcome.steps)
    why = f"{left} steps are still to be undone, as far as the ledger knows"
    await scene.person_did("kill -9 of the runtime", f"killed {left}", "killed 2", why=why)


async def _undone(scene: Scene, run_id: str) -> None:
    """Somebody else goes on undoing: nothing is left of it, and nothing was undone twice."""
    outcome = await _ended(scene, run_id)
    why = "the lease again under its key, which the service knows; then the record"
    await _happened(
        scene, "what Bo's saga did is undone", outcome.status.value, SagaStatus.COMPENSATED, why, UNDONE[1:]
    )


async def _completed(scene: Scene, run_id: str) -> None:
    outcome = await _ended(scene, run_id)
    why = f"{len(outcome.results)} of {len(outcome.steps)} steps are done"
    await _happened(scene, "Ada's saga", outcome.status.value, SagaStatus.COMPLETED, why, (*MADE, "send_notice"))


async def _ended(scene: Scene, run_id: str) -> SagaOutcome:
    async def over() -> bool:
        return (await scene.plane.saga_outcome(run_id)).status in (SagaStatus.COMPENSATED, SagaStatus.COMPLETED)

    await comes_true(over)
    return await scene.plane.saga_outcome(run_id)


async def _happened(
    scene: Scene, what: str, told: str, expected: SagaStatus, why: str, effects: tuple[str, ...]
) -> None:  # fmt: skip
    """Write it down, beside what the service must have done meanwhile, in this order."""
    kinds = [effect["kind"] for effect in await scene.new_effects()]
    counted = (len(kinds), len(effects))
    scene.came_about(what, " ".join([told, *kinds]), " ".join([expected.value, *effects]), why, counted)


def _failed(outcome: SagaOutcome) -> str:
    """Which step is not done, and why."""
    return next(
        (f"{step.id} is {step.status.value} ({step.why})" for step in outcome.steps if step.why), "nothing failed"
    )
