"""What calls can come to, before one is known: no call comes to anything else, and what is sure is said so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.decision import Verdict
from interlock.core.principal import Principal
from interlock.core.provenance import UNTRACED
from interlock.core.tool import Tool
from interlock.grounding.grounding import judges
from interlock.grounding.profile import Profile, Profiles, profile_of
from interlock.policy.cedar import Policy
from interlock.policy.facts import Facts
from interlock.policy.outlook import outlooks
from tests.policy.makers import CLERK, DROP, LOOK, NOBODY, PERMIT, REFUND, REPAIR, SERVICE, policy, tool
from tests.policy.test_memo import loaded, records, rules

ALLOW, HOLD, DENY = Verdict.ALLOW, Verdict.REQUIRE_APPROVAL, Verdict.DENY
HELD = '@approvers("a") forbid (principal, action, resource)'


def verdicts(of: Policy, principal: Principal, of_tool: Tool) -> tuple[Verdict, ...]:
    [found] = outlooks(of, of_tool, [principal])
    return found.verdicts


@settings(max_examples=400, deadline=None)
@given(st.lists(rules(), min_size=1, max_size=5), st.lists(records(), min_size=1, max_size=4))
def test_no_call_comes_to_what_was_not_foreseen(texts: list[str], calls: list[Facts]) -> None:
    of = loaded(texts)
    if of is None:
        return
    for each in calls:
        call = each if judges(each.tool, profile_of(each.tool)) else each._replace(traced=UNTRACED)
        decision = of.decide(call)
        [found] = outlooks(of, call.tool, [call.principal])
        assert decision.errors or decision.verdict in found.verdicts
        if decision.hold is not None:
            assert set(decision.hold.rules) <= {rule.rule_id for rule in found.holds}
        assert bool(found.depends) == (len(found.verdicts) > 1), "what it depends on is named"
        if not of.may_have(call.principal, call.tool):
            assert found.verdicts == (DENY,)


@pytest.mark.parametrize(
    ("texts", "who", "of_tool", "expected"),
    [
        ([PERMIT], CLERK, LOOK, (ALLOW,)),
        ([""], CLERK, LOOK, (DENY,)),
        ([PERMIT, f"{HELD};"], CLERK, REFUND, (HOLD,)),
        ([PERMIT, f"{HELD} when {{ context.session.calls > 3 }};"], CLERK, REFUND, (ALLOW, HOLD)),
        ([PERMIT, f"{HELD} when {{ principal.kind == \"service\" }};"], CLERK, REFUND, (ALLOW,)),
        ([PERMIT, f"{HELD} when {{ principal.kind == \"service\" }};"], SERVICE, REFUND, (HOLD,)),
        ([PERMIT, "forbid (principal, action, resource) when { context.time.hour < 6 };"], CLERK, LOOK, (ALLOW, DENY)),
        ([PERMIT, f"{HELD};", "forbid (principal, action, resource) when { context.time.hour < 6 };"], CLERK, LOOK,
         (HOLD, DENY)),
        (['permit (principal in Role::"clerk", action, resource);'], NOBODY, LOOK, (DENY,)),
        (['permit (principal in Role::"clerk", action, resource) when { context.session.words_seen };'], CLERK, LOOK,
         (ALLOW, DENY)),
        ([PERMIT, 'forbid (principal, action, resource is Property);'], CLERK, REPAIR, (ALLOW, DENY)),
        ([PERMIT, "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"], CLERK, DROP,
         (ALLOW, DENY)),
    ],
)  # fmt: skip
def test_what_is_sure_is_said_alone_and_the_rest_depends(
    texts: list[str], who: Principal, of_tool: Tool, expected: tuple[Verdict, ...]
) -> None:
    assert verdicts(policy(*texts), who, of_tool) == expected


def test_of_a_definition_that_the_policy_does_not_know_every_call_is_denied() -> None:
    assert verdicts(policy(PERMIT), CLERK, tool("stranger")) == (DENY,)


def test_of_an_own_tool_without_roles_nothing_depends_on_where_its_values_come_from() -> None:
    rule = PERMIT + '\nforbid (principal, action, resource) when { context.provenance.lacks.contains("target") };'
    roled = tool("pay", "reversible", {"to": {"type": "string"}}, roles={"to": "target"})
    of = policy(rule, tools=[LOOK, roled])
    assert outlooks(of, LOOK, [CLERK])[0].verdicts == (Verdict.ALLOW,)
    assert outlooks(of, roled, [CLERK])[0].verdicts == (Verdict.ALLOW, Verdict.DENY)


def test_an_own_tool_that_a_file_has_a_profile_of_depends_on_where_its_values_come_from() -> None:
    rule = PERMIT + '\nforbid (principal, action, resource) when { context.provenance.lacks.contains("target") };'
    plain = tool("pay", "reversible", {"to": {"type": "string"}})
    of, files = policy(rule, tools=[plain]), Profiles({("local", "pay"): Profile(roles={"to": "target"})})
    assert outlooks(of, plain, [CLERK])[0].verdicts == (Verdict.ALLOW,)
    assert outlooks(of, plain, [CLERK], files)[0].verdicts == (Verdict.ALLOW, Verdict.DENY)
