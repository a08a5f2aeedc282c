"""Names of the rows that rates and budgets are kept in: no two of them share one, whatever anybody is called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple

from interlock.core.principal import Principal

WHOM = ("tenant", "principal", "tool", "run")
"""What a limit may be kept for each of; the tenant is in every row."""


class Subject(NamedTuple):
    """Whose calls are counted.

    Attributes:
        principal: On whose behalf; the tenant is theirs.
        run_id: Of which run.
        tool: Of which tool; empty for what is no call.
    """

    principal: Principal
    run_id: str
    tool: str = ""


def row_name(subject: Subject, rule: Sequence[str], per: Sequence[str]) -> str:
    """The row of one rule for one subject: canonical JSON of the tenant, what names the rule, and what it is kept per.

    A slash is written as its escape, so that no other guard's name, which has one behind the tenant, is such a row.
    """
    parts = [quoted(subject.principal.tenant), *map(quoted, rule)]
    if "principal" in per:
        parts.append(f'["principal",{quoted(subject.principal.id)}]')
    if "tool" in per:
        parts.append(f'["tool",{quoted(subject.tool)}]')
    if "run" in per:
        parts.append(f'["run",{quoted(subject.run_id)}]')
    return f"[{','.join(parts)}]".replace("/", "\\u002f")


def rows_of(tenant: str) -> str:
    """What the names of all rows of a tenant begin with."""
    return f"[{quoted(tenant)},".replace("/", "\\u002f")


def read_row(name: str) -> list[Any] | None:
    """The parts of a row's name; None where it is another kind of guard's."""
    if not name.startswith("["):
        return None
    try:
        parts = json.loads(name)
    except ValueError:
        return None
    return parts if isinstance(parts, list) else None
