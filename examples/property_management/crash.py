"""The second act: the runtime is killed in the middle of four effects, started again, and settles what it left open."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

import interlock
from examples.deployment import FINANCE, OPERATOR
from examples.property_management.deployment import AGENT, LEASE_S
from examples.runtime import Runtime
from examples.scene import Expect, Scene, comes_true
from examples.service.faults import STALL_AFTER_EFFECT, STALL_BEFORE
from interlock import OutcomeKind

WORDS = (
    "The boiler also failed Orla Chaudhry and Malik Lindqvist: give them 60 back each. Write to Eirlys that Copperline "
    "comes on Tuesday. And charge Quentin Nwosu 30 for December, he knows why."
)


class Fate(NamedTuple):
    """One call that the runtime dies over.

    Attributes:
        name: What it is, for a person.
        fault: What the service does with the request that the runtime sends.
        outcome: What must come of it by itself after the restart.
        how: How the ledger must say that it was taken up: sent `again`, by an `ask`, or left to a `person`.
        told: The same for a person.
        effects: What the service must do after the restart.
    """

    name: str
    tool: str
    arguments: dict[str, Any]
    fault: str
    outcome: OutcomeKind
    how: str
    told: str
    effects: int = 0


FATES = (
    Fate(
        "Orla's refund", "refund_payment",
        {"payment_id": 500273, "amount_cents": 6_000, "reason": "No heating for two days"},
        STALL_BEFORE, OutcomeKind.DONE, "again", "sent again under its key; the service makes it now", 1,
    ),
    Fate(
        "Malik's refund", "refund_payment",
        {"payment_id": 500274, "amount_cents": 6_000, "reason": "No heating for two days"},
        STALL_AFTER_EFFECT, OutcomeKind.DONE, "again",
        "sent again under its key; the service knows the key, and does nothing more",
    ),
    Fate(
        "the letter to Eirlys", "send_notice",
        {"tenant_id": 20111, "subject": "Your heating", "message": "Copperline Heating comes on Tuesday at 9:30."},
        STALL_AFTER_EFFECT, OutcomeKind.DONE, "ask", "not sent again: the service is asked, and has it",
    ),
    Fate(
        "Quentin's fee", "charge_late_fee",
        {"tenant_id": 20005, "amount_cents": 3_000, "reason": "December's rent came nine days late"},
        STALL_AFTER_EFFECT, OutcomeKind.UNKNOWN, "person",
        "it can neither be asked about nor told from a repeat, and is left to a person",
    ),
)  # fmt: skip


async def lose_the_runtime(scene: Scene, folder: Path) -> None:
    """Four calls wait for their approvals; the runtime carries them out, dies over all four, and comes back."""
    scene.teller.says("bartholomew", WORDS)
    scene.teller.says(AGENT.id, "Four tasks, each in a conversation of its own.")
    held = [await _proposed(scene, fate) for fate in FATES]
    if any(outcome.kind is not OutcomeKind.HELD for outcome in held):
        return  # the calls' own rows say that this is wrong
    runtime = await anyio.to_thread.run_sync(Runtime, folder)
    scene.teller.says("runtime", f"`interlock work` starts, process {runtime.pid}: it carries out what is approved.")
    scene.teller.says(FINANCE.id, "approves one after the other. The service takes each, and keeps its answer.")
    for fate, outcome in zip(FATES, held, strict=True):
        await _approved(scene, fate, outcome)
    await _killed(scene, runtime, held)
    runtime = await anyio.to_thread.run_sync(Runtime, folder)
    said = f"starts again, process {runtime.pid}. The dead one's claims lapse {LEASE_S} s after they were last renewed."
    scene.teller.says("runtime", said)
    await _recovered(scene, held)
    await _settled(scene, held[-1])
    code, _ = await anyio.to_thread.run_sync(runtime.end)
    scene.teller.says("runtime", "gets a SIGTERM, has nothing left to carry out, and ends.")
    await scene.person_did("the runtime ends", f"ended {code}", "ended 0", why="with exit code 0")


async def _proposed(scene: Scene, fate: Fate) -> interlock.Outcome:
    async with scene.plane.run(AGENT, words=WORDS) as run:
        outcome = await run.call(fate.tool, fate.arguments)
    await scene.call_ended(outcome, Expect(OutcomeKind.HELD, "approve.held"), 0)
    return outcome


async def _approved(scene: Scene, fate: Fate, held: interlock.Outcome) -> None:
    """Approve one, and see that the service has it before the next."""
    await anyio.to_thread.run_sync(scene.far_end.arm, fate.tool, fate.fault)
    asked = await scene.plane.approval(held.approval_id)
    await scene.plane.answer(
        held.approval_id,
        interlock.Answer(decision="approve", digest=asked.request["approval"], nonce=asked.request["nonce"]),
        FINANCE,
    )

    async def taken() -> bool:
        return not await anyio.to_thread.run_sync(scene.far_end.armed, fate.tool)

    told = "sent" if await comes_true(taken) else "not sent"
    done = 0 if fate.fault == STALL_BEFORE else 1
    why = f"{fate.name}: the service {'has done it' if done else 'has done nothing yet'}, and does not answer"
    await scene.person_did(f"{FINANCE.id} approves it", told, "sent", why=why, effects=done)


async def _killed(scene: Scene, runtime: Runtime, held: list[interlock.Outcome]) -> None:
    await anyio.to_thread.run_sync(runtime.kill)
    rows = [await _row(scene, outcome) for outcome in held]
    left = sum(row["status"] == "intent" for row in rows)
    scene.teller.says("kill -9", f"process {runtime.pid}, over four effects.")
    why = f"the ledger has {left} intents, and of none what came of it"
    await scene.person_did("kill -9 of the runtime", f"killed {left}", f"killed {len(held)}", why=why)


async def _recovered(scene: Scene, held: list[interlock.Outcome]) -> None:
    async def moved_on() -> bool:
        return all([(await _row(scene, outcome))["status"] != "intent" for outcome in held])

    await comes_true(moved_on)
    effects = await scene.new_effects()
    for fate, outcome in zip(FATES, held, strict=True):
        row = await _row(scene, outcome)
        how = await _how(scene, row)
        done = sum(fate.arguments.items() <= effect["body"].items() for effect in effects)
        told, expected = f"{row['outcome']} {how}", f"{fate.outcome.value} {fate.how}"
        scene.came_about(f"{fate.name} is taken up", told, expected, fate.told, (done, fate.effects))


async def _settled(scene: Scene, fee: interlock.Outcome) -> None:
    """What no program can know, a person looks up."""
    if (await _row(scene, fee))["status"] != "unknown":
        return  # its own row says that this is wrong
    booked = [each for each in await anyio.to_thread.run_sync(scene.far_end.effects) if each["kind"] == fee.tool]
    found = f"fee {booked[-1]['answer']['id']} is in the service's books"
    scene.teller.says(OPERATOR.id, f"looks it up: {found}. Settles the call.")
    outcome = await scene.plane.settle(fee.call_id, "done", OPERATOR, note=f"{found}, looked up by hand")
    await scene.person_did(f"{OPERATOR.id} settles it", outcome.kind.value, "done", why=found)


async def _row(scene: Scene, outcome: interlock.Outcome) -> dict[str, Any]:
    """How a call stands."""
    return (await scene.plane.store.rows("tool_call", {"call_id": outcome.call_id}))[0]


async def _how(scene: Scene, row: dict[str, Any]) -> str:
    """How the ledger says that a call was taken up; empty where it was not."""
    if row["code"] == "execute.lost":
        return "person"
    events = await scene.plane.store.read(row["run_id"])
    said = [event.fact.body["do"] for event in events if event.fact.kind == "recovery"]
    return said[-1] if said else ""
