"""Lint of one tool, and its score on the fixed checklist of tool design."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from interlock.core.tool import Effect, Tool
from interlock.registry.findings import Finding
from interlock.registry.lint_parameters import lint_parameters
from interlock.registry.soundness import DESCRIPTION_MAX

CHECKLIST: Final[dict[str, frozenset[str]]] = {
    "single purpose": frozenset({"purpose.several"}),
    "described": frozenset({"description.missing", "description.vague", "description.long"}),
    "parameters described": frozenset({"parameter.undescribed", "parameter.unit"}),
    "strict": frozenset({"object.open", "parameter.anything"}),
    "bounded": frozenset({"parameter.enum", "parameter.format", "parameter.unbounded", "parameter.raw"}),
    "example": frozenset({"example.missing"}),
    "observable": frozenset({"output.missing"}),
    "timeout": frozenset({"timeout.undeclared"}),
    "effect": frozenset({"effect.undeclared"}),
    "idempotent": frozenset({"idempotency.undeclared", "undo.undeclared"}),
    "scope": frozenset({"scope.undeclared"}),
}
"""Item to the rules that fail it. Of the published checklist only the rate limit is absent: it belongs to the plane,
whose limits hold for every tool, so that no definition can lack it."""

_JOINED: Final = re.compile(r"(?<![A-Za-z])(and|or)(?![A-Za-z])", re.IGNORECASE)
_SWITCHES: Final = frozenset({"action", "operation", "op", "method", "verb"})
_FILLER: Final = frozenset("a an and do does for function get of that the this to tool use used".split())


class Score(NamedTuple):
    """A tool on the checklist.

    Attributes:
        points: 0 to 100, every item weighing the same.
        failed: Items that it fails, in the checklist's order.
    """

    points: int
    failed: tuple[str, ...]


def score(tool: Tool) -> Score:
    """How a tool stands on the checklist."""
    codes = {finding.code for finding in lint_tool(tool)}
    failed = tuple(item for item, rules in CHECKLIST.items() if rules & codes)
    return Score(round(100 * (1 - len(failed) / len(CHECKLIST))), failed)


def lint_tool(tool: Tool) -> list[Finding]:
    """Everything to improve about one tool by itself."""
    found = [Finding(code=code, tool=tool.name, detail=detail) for code, detail in _about(tool)]
    found += lint_parameters(tool)
    return found


def _about(tool: Tool) -> Iterator[tuple[str, str]]:
    yield from _description(tool)
    yield from _effect(tool)
    if not tool.examples:
        yield "example.missing", ""
    if tool.output_schema is None:
        yield "output.missing", ""
    if "timeout_s" not in tool.declared:
        yield "timeout.undeclared", f"{tool.timeout_s:g} s"
    if tool.cache_s and not tool.cache_tags:
        yield "cache.untagged", f"{tool.cache_s:g} s"
    if tool.deprecated:
        yield "deprecated", tool.deprecated


def _description(tool: Tool) -> Iterator[tuple[str, str]]:
    text = tool.description.strip()
    words = [word for word in re.findall(r"[^\W_]+", text.casefold()) if word not in _FILLER]
    of_name = set(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.-]", " ", tool.name).casefold()))
    if not text:
        yield "description.missing", ""
    elif len(text.encode("utf-8", "replace")) > DESCRIPTION_MAX:
        yield "description.long", ""
    elif len(words) < 3 or {word.removesuffix("s") for word in words} <= {word.removesuffix("s") for word in of_name}:
        yield "description.vague", ""
    if _JOINED.search(tool.name.replace("_", " ").replace(".", " ").replace("-", " ")):
        yield "purpose.several", "by its name"
    for name, part in tool.input_schema.get("properties", {}).items():
        if name.casefold() in _SWITCHES and isinstance(part, dict) and len(part.get("enum", ())) > 1:
            yield "purpose.several", f"chosen by {name!r}"


def _effect(tool: Tool) -> Iterator[tuple[str, str]]:
    if "effect" not in tool.declared:
        yield "effect.undeclared", ""
    said = tool.claims.get("annotations")
    if isinstance(said, dict) and said.get("readOnlyHint") is True and tool.writes:
        yield "effect.claimed", f"readOnlyHint, {tool.effect.value}"
    if not tool.writes:
        return
    if not (tool.keyed or tool.idempotent or tool.reconcile):
        yield "idempotency.undeclared", ""
    if tool.effect is Effect.REVERSIBLE and not tool.compensate:
        yield "undo.undeclared", ""
    if not tool.resource and not tool.roles and tool.input_schema.get("properties"):
        yield "scope.undeclared", ""
