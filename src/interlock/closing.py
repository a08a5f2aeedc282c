"""How somebody from outside has a run end, or go on: whoever it runs for, or an operator of its tenant."""

from __future__ import annotations

from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.core.run import RunState
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound
from interlock.family import Family
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane
from interlock.runs import advance
from interlock.sagas import cancel_saga, resume_saga

_REASON_MAX = 2000


async def cancel_run(plane: Plane, claim: Claim, run_id: str, who: Principal, reason: str) -> RunState:
    """End a run here and now, and all below it: nothing new runs, what waits falls, what is under way is recorded.

    A saga is called off instead: what was done of it is undone. Nothing happens to a run that is cancelled already.

    Raises:
        NotFound: No such run of their tenant, or none that is theirs and they are no operator.
        Conflict: It came to its end before.
        BadInput: No reason, or too long a one.
    """
    conversation = await _reached(plane, run_id, who)
    if not 1 <= len(reason.strip()) <= _REASON_MAX:
        raise BadInput("reason: none, or too long", code="run.reason", remedy=f"Give 1 to {_REASON_MAX} characters.")
    state = conversation.state
    if state.driver == "saga":
        if not state.called_off:
            await cancel_saga(plane, claim, run_id, who, reason)
    elif state.status == "finished":
        raise Conflict(f"run {run_id} is finished", code="run.over", remedy="There is nothing left to cancel.")
    else:
        await Family(plane, claim, run_id, who.tenant).cancel(who.id, reason)
    await conversation.refresh()
    return state


async def resume_run(plane: Plane, claim: Claim, run_id: str, who: Principal, reason: str) -> bool:
    """Do what is due in a run now, whatever waits for its turn; of a saga that failed, try what failed again.

    Args:
        reason: Why now, of a saga; kept for the audit. Empty to try nothing again.

    Returns:
        Whether this worker could work on it; False where another one has it and goes on with it by itself.

    Raises:
        NotFound: As `cancel_run`.
        NotEntitled, Conflict: Of a saga; see `sagas.resume_saga`.
    """
    conversation = await _reached(plane, run_id, who)
    if conversation.state.driver == "saga" and reason:
        await resume_saga(plane, claim, run_id, who, reason)
        return True
    return await advance(plane, claim, run_id, who.tenant)


async def _reached(plane: Plane, run_id: str, who: Principal) -> Conversation:
    """The run, for whoever may have it end.

    Raises:
        NotFound: It is another tenant's, or somebody else's and they are no operator: then they are told no more.
        NotEntitled: They are an administrator and no operator, or a service.
    """
    conversation = await plane.ledger.conversation(run_id, who.tenant)
    await conversation.refresh()
    subject = conversation.state.principal
    if subject is not None and subject.id == who.id:
        return conversation
    if not who.roles & {OPERATOR, ADMIN}:
        raise NotFound(f"no run {run_id!r} of {who.id!r}", code="run.not_found")
    if who.kind != "user" or OPERATOR not in who.roles:
        raise NotEntitled(f"{who.id!r} has not the role {OPERATOR!r}", code="run.operator", remedy="Ask an operator.")
    return conversation
