"""What makes a definition contradict itself: refused at registration, whoever built the `Tool`."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Mapping
from copy import deepcopy
from typing import Final

from interlock.core.canonical import canonical, pointer
from interlock.core.charge import SPENT_MAX, UNIT
from interlock.core.provenance import ROLES
from interlock.core.secret import check_allowed
from interlock.core.tool import Effect, Tool
from interlock.core.undo import ARGUMENTS, RESULT
from interlock.errors import BadInput, DefinitionError
from interlock.registry.defaults import Fill
from interlock.registry.schema import Schema, compile_schema

TAGS_MAX: Final = 16
"""Cache tags that one tool may have: each is a row that a write changes, or that a read is held against."""

_TAG: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

DESCRIPTION_MAX: Final = 8 << 10
"""Bytes of a description (spec: limits)."""


def check_definition(tool: Tool, compiled: Schema, fill: Fill | None) -> None:
    """Refuse a definition that cannot be meant.

    Raises:
        DefinitionError: Names the option and the remedy.
    """
    schema = tool.input_schema
    if schema.get("type") != "object":
        raise _wrong("input_schema", "does not say that the arguments are an object", 'Write "type": "object".')
    if len(tool.description.encode("utf-8", "replace")) > DESCRIPTION_MAX:
        raise _wrong("description", f"has more than {DESCRIPTION_MAX} bytes", "Say what it does and when to call it.")
    _check_numbers(tool)
    named = schema.get("properties", {})
    parameters = {"resource": [tool.resource] if tool.resource else [], "roles": tool.roles, "entities": tool.entities}
    for option, names in parameters.items():
        for name in names:
            if name not in named:
                raise _wrong(option, f"names {name!r}, which is no parameter", f"Parameters are {', '.join(named)}.")
    for name, role in tool.roles.items():
        if role not in ROLES:
            raise _wrong("roles", f"gives {name!r} the unknown role {role!r}", f"Roles are {', '.join(sorted(ROLES))}.")
    _check_secrets(tool)
    _check_reuse(tool)
    _check_costs(tool)
    if tool.effect is Effect.READ and (tool.compensate or tool.reconcile):
        raise _wrong("compensate", "or reconcile is set on a read", "There is nothing to undo or to ask about.")
    _check_undo(tool)
    _check_values(tool, compiled, fill)


def _check_secrets(tool: Tool) -> None:
    """Where a secret may stand must be a parameter, and what may stand there a reference to one."""
    for name, references in tool.secrets.items():
        if name not in tool.input_schema.get("properties", {}):
            raise _wrong("secrets", f"names {name!r}, which is no parameter", "Name an argument.")
        for text in references:
            try:
                check_allowed(text)
            except BadInput as error:
                raise _wrong("secrets", f"allows {text!r}, which is no reference", error.remedy) from None


def check_references(every: Iterable[Tool], tools: Mapping[str, Tool], several: Container[str] = ()) -> None:
    """Refuse names of tools that are not there, and checks that are not reads.

    Args:
        every: Whose references: all versions of all tools.
        tools: The first version of each tool, by name.
        several: Names of the tools that have several versions.

    Raises:
        DefinitionError: Names the tool and the option.
    """
    for tool in every:
        reads = {"reconcile": tool.reconcile}
        for name, entity in tool.entities.items():
            reads[f"entities[{name!r}].lookup"] = entity.lookup
            reads[f"entities[{name!r}].suggest"] = entity.suggest
        for option, name in {"fallback": tool.fallback, "compensate": tool.compensate, **reads}.items():
            if not name:
                continue
            other = tools.get(name)
            if other is None or name == tool.name:
                raise DefinitionError(
                    f"tool {tool.name!r}: {option} names {name!r}, which is no other registered tool",
                    code="definition.reference",
                    remedy="Register both together.",
                )
            if option in reads and other.writes:
                raise DefinitionError(
                    f"tool {tool.name!r}: {option} names {name!r}, which is no read",
                    code="definition.reference",
                    remedy="Checks and questions must not have effects.",
                )
            if option != "fallback" and name in several:
                raise DefinitionError(
                    f"tool {tool.name!r}: {option} names {name!r}, which has several versions",
                    code="definition.version",
                    remedy="What checks, settles or undoes calls of others has one version.",
                )
        if tool.compensate:
            _check_undoing(tool, tools[tool.compensate])
        for name, entity in tool.entities.items():
            _check_resolver(tool, tools[entity.lookup], entity.by or name)
            if entity.suggest:
                _check_resolver(tool, tools[entity.suggest], "query")


def _check_undo(tool: Tool) -> None:
    """Where the arguments of what undoes it come from must be there: in its parameters, or in its declared result."""
    if tool.compensate_with and not tool.compensate:
        raise _wrong("compensate_with", "is set without compensate", "Name the tool that undoes it.")
    declared = {ARGUMENTS: tool.input_schema, RESULT: tool.output_schema or {}}
    for name, where in tool.compensate_with.items():
        head, _, rest = str(where).removeprefix("/").partition("/")
        schema = declared.get("/" + head)
        if schema is None or not str(where).startswith("/") or (not rest and "/" + head == ARGUMENTS):
            raise _wrong(
                "compensate_with", f"gives {name!r} no pointer into the call: {where!r}",
                "Begin it with /arguments/ or /result.",
            )  # fmt: skip
        named = schema.get("properties")
        first = rest.partition("/")[0].replace("~1", "/").replace("~0", "~")
        if rest and named is not None and first not in named and schema.get("additionalProperties") is not True:
            raise _wrong("compensate_with", f"points to {where!r}, which is not there", f"There is {', '.join(named)}.")


def _check_undoing(tool: Tool, undoing: Tool) -> None:
    """What undoes a call must be a write that can be called with what it is given."""
    schema = undoing.input_schema
    named, required = schema.get("properties", {}), schema.get("required", ())
    unknown = [name for name in tool.compensate_with if name not in named]
    missing = [name for name in required if name not in tool.compensate_with]
    if not undoing.writes or unknown or missing:
        why = "is a read" if not undoing.writes else f"takes no {unknown[0]!r}" if unknown else f"needs {missing[0]!r}"
        raise DefinitionError(
            f"tool {tool.name!r}: {undoing.name!r}, which undoes it, {why}", code="definition.reference",
            remedy="Give its arguments by compensate_with.",
        )  # fmt: skip


def _check_resolver(tool: Tool, resolver: Tool, parameter: str) -> None:
    if parameter not in resolver.input_schema.get("properties", {}):
        raise DefinitionError(
            f"tool {tool.name!r}: the resolver {resolver.name!r} takes no {parameter!r}",
            code="definition.reference",
            remedy="Say by which parameter it looks up.",
        )


def _check_numbers(tool: Tool) -> None:
    if not (math.isfinite(tool.timeout_s) and 0 < tool.timeout_s <= 86_400):
        raise _wrong("timeout_s", "is no time that can be waited for", "Use more than 0 and at most 86400 seconds.")
    if not 1 <= tool.attempts_max <= 10:
        raise _wrong("attempts_max", "is out of range", "Use 1 to 10; the first try counts.")
    if not 1 <= tool.at_once <= 256:
        raise _wrong("at_once", "is out of range", "Use 1 to 256 calls at the same time.")
    if not (math.isfinite(tool.cache_s) and 0 <= tool.cache_s <= 86_400):
        raise _wrong("cache_s", "is out of range", "Use 0 for never, and at most 86400 seconds.")


def _check_costs(tool: Tool) -> None:
    """A cost is a whole number, or an argument that every call has and that can be no other."""
    for unit, cost in tool.costs.items():
        if not UNIT.fullmatch(str(unit)) or unit in ("calls", "ms"):
            raise _wrong("costs", f"has the unit {unit!r}", f"Use {UNIT.pattern}; calls and ms are counted anyway.")
        if isinstance(cost, str):
            part = tool.input_schema.get("properties", {}).get(cost)
            whole = isinstance(part, Mapping) and part.get("type") == "integer"
            if not whole or not isinstance(part.get("minimum"), int) or part["minimum"] < 0:
                raise _wrong(
                    "costs", f"names {cost!r}", "Name an argument of type integer with a minimum of 0 or more."
                )
            if cost not in tool.input_schema.get("required", ()) and not (tool.sealed and "default" in part):
                raise _wrong("costs", f"names {cost!r}, which a call may leave out", "Require it.")
        elif type(cost) is not int or not 0 <= cost <= SPENT_MAX:
            raise _wrong("costs", f"of {unit!r} is {cost!r}", f"Use a whole number from 0 to {SPENT_MAX}.")


def _check_reuse(tool: Tool) -> None:
    """Results are reused and shared of reads alone; one that carries data out is an event of its own each time."""
    effects = tool.writes or tool.outward
    if tool.cache_s and effects:
        raise _wrong("cache_s", "is set on a call with effects", "Only results of reads are reused.")
    if tool.cache_tags and effects:
        raise _wrong("cache_tags", "is set on a call with effects", "A write says invalidates.")
    if tool.invalidates and not tool.writes:
        raise _wrong("invalidates", "is set on a read", "A read says cache_tags.")
    if tool.batch is not None and effects:
        raise _wrong("batch", "is set on a call with effects", "Only reads are answered several at once.")
    for option, tags in (("cache_tags", tool.cache_tags), ("invalidates", tool.invalidates)):
        for tag in tags:
            if not _TAG.fullmatch(str(tag)):
                raise _wrong(option, f"has the tag {tag!r}", "Use 1 to 64 of A-Z a-z 0-9 _ . -")
        if len(tags) > TAGS_MAX or len(set(tags)) < len(tags):
            raise _wrong(option, "has too many tags, or one twice", f"Name each once, at most {TAGS_MAX}.")


def _check_values(tool: Tool, compiled: Schema, fill: Fill | None) -> None:
    """Examples must be valid calls, and defaults must not make a valid call invalid."""
    for number, example in enumerate(tool.examples, 1):
        filled = dict(example)
        if fill is not None:
            filled = fill(filled)
        if not compiled.is_valid(filled):
            said = "; ".join(f"{each.field or '/'} {each.message}" for each in compiled.problems(filled))
            raise _wrong("examples", f"number {number} is no valid call: {said}", "Correct the example or the schema.")
        if tool.accept is not None:
            try:
                tool.accept(deepcopy(filled))
            except BadInput as error:
                raise _wrong("examples", f"number {number} is not accepted: {error}", "Correct the example.") from None
    if fill is None:
        return
    relaxed = compile_schema({key: value for key, value in tool.input_schema.items() if key != "required"})
    filled = fill({})
    for fault in relaxed.problems(filled):
        for name, default in filled.items():
            place = pointer([name])
            if fault.field == place or fault.field.startswith(place + "/"):
                shown = canonical(default).decode()[:100]
                raise _wrong("default", f"of {name!r} ({shown}) {fault.message}", "Correct the default or the schema.")


def _wrong(option: str, what: str, remedy: str) -> DefinitionError:
    return DefinitionError(f"{option} {what}", code="definition.option", remedy=remedy)
