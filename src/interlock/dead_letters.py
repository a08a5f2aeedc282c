"""Calls that were given up on: proposed again by a person's word, through every gate."""

from __future__ import annotations

from typing import Any, NamedTuple

from interlock.core.call import Outcome, OutcomeKind, ToolCall
from interlock.core.event import Fact, Kind
from interlock.core.ids import derived_call_id
from interlock.core.principal import OPERATOR, Principal
from interlock.errors import Conflict, DuplicateFact, NotEntitled, NotFound
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane, call_tool
from interlock.runs import open_run
from interlock.starting import Start

_WITHOUT_EFFECT = frozenset({OutcomeKind.REFUSED, OutcomeKind.FAILED})


class _Before(NamedTuple):
    """What the ledger has of a dead letter.

    Attributes:
        arguments: As they were decided; None where they were erased.
        retries: How often it was proposed again.
        run_id: The run of the last time.
    """

    arguments: dict[str, Any] | None
    retries: int
    run_id: str


async def retry(plane: Plane, claim: Claim, call_id: str, person: Principal, reason: str) -> Outcome:
    """Propose a call that was given up on again: the same tool and arguments, on behalf of the same principal.

    It is a call of its own in a run of its own, with the dead one as its parent, decided on today's facts. Asked
    twice, the second is told what became of the first; once that was refused or failed too, there is a new one.

    Args:
        reason: Why now; kept for the audit.

    Raises:
        NotEntitled: Not a person with the role `operator`.
        NotFound: No such dead letter of the person's tenant, or its tool is not here.
        Conflict: It is not known to have taken no effect, its arguments were erased, or it is a saga's.
    """
    if person.kind != "user" or OPERATOR not in person.roles:
        raise NotEntitled(f"{person.id!r} has not the role {OPERATOR!r}", code="retry.role", remedy="Ask an operator.")
    rows = await plane.ledger.store.rows("dead_letter", {"call_id": call_id, "tenant": person.tenant}, 1)
    if not rows:
        raise NotFound(f"no dead letter {call_id!r}", code="retry.not_found", remedy="See `interlock calls dead`.")
    conversation = await plane.ledger.conversation(rows[0]["run_id"], person.tenant)
    await conversation.refresh()
    if conversation.state.driver == "saga":
        raise Conflict(f"call {call_id} is a saga's", code="retry.saga", remedy="Resume the saga.")
    tool = _without_effect(conversation, call_id)
    if tool not in plane.registry:
        raise NotFound(
            f"these settings have no tool {tool!r}", code="retry.tool", remedy="Use those of a process that has it."
        )
    before = await _before(plane, conversation, call_id)
    if before.arguments is None:
        raise Conflict(f"the arguments of {call_id} were erased", code="retry.erased", remedy="Propose it anew.")
    run_id = await _open_retry(plane, before, call_id, person.tenant)
    subject = conversation.state.principal
    assert subject is not None, "a run that has calls was started"
    start = Start(words=conversation.state.words, above=conversation.state.budgets)  # what the call may cost stays
    async with open_run(plane, claim, subject, start, run_id) as run:
        if not run_id:
            body = {"act": "retry", "by": person.id, "reason": reason, "run_id": run.run_id}
            fact = Fact(Kind.OPERATOR, body, call_id, 0, before.retries + 1, person.id)
            try:
                await conversation.append_outside([fact])
            except DuplicateFact:
                raise Conflict(f"{call_id} is being retried at this moment", code="retry.at_once") from None
        return await call_tool(ToolCall(
            run_id=run.run_id, call_id=_again(run.run_id, call_id), tool=tool, arguments=before.arguments,
            principal=subject, parent_id=call_id, edited_by=conversation.state.calls[call_id].edited_by,
        ), plane)  # fmt: skip


def _without_effect(conversation: Conversation, call_id: str) -> str:
    """The dead call's tool.

    Raises:
        Conflict: It took effect, or may have.
    """
    call = conversation.state.calls[call_id]
    told = call.outcome
    if call.status != "closed" or told is None or told.kind not in _WITHOUT_EFFECT:
        raise Conflict(
            f"call {call_id} is {told.kind.value if told is not None else call.status}", code="retry.maybe_done",
            remedy="Settle it with `interlock calls settle` first, once you know.",
        )  # fmt: skip
    return call.tool


async def _before(plane: Plane, conversation: Conversation, call_id: str) -> _Before:
    arguments: dict[str, Any] | None = None
    retries, run_id = 0, ""
    for event in await plane.ledger.store.read(conversation.state.run_id):
        fact = event.fact
        if fact.call_id == call_id and fact.kind is Kind.CALL_DECIDED:
            arguments = fact.body.get("arguments", arguments)
        elif fact.call_id == call_id and fact.kind is Kind.OPERATOR:
            retries, run_id = retries + 1, fact.body.get("run_id", "")
    return _Before(arguments, retries, run_id)


async def _open_retry(plane: Plane, before: _Before, call_id: str, tenant: str) -> str:
    """The run of the last retry, unless that is over and without effect; empty where a new one is to begin."""
    if not before.run_id:
        return ""
    state = (await plane.ledger.conversation(before.run_id, tenant)).state
    again = state.calls.get(_again(before.run_id, call_id))
    over = again is not None and again.outcome is not None and again.outcome.kind in _WITHOUT_EFFECT
    return "" if over else before.run_id


def _again(run_id: str, call_id: str) -> str:
    return derived_call_id(run_id, "retry", call_id)
