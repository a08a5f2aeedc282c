"""Sagas as their callers hold them: started, come back to, called off, resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio

from interlock.core.canonical import canonical, digest
from interlock.core.event import Fact, Kind
from interlock.core.principal import OPERATOR, Principal
from interlock.errors import BadInput, Conflict, DuplicateFact, NotEntitled, NotFound, StaleClaim
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane
from interlock.runs import advance, leave
from interlock.saga.check import check
from interlock.saga.definition import Saga
from interlock.saga.drive import SagaDriver
from interlock.saga.outcome import SagaOutcome, outcome_of
from interlock.saga.standing import SagaStatus
from interlock.starting import Start, started

_REASON_MAX = 2000


class Beginning(NamedTuple):
    """What a saga begins with.

    Attributes:
        saga: Its steps.
        given: What they take by `given(…)`.
        name: The caller's name of this one: starting it again by it comes back to the first; empty for a new one.
    """

    saga: Saga
    given: Mapping[str, Any]
    name: str


class SagaRun:
    """One saga on its way.

    Attributes:
        run_id: Its run: what it is resumed by.
    """

    def __init__(self, plane: Plane, claim: Claim, conversation: Conversation) -> None:
        self.run_id = conversation.state.run_id
        self._plane, self._claim = plane, claim
        self._conversation = conversation

    async def outcome(self) -> SagaOutcome:
        """Go on as far as it goes now: to its end, or until it waits for somebody; how it stands then.

        Raises:
            LedgerError: Something could not be recorded. Nothing was undone for it: whoever goes on with the run, here
                or elsewhere, finds what stands and goes on from there.
        """
        state = self._conversation.state
        await advance(self._plane, self._claim, self.run_id, state.tenant)
        return outcome_of(SagaDriver(self._plane).standing(state))


@asynccontextmanager
async def open_saga(
    plane: Plane, claim: Claim, principal: Principal, begun: Beginning, start: Start
) -> AsyncIterator[SagaRun]:  # fmt: skip
    """A saga, gone on with here when its outcome is asked for. Whatever happens to its caller, so it is afterwards.

    Raises:
        BadInput: The saga could not be done, or not be undone, or a budget cannot be counted; nothing has run. See
            `saga.check`.
        Conflict: The name belongs to the same saga with another definition or input; or the parent is over.
        NotFound: No such parent.
    """
    run_id = _named(principal, begun) if begun.name else plane.new_id("run")
    course = {"saga": begun.saga.as_json(), "input": dict(begun.given)}
    if begun.name and await plane.ledger.store.rows("run", {"run_id": run_id}, 1):
        conversation = await _come_back(plane, run_id, principal.tenant, course)
    else:
        check(begun.saga, await plane.tools_of(principal), dict(begun.given))
        fact = await started(plane, principal, start, run_id)
        said = {**fact.body, "driver": "saga", "title": begun.saga.name, **course}
        try:
            conversation = await plane.ledger.open(run_id, principal.tenant, fact._replace(body=said), claim)
        except (DuplicateFact, StaleClaim):
            if not begun.name:
                raise
            conversation = await _come_back(plane, run_id, principal.tenant, course)  # begun by this name a moment ago
    try:
        yield SagaRun(plane, claim, conversation)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await leave(conversation, claim)


async def saga_outcome(plane: Plane, run_id: str, tenant: str) -> SagaOutcome:
    """How a saga stands; nothing is done for it.

    Raises:
        NotFound: No such saga of this tenant.
    """
    return outcome_of(SagaDriver(plane).standing((await _found(plane, run_id, tenant)).state))


async def resume_saga(plane: Plane, claim: Claim, run_id: str, person: Principal, reason: str) -> SagaOutcome:
    """Have what failed tried again, by a person's word: compensations, or what comes after a pivot.

    Args:
        reason: Why now; kept for the audit.

    Raises:
        NotEntitled: Not a person with the role `operator`.
        NotFound: No such saga of the person's tenant.
        Conflict: Nothing of it has failed.
        BadInput: No reason, or too long a one.
    """
    _entitled(person, OPERATOR in person.roles, reason)
    conversation = await _found(plane, run_id, person.tenant)
    driver = SagaDriver(plane)
    status = driver.standing(conversation.state).status
    quarantined = status in (SagaStatus.RUNNING, SagaStatus.COMPENSATING) and conversation.state.waits
    if status not in (SagaStatus.COMPENSATION_FAILED, SagaStatus.STUCK) and not quarantined:
        raise Conflict(f"saga {run_id} is {status.value}", code="saga.not_failed", remedy="Nothing of it has failed.")
    return await _told(plane, claim, conversation, "saga.resume", person, reason)


async def cancel_saga(plane: Plane, claim: Claim, run_id: str, person: Principal, reason: str) -> SagaOutcome:
    """Call a saga off: what was done is undone.

    Raises:
        NotEntitled: Neither on whose behalf it runs nor a person with the role `operator`.
        NotFound: No such saga of the person's tenant.
        Conflict: It is over, or past its pivot.
        BadInput: No reason, or too long a one.
    """
    conversation = await _found(plane, run_id, person.tenant)
    subject = conversation.state.principal
    own = subject is not None and subject.id == person.id
    _entitled(person, own or OPERATOR in person.roles, reason)
    standing = SagaDriver(plane).standing(conversation.state)
    if conversation.state.status != "open" or standing.passed:
        why = "is past its pivot" if standing.passed else f"is {standing.status.value}"
        raise Conflict(f"saga {run_id} {why}", code="saga.too_late", remedy="It can only go forward.")
    return await _told(plane, claim, conversation, "saga.cancel", person, reason)


async def _told(
    plane: Plane, claim: Claim, conversation: Conversation, act: str, person: Principal, reason: str
) -> SagaOutcome:  # fmt: skip
    """Record a person's word, and act on it where nobody else has the run."""
    fact = Fact(Kind.OPERATOR, {"act": act, "by": person.id, "reason": reason}, principal_id=person.id)
    await conversation.append_outside([fact])
    run_id = conversation.state.run_id
    await advance(plane, claim, run_id, person.tenant)
    return await saga_outcome(plane, run_id, person.tenant)


async def _found(plane: Plane, run_id: str, tenant: str) -> Conversation:
    conversation = await plane.ledger.conversation(run_id, tenant)
    await conversation.refresh()
    if conversation.state.driver != "saga" or not conversation.state.course:
        raise NotFound(f"run {run_id!r} is no saga", code="saga.not_found", remedy="See `interlock saga list`.")
    return conversation


async def _come_back(plane: Plane, run_id: str, tenant: str, course: Mapping[str, Any]) -> Conversation:
    conversation = await _found(plane, run_id, tenant)
    if canonical(conversation.state.course) != canonical(course):
        raise Conflict(
            f"run {run_id} has this name, and its steps or its input are others", code="saga.name_reused",
            remedy="Use another name, or start exactly the same.",
        )  # fmt: skip
    return conversation


def _named(principal: Principal, begun: Beginning) -> str:
    text = canonical([principal.tenant, principal.id, begun.saga.name, begun.name])
    return "run_" + digest("interlock/saga/1", text).hex()[:32]


def _entitled(person: Principal, may: bool, reason: str) -> None:
    if person.kind != "user" or not may:
        raise NotEntitled(f"{person.id!r} has not the role {OPERATOR!r}", code="saga.role", remedy="Ask an operator.")
    if not 0 < len(reason) <= _REASON_MAX:
        raise BadInput(f"reason: {len(reason)} characters", code="saga.reason", remedy="Say why.")
