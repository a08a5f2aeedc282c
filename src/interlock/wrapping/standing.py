"""Who comes in, by what they have in common: a sample of each for the policy to be asked about."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from interlock.core.principal import FIRST_TENANT, Principal
from interlock.policy.cedar import Policy
from interlock.policy.rules import Rule
from interlock.wrapping.report_part import Grounds

_ROLE: Final = re.compile(r'Role::"((?:[^"\\]|\\.)*)"')
_BESIDE: Final = re.compile(r'Role::"(?:[^"\\]|\\.)*"|@\w+\s*\("(?:[^"\\]|\\.)*"\)')
"""What of a rule's text names no person."""

_SAMPLE: Final = "somebody"


class Standing(NamedTuple):
    """Some who have the same roles.

    Attributes:
        name: What to call them.
        sample: One of them.
        people: How many have a key; 0 where only a rule, a token's scope or the door names them.
    """

    name: str
    sample: Principal
    people: int


def standings(grounds: Grounds) -> list[Standing]:
    """Whoever has a key or may come in without one, whom a token's scopes make, and whom rules name; and nobody's.

    Those with the same tenant, kind and roles are one, but for whom a rule names by id: they stand by themselves.
    """
    said = grounds.site.settings.gateway
    text = _BESIDE.sub("", "".join(rule.text for rule in _rules(grounds.policy)))
    everybody = list(grounds.site.people or ())
    some: dict[tuple[str, str, frozenset[str]], int] = {(FIRST_TENANT, "user", frozenset()): 0}
    for person in everybody:
        key = (person.tenant, person.kind, person.roles)
        some[key] = some.get(key, 0) + 1
    if said.local is not None:
        some.setdefault((FIRST_TENANT, "user", frozenset(said.local.roles)), 0)
    for scope in said.oauth.scopes if said.oauth is not None else ():
        some.setdefault((FIRST_TENANT, "user", frozenset(scope.roles)), 0)
    for role in _roles(grounds.policy):
        if not any(role in roles for _, _, roles in some):
            some[FIRST_TENANT, "user", frozenset({role})] = 0
    found = [
        Standing(_name(tenant, kind, roles), Principal(_SAMPLE, tenant, roles, kind), people)
        for (tenant, kind, roles), people in some.items()
    ]
    found += [
        Standing(f"{person.id} alone ({_name(person.tenant, person.kind, person.roles)})", person, 1)
        for person in everybody if f'"{person.id}"' in text or f'/{person.id}"' in text
    ]  # fmt: skip
    return sorted(found, key=lambda each: each.name)


def _name(tenant: str, kind: str, roles: frozenset[str]) -> str:
    name = "+".join(sorted(roles)) or "no role"
    return name + (" (service)" if kind == "service" else "") + ("" if tenant == FIRST_TENANT else f" of {tenant}")


def _roles(policy: Policy | None) -> list[str]:
    named = {role for rule in _rules(policy) for role in _ROLE.findall(rule.text)}
    return sorted(named.union(*(rule.approvers for rule in _rules(policy))))


def _rules(policy: Policy | None) -> tuple[Rule, ...]:
    return () if policy is None else policy.rules
