"""Whether a principal could have a tool at all, before anything is known of the call.

The rules are relaxed until they read nothing but the principal and the definition: a permit loses the
conditions that read more, and a forbid that reads more is dropped. What the relaxed rules refuse, the real
ones refuse for every call; the reverse does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cedarpy import pst

from interlock.policy.memo import expression_reads
from interlock.policy.rules import Rule


def relaxed(rules: Iterable[Rule]) -> list[Rule]:
    """The rules as far as principal and definition decide them. A hold is none: people may release it."""
    return [found for rule in rules if (found := _relaxed(rule)) is not None]


def parts(rule: Rule) -> Iterator[pst.Clause]:
    """The conditions of a rule that must all be met, each by itself."""
    for clause in rule.form.clauses:
        if isinstance(clause, pst.When):
            yield from (pst.When(part) for part in _conjuncts(clause.expr))
        else:
            yield clause


def _relaxed(rule: Rule) -> Rule | None:
    every = list(parts(rule))
    kept = [part for part in every if known_before(part)]
    narrow = len(kept) != len(every) or not isinstance(rule.form.resource, pst.ScopeAny)
    if not rule.permits and (rule.holds or narrow):
        return None
    return replace(rule, form=replace(rule.form, resource=pst.ScopeAny(), clauses=tuple(kept)))


def known_before(part: pst.Clause) -> bool:
    """Whether a part reads nothing but the principal and the definition."""
    return all(path[0] == "principal" or path[:2] == ("context", "tool") for path in expression_reads(part.expr))


def _conjuncts(expression: pst.Expr) -> Iterator[pst.Expr]:
    if isinstance(expression, pst.BinaryOp) and expression.op == "and":
        yield from _conjuncts(expression.left)
        yield from _conjuncts(expression.right)
    else:
        yield expression
