"""What calls of a tool by a principal can come to, before anything is known of one: for reports, never for a decision.

Of each rule those parts are asked that read nothing but the principal and the definition. A rule that has no others
applies to every call or to none; one that has may apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from cedarpy import pst

from interlock.core.decision import Verdict
from interlock.core.principal import Principal
from interlock.core.tool import Tool
from interlock.grounding.grounding import judges
from interlock.grounding.profile import Profiles
from interlock.policy.cedar import Policy
from interlock.policy.entitle import known_before, parts
from interlock.policy.evaluator import Evaluator
from interlock.policy.facts import Facts, Session, server_resource
from interlock.policy.memo import expression_reads
from interlock.policy.rules import Rule


class Outlook(NamedTuple):
    """What calls can come to.

    Attributes:
        verdicts: Every verdict that some call could get, the mildest first; one alone is that of every call. Left out
            is the denial of a call on which a rule fails to evaluate.
        holds: The rules that hold such calls, or may.
        depends: The rules of which only the call shows whether they apply, where it makes a difference.
    """

    verdicts: tuple[Verdict, ...]
    holds: tuple[Rule, ...] = ()
    depends: tuple[Rule, ...] = ()


_ORDER = (Verdict.ALLOW, Verdict.REQUIRE_APPROVAL, Verdict.DENY)
LACKS = ("context", "provenance", "lacks")
_NOTHING = Outlook((Verdict.DENY,))


def outlooks(
    policy: Policy, tool: Tool, principals: Sequence[Principal], profiles: Profiles | None = None
) -> list[Outlook]:  # fmt: skip
    """What calls of the tool by each of these can come to under the policy, whatever they say and whenever.

    Args:
        profiles: What the operator says of tools; what they say of themselves where None.
    """
    types = policy.types_of(tool)
    if types is None:
        return [_NOTHING for _ in principals]
    rules = policy.concerning(tool)
    known = partial(_known, judged=judges(tool, (profiles or Profiles()).of(tool)))
    before = Evaluator(replace(types, resources=("Server",)), (_before(rule, known) for rule in rules))
    whole = frozenset(rule.rule_id for rule in rules if _whole(rule, known))
    acts_on = server_resource(tool.server)
    facts = [Facts(each, tool, {}, b"{}", Session(), 0, acts_on) for each in principals]
    return [_outlook(rules, whole, before, each) for each in facts]


def _outlook(rules: Sequence[Rule], whole: frozenset[str], before: Evaluator, facts: Facts) -> Outlook:
    answer = before.ask(facts)
    met = frozenset(answer.rules)
    possible = [rule for rule in rules if answer.errors or rule.rule_id in met]
    sure = frozenset() if answer.errors else whole & met
    permits, holds, denials = _kinds(possible)
    if not permits or sure & _ids(denials):
        return _NOTHING
    found = set() if sure & _ids(holds) else {Verdict.ALLOW}
    found |= {Verdict.REQUIRE_APPROVAL} if holds else set()
    found |= {Verdict.DENY} if denials or not sure & _ids(permits) else set()
    verdicts = tuple(verdict for verdict in _ORDER if verdict in found)
    unsure = [
        rule for rule in (*holds, *denials, *(() if sure & _ids(permits) else permits)) if rule.rule_id not in sure
    ]
    return Outlook(verdicts, tuple(holds), tuple(unsure) if len(verdicts) > 1 else ())


def _ids(rules: Sequence[Rule]) -> frozenset[str]:
    return frozenset(rule.rule_id for rule in rules)


def _kinds(rules: Sequence[Rule]) -> tuple[list[Rule], list[Rule], list[Rule]]:
    """Those that permit, those that hold, and those that forbid for good."""
    permits = [rule for rule in rules if rule.permits]
    return permits, [rule for rule in rules if rule.holds], [
        rule for rule in rules if not rule.permits and not rule.holds
    ]  # fmt: skip


Known = Callable[[pst.Clause], bool]


def _before(rule: Rule, known: Known) -> Rule:
    """A rule that permits where what is known before the call lets this one apply."""
    kept = tuple(part for part in parts(rule) if known(part))
    return replace(rule, form=replace(rule.form, effect="permit", resource=pst.ScopeAny(), clauses=kept))


def _whole(rule: Rule, known: Known) -> bool:
    """Whether everything of it is known before the call."""
    return isinstance(rule.form.resource, pst.ScopeAny) and all(map(known, parts(rule)))


def _known(part: pst.Clause, *, judged: bool) -> bool:
    """Whether a part is known before the call: nothing ever lacks where nobody said what the arguments are for."""
    return known_before(part) or (not judged and all(path == LACKS for path in expression_reads(part.expr)))
