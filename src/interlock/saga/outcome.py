"""What a saga came to, as its caller is told: in types, so that nothing but success looks like success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.core.call import Outcome
from interlock.core.canonical import Json
from interlock.saga.standing import SagaStatus, Stand, Standing, StepStatus, Undoing, UndoStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """How one step stands.

    Attributes:
        id, tool: Which; the tool is the one that was called in the end, where another took its place.
        status: How it stands.
        call_id: Its call; empty before it has begun.
        outcome: What that call was told last; None before.
        why: Code of why it is not done.
        undo: How its undoing stands.
        undo_call_id: The newest call that was to undo it; empty for none.
        undo_why: Code of why it is not undone.
    """

    id: str
    tool: str
    status: StepStatus
    call_id: str = ""
    outcome: Outcome | None = None
    why: str = ""
    undo: UndoStatus = UndoStatus.NONE
    undo_call_id: str = ""
    undo_why: str = ""

    def as_json(self) -> dict[str, Json]:
        """The step with its empty parts left out."""
        said: dict[str, Json] = {"id": self.id, "tool": self.tool, "status": self.status.value}
        for name in ("call_id", "why", "undo_call_id", "undo_why"):
            if value := getattr(self, name):
                said[name] = value
        if self.undo is not UndoStatus.NONE:
            said["undo"] = self.undo.value
        if self.outcome is not None:
            said["outcome"] = self.outcome.as_json()
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaOutcome:
    """How a saga stands. It did what it is for where `completed` is true, and nowhere else.

    Attributes:
        run_id: Its run: what it is resumed by.
        name: The saga's.
        status: How it stands.
        steps: Every step, in the saga's order.
    """

    run_id: str
    name: str
    status: SagaStatus
    steps: tuple[StepOutcome, ...]

    @property
    def completed(self) -> bool:
        """Whether every step is done, and its result is what it must be."""
        return self.status is SagaStatus.COMPLETED

    @property
    def results(self) -> dict[str, Json]:
        """The results of the steps that are done."""
        return {
            step.id: step.outcome.value
            for step in self.steps
            if step.status is StepStatus.DONE and step.outcome is not None
        }

    @property
    def cause(self) -> StepOutcome | None:
        """The first step that is not done and was begun: why it is not completed; None where there is none."""
        return next((step for step in self.steps if step.status not in (StepStatus.DONE, StepStatus.NOT_BEGUN)), None)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Ids of the approval requests that its steps wait for."""
        return tuple(
            step.outcome.approval_id
            for step in self.steps
            if step.status is StepStatus.HELD and step.outcome is not None
        )

    def __str__(self) -> str:
        """How it stands and why, in a sentence."""
        cause = self.cause
        if cause is None:
            return f"{self.name}: {self.status.value}"
        message = f": {cause.outcome.message}" if cause.outcome is not None and cause.outcome.message else ""
        return f"{self.name}: {self.status.value}; step {cause.id} is {cause.status.value} ({cause.why}){message}"

    def as_json(self) -> dict[str, Json]:
        """The whole of it."""
        steps: list[Json] = [step.as_json() for step in self.steps]
        return {"run_id": self.run_id, "saga": self.name, "status": self.status.value, "steps": steps}


def outcome_of(standing: Standing) -> SagaOutcome:
    """How a saga stands, in a caller's words."""
    undoings = {undoing.of.step.id: undoing for undoing in standing.undoings}
    return SagaOutcome(
        run_id=standing.run.run_id, name=standing.saga.name, status=standing.status,
        steps=tuple(_step(stand, undoings) for stand in standing.steps.values()),
    )  # fmt: skip


def _step(stand: Stand, undoings: Mapping[str, Undoing]) -> StepOutcome:
    call, undoing = stand.call, undoings.get(stand.step.id)
    why = stand.why
    if not why and stand.outcome is not None and stand.status in (StepStatus.HELD, StepStatus.UNKNOWN):
        why = stand.outcome.code
    return StepOutcome(
        id=stand.step.id, tool=stand.step.tool if call is None else call.tool, status=stand.status,
        call_id="" if call is None else call.call_id, outcome=stand.outcome, why=why,
        undo=UndoStatus.NONE if undoing is None else undoing.status,
        undo_call_id="" if undoing is None or undoing.last is None else undoing.last.call_id,
        undo_why="" if undoing is None else undoing.why,
    )  # fmt: skip
