"""What could be better about tool definitions, as data: stable codes, a severity, a place and a remedy.

Registration refuses what is wrong; lint says what invites mistakes. Rules about one tool stand in
`lint_tool` and `lint_parameters`, those about the set here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from interlock.core.tool import Tool
from interlock.registry.findings import RULES, Finding, Severity
from interlock.registry.lint_tool import lint_tool
from interlock.registry.overlap import overlapping

TOOLS_MANY: Final = 40
"""Tools of one plane from which on models choose visibly worse (REQUIREMENTS A7 offers 10 to 15 a step)."""

TOOLS_MAX: Final = 512
"""Tools that one list may have (spec: limits)."""

OVERLAP_MIN: Final = 0.8
"""Share of common words from which on two descriptions say the same."""


class Count(NamedTuple):
    """How often a rule found something.

    Attributes:
        code: Which rule.
        severity: Its severity.
        findings: How often.
        tools: In how many tools.
    """

    code: str
    severity: Severity
    findings: int
    tools: int


def lint(tools: Sequence[Tool]) -> list[Finding]:
    """Everything to improve about a set of tools, tool by tool, then about the set."""
    found = [finding for tool in tools for finding in lint_tool(tool)]
    if len(tools) > TOOLS_MAX:
        found.append(Finding(code="tools.too_many", tool="", detail=f"{len(tools)}, at most {TOOLS_MAX}"))
    elif len(tools) > TOOLS_MANY:
        found.append(Finding(code="tools.many", tool="", detail=str(len(tools))))
    raised = {tag for tool in tools for tag in tool.invalidates}
    held = {tag for tool in tools for tag in tool.cache_tags}
    for tool in tools:
        unmatched = [tag for tag in tool.cache_tags if tag not in raised]
        unmatched += [tag for tag in tool.invalidates if tag not in held]
        found += [Finding(code="cache.tag", tool=tool.name, detail=tag) for tag in unmatched]
    texts = [(tool.name, f"{tool.name} {tool.description}") for tool in tools]
    for first, second, share in overlapping(texts, OVERLAP_MIN):
        if first == second:
            continue  # versions of one tool, of which each principal has one
        found.append(Finding(code="tools.overlap", tool=first, detail=f"{second}, {share:.0%} of the words"))
    return found


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The highest severity among the findings; None where there are none."""
    return max((finding.rule.severity for finding in findings), key=lambda severity: severity.rank, default=None)


def counted(findings: Iterable[Finding]) -> list[Count]:
    """The findings by rule, the gravest and most frequent first."""
    times: Counter[str] = Counter()
    tools: dict[str, set[str]] = {}
    for finding in findings:
        times[finding.code] += 1
        tools.setdefault(finding.code, set()).add(finding.tool)
    rows = [Count(code, RULES[code].severity, number, len(tools[code])) for code, number in times.items()]
    return sorted(rows, key=lambda row: (-row.severity.rank, -row.findings, row.code))
