"""What has entered a run from outside its model, in order: all that the values of its calls can come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from interlock.core.approval import ApprovalState


class Door(StrEnum):
    """By which way something entered."""

    WORDS = "words"
    """The user said it: `said` is the text."""
    COURSE = "course"
    """The application lays out what is done: `said` is the saga or graph and its input."""
    TASK = "task"
    """Another run's call wants it: `said` is what `RunState.task` is."""
    RESULT = "result"
    """A call is over that was not refused: `said` is the payload of the event that told it."""
    SENT = "sent"
    """A call is on its way to where its effect is: `said` is nothing."""
    REPORT = "report"
    """What a call started is over: `said` is the payload of the event that told it."""
    MANDATE = "mandate"
    """A tool is wanted: `said` is its name."""
    ENDORSED = "endorsed"
    """A person answers for a value: `said` is what `approval.decided` keeps of it."""


class Entered(NamedTuple):
    """One thing that entered.

    Attributes:
        door: How.
        said: What; see `Door`.
        call_id: The call that brought it, or that a person was asked about; empty for none.
        by: Who said so, of what people and operators say; empty for others.
    """

    door: Door
    said: Any
    call_id: str = ""
    by: str = ""


def at_start(body: Mapping[str, Any], who: str) -> Iterator[Entered]:
    """What a run begins with, from its `run.started`.

    Args:
        who: Who started it.
    """
    if body.get("words"):
        yield Entered(Door.WORDS, body["words"])
    if body.get("task"):  # what a plan lays out comes from a model
        yield Entered(Door.TASK, body["task"], body["task"].get("call", ""))
    elif course := {name: body[name] for name in ("saga", "graph", "input") if name in body}:
        yield Entered(Door.COURSE, course)
    for tool in body.get("mandates", ()):
        yield Entered(Door.MANDATE, tool, by=who)
    for each in body.get("endorsed", ()):
        yield Entered(Door.ENDORSED, each, by=each.get("by", ""))


def answered_for(asked: ApprovalState) -> Iterator[Entered]:
    """What people answer for with an approval: what each of them does whom it took."""
    said = [{each["pointer"]: each for each in body.get("endorse", ())} for body in asked.approvals.values()]
    if not said or asked.status != "approved":
        return
    by = ", ".join(asked.approvals)
    for pointer, each in said[0].items():
        if all(pointer in other for other in said[1:]):
            yield Entered(Door.ENDORSED, each, asked.call_id, by)


def handed_down(entered: Iterable[Entered]) -> dict[str, Any]:
    """What a run that a call starts has of what its own run was allowed: mandates and endorsements, as its start says.

    Never more: what the other run is allowed later is its own.
    """
    mandates, endorsed = dict[str, None](), []
    for each in entered:
        if each.door is Door.MANDATE:
            mandates[each.said] = None
        elif each.door is Door.ENDORSED:
            endorsed.append({**each.said, "by": each.by})
    return {name: found for name, found in (("mandates", list(mandates)), ("endorsed", endorsed)) if found}
