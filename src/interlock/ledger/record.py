"""What one call writes: gathered while it passes the gates, durable at four points (spec: durability points)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

import anyio

from interlock.core.call import (
    AllowedCall,
    ApprovedCall,
    LimitedCall,
    Outcome,
    OutcomeKind,
    RawResult,
    Stop,
    ToolCall,
    ValidCall,
    VerifiedCall,
    outcome_to_json,
    refuse,
)  # fmt: skip
from interlock.core.canonical import Json
from interlock.core.charge import written
from interlock.core.event import Event, Fact, GuardChange, Kind
from interlock.core.points import pass_by
from interlock.core.run import RunState
from interlock.core.selected import Selected, Trial
from interlock.errors import DuplicateFact, LedgerError, NotFound, StaleClaim
from interlock.ledger.conversation import Conversation, Ledger
from interlock.ledger.proposal import NAME_KEPT_MAX, kept_text, otherwise, proposal_mark
from interlock.ledger.reached import State, Way, decided
from interlock.ledger.recall import again, answered, being_executed, edited_call_id, erased, lost, out_of_turn
from interlock.ledger.rollouts import counted
from interlock.ledger.tags import Tags

S = TypeVar("S")

_POINTS: dict[type, str] = {
    ToolCall: "call.entered",
    ValidCall: "call.validated",
    AllowedCall: "call.authorized",
    LimitedCall: "call.limited",
    VerifiedCall: "call.verified",
    ApprovedCall: "call.approved",
    Outcome: "call.screened",
}
"""The crash point that a call passes when it has reached a state."""

_LAST_WORD_S = 5.0
"""Seconds that the record of a cancelled call may take: shielded, so it needs a bound of its own."""


class Stopped(Exception):
    """A gate stopped the call. Raised by `Entry.through` alone and caught by `call_tool` alone."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.outcome.code)
        self.stop = stop


class Entry:
    """One call while it passes the gates. Use as a context: a call that is cut off is recorded all the same.

    Attributes:
        call: As proposed.
        run: The run's fold, current when the call entered.
        step: Number of the call within the run.
        lost: Workers that were lost over this call after its intent; 0 for a call that has none.
        bound: The call digest that the intent of a lost call binds.
        spent: What its tool says that it cost, by unit.
        doubted: The rollouts that a recorded failure of it counts in.
    """

    run: RunState

    def __init__(self, call: ToolCall, ledger: Ledger) -> None:
        if len(call.tool) > NAME_KEPT_MAX or not call.tool.isascii():
            call = replace(call, tool=kept_text(call.tool)[:NAME_KEPT_MAX])  # it stands in every outcome of the call
        self.call = call
        self.step = 0
        self._ledger = ledger
        self._conversation: Conversation
        self._sent: dict[str, Json] | None = None
        self._digest = self._outline = ""
        self._reached: State = call
        self._stop: Stop | None = None
        self._recalled = False
        self._intent = self._reserved = False
        self._selected: Selected | None = None
        self.doubted: tuple[Trial, ...] = ()
        self.spent: dict[str, int] = {}
        self.lost, self.bound = 0, ""
        self._closed = False
        self._over: anyio.Event | None = None

    async def __aenter__(self) -> Self:
        """Wait for an ask by the same id that is under way here, then catch up with the ledger.

        Raises:
            NotFound: No such run of this principal.
        """
        call = self.call
        self._conversation = conversation = await self._ledger.conversation(call.run_id, call.principal.tenant)
        self.run = conversation.state
        if self.run.principal is None or self.run.principal.id != call.principal.id:
            raise NotFound(f"no run {call.run_id!r} of {call.principal.id!r}", code="run.not_found")
        call_id = call.call_id
        while (other := conversation.on_the_way.get(call_id)) is not None:
            await other.over()
        conversation.on_the_way[call_id] = self
        try:
            await conversation.refresh()
        except BaseException:
            self._leave()
            raise
        known = self.run.calls.get(call_id)
        self.step = known.step if known is not None else conversation.next_step()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Record a call that ended without an outcome (cancelled, or a bug), and let others in."""
        try:
            if error is not None and not self._closed and not self._recalled:
                with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_WORD_S):
                    await self._cut_off(error)
        finally:
            self.run.approvals.asking.discard(self.call.call_id)
            if self.call.call_id not in self.run.calls:
                self.run.under_way.forget(self.call.call_id, self._digest, self._outline)
            self._leave()

    @property
    def conversation(self) -> Conversation:
        """The run that the call is of."""
        return self._conversation

    @property
    def tags(self) -> Tags:
        """What was written under which cache tag."""
        return self._ledger.tags

    async def events(self) -> list[Event]:
        """What the ledger says of the run so far.

        Raises:
            LedgerError: It cannot be read.
        """
        return await self._ledger.store.read(self.call.run_id)

    async def over(self) -> None:
        """Wait until this call has left the path."""
        if self._over is None:
            self._over = anyio.Event()
        await self._over.wait()

    def recall(self) -> ToolCall | Stop:
        """The call, if it must run; else the outcome that was told before, because asking twice is asking once."""
        call = self.call
        known = self.run.calls.get(call.call_id)
        if self.run.status != "open" and known is None:
            return refuse(call, "recall.run_over", f"this run is {self.run.status}", next_step="Start a new run.")
        if known is None and call.lacks:
            return refuse(
                call, "recall.dependency", f"it needs the result of {kept_text(call.lacks)}, which is not there",
                next_step="Look at that call's outcome first.",
            )  # fmt: skip
        if known is None:
            return out_of_turn(call, self.run) or call
        if call.name and known.proposal and known.proposal != proposal_mark(call):
            self._recalled = True
            return refuse(
                call, "recall.name_reused", f"the name {call.name!r} belongs to another call of this run",
                next_step="Use a new name for a new call, or repeat the first one exactly.",
            )  # fmt: skip
        if known.status == "held":
            if self.run.status == "cancelled":
                return refuse(call, "recall.run_over", "this run is cancelled", next_step="Start a new run.")
            asked = self.run.approvals[known.approval_id]
            waits = asked.status == "edited" and edited_call_id(asked, call.run_id) not in self.run.calls
            if asked.status != "pending" and not waits:  # what is made in its place is recorded before its end
                return answered(call, asked) or replace(call, version=known.version)
        if known.status == "intent" and self._conversation.epoch:
            # This process alone works on the run, and nobody here executes the call: whoever did is gone.
            self._intent, self.lost, self.bound = True, known.recoveries + 1, known.digest
            return replace(call, version=known.version, sent=True)
        self._recalled = True
        if known.outcome is None:
            return erased(call) if known.status == "closed" else being_executed(call)
        return Stop(gate="recall", outcome=again(known.outcome), audit={})

    def through(self, step: S | Stop) -> S:
        """What the gate built; or the end of this call's way.

        Raises:
            Stopped: The gate stopped the call.
        """
        if isinstance(step, Stop):
            self._stop = step
            raise Stopped(step)
        if not isinstance(step, Outcome):
            self._reached = step  # type: ignore[assignment]  # S is one of the states: the gates' types say so
        if (reach := self._conversation.reach) is not pass_by and (point := _POINTS.get(type(step))):
            reach(point)
        if isinstance(step, ValidCall):
            self._selected = step.selected
            self._digest, self._outline = step.digest, step.outline
            counted = not self.call.parent_id and not self.call.dry_run
            self.run.under_way.note_valid(
                self.call.call_id, step.digest, step.outline, writes=step.tool.writes, counted=counted
            )  # fmt: skip
            self._sent = otherwise(self.call.arguments, step.text)
        return step

    async def intend(self, approved: ApprovedCall, intent: Mapping[str, Json]) -> None:
        """Commit, in one transaction, what was decided, the consumed approval, the guards and the intent.

        When this returns, the first byte may leave.

        Raises:
            GuardRefused: A budget, rate or grant said no: nothing was written and nothing may leave.
            DuplicateFact: This call has an intent already.
            LedgerError: Nothing was written and nothing may leave.
        """
        call = self.call
        facts = [self._decided(approved, None)]
        who = call.principal.id
        if approved.approval_id:
            facts.append(
                Fact(Kind.APPROVAL_CONSUMED, {}, call.call_id, self.step, 0, who, approval_id=approved.approval_id)
            )
        tool_hash = approved.valid.tool.digest
        facts.append(Fact(Kind.CALL_INTENT, dict(intent), call.call_id, self.step, 1, who, tool_hash))
        await self._conversation.append(facts, approved.guards)
        self._intent = True

    async def reserve(self, approved: ApprovedCall) -> None:
        """Commit, for a read that has no intent, what was decided and what it reserves.

        When this returns, it may be dialled.

        Raises:
            GuardRefused: A budget or rate said no: nothing was written and nothing may leave.
            DuplicateFact: This call has reserved already.
            LedgerError: Nothing was written and nothing may leave.
        """
        body = {"reserved": written(approved.charges)}
        who = self.call.principal.id
        reserved = Fact(Kind.BUDGET_RESERVED, body, self.call.call_id, self.step, 0, who)
        await self._conversation.append([self._decided(approved, None), reserved], approved.guards)
        self._reserved = True

    async def recover(self, approved: ApprovedCall, how: Mapping[str, Json]) -> None:
        """Commit, for a call whose worker was lost, that it passes the gates today and is taken up again.

        Raises:
            LedgerError: Nothing was written and nothing may leave.
        """
        who = self.call.principal.id
        taken_up = Fact(Kind.RECOVERY, dict(how), self.call.call_id, self.step, self.lost + 1, who)
        await self._conversation.append([self._decided(approved, None), taken_up])

    async def overtaken(self) -> Stop:
        """What to tell where another worker brought this call to the same point first: what that one recorded."""
        await self._conversation.read_tail()
        self._recalled = True
        known = self.run.calls[self.call.call_id].outcome
        return being_executed(self.call) if known is None else Stop(gate="recall", outcome=again(known), audit={})

    async def close(self, outcome: Outcome) -> Outcome:
        """Record how the call ended, or that it is held or unknown, and return what the caller is told."""
        if self._recalled:
            return outcome
        reached, stop = self._reached, self._stop
        result = reached if isinstance(reached, RawResult) else None
        approved = result.approved if result is not None else reached
        if outcome.kind is OutcomeKind.HELD and isinstance(approved, ApprovedCall):
            reached = approved = approved.verified  # the grant that let it pass was used up before its intent
        facts: list[Fact] = []
        guards: tuple[GuardChange, ...] = ()
        if self.lost and (not isinstance(approved, ApprovedCall) or outcome.kind is OutcomeKind.REFUSED):
            outcome = lost(outcome)  # whichever gate stopped it, or the stop switch while it waited in a batch
            facts, stop = [self._unknown(outcome)], None
        elif isinstance(approved, ApprovedCall):
            if not (self._intent or self._reserved):
                facts = [self._decided(approved, None)]
            facts.append(self._result(outcome, result, approved))
            if self._selected is not None:
                how = result.source if result is not None else {} if stop is None else stop.audit
                guards, self.doubted = counted(self.call.principal, self._selected, outcome, how)
        else:
            facts = [self._decided(reached, stop)]
        if stop is not None:
            facts += stop.facts
        self._conversation.reach("close.before")
        try:
            await self._append_last(facts, outcome, guards)
        except DuplicateFact:
            return (await self.overtaken()).outcome
        self._conversation.reach("close.committed")
        self._closed = True
        return outcome

    async def _append_last(self, facts: list[Fact], outcome: Outcome, guards: tuple[GuardChange, ...]) -> None:
        """Record the end. Whose claim lapsed meanwhile still knows what became of it, and says so from outside."""
        try:
            await self._conversation.append(facts, guards)
        except StaleClaim:
            if not self._intent or outcome.kind not in (OutcomeKind.DONE, OutcomeKind.WITHHELD):
                raise  # that nothing came of its own tries says nothing of those of whoever holds the run now
            body = {"outcome": outcome_to_json(outcome), "by": "worker", "how": "late"} | self._settled(outcome)
            late = facts[0]._replace(kind=Kind.CALL_RECONCILED, body=body)
            await self._conversation.append_outside([late])

    async def _cut_off(self, error: BaseException) -> None:
        """The call was cancelled or met a bug: say so, as unknown where something may have left.

        Where nothing can have left, three are let be: a call that could not be recorded, so that it can be made again
        by the same name; one that waits in the ledger, which runs when its run is advanced again; and one that a saga
        or a graph makes by its definition, which does then. So is one that was taken up from a lost worker: it stays
        as it was found, for the next.
        """
        cancelled = isinstance(error, anyio.get_cancelled_exc_class())
        if self.lost and (cancelled or isinstance(error, LedgerError)):
            return
        again = self.call.call_id in self.run.calls or self.run.driver in ("saga", "graph")
        waits = cancelled and not self._reserved and again
        if not self._intent and (isinstance(error, LedgerError) or waits):
            return
        if self._reserved:  # it was dialled, and what that cost nobody says any more
            for each in self.run.calls[self.call.call_id].reserved:
                self.spent[each.unit] = max(each.amount, self.spent.get(each.unit, 0))
        why = "cancelled" if cancelled else "internal"
        kind = OutcomeKind.UNKNOWN if self._intent else OutcomeKind.FAILED
        message = "the call was cancelled" if cancelled else "the call could not be completed"
        outcome = Outcome(
            kind=kind, call_id=self.call.call_id, tool=self.call.tool, code=f"call.{why}", message=message
        )
        self._stop = Stop(gate="execute", outcome=outcome, audit={"error": type(error).__name__})
        await self.close(outcome)

    def _leave(self) -> None:
        """Let in whoever waits to ask by the same id."""
        del self._conversation.on_the_way[self.call.call_id]
        if self._over is not None:
            self._over.set()

    def _decided(self, reached: State, stop: Stop | None) -> Fact:
        return decided(Way(self.call, self.run, self.step, self._sent), reached, stop)

    def _unknown(self, outcome: Outcome) -> Fact:
        """A call that was taken up and that the gates stop today: what it did before is not known."""
        assert self._stop is not None, "a call that has no result was stopped"
        stop = self._stop
        said = {"gate": stop.gate, "code": stop.outcome.code, "audit": dict(stop.audit)}
        body = {"outcome": outcome_to_json(outcome), "stop": said, "why": "worker lost"}
        who = self.call.principal.id
        return Fact(Kind.CALL_UNKNOWN, body, self.call.call_id, self.step, self.lost, who, outcome=outcome.kind.value)

    def _settled(self, outcome: Outcome) -> dict[str, Json]:
        """What the call cost, where that is not what an outcome of its kind costs anyway."""
        known = self.run.calls.get(self.call.call_id)
        if known is None or not known.reserved or not outcome.closes:
            return {}
        said = {
            each.unit: self.spent[each.unit]
            for each in known.reserved
            if each.unit in self.spent and self.spent[each.unit] != each.actual(outcome.kind.value, {})
        }
        return {"spent": said} if said else {}

    def _result(self, outcome: Outcome, result: RawResult | None, approved: ApprovedCall) -> Fact:
        call, stop = self.call, self._stop
        body: dict[str, Json] = {"outcome": outcome_to_json(outcome)} | self._settled(outcome)
        if stop is not None:
            body["stop"] = {"gate": stop.gate, "code": outcome.code, "audit": dict(stop.audit)}
            if stop.took_us is not None:
                body["took_us"] = stop.took_us
        attempt = 1
        kind = Kind.CALL_UNKNOWN if outcome.kind is OutcomeKind.UNKNOWN else Kind.CALL_RESULT
        if result is not None:
            body["took_us"] = result.took_us
            attempt = result.attempt
            body |= result.source
            if result.asked:
                kind = Kind.CALL_RECONCILED
                body |= {"by": approved.valid.tool.reconcile, "how": "asked", "asked": result.asked}
        return Fact(kind, body, call.call_id, self.step, attempt, call.principal.id, outcome=outcome.kind.value)
