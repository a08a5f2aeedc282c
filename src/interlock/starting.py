"""How a run is started: with the user's words, what it may use, what was asked for, and for which other run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from interlock.core.canonical import canonical, digest
from interlock.core.entered import handed_down
from interlock.core.event import Fact, Kind
from interlock.core.ids import named_id
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.trace import TraceContext, span_id, trace_context
from interlock.errors import BadInput, Conflict, DuplicateFact, NotFound, StaleClaim
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.limits.budget import COUNTED, own_budgets
from interlock.pipeline import Plane

_BUDGETS_MAX = 64
"""Budgets of one run and of those above it: each is a row that every call of it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a run is started with, and keeps.

    Attributes:
        words: The user's own words; None where they are not seen.
        budget: What it may use at most, by unit; with it everything that is started for it may.
        parent: The principal's own open run that it is started for, whose budgets it uses too; empty for none.
        above: Further budgets that it uses, those of a run that it goes on for though that is over: row, unit, most.
        conversation: Of an agent: an answer does not end it, and its user may say more.
        mandates: Names of the tools that were asked for: what others say in the run cannot have others used.
        trace: The `traceparent` of whoever starts it; what is none is none, and of no consequence.
        tracestate: What belongs to that.
        via: The door that its calls come by; empty where a program makes them.
        named: The caller's name of it, of which there is one run for each principal; empty for none.
        keep: Of a run that nothing drives: it is over when whoever started it says so, not when nothing is left of it.
    """

    words: str | None = None
    budget: Mapping[str, int] = field(default_factory=dict)
    parent: str = ""
    above: tuple[tuple[str, str, int], ...] = ()
    conversation: bool = False
    mandates: tuple[str, ...] = ()
    trace: str = ""
    tracestate: str = ""
    via: str = ""
    named: str = ""
    keep: bool = False

    def mark(self, agent: str = "") -> str:
        """Digest of what a run is started with, by which two starts of one name are told apart.

        Args:
            agent: Its agent's name; empty for a run that nothing drives.
        """
        said = [agent, self.words, dict(self.budget), self.parent, self.conversation, list(self.mandates), self.keep]
        return digest("interlock/start/1", canonical(said)).hex()


class Starting(TypedDict, total=False):
    """What else a run may be started with, by keyword.

    words: The user's own words; None where they are not seen. A run keeps those that it started with.
    budget: What it may use at most, by unit: `{"calls": 50, "micro_usd": 20_000}`.
    parent: The run that it is started for: it uses what is left there, and can never use more.
    mandates: Names of the tools that were asked for, where the application knows: what others say in the run cannot
        have others used.
    trace: The `traceparent` (W3C) of whoever starts it: its spans are below that one. What is none is passed over.
    tracestate: What belongs to that.
    named: Your name of it: starting it again by it comes back to the first. It must then be started exactly so again.
    keep: It is over when you say so (`Run.finish`, or cancelled), not when it is left with nothing to do.
    """

    words: str | None
    budget: Mapping[str, int]
    parent: str
    mandates: tuple[str, ...]
    trace: str
    tracestate: str
    named: str
    keep: bool


async def begun(
    plane: Plane, claim: Claim, principal: Principal, start: Start, driven: Mapping[str, Any] | None = None
) -> tuple[Conversation, bool]:
    """A new run, claimed by this worker; or the one that was started so by its name before, as it is.

    Args:
        driven: What its start says besides, of a run that something drives.

    Returns:
        Its conversation, and whether it is new.

    Raises:
        Conflict: A run of this name was started with something else.
        NotFound, Conflict, BadInput: As `started`; nothing was written.
    """
    driven = driven or {}
    if not start.named:
        run_id = plane.new_id("run")
        fact = await started(plane, principal, start, run_id)
        fact.body.update(driven)
        return await plane.ledger.open(run_id, principal.tenant, fact, claim), True
    run_id = named_id("run", principal.tenant, principal.id, start.named)
    mark = start.mark(driven.get("agent", ""))
    if await plane.ledger.store.rows("run", {"run_id": run_id}, 1):
        return await _named(plane, principal, run_id, mark), False
    fact = await started(plane, principal, start, run_id)
    fact.body.update(driven, named=mark)
    try:
        return await plane.ledger.open(run_id, principal.tenant, fact, claim), True
    except (DuplicateFact, StaleClaim):  # begun by this name a moment ago
        return await _named(plane, principal, run_id, mark), False


async def _named(plane: Plane, principal: Principal, run_id: str, mark: str) -> Conversation:
    conversation = await plane.ledger.conversation(run_id, principal.tenant)
    await conversation.refresh()
    if conversation.state.named != mark:
        raise Conflict(
            f"run {run_id} has this name, and was started with something else", code="run.name_reused",
            remedy="Use another name, or start exactly the same.",
        )  # fmt: skip
    return conversation


async def started(plane: Plane, principal: Principal, start: Start, run_id: str) -> Fact:
    """The start of a run that nothing drives.

    Raises:
        NotFound: No such parent of this principal.
        Conflict: The parent is over.
        BadInput: A budget has no unit or amount that can be counted, or a mandate names no tool, or one that the parent
            has not.
    """
    body: dict[str, Any] = {"principal": principal.written, "driver": "calls"}
    if start.keep:
        body["kept"] = True
    if start.words is not None:
        body["words"] = start.words
    if start.mandates:
        body["mandates"] = _asked_for(plane, start.mandates)
    budgets = own_budgets(principal.tenant, run_id, start.budget)
    known = COUNTED.union(*(tool.units for tool in plane.registry.tools)) if start.budget else COUNTED
    if uncounted := sorted(set(start.budget) - known):
        raise BadInput(
            f"budget: nothing here costs {uncounted[0]!r}, so that it would limit nothing", code="run.budget",
            remedy=f"Use {', '.join(sorted(known))}.",
        )  # fmt: skip
    budgets += start.above
    if start.via:
        body["via"] = start.via
    trace = trace_context(start.trace, start.tracestate)
    if start.parent:
        body["parent"] = start.parent
        above = await _above(plane, principal, start.parent)
        trace = trace or TraceContext(above.trace_id, span_id(above.run_id), above.trace.state if above.trace else "")
        budgets += above.budgets
        body |= _no_wider(handed_down(above.entered), start.mandates)
    if len(budgets) > _BUDGETS_MAX:
        raise BadInput(
            f"budget: {len(budgets)} of this run and those above it", code="run.budget",
            remedy=f"At most {_BUDGETS_MAX} are counted for one run.",
        )  # fmt: skip
    if budgets:
        body["budgets"] = [list(each) for each in budgets]
    if trace is not None:
        body["trace"] = trace.body
    return Fact(
        Kind.RUN_STARTED, body, principal_id=principal.id, trace_id="" if trace is None else trace.trace_id
    )  # fmt: skip


def _asked_for(plane: Plane, mandates: Iterable[str]) -> list[str]:
    for name in mandates:
        if plane.registry.find(name) is None:
            raise BadInput(
                f"mandates: there is no tool {name!r}", code="run.mandate", remedy="See `interlock tools list`."
            )
    return list(dict.fromkeys(mandates))


def _no_wider(above: dict[str, Any], mandates: tuple[str, ...]) -> dict[str, Any]:
    """What a run has of the one that it is started for: all of its mandates, or those of them that are named."""
    if more := [name for name in mandates if name not in above.get("mandates", ())]:
        raise BadInput(
            f"mandates: {more[0]!r} is none of the run that it is started for", code="run.mandate",
            remedy="Start that one with it; a run that is started for another has no more.",
        )  # fmt: skip
    return above | ({"mandates": list(dict.fromkeys(mandates))} if mandates else {})


async def _above(plane: Plane, principal: Principal, parent: str) -> RunState:
    """An open run of this principal."""
    conversation = await plane.ledger.conversation(parent, principal.tenant)
    await conversation.refresh()
    state = conversation.state
    if state.principal is None or state.principal.id != principal.id:
        raise NotFound(f"no run {parent!r} of {principal.id!r}", code="run.not_found")
    if state.status != "open":
        raise Conflict(f"run {parent!r} is {state.status}", code="run.parent_over", remedy="Start a run without it.")
    return state
