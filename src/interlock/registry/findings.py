"""The rules of lint and their findings, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from interlock.core.canonical import Json


class Severity(StrEnum):
    """How much it matters; from the least to the most."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for a note to 2 for an error."""
        return ("note", "warning", "error").index(self.value)


class Rule(NamedTuple):
    """A rule of lint.

    Attributes:
        severity: How much a finding matters.
        says: What a finding means, one sentence.
        remedy: What to do, one sentence.
    """

    severity: Severity
    says: str
    remedy: str


_NOTE, _WARNING, _ERROR = Severity

RULES: Final[dict[str, Rule]] = {
    "description.missing": Rule(_ERROR, "has no description", "Say what it does and when to call it."),
    "description.vague": Rule(_WARNING, "says next to nothing", "Say what it does, when to call it and when not."),
    "description.long": Rule(_ERROR, "is longer than 8 KiB", "Say it in a paragraph."),
    "purpose.several": Rule(_WARNING, "seems to do several things", "Make one tool of each."),
    "parameter.undescribed": Rule(_WARNING, "is not described", "Say what it is, with its unit or form."),
    "parameter.anything": Rule(_ERROR, "may be anything", "Give it a type."),
    "parameter.enum": Rule(_WARNING, "is free text where there is a choice", "List the values."),
    "parameter.format": Rule(_WARNING, "is free text where its name has a form", "Give it a format or a pattern."),
    "parameter.unbounded": Rule(_NOTE, "has no bound", "Set the largest size or value that makes sense."),
    "parameter.unit": Rule(_WARNING, "is a quantity without a unit", "Say the unit in its name or description."),
    "parameter.raw": Rule(_WARNING, "takes code, SQL or a command", "Take what it is about; build the code inside."),
    "object.open": Rule(_WARNING, "takes keys that are not declared", 'Set "additionalProperties": false.'),
    "example.missing": Rule(_NOTE, "has no example", "Add one valid call."),
    "output.missing": Rule(_WARNING, "does not say what it returns", "Declare the schema of its result."),
    "timeout.undeclared": Rule(_NOTE, "has the default timeout", "Say how long one attempt may take."),
    "effect.undeclared": Rule(_WARNING, "is privileged for want of a declared effect", "Declare its effect."),
    "effect.claimed": Rule(_NOTE, "is claimed to do less than its effect says", "Review it; a claim never lowers."),
    "idempotency.undeclared": Rule(_WARNING, "may be done twice", "Declare keyed, idempotent or reconcile, if true."),
    "undo.undeclared": Rule(_WARNING, "is reversible, and nothing reverses it", "Declare compensate."),
    "scope.undeclared": Rule(_NOTE, "does not say what it acts on", "Declare resource or the target's role."),
    "cache.untagged": Rule(_NOTE, "is reused, and no write puts it out of date", "Declare cache_tags, if writes do."),
    "cache.tag": Rule(_WARNING, "names a cache tag that no tool of the other side names", "Correct it on one side."),
    "deprecated": Rule(_NOTE, "is deprecated", "Remove it when nothing calls it any more."),
    "tools.many": Rule(_WARNING, "are many for one list", "Offer by category, or route."),
    "tools.too_many": Rule(_ERROR, "are more than a list may have", "Split the set."),
    "model.floating": Rule(_WARNING, "are used by a model whose name may mean another tomorrow", "Name its version."),
    "tools.overlap": Rule(_WARNING, "says the same as another", "Say what tells them apart, or drop one."),
}
"""Every rule by its code. A code is never renamed: configuration and pipelines name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to improve.

    Attributes:
        code: Which rule.
        tool: Name of the tool; empty for one about the set.
        place: RFC 6901 pointer into the input schema; empty for the tool as a whole.
        detail: What was found, where the rule's sentence does not say it.
    """

    code: str
    tool: str
    place: str = ""
    detail: str = ""

    @property
    def rule(self) -> Rule:
        """Its rule, with severity and remedy."""
        return RULES[self.code]

    @property
    def message(self) -> str:
        """One sentence: who, what and what to do."""
        who = f"{self.tool}{': ' + self.place if self.place else ''}" if self.tool else "the tools"
        detail = f" ({self.detail})" if self.detail else ""
        return f"{who} {self.rule.says}{detail}. {self.rule.remedy}"

    def as_json(self) -> dict[str, Json]:
        """The finding with its rule's severity and sentence."""
        return {
            "code": self.code, "severity": self.rule.severity.value, "tool": self.tool, "place": self.place,
            "message": self.message,
        }  # fmt: skip
