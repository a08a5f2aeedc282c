"""How far a saga has come and what is next: read from the fold of its run, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.call_state import CallState
from interlock.core.canonical import Json, at_pointer, canonical
from interlock.core.ids import named_call_id
from interlock.core.run import RunState, speaker
from interlock.core.tool import Tool
from interlock.core.undo import undo_id
from interlock.errors import BadInput
from interlock.saga.definition import Saga, Step, saga_from

TRIES_MAX = 3
"""Calls that are made of one compensation, or of one step after the pivot, each with a key of its own, before it is
left to a person. Each of them has its own attempts."""

FindTool = Callable[[str], Tool | None]
"""The tool of that name; None where this process has none."""


class StepStatus(StrEnum):
    """How one step stands."""

    NOT_BEGUN = "not_begun"
    RUNNING = "running"
    HELD = "held"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"
    UNMET = "unmet"
    """It took effect, and its result is not what it must be."""


class UndoStatus(StrEnum):
    """How the undoing of one step stands."""

    NONE = "none"
    """There is nothing to undo."""
    OPEN = "open"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"


class SagaStatus(StrEnum):
    """How a saga stands. It has done what it is for in one of these only: `completed`."""

    RUNNING = "running"
    WAITING = "waiting"
    """For a person: a step is held, or its effect is unknown."""
    COMPLETED = "completed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"
    STUCK = "stuck"
    """After its pivot, a step cannot be done."""


@dataclass(frozen=True, slots=True)
class Stand:
    """One step, as the ledger has it.

    Attributes:
        step: Its definition.
        status: How it stands.
        call: Its call, or the one in that one's place; None before it has begun.
        outcome: What the call was told last.
        why: Code of why it is not done; empty where it is, or is not over.
    """

    step: Step
    status: StepStatus
    call: CallState | None
    outcome: Outcome | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Undoing:
    """The undoing of one step that took effect, or may have.

    Attributes:
        of: The step.
        call: The call that is undone.
        status: How that stands.
        last: The newest call that was to undo it; None before the first.
        nth: Number of the next call that tries, in this turn.
        why: Code of why it is not undone.
    """

    of: Stand
    call: CallState
    status: UndoStatus
    last: CallState | None
    nth: int
    why: str = ""


class Standing:
    """One saga at one moment. Make a new one after the run has moved on.

    Args:
        run: The run's fold.
        find: What is known here of tools: which of them may be sent again.
    """

    def __init__(self, run: RunState, find: FindTool) -> None:
        self.run = run
        self._find = find

    @cached_property
    def saga(self) -> Saga:
        """Its definition."""
        return saga_from(self.run.course["saga"])

    @cached_property
    def steps(self) -> Mapping[str, Stand]:
        """Every step by its id, in the saga's order."""
        taken = self.saga.taken
        return {step.id: self._stand(step, taken[step.id]) for step in self.saga.steps}

    @cached_property
    def passed(self) -> bool:
        """Whether the point of no return lies behind it."""
        pivots = [stand for stand in self.steps.values() if stand.step.pivot]
        return any(
            stand.status is StepStatus.DONE or (stand.status is StepStatus.UNMET and not self._undoable(stand))
            for stand in pivots
        )

    @cached_property
    def back(self) -> bool:
        """Whether what was done is to be undone. Once begun, it is never taken back."""
        if self.passed:
            return False
        stands = self.steps.values()
        return (
            bool(self.run.called_off)
            or any(stand.status in (StepStatus.FAILED, StepStatus.UNMET) for stand in stands)
            or any(stand.status is StepStatus.UNKNOWN and self._undone_blindly(stand) for stand in stands)
            or any(stand.call is not None and self._undo_calls(stand.call) for stand in stands)
        )

    @cached_property
    def values(self) -> dict[str, Json]:
        """The results of the steps that are done."""
        return {
            name: stand.outcome.value
            for name, stand in self.steps.items()
            if stand.status is StepStatus.DONE and stand.outcome is not None
        }

    @cached_property
    def ahead(self) -> dict[str, frozenset[str]]:
        """The steps that are to be done now or after one another, with those of them that each comes after."""
        if self.back:
            return {}
        done = {name for name, stand in self.steps.items() if stand.status is StepStatus.DONE}
        blocked: set[str] = set()
        ahead: dict[str, frozenset[str]] = {}
        for name, needed in self.saga.needs.items():
            if name in done:
                continue
            if needed & blocked or not self._may_run(self.steps[name]):
                blocked.add(name)
            else:
                ahead[name] = needed - done
        return ahead

    @cached_property
    def undoings(self) -> list[Undoing]:
        """What is to be undone, the last that was done first."""
        if not self.back:
            return []
        took = (StepStatus.DONE, StepStatus.UNMET, StepStatus.UNKNOWN)
        stands = [stand for stand in self.steps.values() if stand.status in took and self._undoable(stand)]
        return [self._undoing(stand) for stand in sorted(stands, key=_told_at, reverse=True)]

    @property
    def status(self) -> SagaStatus:
        """How it stands as a whole."""
        steps = [stand.status for stand in self.steps.values()]
        if all(status is StepStatus.DONE for status in steps) and not self.back:
            return SagaStatus.COMPLETED
        if self.back:
            return self._status_back(steps)
        if any(status in (StepStatus.HELD, StepStatus.UNKNOWN) for status in steps) and not self.ahead:
            return SagaStatus.WAITING
        return SagaStatus.RUNNING if self.ahead or not self.passed else SagaStatus.STUCK

    def name_of(self, step: str) -> str:
        """The name of the call that the step makes next: its first, or one that tries again."""
        last = self._last_try(step)
        if last is None:
            return _name(step, 0, 1)
        name, turn, nth = last
        call = _answering(self.run, named_call_id(self.run.run_id, name))
        if not self.passed or call is None or call.status != "closed" or _kind(call) is OutcomeKind.DONE:
            return name
        return _name(step, self.run.turn, nth + 1 if turn == self.run.turn else 1)

    def tried_before(self, step: str) -> str:
        """The call of the step's try before this one, for which the next is made; empty before the first."""
        last = self._last_try(step)
        if last is None:
            return ""
        call = self.run.calls[named_call_id(self.run.run_id, last[0])]
        return call.parent_id if self.name_of(step) == last[0] else call.call_id

    def _status_back(self, steps: list[StepStatus]) -> SagaStatus:
        if StepStatus.RUNNING in steps or StepStatus.HELD in steps:
            return SagaStatus.COMPENSATING
        unknown = [stand for stand in self.steps.values() if stand.status is StepStatus.UNKNOWN]
        for undoing in self.undoings:
            if undoing.status is UndoStatus.OPEN:
                return SagaStatus.COMPENSATING
            if undoing.status is UndoStatus.HELD:
                return SagaStatus.WAITING
        if not all(self._undone_blindly(stand) for stand in unknown):
            return SagaStatus.WAITING
        failed = any(undoing.status is UndoStatus.FAILED for undoing in self.undoings)
        return SagaStatus.COMPENSATION_FAILED if failed else SagaStatus.COMPENSATED

    def _last_try(self, step: str) -> tuple[str, int, int] | None:
        """Name, turn and number of the newest call of a step; None before the first."""
        for turn in range(self.run.turn, -1, -1):
            for nth in range(TRIES_MAX, 0, -1):
                name = _name(step, turn, nth)
                if named_call_id(self.run.run_id, name) in self.run.calls:
                    return name, turn, nth
        return None

    def _stand(self, step: Step, taken: frozenset[str]) -> Stand:
        last = self._last_try(step.id)
        if last is None:
            return Stand(step, StepStatus.NOT_BEGUN, None, None)
        call = _answering(self.run, named_call_id(self.run.run_id, last[0]))
        if call is None:  # the one in its place was not made yet
            return Stand(step, StepStatus.RUNNING, None, None)
        outcome = call.outcome
        if call.status in ("held", "unknown"):
            return Stand(step, StepStatus(call.status), call, outcome)
        if call.status != "closed":
            return Stand(step, StepStatus.RUNNING, call, outcome)
        if outcome is None:
            return Stand(step, StepStatus.FAILED, call, None, "recall.erased")
        if outcome.kind is OutcomeKind.WITHHELD:
            return Stand(step, StepStatus.UNMET, call, outcome, outcome.code)
        if outcome.kind is not OutcomeKind.DONE:
            return Stand(step, StepStatus.FAILED, call, outcome, outcome.code)
        met = _meets(step, taken, call, outcome.value)
        return Stand(step, StepStatus.DONE if met else StepStatus.UNMET, call, outcome, "" if met else "saga.unmet")

    def _may_run(self, stand: Stand) -> bool:
        """Whether a step's call can be made, made again, or taken up, as far as the step itself goes."""
        if stand.status in (StepStatus.NOT_BEGUN, StepStatus.RUNNING):
            return True
        if stand.status is not StepStatus.FAILED or not self.passed:
            return False
        last = self._last_try(stand.step.id)
        return last is not None and (last[1] < self.run.turn or (last[2] < TRIES_MAX and _fails(stand.outcome)))

    def _undoable(self, stand: Stand) -> bool:
        """Whether what the step did is to be undone when the saga goes back."""
        return stand.step.undo and stand.call is not None and stand.call.undo is not None

    def _undone_blindly(self, stand: Stand) -> bool:
        """Whether a step of which nobody knows can be undone all the same: as often as one likes, by what is known."""
        if not self._undoable(stand):
            return False
        assert stand.call is not None and stand.call.undo is not None, "or it could not be undone"
        undo = stand.call.undo
        tool = self._find(undo.tool)
        return tool is not None and (tool.idempotent or tool.keyed) and not undo.results

    def _undo_calls(self, call: CallState) -> list[CallState]:
        """The calls that were to undo it, oldest first."""
        run = self.run
        ids = (
            undo_id(run.run_id, call.call_id, turn, nth)
            for turn in range(run.turn + 1)
            for nth in range(1, TRIES_MAX + 1)
        )
        return [each for call_id in ids if call_id in run.calls and (each := _answering(run, call_id)) is not None]

    def _undoing(self, of: Stand) -> Undoing:
        call = of.call
        assert call is not None and call.undo is not None and of.outcome is not None, "it took effect, or may have"
        if of.status is StepStatus.UNKNOWN and not self._undone_blindly(of) and not self._undo_calls(call):
            return Undoing(of, call, UndoStatus.HELD, None, 1, "saga.unknown")  # until a person settles it
        run, made = self.run, self._undo_calls(call)
        last = made[-1] if made else None
        if last is not None and any(_kind(each) in _TOOK for each in made):
            return Undoing(of, call, UndoStatus.DONE, last, 0)
        try:
            call.undo.derived(of.outcome.value)
        except BadInput:
            return Undoing(of, call, UndoStatus.FAILED, None, 0, "saga.underivable")
        here = [n for n in range(1, TRIES_MAX + 1) if undo_id(run.run_id, call.call_id, run.turn, n) in run.calls]
        if last is None:
            return Undoing(of, call, UndoStatus.OPEN, None, 1)
        outcome, nth = last.outcome, len(here) + 1
        if last.status == "held":
            return Undoing(of, call, UndoStatus.HELD, last, len(here), "approve.held")
        if last.status not in ("closed", "unknown") or outcome is None:
            return Undoing(of, call, UndoStatus.OPEN, last, max(len(here), 1))
        if last.status == "unknown" and not self._sent_again(last):
            return Undoing(of, call, UndoStatus.FAILED, last, nth, outcome.code)
        again = not here or (nth <= TRIES_MAX and (_fails(outcome) or last.status == "unknown"))
        return Undoing(of, call, UndoStatus.OPEN if again else UndoStatus.FAILED, last, nth, outcome.code)

    def _sent_again(self, last: CallState) -> bool:
        """Whether what undoes may be done a second time by another call, without being settled first."""
        tool = self._find(last.tool)
        return tool is not None and tool.idempotent


def _answering(run: RunState, call_id: str) -> CallState | None:
    """The call whose outcome stands for this one's: itself, a fallback, or what somebody made of it by an edit."""
    call = speaker(run, call_id)
    while call is not None and (told := call.outcome) is not None and told.instead:
        call = speaker(run, told.instead)
    return call


_TOOK = (OutcomeKind.DONE, OutcomeKind.WITHHELD)


def _name(step: str, turn: int, nth: int) -> str:
    return f"step/{step}" if (turn, nth) == (0, 1) else f"step/{step}/{turn}.{nth}"


def _kind(call: CallState) -> OutcomeKind | None:
    outcome = call.outcome
    return None if outcome is None else outcome.kind


def _fails(outcome: Outcome | None) -> bool:
    """Whether another try may end otherwise: a refusal would be one again until somebody changes something."""
    return outcome is not None and outcome.kind is OutcomeKind.FAILED


def _told_at(stand: Stand) -> int:
    return 0 if stand.call is None else stand.call.told_at


def _meets(step: Step, taken: frozenset[str], call: CallState, value: Json) -> bool:
    """Whether a result is what must come of the step: as it declares, and what others and its undoing take from it."""
    try:
        for where in taken:
            at_pointer(value, where)
        if step.undo and call.undo is not None:
            call.undo.derived(value)
        return all(canonical(at_pointer(value, where)) == canonical(wanted) for where, wanted in step.expect.items())
    except BadInput:
        return False
