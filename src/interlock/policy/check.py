"""Whether rules fit the tools: every name known, every type right, strictly, before anything is in force."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from cedarpy import Schema, pst, validate_policies

from interlock.core.canonical import canonical
from interlock.errors import PolicyError
from interlock.policy.memo import Path, reads_of
from interlock.policy.rules import Rule
from interlock.policy.schema import ToolTypes, cedar_schema, placeholders
from interlock.policy.shape import cedar_type, pruned

_PREFIX = re.compile(r"^for policy `policy0`, ")


def check(rules: Iterable[Rule], tools: Iterable[ToolTypes]) -> None:
    """Validate each rule strictly against the schema of the tools that it can concern.

    Raises:
        PolicyError: With file and line of the first rule that does not fit.
    """
    rules, tools = list(rules), list(tools)
    reads = reads_of(rules)
    everyone = _representatives([*tools, *placeholders(tools)], reads, _named(rules))
    schema = Schema.from_json_str(json.dumps(cedar_schema(everyone, reads)))
    for rule in rules:
        for uid in _uids(rule):
            if str(uid.type) == "Principal" and "/" not in uid.id:
                raise PolicyError(
                    f'{rule.place}: Principal::"{uid.id}" names no tenant',
                    code="policy.principal",
                    remedy=f'Write Principal::"default/{uid.id}", with the tenant before the slash.',
                )
        result = validate_policies(rule.text, schema)
        if not result.validation_passed:
            what = [_PREFIX.sub("", error.error).replace("\n", " ") for error in result.errors]
            raise PolicyError(
                f"{rule.place}: {'; '.join(what)}",
                code="policy.type",
                remedy="Rules name tools, groups and facts as `interlock policy check --schema` lists them.",
            )


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
    return frozenset(uid.id for rule in rules for uid in _uids(rule) if str(uid.type) == "Action")


def _uids(rule: Rule) -> Iterator[pst.EntityUid]:
    yield from sorted(pst.entity_uids(rule.form), key=str)
