"""Rules from what was seen: for each principal and tool that called, what it needs to go on, and nothing else.

A suggestion grants no tool, principal or optional argument that no call had, and nothing that would have been denied.
Irreversible and privileged calls stay held. It is text for a person to read, checked by loading it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from interlock.core.canonical import Json
from interlock.core.tool import Effect, Tool
from interlock.core.visible import one_line
from interlock.errors import PolicyError
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source

HELD = """\
@id("irreversible-held")
@approvers("approver")
@quorum("1")
@expires("24h")
forbid (principal, action in Action::"effect/irreversible", resource);

@id("privileged-held")
@approvers("admin")
@quorum("1")
@expires("15m")
forbid (principal, action in Action::"effect/privileged", resource);

@id("privileged-never-for-a-service")
forbid (principal, action in Action::"effect/privileged", resource)
when { principal.kind == "service" };
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCall:
    """One call as the ledger has it.

    Attributes:
        principal: Whose, with the tenant: `default/ana`.
        server, tool: Of what.
        decision: What the policy of that time said: `allow`, `require_approval` or `deny`.
        arguments: Its arguments; None where they were erased.
    """

    principal: str
    server: str
    tool: str
    decision: str
    arguments: Mapping[str, Json] | None = None


@dataclass(slots=True)
class _Use:
    """What one principal did with one tool."""

    decisions: Counter[str] = field(default_factory=Counter)
    given: set[str] = field(default_factory=set)
    whole: bool = True  # whether the arguments of every call are known


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The rules, and what they are of.

    Attributes:
        text: The file.
        granted: Principal and tool of each rule.
        left: Principal and tool that got none, each with the reason.
    """

    text: str
    granted: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str, str], ...]


def suggest(calls: Iterable[SeenCall], tools: Sequence[Tool]) -> Suggestion:
    """Write the rules.

    Raises:
        PolicyError: What was written does not load: a defect.
    """
    known = {(tool.server, tool.name): tool for tool in tools}
    uses: dict[tuple[str, str, str], _Use] = {}
    for call in calls:
        use = uses.setdefault((call.principal, call.server, call.tool), _Use())
        use.decisions[call.decision] += 1
        use.given |= set(call.arguments or ())
        use.whole = use.whole and call.arguments is not None
    rules, granted, left = list[str](), list[tuple[str, str]](), list[tuple[str, str, str]]()
    for (principal, server, name), use in sorted(uses.items()):
        tool = known.get((server, name))
        if why := _objection(principal, tool, use):
            left.append((principal, name, why))
            rules.append(f"// No rule for {one_line(name)} by {one_line(principal)}: {why}.\n")
        elif tool is not None:
            rules.append(_rule(len(granted) + 1, principal, tool, use, tools))
            granted.append((principal, name))
    text = "\n".join([_HEAD, HELD, *rules])
    Policy([Source("seen.cedar", text)], tools)
    return Suggestion(text, tuple(granted), tuple(left))


_HEAD = """\
// Written by `interlock policy suggest` from the calls that were seen. Read it before it is in force: that
// something was done is no reason that it may be. What nothing here permits is denied.
"""


def _objection(principal: str, tool: Tool | None, use: _Use) -> str:
    if tool is None:
        return "there is no such tool now"
    if not principal.isascii() or not principal.isprintable() or '"' in principal or "\\" in principal:
        return "its id cannot stand in a rule"
    if set(use.decisions) == {"deny"}:
        return f"every one of its {use.decisions.total()} calls would have been denied"
    return ""


def _rule(number: int, principal: str, tool: Tool, use: _Use, tools: Sequence[Tool]) -> str:
    """One permit, with what it was seen of above it; narrowed to the arguments that were given where that loads."""
    action = tool.name if tool.server == "local" else f"{tool.server}:{tool.name}"
    said = ", ".join(f"{count} {_SAID[decision]}" for decision, count in sorted(use.decisions.items()))
    held = tool.effect in (Effect.IRREVERSIBLE, Effect.PRIVILEGED)
    now = "held for a person below" if held else "allowed"
    head = (
        f"// {tool.name} ({tool.effect.value}) by {one_line(principal)}: {use.decisions.total()} calls seen. "
        f"The policy of that time: {said}. These rules: {now}.\n"
    )
    permit = (
        f'@id("seen-{number}")\npermit (principal == Principal::"{principal}", action == Action::"{action}", resource)'
    )
    never = _never_given(tool, use)
    if never:
        narrowed = f"{permit}\nunless {{ {' || '.join(f'context.arguments has {name}' for name in never)} }};\n"
        if _loads(narrowed, tools):
            return f"{head}// Never given: {', '.join(never)}.\n{narrowed}"
    return f"{head}{permit};\n"


_SAID = {"allow": "allowed", "require_approval": "held", "deny": "denied"}


def _never_given(tool: Tool, use: _Use) -> list[str]:
    """Optional arguments that no call had; none where the arguments of a call are not known any more."""
    properties, required = tool.input_schema.get("properties"), tool.input_schema.get("required")
    if not use.whole or not isinstance(properties, Mapping):
        return []
    needed = set(required) if isinstance(required, list | tuple) else set()
    names = (str(name) for name in properties if name not in use.given and name not in needed)
    return sorted(name for name in names if name.isascii() and name.isidentifier())


def _loads(text: str, tools: Sequence[Tool]) -> bool:
    try:
        Policy([Source("seen.cedar", text)], tools)
    except PolicyError:
        return False
    return True
