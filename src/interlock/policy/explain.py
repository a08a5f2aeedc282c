"""Why a decision is what it is: each rule that concerns the tool, part by part, on the same facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from cedarpy import pst

from interlock.core.canonical import Json
from interlock.core.decision import Decision
from interlock.policy.cedar import Policy
from interlock.policy.entitle import parts
from interlock.policy.evaluator import Evaluator, policy_set
from interlock.policy.facts import Facts, context_of
from interlock.policy.memo import Path, reads_of
from interlock.policy.rules import Rule

_BRACKETED = re.compile(r'"(?:\\.|[^"\\])*"|(?<!\w)\(([A-Za-z_][\w.]*)\)')
"""A string, which is passed over, or a name in brackets that are not those of a call."""


class Reading(NamedTuple):
    """One rule on these facts.

    Attributes:
        rule: The rule.
        unmet: Its parts that do not hold, as Cedar text; empty for a rule that applies.
        determined: Whether the decision names it.
    """

    rule: Rule
    unmet: tuple[str, ...]
    determined: bool

    @property
    def applies(self) -> bool:
        """Whether every part holds."""
        return not self.unmet

    @property
    def nearly(self) -> bool:
        """Whether exactly one part keeps it from applying."""
        return len(self.unmet) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision with everything that it was made of.

    Attributes:
        decision: The decision.
        readings: The rules that concern the tool, in the order of the files.
        read: What the rules can read, dotted, and what stood there; None for what was absent.
        facts: The whole record.
    """

    decision: Decision
    readings: tuple[Reading, ...]
    read: dict[str, Json]
    facts: dict[str, Json]

    def as_json(self) -> dict[str, Json]:
        """The explanation for a terminal or a file."""
        return {
            "decision": self.decision.as_json(),
            "rules": [
                {
                    "rule": reading.rule.rule_id,
                    "place": reading.rule.place,
                    "effect": "permit" if reading.rule.permits else "forbid",
                    "determined": reading.determined,
                    "applies": reading.applies,
                    "nearly": reading.nearly,
                    "unmet": list(reading.unmet),
                }
                for reading in self.readings
            ],
            "read": dict(self.read),
            "facts": self.facts,
        }


def explain(policy: Policy, facts: Facts) -> Explanation:
    """Decide, and say which rules did it, which nearly did, and which facts they could read."""
    decision = policy.decide(facts)
    rules = policy.concerning(facts.tool)
    types = policy.types_of(facts.tool)
    met: frozenset[str] = frozenset()
    pieces = {rule.rule_id: list(_pieces(rule)) for rule in rules}
    if types is not None:
        each = [piece.rule for found in pieces.values() for piece in found]
        met = frozenset(Evaluator(types, each).ask(facts).rules)
    readings = tuple(
        Reading(
            rule,
            tuple(piece.text for piece in pieces[rule.rule_id] if piece.rule.rule_id not in met),
            f"rule:{rule.rule_id}" in decision.reasons,
        )
        for rule in rules
    )
    record = {**policy.record(facts), "arguments": facts.arguments}
    whole = {
        "principal": record["principal"],
        "resource": dict(facts.resource.attributes),
        "context": {**context_of(facts), "tool": record["tool"]},
    }
    read = {".".join(path): _at(whole, path) for path in sorted(reads_of(rules))}
    return Explanation(decision=decision, readings=readings, read=read, facts=record)


class _Piece(NamedTuple):
    """A part of a rule, as a rule that permits where the part holds."""

    rule: Rule
    text: str


def _pieces(rule: Rule) -> Iterator[_Piece]:
    everything = replace(rule.form, effect="permit", principal=pst.ScopeAny(), resource=pst.ScopeAny(), clauses=())
    forms = []
    if not isinstance(rule.form.principal, pst.ScopeAny):
        forms.append(replace(everything, principal=rule.form.principal))
    if not isinstance(rule.form.resource, pst.ScopeAny):
        forms.append(replace(everything, resource=rule.form.resource))
    forms += [replace(everything, clauses=(part,)) for part in parts(rule)]
    for number, form in enumerate(forms):
        piece_id = f"{rule.rule_id}#{number}"
        yield _Piece(replace(rule, rule_id=piece_id, form=replace(form, id=piece_id)), _text(form))


def _text(form: pst.Template) -> str:
    """The part alone, as Cedar writes it."""
    [clause] = form.clauses or [None]
    # The scope of the action is the same for every part and says nothing here.
    said = _plain(str(policy_set([replace(form, action=pst.ScopeAny())])).strip().removesuffix(";"))
    if clause is not None:
        said = said.partition("resource) ")[2]
        return said.removeprefix("when { ").removesuffix(" }") if isinstance(clause, pst.When) else said
    principal, _, resource = said.removeprefix("permit(").removesuffix(")").partition(", action, ")
    return resource if principal == "principal" else principal


def _plain(text: str) -> str:
    """The text without the brackets that Cedar writes round every name: `(principal.kind) == "x"`."""
    before = ""
    while before != text:
        before, text = text, _BRACKETED.sub(lambda found: found[1] or found[0], text)
    return text


def _at(value: Any, path: Path) -> Json:
    for name in path:
        if not isinstance(value, dict):
            break
        value = value.get(name)
    return value  # type: ignore[no-any-return]  # a part of JSON is JSON
