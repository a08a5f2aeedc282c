"""What people do while the agent works: nothing that the agent could do for them."""

from __future__ import annotations

from dataclasses import dataclass

import anyio.to_thread

import interlock
from examples.deployment import FINANCE, OPERATOR
from examples.property_management.deployment import AGENT
from examples.scene import Scene
from interlock import Scope


@dataclass(kw_only=True)
class Session(Scene):
    """The first act, which is one run.

    Attributes:
        run: What the agent's calls belong to.
    """

    run: interlock.Run


CALENDAR = "schedule_visit"
FEE = "charge_late_fee"


async def stop_the_calendar(scene: Session, _: interlock.Outcome | None) -> None:
    """An operator stops a tool: the next call of it is refused, in every process on this ledger."""
    reason = "the calendar moves house until noon"
    scene.teller.says(OPERATOR.id, f"stops {CALENDAR}: {reason}.")
    await scene.plane.stop(Scope.TOOL, CALENDAR, OPERATOR, reason=reason)
    await scene.person_did(f"{OPERATOR.id} stops it", await _switched(scene), "stopped", why=reason)


async def resume_the_calendar(scene: Session, _: interlock.Outcome | None) -> None:
    """The operator takes the stop back."""
    scene.teller.says(OPERATOR.id, f"resumes {CALENDAR}.")
    await scene.plane.resume(Scope.TOOL, CALENDAR, OPERATOR)
    await scene.person_did(f"{OPERATOR.id} resumes it", await _switched(scene), "resumed")


async def decide_the_refund(scene: Session, held: interlock.Outcome | None) -> None:
    """The agent would approve its own call, and may not; somebody of finance reads what would run, and does."""
    assert held is not None, "a decision follows a call"
    if held.kind is not interlock.OutcomeKind.HELD:
        return  # the call's own row says that this is wrong
    asked = await scene.plane.approval(held.approval_id)
    yes = interlock.Answer(decision="approve", digest=asked.request["approval"], nonce=asked.request["nonce"])
    scene.teller.says(AGENT.id, "tries to approve its own call.")
    try:
        await scene.plane.answer(held.approval_id, yes, AGENT)
        told, why = "approved", ""
    except interlock.InterlockError as error:
        told, why = f"refused {error.code}", str(error)
    await scene.person_did(f"{AGENT.id} approves it", told, "refused approval.service", why=why)
    if told == "approved":
        return

    cents, payment = asked.request["arguments"]["amount_cents"], asked.request["arguments"]["payment_id"]
    scene.teller.says(FINANCE.id, f"reads the request, {cents / 100:.2f} of payment {payment}, and approves it.")
    await scene.plane.answer(held.approval_id, yes, FINANCE)
    outcome = await scene.run.wait(held, timeout_s=10)
    why = "one approval, for exactly these bytes"
    await scene.person_did(f"{FINANCE.id} approves it", outcome.kind.value, "done", why=why, effects=1)


async def break_the_fees(scene: Session, _: interlock.Outcome | None) -> None:
    """The service will charge the next fee, and then never answer."""
    await anyio.to_thread.run_sync(scene.far_end.arm, FEE, "stall_after_effect")


async def settle_the_fee(scene: Session, repeat: interlock.Outcome | None) -> None:
    """An operator looks into the service's own books, and says what became of the call."""
    where = {"run_id": scene.run.run_id, "tool": FEE, "status": "unknown"}
    unknown = await scene.plane.store.rows("tool_call", where)
    booked = [effect for effect in await anyio.to_thread.run_sync(scene.far_end.effects) if effect["kind"] == FEE]
    if not unknown:
        return  # the fee's own row says that this is wrong
    found = f"fee {booked[-1]['answer']['id']} is in the service's books" if booked else "the service has no such fee"
    scene.teller.says(OPERATOR.id, f"looks it up: {found}. Settles the call.")
    outcome = await scene.plane.settle(
        unknown[-1]["call_id"], "done" if booked else "failed", OPERATOR, note=f"{found}, looked up by hand"
    )
    await scene.person_did(f"{OPERATOR.id} settles it", outcome.kind.value, "done", why=found)


async def _switched(scene: Session) -> str:
    """How the switch stands for the agent's calendar, read back from the ledger."""
    flags = await scene.plane.plane.switch.flags(AGENT.tenant)
    return "resumed" if flags.stopped(CALENDAR, "local", AGENT.id, AGENT.tenant) is None else "stopped"
