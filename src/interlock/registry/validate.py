"""The gate `validate`: is this a call that can be made at all?

Strict JSON, a known and reviewed tool, its schema, its own further checks; own defaults are filled in once.
What leaves is immutable: the canonical text is what is shown, approved, hashed and executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interlock.core.call import Stop, ToolCall, ValidCall, call_digest, refuse
from interlock.core.canonical import LIMITS, Json, Written, canonical, check_json, parse_json, reread
from interlock.core.problem import Problem
from interlock.core.provenance import UNTRACED, Traced
from interlock.core.secret import blank, standing
from interlock.core.tool import Tool
from interlock.errors import BadInput
from interlock.registry.problems import BadArguments
from interlock.registry.registry import Registered, Registry
from interlock.registry.rollout import NO_ROLLOUTS, Rollouts
from interlock.registry.secrets import known_yet, references_in

_TEXT = (str, bytes)


Trace = Callable[[ToolCall, Tool, dict[str, Any]], Traced]
"""Where the arguments of a call come from, by its tool and as they are valid."""


def untraced(call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> Traced:
    """Of a call that no run asks about."""
    return UNTRACED


def validate(
    call: ToolCall, registry: Registry, rollouts: Rollouts = NO_ROLLOUTS, trace: Trace = untraced
) -> ValidCall | Stop:
    """Check a proposed call against the definition of the tool that it names, in the version that its principal has.

    Args:
        rollouts: What is rolled out in the principal's tenant.
        trace: Says where the arguments come from.

    Returns:
        The valid call, or a refusal from which a model can repair it: the field, what is allowed, the closest
        valid value, an example. No value that was sent is repeated.
    """
    known = registry.find(call.tool)
    selected = None
    if known is not None and (
        call.tool in registry.several or call.tool in rollouts.by_tool or known.tool.digest in rollouts.unreadable
    ):
        chosen = registry.choose(call, rollouts)
        if chosen is None:
            return _off(call, known, left_over=rollouts.left_over(known.tool))
        known, selected = chosen
    if known is None or known.withheld:
        return _not_callable(call, known, registry)
    proposed = call.arguments
    try:
        value = parse_json(proposed) if isinstance(proposed, _TEXT) else _owned(proposed)
        if type(value) is not dict:
            return _no_object(call, value)
        filled: dict[str, Any] = value if known.fill is None else known.fill(value)
        text = canonical(filled)
    except BadInput as error:
        return _not_json(call, error)
    if len(text) > LIMITS.bytes_max or not known.input.affords(filled, len(text)):
        return _too_large(call, len(text))
    secrets = references_in(call, known.tool, filled, text, registry.secrets)
    if isinstance(secrets, Stop):
        return secrets
    shown, places = (standing(filled) if secrets else filled), {use.pointer for use in secrets}
    if not known.input.is_valid(shown):
        # of what was proposed, where that says it: a filled default would hide which key was meant
        problems = known.input.problems(standing(value) if secrets else value) or known.input.problems(shown)
        if left := known_yet(problems, places) or known_yet(known.input.problems(shown), places):
            return _invalid(call, left)
    if known.tool.accept is not None:
        try:
            known.tool.accept(standing(reread(text)) if secrets else reread(text))
        except BadInput as error:
            if not (secrets and isinstance(error, BadArguments)) or known_yet(error.problems, places):
                return _not_accepted(call, error)
    outline = "" if known.outline is None else known.outline(filled)
    if selected is not None:
        others = (each.tool for each in registry.versions(call.tool) if each is not known)
        selected = selected._replace(others=tuple(call_digest(other, text) for other in others))
    traced = trace(call, known.tool, blank(filled) if secrets else filled)
    return ValidCall(
        call, known.tool, Written(filled, text), text, call_digest(known.tool, text), outline, selected, traced, secrets
    )  # fmt: skip


def _owned(proposed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in objects of our own, because the caller may still hold what it proposed, and change it."""
    value = dict(proposed)
    check_json(value)
    for key, part in value.items():
        if type(part) is dict or type(part) is list:
            value[key] = _copied(part)
    return value


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(part) for key, part in value.items()}
    if type(value) is list:
        return [_copied(part) for part in value]
    return value


def _not_callable(call: ToolCall, known: Registered | None, registry: Registry) -> Stop:
    if known is not None and known.code == "validate.withdrawn":
        return refuse(
            call, "validate.withdrawn", known.withheld,
            next_step="Do not call it again. Use another tool, or tell the user.", audit={"server": known.tool.server},
        )  # fmt: skip
    if known is not None and known.code == "validate.absent":
        return refuse(
            call, "validate.absent", known.withheld, next_step="Do without it now, or tell the user.",
            audit={"server": known.tool.server},
        )  # fmt: skip
    if known is not None and known.code == "validate.login":
        return refuse(
            call, "validate.login", known.withheld,
            next_step=f"Tell the user to log in: `interlock servers login {known.tool.server}`.",
            audit={"server": known.tool.server},
        )  # fmt: skip
    if known is not None:
        return refuse(
            call, "validate.pin", known.withheld, next_step="Do without it, or tell the user; a person must review it.",
            audit={"definition": known.tool.digest, "server": known.tool.server},
        )  # fmt: skip
    if (instead := registry.withdrawn.get(call.tool)) is not None:
        return refuse(
            call, "validate.withdrawn", "this tool was removed",
            next_step=instead or "Do not call it again. Use another tool, or tell the user.",
        )  # fmt: skip
    near = registry.closest(call.tool)
    problem = Problem(
        field="", code="unknown_tool", message="are for a tool that does not exist", closest=near[0] if near else None,
        allowed=list(near) or None,
    )  # fmt: skip
    return refuse(
        call, "validate.unknown_tool", "there is no tool of that name", problems=(problem,),
        next_step=f"Did you mean {near[0]}?" if near else "Use one of the tools that were offered.",
    )  # fmt: skip


def _off(call: ToolCall, known: Registered, *, left_over: bool) -> Stop:
    audit: dict[str, Json] = {"server": known.tool.server}
    if left_over:
        audit["versions"] = f"the one before {known.tool.version!r}, which the others had, is no longer here"
    return refuse(
        call, "validate.off", "this tool is not switched on for this user",
        next_step="Do without it, or tell the user.", audit=audit,
    )  # fmt: skip


def _no_object(call: ToolCall, value: object) -> Stop:
    text = isinstance(value, str) and value.lstrip().startswith("{")
    step = "Send the object itself, not a text of it." if text else "Send one JSON object, with the arguments as keys."
    problem = Problem(field="", code="type", message="must be of type object", allowed="object")
    message = "the arguments are not a JSON object"
    return refuse(call, "validate.arguments", message, next_step=step, problems=(problem,))


def _not_json(call: ToolCall, error: BadInput) -> Stop:
    said = Exception.__str__(error)  # without the remedy: the next step says what to do
    return refuse(
        call, "validate.json", f"the arguments cannot be read: {said}",
        next_step=f"{error.remedy} Send the arguments again, as one strict JSON object.".lstrip(),
        problems=(Problem(field="", code=error.code, message=said),),
    )  # fmt: skip


def _too_large(call: ToolCall, size: int) -> Stop:
    return refuse(
        call, "validate.too_large", "the arguments are too large for this tool",
        next_step="Send less at once.", audit={"bytes": size},
    )  # fmt: skip


def _invalid(call: ToolCall, problems: tuple[Problem, ...]) -> Stop:
    return refuse(
        call, "validate.schema", "the arguments do not satisfy the tool's schema",
        next_step="Correct the named fields and call again.", problems=problems,
    )  # fmt: skip


def _not_accepted(call: ToolCall, error: BadInput) -> Stop:
    problems: tuple[Problem, ...] = (Problem(field="", code=error.code, message=str(error)),)
    audit: dict[str, Json] = {}
    if isinstance(error, BadArguments):
        problems = error.problems
        audit = {"error": error.cause}
    return refuse(
        call, "validate.rejected", "the tool does not accept these arguments",
        next_step="Correct the named fields and call again.", problems=problems, audit=audit,
    )  # fmt: skip
