"""The path, deliberately broken: each of these must be found, or the simulation proves nothing.

A mutant takes pytest's monkeypatch and breaks one rule. It says in its docstring which.
"""

from __future__ import annotations

from typing import Any

import pytest

from interlock import runs
from interlock.core import run
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.event import Fact, Kind
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.errors import LedgerError
from interlock.execution import attempts, execute
from interlock.execution.reconcile import Said
from interlock.ledger import record
from interlock.ledger.conversation import Conversation
from interlock.ledger.record import Entry
from interlock.ledger.store import Append, Claim, MemoryStore

Patch = pytest.MonkeyPatch


def intent_after_effect(patch: Patch) -> None:
    """The intent is committed when the effect is over."""
    intend, close = Entry.intend, Entry.close
    owed: dict[Entry, tuple[Any, ...]] = {}

    async def later(self: Entry, *given: Any) -> None:
        owed[self] = given

    async def first(self: Entry, outcome: Outcome) -> Outcome:
        if self in owed:
            await intend(self, *owed.pop(self))
        return await close(self, outcome)

    patch.setattr(Entry, "intend", later)
    patch.setattr(Entry, "close", first)


def no_intent(patch: Patch) -> None:
    """Effects have no intent at all."""

    async def never(self: Entry, *given: Any) -> None:
        return

    patch.setattr(Entry, "intend", never)


def approval_not_consumed(patch: Patch) -> None:
    """An approval is used and stands there as if it were not."""
    append = Conversation.append

    async def without(self: Conversation, facts: Any, guards: Any = ()) -> None:
        await append(self, [fact for fact in facts if fact.kind is not Kind.APPROVAL_CONSUMED], guards)

    patch.setattr(Conversation, "append", without)


def rejection_approves(patch: Patch) -> None:
    """Whatever a person says is a yes."""
    decided = run._APPLY[Kind.APPROVAL_DECIDED]

    def yes(state: RunState, event: Any) -> None:
        body = dict(event.fact.body, decision="approve")
        decided(state, event._replace(fact=event.fact._replace(body=body)))

    patch.setitem(run._APPLY, Kind.APPROVAL_DECIDED, yes)


def closed_twice(patch: Patch) -> None:
    """Nothing forbids a second end of a call."""
    unique = Fact.unique

    def but_ends(fact: Fact) -> str:
        return "" if fact.closes else str(unique.__get__(fact))

    patch.setattr(Fact, "unique", property(but_ends))


def unfenced(patch: Patch) -> None:
    """A worker that lost its claim goes on writing."""
    admit = MemoryStore._admit

    def whoever(self: MemoryStore, append: Append, now_us: int) -> int:
        return admit(self, append if append.claim else append._replace(epoch=0), now_us)

    patch.setattr(MemoryStore, "_admit", whoever)


def told_though_unwritten(patch: Patch) -> None:
    """A caller is told an outcome that could not be recorded."""
    close = Entry.close

    async def anyhow(self: Entry, outcome: Outcome) -> Outcome:
        try:
            return await close(self, outcome)
        except LedgerError:
            return outcome

    patch.setattr(Entry, "close", anyhow)


def unknown_as_failed(patch: Patch) -> None:
    """What may have happened is told as failed."""
    close = Entry.close

    async def failed(self: Entry, outcome: Outcome) -> Outcome:
        if outcome.kind is OutcomeKind.UNKNOWN and not self._recalled:
            outcome = Outcome(
                kind=OutcomeKind.FAILED, call_id=outcome.call_id, tool=outcome.tool, code="x", message="x"
            )
        return await close(self, outcome)

    patch.setattr(Entry, "close", failed)


def cut_off_is_forgotten(patch: Patch) -> None:
    """A run is finished without a look at what waits."""

    async def finish(conversation: Conversation, reason: str) -> None:
        if conversation.state.status == "open":
            await conversation.append([Fact(Kind.RUN_FINISHED, {"reason": reason})])

    patch.setattr(runs, "_finish", finish)


def forgets_names(patch: Patch) -> None:
    """A call that is asked again by its name runs again."""
    again = record.Entry.recall

    def fresh(self: Entry) -> Any:
        return again(self) if self.run.status != "open" else self.call

    patch.setattr(Entry, "recall", fresh)


def repeats_what_is_not_keyed(patch: Patch) -> None:
    """A write that may have been done is tried again, whatever its tool declares."""
    patch.setattr(Tool, "repeatable", property(lambda tool: True))


def leaves_every_loss_to_people(patch: Patch) -> None:
    """What `after_loss` says is ignored: nothing is settled by itself."""
    patch.setattr(Tool, "after_loss", property(lambda tool: "person"))
    patch.setattr(Tool, "repeatable", property(lambda tool: False))


def forgets_that_it_was_lost(patch: Patch) -> None:
    """A call that was taken up counts as not sent."""
    recall_ = Entry.recall

    def fresh(self: Entry) -> Any:
        found = recall_(self)
        self.lost = 0
        return found

    intend = Entry.intend

    async def unless_it_stands(self: Entry, *given: Any) -> None:
        if not self._intent:
            await intend(self, *given)

    patch.setattr(Entry, "recall", fresh)
    patch.setattr(Entry, "intend", unless_it_stands)


def recovery_refuses(patch: Patch) -> None:
    """A lost call that the gates stop today is told as refused."""
    patch.setattr(record, "lost", lambda outcome: outcome)


def far_end_not_asked(patch: Patch) -> None:
    """Who should ask takes it that nothing was done."""

    async def no(valid: Any, key: str, far_end: Any) -> Said:
        return Said(False, None, "")

    patch.setattr(attempts, "reconcile", no)


def a_key_for_each_try(patch: Patch) -> None:
    """The idempotency key differs after a recovery."""
    made = iter(range(10**9))
    patch.setattr(execute, "idempotency_key", lambda key, valid: f"{next(made)}")


def claims_are_given_back_too_early(patch: Patch) -> None:
    """Leaving a run gives its claim back, whatever this process is still doing about it."""

    async def at_once(conversation: Conversation, claim: Claim) -> None:
        await conversation.release()

    patch.setattr(runs, "leave", at_once)


MUTANTS = (
    intent_after_effect, no_intent, approval_not_consumed, rejection_approves, closed_twice, unfenced,
    told_though_unwritten, unknown_as_failed, cut_off_is_forgotten, forgets_names, repeats_what_is_not_keyed,
    leaves_every_loss_to_people, forgets_that_it_was_lost, recovery_refuses, far_end_not_asked, a_key_for_each_try,
    claims_are_given_back_too_early,
)  # fmt: skip
