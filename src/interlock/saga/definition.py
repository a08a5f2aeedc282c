"""A saga as data: its steps, what each needs, what must hold after it, and from where on there is no way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlock.core.canonical import Json
from interlock.core.references import INPUT, RESULT, results_in


def given(pointer: str = "") -> dict[str, Json]:
    """Stands in a step's arguments for a part of what the saga is given; a pointer such as `/name`, empty for all."""
    return {INPUT: pointer}


def result(step: str, pointer: str = "") -> dict[str, Json]:
    """Stands in a step's arguments for a part of an earlier step's result."""
    return {RESULT: step, "pointer": pointer}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a saga.

    Attributes:
        id: Its name within the saga: 1 to 64 of `A-Z a-z 0-9 _ . -`.
        tool: The tool.
        arguments: Values, `given(…)` and `result(…)`.
        after: Steps that must be done before it, beside those whose results it takes; the step before it where None,
            so that a list of steps is done in order. `()` lets it begin at once.
        pivot: From its success on the saga only goes forward.
        undo: False for a write of which nothing needs undoing.
        expect: Pointer into its result to what must stand there; else it counts as failed, and is undone.
    """

    id: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    after: Sequence[str] | None = None
    pivot: bool = False
    undo: bool = True
    expect: Mapping[str, Json] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """The step as the ledger keeps it; what stands at its default is left out."""
        said: dict[str, Json] = {"id": self.id, "tool": self.tool, "arguments": dict(self.arguments)}
        if self.after is not None:
            said["after"] = list(self.after)
        if self.pivot:
            said["pivot"] = True
        if not self.undo:
            said["undo"] = False
        if self.expect:
            said["expect"] = dict(self.expect)
        return said


@dataclass(frozen=True)
class Saga:
    """Steps that are all done, or, where one fails, undone again.

    Attributes:
        name: What it is called in the ledger and to people.
        steps: In an order in which they can be done.
    """

    name: str
    steps: Sequence[Step]

    def as_json(self) -> dict[str, Json]:
        """The saga as the ledger keeps it."""
        return {"name": self.name, "steps": [step.as_json() for step in self.steps]}

    @property
    def needs(self) -> dict[str, frozenset[str]]:
        """For each step, those that must be done before it; every step stands behind those that it needs.

        The pivot comes after every step that does not come after it: when it is done, nothing can fail any more that
        would have to be undone.
        """
        needs: dict[str, frozenset[str]] = {}
        for number, step in enumerate(self.steps):
            before = self.steps[number - 1].id if number else ""
            after = ((before,) if before else ()) if step.after is None else tuple(step.after)
            needs[step.id] = frozenset(after) | {name for name, _ in results_in(step.arguments)}
        for step in self.steps:
            if step.pivot:
                later = _later(step.id, needs)
                first = [name for name in needs if name != step.id and name not in later]
                needs[step.id] |= frozenset(first)
                needs = {name: needs[name] for name in (*first, step.id, *(each for each in needs if each in later))}
        return needs

    @property
    def past_pivot(self) -> frozenset[str]:
        """The steps that come after the pivot; none where there is no pivot."""
        return frozenset(later for step in self.steps if step.pivot for later in _later(step.id, self.needs))

    @property
    def taken(self) -> dict[str, frozenset[str]]:
        """For each step, the pointers into its result that other steps take their arguments from."""
        taken: dict[str, frozenset[str]] = {step.id: frozenset() for step in self.steps}
        for step in self.steps:
            for name, where in results_in(step.arguments):
                taken[name] |= {where}
        return taken


def saga_from(said: Mapping[str, Any]) -> Saga:
    """The saga that `as_json` gave."""
    return Saga(said["name"], tuple(Step(**step) for step in said["steps"]))


def _later(pivot: str, needs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The steps that need this one, or another one that does; every step stands behind those that it needs."""
    later: set[str] = set()
    for name, needed in needs.items():
        if pivot in needed or needed & later:
            later.add(name)
    return frozenset(later)
