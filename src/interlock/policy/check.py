"""Whether rules fit the tools: every name known, every type right, strictly, before anything is in force."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from cedarpy import Schema, validate_policies

from interlock.core.canonical import canonical
from interlock.errors import PolicyError
from interlock.policy.memo import Path, expression_reads, reads_of
from interlock.policy.rules import Rule
from interlock.policy.schema import PRINCIPAL, ToolTypes, cedar_schema, placeholders
from interlock.policy.shape import cedar_type, pruned, reaches

_REMEDY = "Rules name tools, groups and facts as the policy's schema has them."
_PREFIX = re.compile(r"^for policy `policy0`, ")


def check(rules: Iterable[Rule], tools: Iterable[ToolTypes]) -> None:
    """Validate each rule strictly against the schema of the tools that it can concern.

    Raises:
        PolicyError: With file and line of the first rule that does not fit.
    """
    rules, tools = list(rules), list(tools)
    reads, named = reads_of(rules), _named(rules)
    schema = _schema(_representatives(tools, reads, named), reads)
    # A rule about a tier that no tool has yet is checked against one that does not exist.
    others = [*tools, *placeholders(tools)]
    waiting = unreachable(rules, tools)
    fuller = _schema(_representatives(others, reads, named), reads) if waiting else schema
    for rule in rules:
        _check_principals(rule)
        concerned = [types for types in others if rule.concerns(types.action, types.groups)]
        result = validate_policies(rule.text, fuller if rule in waiting else schema)
        if not result.validation_passed:
            what = "; ".join(_PREFIX.sub("", error.error).replace("\n", " ") for error in result.errors)
            raise PolicyError(f"{rule.place}: {what}", code="policy.type", remedy=_REMEDY)
        _check_names(rule, concerned)


def _check_principals(rule: Rule) -> None:
    for name in sorted(rule.names("Principal")):
        if "/" not in name:
            raise PolicyError(
                f'{rule.place}: Principal::"{name}" names no tenant',
                code="policy.principal",
                remedy=f'Write Principal::"default/{name}", with the tenant before the slash.',
            )


def _check_names(rule: Rule, concerned: Sequence[ToolTypes]) -> None:
    """Refuse a name behind `has` that nothing has: Cedar takes it for false, and the rule for one that fits."""
    for clause in rule.form.clauses:
        for path in expression_reads(clause.expr):
            if not any(_known(path, types) for types in concerned):
                what = f"no tool that the rule concerns has {'.'.join(path)}"
                raise PolicyError(f"{rule.place}: {what}", code="policy.type", remedy=_REMEDY)


def _known(path: Path, types: ToolTypes) -> bool:
    roots = {"principal": PRINCIPAL, "resource": types.attributes, "context": types.context}
    return reaches(roots[path[0]], path[1:])


def _schema(tools: Iterable[ToolTypes], reads: frozenset[Path]) -> Schema:
    return Schema.from_json_str(json.dumps(cedar_schema(tools, reads)))


def unreachable(rules: Iterable[Rule], tools: Iterable[ToolTypes]) -> tuple[Rule, ...]:
    """The rules whose action scope admits none of the tools."""
    tools = list(tools)
    return tuple(rule for rule in rules if not any(rule.concerns(each.action, each.groups) for each in tools))


def _representatives(tools: Iterable[ToolTypes], reads: frozenset[Path], named: frozenset[str]) -> list[ToolTypes]:
    """One tool for all that look the same to every rule, and each that a rule names.

    Cedar's checker takes time in the square of the actions: 8 s for 10,000 tools, of which most differ
    only in arguments that no rule reads.
    """
    seen: set[bytes] = set()
    kept: list[ToolTypes] = []
    paths = [path[1:] for path in reads if path[0] == "context"]
    for types in tools:
        look = canonical(
            [
                sorted(types.groups.difference({types.action})),
                types.resources,
                cedar_type(types.attributes),
                cedar_type(pruned(types.context, paths)),
            ]
        )
        if types.action in named or look not in seen:
            kept.append(types)
            seen.add(look)
    return kept


def _named(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(name for rule in rules for name in rule.names("Action"))
