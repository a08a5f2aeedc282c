"""The gate `authorize`: may this principal have this tool, do the things exist, does policy allow it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

from interlock.core.call import AllowedCall, ApprovedCall, Outcome, Stop, ValidCall, refuse
from interlock.core.canonical import Json, Written, pointer
from interlock.core.decision import Decision, Mode, Verdict
from interlock.core.lacking import ASK_THE_USER, origin_problems
from interlock.core.principal import Principal
from interlock.core.problem import Problem
from interlock.core.run import RunState
from interlock.core.tool import Entity, Tool
from interlock.policy.facts import Facts, Resource, facts_of, shown
from interlock.policy.flags import Flags

_SUGGESTIONS_MAX = 5
_LABEL_MAX = 80
_VALUES_MAX = 20
_CLOSE = 0.5


class Resolve(Protocol):
    """A governed read as the principal of the call that is being decided."""

    async def __call__(self, tool: str, arguments: Mapping[str, Any]) -> Outcome:
        """The outcome of the read."""
        ...


class Rules(Protocol):
    """What decides. `policy.cedar.Policy` is one; it brings Cedar with it, which a program loads with its first plane.

    Attributes:
        digest: Identity of the rules and of what they can see of the tools, hex.
        files: Identity of the files alone that they were read from, hex.
        mode: Whether decisions bind.
        approvers: Every group that may release what some rule holds.
    """

    digest: str
    files: str
    mode: Mode
    approvers: frozenset[str]

    def with_tools(self, tools: Iterable[Tool]) -> Rules:
        """The same rules for other tools; `PolicyError` where one does not fit them."""
        ...

    def decide(self, facts: Facts) -> Decision:
        """Allow, deny, or hold for approval. An error anywhere denies."""
        ...

    def may_have(self, principal: Principal, tool: Tool) -> bool:
        """Whether any call of the tool by this principal could be allowed or held; never a wrong no."""
        ...

    def refusal(self, reason: str, error: str = "") -> Decision:
        """A denial for a reason that is no rule's."""
        ...

    def record(self, facts: Facts) -> Written:
        """The facts as they are kept with the decision."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """What the gate may ask of the world.

    Attributes:
        flags: What is stopped now.
        now_us: One reading of the clock, microseconds UTC.
        resolve: A governed read.
    """

    flags: Flags
    now_us: int
    resolve: Resolve


async def authorize(valid: ValidCall, policy: Rules, run: RunState, ask: Ask) -> AllowedCall | Stop:
    """Decide the call on today's facts. Never suspends where no argument names an entity.

    Order: the stop switch, which binds in every mode; whether this principal may have the tool at all;
    the entities, each by a governed read as this principal; the decision.
    """
    call, tool = valid.call, valid.tool
    principal = call.principal
    reason = ask.flags.stopped(tool.name, tool.server, principal.id, principal.tenant)
    if reason is not None:
        decision = replace(policy.refusal("stopped", reason), mode=Mode.ENFORCE)
        return _refused(_STOPPED, valid, decision, policy, facts_of(valid, run, ask.now_us))
    resource = None
    if tool.entities:
        if policy.mode is Mode.ENFORCE and not policy.may_have(principal, tool):
            decision = policy.refusal("not_available")
            return _refused(_NOT_AVAILABLE, valid, decision, policy, facts_of(valid, run, ask.now_us))
        found = await _resolved(valid, ask)
        if isinstance(found, Stop):
            return found
        resource = found
    facts = facts_of(valid, run, ask.now_us, resource)
    decision = policy.decide(facts)
    if decision.verdict is Verdict.DENY and decision.mode is Mode.ENFORCE:
        # What this principal could never have is denied in any case; only the words differ.
        words = _DENIED if policy.may_have(principal, tool) else _NOT_AVAILABLE
        return _refused(words, valid, decision, policy, facts)
    return AllowedCall(valid, decision, policy.record(facts))


def unstopped(approved: ApprovedCall, flags: Flags) -> ApprovedCall | Stop:
    """The call, unless somebody stopped it while it waited for its turn: a stop binds within one call."""
    call, tool = approved.valid.call, approved.valid.tool
    reason = flags.stopped(tool.name, tool.server, call.principal.id, call.principal.tenant)
    if reason is None:
        return approved
    code, message, next_step = _STOPPED
    return refuse(call, code, message, next_step=next_step, audit={"reason": reason})


class _Words(NamedTuple):
    """What a model is told: never a rule."""

    code: str
    message: str
    next_step: str


_STOPPED = _Words("authorize.stopped", "an operator has stopped this for now", "Do not try again; tell the user.")
_NOT_AVAILABLE = _Words(
    "authorize.not_available", "this tool is not available here", "Use another tool, or say that it cannot be done."
)
_DENIED = _Words(
    "authorize.denied", "this call is not allowed", "Do not repeat it; do something else or tell the user."
)


def _refused(words: _Words, valid: ValidCall, decision: Decision, policy: Rules, facts: Facts) -> Stop:
    audit: dict[str, Json] = {
        "decision": decision.written, "policy": decision.policy_digest, "facts": policy.record(facts)
    }  # fmt: skip
    problems: tuple[Problem, ...] = ()
    if words is _DENIED and facts.traced.lacks:
        problems = origin_problems(facts.traced.provenance)
        words = words._replace(next_step=ASK_THE_USER) if problems else words
    return refuse(
        valid.call, words.code, words.message, next_step=words.next_step, problems=problems, audit=audit
    )  # fmt: skip


async def _resolved(valid: ValidCall, ask: Ask) -> Resource | Stop | None:
    """Look up what the arguments name; the resource argument's entity, or why the call stops.

    Every value of a list is looked up, one after the other.
    """
    resource: Resource | None = None
    arguments = shown(valid) if valid.tool.entities else {}
    for name, entity in valid.tool.entities.items():
        given = arguments.get(name)
        values = given if isinstance(given, list) else [given]
        if len(values) > _VALUES_MAX:
            return _unchecked(valid, [name], entity, f"more than {_VALUES_MAX} values to look up")
        for index, value in enumerate(values):
            if value is None:
                continue
            where: list[str | int] = [name, index] if isinstance(given, list) else [name]
            found = await _look_up(valid, where, entity, value, ask)
            if isinstance(found, Stop):
                return found
            if name == valid.tool.resource and given is value:
                resource = found
    return resource


async def _look_up(
    valid: ValidCall, where: list[str | int], entity: Entity, value: object, ask: Ask
) -> Resource | Stop:
    if type(value) is not str and type(value) is not int:
        return _unchecked(valid, where, entity, "neither text nor an integer")
    outcome = await ask.resolve(entity.lookup, {entity.by or str(where[0]): value})
    if not outcome.done:
        return _unchecked(valid, where, entity, f"the lookup was {outcome.kind.value}: {outcome.code}")
    if outcome.value is None:
        return await _unknown(valid, where, entity, value, ask)
    if not isinstance(outcome.value, dict):
        return _unchecked(valid, where, entity, "the lookup returned no object")
    return Resource(entity.type, str(value), outcome.value)


async def _unknown(
    valid: ValidCall, where: list[str | int], entity: Entity, value: str | int, ask: Ask
) -> Stop:  # fmt: skip
    """A value that names nothing, with what exists as far as this principal may see it."""
    allowed: list[Json] = []
    if entity.suggest:
        outcome = await ask.resolve(entity.suggest, {"query": str(value)})
        allowed = _suggestions(outcome.value) if outcome.done else []
    problem = Problem(
        field=pointer(where),
        code="entity",
        message=f"no {entity.type} has this id",
        allowed=allowed or None,
        closest=_closest(value, allowed),
    )
    return refuse(
        valid.call, "authorize.entity", f"the {entity.type} that the call names does not exist",
        next_step="Use the id of one that exists; do not guess.", problems=(problem,),
    )  # fmt: skip


def _suggestions(found: object) -> list[Json]:
    """What a suggesting tool returned, as far as it has the form of suggestions."""
    said: list[Json] = []
    for item in found if isinstance(found, list) else ():
        if isinstance(item, dict) and type(item.get("id")) in (str, int):
            label = item.get("label")
            said.append({"id": item["id"], "label": label[:_LABEL_MAX] if isinstance(label, str) else ""})
    return said[:_SUGGESTIONS_MAX]


def _closest(value: str | int, allowed: list[Json]) -> Json:
    """The suggested id whose id or label is most like the value; none where nothing is like it."""
    names: dict[str, Json] = {}
    for item in allowed:
        assert isinstance(item, dict), "made by _suggestions"
        for name in (str(item["id"]), str(item["label"])):
            names.setdefault(name.casefold(), item["id"])
    found = get_close_matches(str(value).casefold(), names, n=1, cutoff=_CLOSE)
    return names[found[0]] if found else None


def _unchecked(valid: ValidCall, where: list[str | int], entity: Entity, why: str) -> Stop:
    """Whether it exists could not be found out: refused, in words that do not say what stood in the way."""
    problem = Problem(field=pointer(where), code="entity", message=f"this {entity.type} could not be checked")
    return refuse(
        valid.call, "authorize.entity_unchecked", f"whether the {entity.type} exists could not be checked",
        next_step="Try again later, or tell the user.", problems=(problem,),
        audit={"field": problem.field, "lookup": entity.lookup, "why": why},
    )  # fmt: skip
