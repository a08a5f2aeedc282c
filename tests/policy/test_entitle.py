"""Whether a principal could have a tool at all: never a wrong no, and a no where nothing could help."""

from __future__ import annotations

import pytest

from interlock.core.principal import Principal
from tests.policy.makers import CLERK, LOOK, NOBODY, PERMIT, REFUND, REPAIR, SERVICE, policy, tool

ADMIN = Principal("u9", roles=frozenset({"admin"}))


LATER = 'principal.kind == "user" && context.session.calls > 9'


@pytest.mark.parametrize(
    ("rules", "who", "may"),
    [
        ([PERMIT], NOBODY, True),
        ([""], ADMIN, False),
        (['permit (principal in Role::"clerk", action, resource);'], CLERK, True),
        (['permit (principal in Role::"clerk", action, resource);'], ADMIN, False),
        (['permit (principal, action == Action::"look", resource);'], CLERK, False),
        (["permit (principal, action, resource) when { context.session.calls > 99 };"], CLERK, True),
        ([f"permit (principal, action, resource) when {{ {LATER} }};"], CLERK, True),
        ([f"permit (principal, action, resource) when {{ {LATER} }};"], SERVICE, False),
        (['permit (principal, action, resource) unless { principal.kind == "user" };'], CLERK, False),
        ([f"permit (principal, action, resource) unless {{ {LATER} }};"], CLERK, True),
        (['permit (principal, action, resource) when { context.tool.effect == "read" };'], CLERK, False),
        ([PERMIT, "forbid (principal, action, resource);"], CLERK, False),
        ([PERMIT, '@approvers("a") forbid (principal, action, resource);'], CLERK, True),
        ([PERMIT, 'forbid (principal, action, resource) when { principal.kind == "service" };'], SERVICE, False),
        ([PERMIT, 'forbid (principal, action, resource) when { principal.kind == "service" };'], CLERK, True),
        ([PERMIT, "forbid (principal, action, resource) when { context.session.calls >= 0 };"], CLERK, True),
        ([PERMIT, 'forbid (principal, action, resource == Server::"local");'], CLERK, True),
        ([PERMIT, "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"], CLERK, True),
    ],
)  # fmt: skip
def test_what_principal_and_definition_decide_is_decided_before_the_call_is_looked_at(
    rules: list[str], who: Principal, may: bool
) -> None:
    of = policy(*rules)
    assert of.may_have(who, REFUND) is may
    assert of.may_have(who, REFUND) is may


def test_a_rule_about_the_entity_does_not_exclude_anybody_beforehand() -> None:
    of = policy(
        'permit (principal, action, resource is Property) when { resource has owner && resource.owner == "x" };'
    )
    assert of.may_have(CLERK, REPAIR)


def test_a_definition_that_the_policy_does_not_know_is_nobodys() -> None:
    assert not policy(PERMIT).may_have(CLERK, tool("stranger"))
    assert policy(PERMIT).may_have(CLERK, LOOK)
