"""Some rules, compiled for one tool, and asked about facts.

Compiled is: the rules whose action scope admits the tool as one parsed set, and a schema that has nothing
but what they read. What no rule reads is neither sent to Cedar nor part of the key that an answer is
remembered by.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import cedarpy
from cedarpy import Entities, PolicySet, Schema, pst

from interlock.core.canonical import Json, canonical
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.policy.facts import Facts, context_of
from interlock.policy.memo import Memo, reading, reads_of
from interlock.policy.rules import Rule
from interlock.policy.schema import PRINCIPAL, ToolTypes, cedar_schema
from interlock.policy.shape import Untyped, fit, pruned


class Answer(NamedTuple):
    """What the rules say.

    Attributes:
        allowed: Whether something permits and nothing forbids.
        rules: Ids of the rules that determined it, sorted; where one forbids, those that forbid.
        errors: What could not be evaluated. Cedar skips it; who decides must not.
    """

    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...]


class Evaluator:
    """The rules that concern one tool. Pure: the same facts give the same answer."""

    def __init__(self, types: ToolTypes, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rule for rule in rules if rule.concerns(types.action, types.groups))
        self.reads = reads_of(self.rules)
        self._types = types
        self._action = {"type": "Action", "id": types.action}
        self._context = pruned(types.context, [path[1:] for path in self.reads if path[0] == "context"])
        came = self._context.fields.get("provenance")
        self._provenance = () if came is None else tuple(came.fields)
        self._attributes = pruned(types.attributes, [path[1:] for path in self.reads if path[0] == "resource"])
        self._schema = Schema.from_json_str(json.dumps(cedar_schema([types], self.reads)))
        self._policies = policy_set([rule.form for rule in self.rules])
        self._readings = tuple(found for path in sorted(self.reads) if (found := reading(path)) is not None)
        self._principals: Memo[Entities] = Memo(256)

    def key(self, facts: Facts) -> Hashable:
        """What of the facts the answer can depend on."""
        return tuple([read(facts) for read in self._readings])

    def ask(self, facts: Facts) -> Answer:
        """One evaluation: 30 to 60 µs, and 30 more where a resource was resolved or the principal is new."""
        try:
            context = canonical(
                fit(self._context, context_of(facts, self._provenance) | {"tool": self._types.facts})
            ).decode()
            entities = self._entities(facts)
        except Untyped as error:
            return Answer(False, (), (f"a fact that the rules read has no type: {error}",))
        except (BadInput, ValueError) as error:
            return Answer(False, (), (f"the facts are no entities of the schema: {error}",))
        result = cedarpy.is_authorized(
            {
                "principal": {"type": "Principal", "id": principal_id(facts.principal)},
                "action": self._action,
                "resource": {"type": facts.resource.type, "id": facts.resource.id},
                "context": context,
            },
            self._policies,
            entities,
            self._schema,
        )
        said = result.diagnostics
        return Answer(result.allowed, tuple(sorted(said.reasons)), tuple(said.errors))

    def _entities(self, facts: Facts) -> Entities:
        """The principal and the resource, where one was resolved.

        Parsed with the schema: without it the action would lose its groups.
        """
        if facts.resource.type == "Server":
            found = self._principals.get(facts.principal)
            if found is None:
                found = Entities.from_json_str(json.dumps([_principal(facts.principal)]), self._schema)
                self._principals.put(facts.principal, found)
            return found
        resource = {
            "uid": {"type": facts.resource.type, "id": facts.resource.id},
            "attrs": fit(self._attributes, facts.resource.attributes),
            "parents": [],
        }
        return Entities.from_json_str(json.dumps([_principal(facts.principal), resource]), self._schema)


def policy_set(forms: Sequence[pst.Template]) -> PolicySet:
    """The statements as one parsed set, each under its own id."""
    return PolicySet.from_pst(
        pst.PolicySet(templates={}, static_policies={form.id: form for form in forms}, template_links=())
    )


def principal_id(principal: Principal) -> str:
    """Entity id of a principal: `tenant/id`, so that no rule for one tenant's person meets another's."""
    tenant = principal.tenant.replace("%", "%25").replace("/", "%2F")
    return f"{tenant}/{principal.id}"


def _principal(principal: Principal) -> dict[str, Json]:
    roles = sorted(principal.roles)
    attributes: dict[str, object] = {
        "id": principal.id,
        "tenant": principal.tenant,
        "kind": principal.kind,
        "roles": roles,
    }
    parents: list[Json] = [{"type": "Role", "id": role} for role in roles]
    parents.append({"type": "Tenant", "id": principal.tenant})
    return {
        "uid": {"type": "Principal", "id": principal_id(principal)},
        "attrs": fit(PRINCIPAL, attributes),
        "parents": parents,
    }
