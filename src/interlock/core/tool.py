"""A tool: a named function with a schema and an effect, as data.

How one is made from a Python function stands in registry/define.py; this file says what it is.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import Any

from interlock.core.canonical import Json, Written, canonical, digest, framed
from interlock.core.charge import SPENT_MAX
from interlock.core.progress import Progress
from interlock.core.trace import TRACEPARENT, TRACESTATE
from interlock.errors import ToolError


class Effect(StrEnum):
    """What a call does to the world, which is also its risk tier; from the least to the most."""

    READ = "read"
    REVERSIBLE = "reversible"
    IRREVERSIBLE = "irreversible"
    PRIVILEGED = "privileged"

    @property
    def rank(self) -> int:
        """0 for a read to 3 for a privileged call; claims may only raise it."""
        return _RANK[self]


_RANK = {effect: rank for rank, effect in enumerate(Effect)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """How an argument that names a thing is checked against the system of record, before anything runs.

    Attributes:
        type: Entity type as policies name it (`Property`), an identifier.
        lookup: Read tool that takes the argument and returns the thing's attributes, or null where
            it does not exist. It runs as a governed call of the same principal.
        by: Parameter of `lookup` that takes the value; the argument's own name where empty.
        suggest: Read tool that takes `query` and returns a list of `{"id": …, "label": …}`, for the
            repair of a value that does not exist; none where empty.
    """

    type: str
    lookup: str
    by: str = ""
    suggest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """What a tool's function may know of its call. Never the plane.

    Attributes:
        run_id, call_id: Which call this is.
        attempt: 1 for the first try.
        idempotency_key: For the far end: one per call, the same for every attempt and after a recovery.
        principal_id, tenant: On whose behalf.
        deadline_s: Seconds that this attempt has.
        traceparent, tracestate: Whose trace a far end is to be told that the call belongs to; empty for nothing.
        units: What it may say that it spent; anything where None.
        spent: What the tool said that the call spent, by unit, all its attempts together.
        report: Takes run, call and report where somebody may listen; None where nobody can.
    """

    run_id: str
    call_id: str
    attempt: int
    idempotency_key: str
    principal_id: str
    tenant: str
    deadline_s: float
    traceparent: str = ""
    tracestate: str = ""
    units: frozenset[str] | None = None
    spent: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    report: Callable[[str, str, Progress], None] | None = field(default=None, compare=False, repr=False)

    @property
    def trace(self) -> dict[str, str]:
        """The same by their names, as headers of a request have them; without what is empty."""
        said = {TRACEPARENT: self.traceparent, TRACESTATE: self.tracestate}
        return {name: value for name, value in said.items() if value}

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the call is, from any thread, as often as you like: it is told 20 times a second at most.

        Args:
            done: So much is done, in whatever you count; 0 or more.
            total: Of so much; None where you do not know.
            message: What it is at, for people; 512 characters of it are told.

        Raises:
            ToolError: These are no amounts, or the message is no text.
        """
        said = Progress.said(done, total, message)
        if self.report is not None:
            self.report(self.run_id, self.call_id, said)

    def spend(self, unit: str, amount: int) -> None:
        """Say what the call really costs: so much, on top of what was said before.

        Where a call says nothing of a unit, it costs what its tool declares. What is beyond that is charged as well.

        Raises:
            ToolError: The tool declares no cost in this unit, or the amount is no whole number that can be charged.
        """
        if self.units is not None and unit not in self.units:
            raise ToolError(f"no cost in {unit!r} is declared", code="tool.unit", remedy="Name it in the tool's costs.")
        before = self.spent.get(unit, 0)
        if type(amount) is not int or not 0 <= amount <= SPENT_MAX - before:
            raise ToolError(
                f"{amount!r} {unit} cannot be charged", code="tool.amount", remedy=f"Say 0 to {SPENT_MAX} in all."
            )
        self.spent[unit] = before + amount


Body = Callable[[dict[str, Any], CallContext], Awaitable[object]]
"""What runs: checked arguments (a fresh copy) and the context in, a JSON value out."""

BatchBody = Callable[[list[dict[str, Any]], list[CallContext]], Awaitable[Sequence[object]]]
"""What runs several calls at once: arguments and context of each in, a JSON value or an exception for each out."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool. Equal definitions have equal digests.

    Everything but `body`, `batch`, `accept`, `health` and `declared` is in it.

    Attributes:
        name: 1 to 64 of `A-Z a-z 0-9 _ . -`, starting with a letter; unique on its server.
        server: Where it runs; `local` for functions of this process.
        version: The author's version label.
        description: What it does and when to call it, for the model.
        input_schema: JSON Schema of the arguments, an object.
        output_schema: JSON Schema of the result; None where it was not declared.
        effect: Risk tier by the operator's word. Claims of a server only raise it.
        outward: A read that carries data out, such as fetching a URL.
        keyed: The receiver dedupes by idempotency key.
        idempotent: Running it twice with the same arguments is running it once.
        resource: Argument that names what the call acts on: orders writes and is the policy's resource.
        entities: Argument name to the check of what it names.
        secrets: Argument name to the references that may stand there instead of a secret (`core.secret`): names
            without a version, or the beginning of names with a `*` behind it.
        roles: Argument name to its role (target, selector, credential, command, amount, content, control, fetch).
        timeout_s: Seconds that one attempt may take.
        attempts_max: Tries of one call, the first included.
        at_once: Calls of it that one process executes at the same time; further ones wait.
        costs: Unit of a budget to what one call of it costs at worst: a number, or the argument that has it.
        cache_s: Seconds that a read's result may be reused for the same principal and arguments; 0 for never.
        cache_tags: What a reused result is about: a write that names one of them puts it out of date.
        invalidates: Tags of cached results that a call of this write puts out of date.
        fallback: Tool to try when this one fails without an effect; empty for none.
        compensate: Tool that undoes a call of this one; empty for none.
        compensate_with: Where that tool's arguments come from: its parameter to a pointer into this call, which begins
            with `/arguments` or `/result`.
        reconcile: Read tool that answers whether a call was done, `{"done": bool, "result": …}`, from
            `idempotency_key` and those of the call's arguments that it has parameters for; empty for none.
        starts: What a call of it starts beside itself, `worker`, `peer` or `plan`: a run that reports to the call when
            it is over; empty for every tool but the plane's own.
        category, tags: For finding it.
        examples: Valid arguments.
        deprecated: What to use instead; empty while current.
        sealed: The schema was made or reviewed here, so that defaults are applied; a foreign tool's are only shown.
        claims: What a foreign server says besides (title, annotations, icons): pinned, never trusted.
        declared: Options that its author wrote out, for lint; says nothing about what it is.
        body: The function.
        batch: Answers several calls of a read at once; None where each runs by itself.
        accept: Further check of own tools (custom validators); raises `BadInput` with a pointer-named problem.
        health: Asks whether what it depends on answers; None where nobody asks. One that tools share is asked once.
    """

    name: str
    server: str = "local"
    version: str = "1"
    description: str = ""
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None = None
    effect: Effect = Effect.PRIVILEGED
    outward: bool = False
    keyed: bool = False
    idempotent: bool = False
    resource: str = ""
    entities: Mapping[str, Entity] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timeout_s: float = 30.0
    attempts_max: int = 3
    at_once: int = 32
    costs: Mapping[str, int | str] = field(default_factory=dict)
    cache_s: float = 0.0
    cache_tags: tuple[str, ...] = ()
    invalidates: tuple[str, ...] = ()
    fallback: str = ""
    compensate: str = ""
    compensate_with: Mapping[str, str] = field(default_factory=dict)
    reconcile: str = ""
    starts: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    deprecated: str = ""
    sealed: bool = True
    claims: Mapping[str, Any] = field(default_factory=dict)
    declared: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    body: Body = field(compare=False, repr=False)
    batch: BatchBody | None = field(default=None, compare=False, repr=False)
    accept: Callable[[dict[str, Any]], None] | None = field(default=None, compare=False, repr=False)
    health: Callable[[], object] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the whole definition: the identity that pins, approvals and events name."""
        return digest("interlock/tool/1", canonical(self.definition())).hex()

    @cached_property
    def identity(self) -> bytes:
        """Server, name and definition digest, as call digests bind them."""
        return canonical([self.server, self.name, self.digest])

    @cached_property
    def call_frame(self) -> bytes:
        """What every call digest of this tool begins with: the domain and the identity, framed."""
        return framed("interlock/call/1", self.identity)

    @cached_property
    def written(self) -> Written:
        """Server, name and version, as events name the tool."""
        return Written({"server": self.server, "name": self.name, "version": self.version})

    @cached_property
    def worst_ms(self) -> int:
        """Milliseconds that all attempts of a call may take together."""
        return math.ceil(self.timeout_s * 1000) * self.attempts_max

    @cached_property
    def units(self) -> frozenset[str]:
        """What a call of it may say that it spent."""
        return frozenset(self.costs)

    def cost(self, arguments: Mapping[str, Any]) -> dict[str, int]:
        """What a call with these arguments costs at worst, by unit: one of `calls`, its `ms`, and what is declared."""
        worst = {"calls": 1, "ms": self.worst_ms}
        for unit, cost in self.costs.items():
            worst[unit] = cost if isinstance(cost, int) else int(arguments[cost])
        return worst

    @property
    def reconcilable(self) -> bool:
        """Whether the far end can be asked if a call was done."""
        return bool(self.reconcile)

    @property
    def repeatable(self) -> bool:
        """Whether a call that may have been done can be sent again: one effect for one key, or the same one again."""
        return self.keyed or self.idempotent or not self.writes

    @property
    def after_loss(self) -> str:
        """Who can say what became of a call whose answer is lost: `again` (send it), `ask` (the far end), `person`."""
        if self.repeatable:
            return "again"
        return "ask" if self.reconcilable else "person"

    @property
    def writes(self) -> bool:
        """Whether a call may change the world: everything but a read."""
        return self.effect is not Effect.READ

    @property
    def needs_intent(self) -> bool:
        """Whether an intent is committed before the first byte leaves: effects and outward reads."""
        return self.outward or self.effect is not Effect.READ

    def definition(self) -> dict[str, Json]:
        """Everything that is declared, as JSON.

        What stands at its default is left out, so that a field which `Tool` gets later voids no pin and no
        approval; identity and risk always stand there.
        """
        said = {item.name: _plain(getattr(self, item.name)) for item in fields(self) if item.compare}
        return {name: value for name, value in said.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as a model sees it: what of it goes into a provider's tool list."""

    name: str
    description: str
    input_schema: Mapping[str, Any]


_STANDING = {"name", "server", "input_schema", "effect", "outward", "keyed", "idempotent", "sealed"}


def _defaults() -> dict[str, Any]:
    """What each field that may be left out is when it is, in its JSON form."""
    made = Tool(name="", input_schema={}, body=_no_body)
    return {item.name: _plain(getattr(made, item.name)) for item in fields(Tool) if item.name not in _STANDING}


async def _no_body(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing runs it: it only shows the defaults")


def _plain(value: Any) -> Any:
    if isinstance(value, Entity):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, StrEnum) else value


_DEFAULTS = _defaults()
