"""Several results become one, by a rule that hides no contradiction: what differs is reported, whatever wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.core.canonical import Json, canonical
from interlock.errors import BadInput

RULES = ("agree", "first", "most")
"""What a merge may go by."""


@dataclass(frozen=True, slots=True)
class Merge:
    """How results become one, field by field where they are objects, else as a whole.

    Attributes:
        nodes: Whose results.
        rule: Where they differ, `agree` takes none, `first` that of the first node that has one, `most` what more than
            half of those say that have one, else none.
    """

    nodes: tuple[str, ...]
    rule: str = "agree"

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise BadInput(f"rule: {self.rule!r}", code="graph.merge", remedy=f"Use one of {', '.join(RULES)}.")

    def as_json(self) -> dict[str, Json]:
        """The rule as the ledger keeps it."""
        return {"nodes": list(self.nodes), "rule": self.rule}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that was told differently.

    Attributes:
        field: Its name; empty for results that are no objects.
        said: Node to what it says.
    """

    field: str
    said: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Merged:
    """What results came to.

    Attributes:
        value: Of them all; None where there is nothing.
        conflicts: Everything in which they differ.
    """

    value: Json
    conflicts: tuple[Conflict, ...]


def merge(results: Mapping[str, Json], rule: Merge) -> Merged:
    """One value of the results that there are, in the order of the rule's nodes."""
    present = {name: results[name] for name in rule.nodes if name in results}
    if not present:
        return Merged(None, ())
    if not all(isinstance(value, dict) for value in present.values()):
        found, conflict = _one("", present, rule.rule)
        return Merged(found[0] if found else None, conflict)
    value: dict[str, Json] = {}
    conflicts: list[Conflict] = []
    objects: dict[str, dict[str, Any]] = {name: each for name, each in present.items() if isinstance(each, dict)}
    for field in dict.fromkeys(field for each in objects.values() for field in each):
        found, conflict = _one(field, {name: each[field] for name, each in objects.items() if field in each}, rule.rule)
        if found:
            value[field] = found[0]
        conflicts += conflict
    return Merged(value, tuple(conflicts))


def _one(field: str, said: Mapping[str, Json], rule: str) -> tuple[list[Json], tuple[Conflict, ...]]:
    """The value of one field, as a list of none or one, and the conflict about it."""
    texts = {name: canonical(value) for name, value in said.items()}
    if len(set(texts.values())) == 1:
        return [next(iter(said.values()))], ()
    conflict = (Conflict(field, dict(said)),)
    if rule == "first":
        return [next(iter(said.values()))], conflict
    if rule == "most":
        text, times = Counter(texts.values()).most_common(1)[0]
        if 2 * times > len(said):
            return [next(said[name] for name in said if texts[name] == text)], conflict
    return [], conflict
