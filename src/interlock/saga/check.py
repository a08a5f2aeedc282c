"""A saga is refused at its start where it could not be done, or not be undone. Nothing has run then."""

from __future__ import annotations

import re
from typing import Any, Final

from interlock.core.canonical import Json, at_pointer, check_json
from interlock.core.references import filled, inputs_in, results_in
from interlock.core.tool import Tool
from interlock.errors import BadInput
from interlock.registry.registry import Registered, Registry
from interlock.saga.definition import Saga, Step

STEPS_MAX: Final = 64
"""Steps of one saga (spec: limits)."""

_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check(saga: Saga, registry: Registry, given: Json) -> None:
    """Refuse a saga that cannot be meant.

    Raises:
        BadInput: Names the step, what is wrong with it, and the remedy.
    """
    _check_shape(saga, given)
    earlier: set[str] = set()
    for step in saga.steps:
        _check_order(step, earlier)
        earlier.add(step.id)
    past, taken = saga.past_pivot, saga.taken
    for step in saga.steps:
        found = _found(step, registry)
        _check_arguments(step, found, given)
        _check_result(step, found.tool, taken[step.id])
        for tool in _with_fallbacks(found.tool, registry):
            if step.id in past:
                _check_forward(step, tool)
            elif tool.writes and step.undo and not step.pivot:
                _check_undo(step, tool, registry)


def _check_shape(saga: Saga, given: Json) -> None:
    if not _ID.fullmatch(saga.name):
        raise _wrong(saga, "saga.name", "cannot be called that", "Use 1 to 64 of A-Z a-z 0-9 _ . -")
    if not 1 <= len(saga.steps) <= STEPS_MAX:
        raise _wrong(saga, "saga.steps", f"has {len(saga.steps)} steps", f"Give it 1 to {STEPS_MAX}.")
    names = [step.id for step in saga.steps]
    for step in saga.steps:
        if not _ID.fullmatch(step.id):
            raise _wrong(step, "saga.step", "has no id that can be told", "Use 1 to 64 of A-Z a-z 0-9 _ . -")
        if names.count(step.id) > 1:
            raise _wrong(step, "saga.step", "is there twice", "Name each step once.")
    if sum(step.pivot for step in saga.steps) > 1:
        raise _wrong(saga, "saga.pivot", "has more than one pivot", "One step is the point of no return.")
    for what in (saga.as_json(), given):
        check_json(what)


def _check_order(step: Step, earlier: set[str]) -> None:
    for name, _ in results_in(step.arguments):
        if name not in earlier:
            raise _wrong(step, "saga.reference", f"takes the result of {name!r}, which is no step before it",
                      "Refer to a step that stands before it.")  # fmt: skip
    for name in step.after or ():
        if name not in earlier:
            raise _wrong(step, "saga.reference", f"comes after {name!r}, which is no step before it",
                      "Name steps that stand before it.")  # fmt: skip


def _found(step: Step, registry: Registry) -> Registered:
    found = registry.find(step.tool)
    if found is None or found.withheld:
        near = registry.closest(step.tool)
        hint = f"Did you mean {near[0]!r}?" if near else "Register it."
        raise _wrong(step, "saga.tool", f"calls {step.tool!r}, which cannot be called", hint)
    if found.tool.starts:
        raise _wrong(step, "saga.tool", f"calls {step.tool!r}, which starts a run", "Use a graph, or call tools.")
    return found


def _check_arguments(step: Step, found: Registered, given: Json) -> None:
    """What can be known of the arguments before anything runs: their names, and their values where none is a result."""
    for where in inputs_in(step.arguments):
        try:
            at_pointer(given, where)
        except BadInput:
            raise _wrong(step, "saga.input", f"takes {where!r} of the input, which is not there", "Give it.") from None
    schema = found.tool.input_schema
    named = schema.get("properties", {})
    unknown = [name for name in step.arguments if name not in named and schema.get("additionalProperties") is False]
    missing = [name for name in schema.get("required", ()) if name not in step.arguments]
    if unknown or missing:
        what = f"gives {step.tool!r} an unknown {unknown[0]!r}" if unknown else f"does not give {missing[0]!r}"
        raise _wrong(step, "saga.arguments", what, f"{step.tool!r} takes {', '.join(named) or 'nothing'}.")
    if not any(results_in(step.arguments)):
        value: dict[str, Any] = filled(dict(step.arguments), {}, given, with_input=True)
        if problems := found.foreseen(value):
            raise _wrong(step, "saga.arguments", f"would not be a valid call: {problems[0]}", "Correct its arguments.")


def _check_result(step: Step, tool: Tool, taken: frozenset[str]) -> None:
    """A pointer into a result whose form is declared must be able to lead somewhere."""
    schema = tool.output_schema or {}
    for where in (*taken, *step.expect):
        if where and not where.startswith("/"):
            raise _wrong(step, "saga.reference", f"has no pointer: {where!r}", "Begin it with a slash.")
        first = where[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")
        if first and "properties" in schema and first not in schema["properties"]:
            raise _wrong(step, "saga.reference", f"has no {where!r} in its result",
                      f"There is {', '.join(schema['properties'])}.")  # fmt: skip


def _check_undo(step: Step, tool: Tool, registry: Registry) -> None:
    """Defect 42: a write before the point of no return can be undone, or says that it need not."""
    undoing = registry.find(tool.compensate) if tool.compensate else None
    if undoing is None or undoing.withheld:
        raise _wrong(
            step, "saga.undo", f"is a write, and nothing undoes {tool.name!r}",
            "Let the tool declare compensate, make the step the pivot, or say undo=False where nothing need be undone.",
        )  # fmt: skip


def _check_forward(step: Step, tool: Tool) -> None:
    """After the point of no return a step is tried until it is done: it must be known whether it was."""
    if tool.after_loss == "person":
        raise _wrong(
            step, "saga.forward", f"comes after the pivot, and {tool.name!r} cannot be sent again or asked about",
            "Declare it keyed, idempotent or reconcilable, or put the step before the pivot.",
        )  # fmt: skip


def _with_fallbacks(tool: Tool, registry: Registry) -> list[Tool]:
    """The tool and those that may be called in its place."""
    tools = [tool]
    while tool.fallback and (found := registry.find(tool.fallback)) is not None and found.tool not in tools:
        tools.append(tool := found.tool)
    return tools


def _wrong(where: Saga | Step, code: str, what: str, remedy: str) -> BadInput:
    who = f"saga {where.name!r}" if isinstance(where, Saga) else f"step {where.id!r}"
    return BadInput(f"{who} {what}", code=code, remedy=remedy)
