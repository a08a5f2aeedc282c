"""Why a decision is what it is."""

from __future__ import annotations

from interlock.core.canonical import canonical
from interlock.core.decision import Verdict
from interlock.policy.explain import explain
from interlock.policy.facts import Resource
from tests.policy.makers import LOOK, REFUND, REPAIR, SERVICE, facts, policy, tool

RULES = (
    '@id("clerks") permit (principal in Role::"clerk", action, resource)'
    ' when { principal.kind == "user" && context.session.calls < 9 };',
    '@id("large") forbid (principal, action == Action::"refund", resource) when { context.arguments.amount > 100 };',
    '@id("services") permit (principal, action, resource)'
    ' when { principal.kind == "service" } unless { context.session.words_seen };',
    '@id("elsewhere") permit (principal, action == Action::"look", resource);',
)


def test_it_says_which_rules_determined_which_nearly_did_and_what_was_read() -> None:
    found = explain(policy(*RULES), facts(REFUND, {"amount": 5, "note": "x"}))
    assert found.decision.verdict is Verdict.ALLOW
    said = {reading.rule.rule_id: (reading.determined, reading.nearly, reading.unmet) for reading in found.readings}
    assert said == {
        "clerks": (True, False, ()),
        "large": (False, True, ("context.arguments.amount > 100",)),
        "services": (False, True, ('principal.kind == "service"',)),
    }
    assert found.read == {
        "principal.kind": "user",
        "principal.roles": ["clerk"],
        "context.arguments.amount": 5,
        "context.session.calls": 0,
        "context.session.words_seen": False,
    }
    canonical(found.as_json())


def test_a_part_of_the_scope_that_fails_is_shown_as_cedar_writes_it() -> None:
    found = explain(policy(*RULES), facts(REFUND, {"amount": 101}, principal=SERVICE))
    assert found.decision.verdict is Verdict.DENY
    by_id = {reading.rule.rule_id: reading for reading in found.readings}
    assert by_id["large"].determined and by_id["large"].applies
    assert by_id["services"].applies and not by_id["services"].determined
    assert by_id["clerks"].unmet == ('principal.kind == "user"',)


def test_scopes_and_unless_are_parts_too() -> None:
    rule = (
        '@id("r") permit (principal in Role::"boss", action, resource is Property)'
        ' unless { resource has owner && resource.owner == "u1" };'
    )
    record = facts(REPAIR, {"property_id": 1, "text": "x"}, resource=Resource("Property", "1", {"owner": "u1"}))
    [reading] = explain(policy(rule), record).readings
    assert reading.unmet == (
        'principal in Role::"boss"',
        'unless { (resource has owner) && (resource.owner == "u1") }',
    )
    other = record._replace(resource=Resource("Server", "local", {}))
    assert explain(policy(rule), other).decision.verdict is Verdict.DENY


def test_the_text_of_a_part_keeps_strings_calls_and_what_they_are_about() -> None:
    parts = 'principal.roles.contains(principal.id) && principal.id == "((x))"'
    rule = f"permit (principal, action, resource) when {{ {parts} }};"
    [reading] = explain(policy(rule), facts(LOOK)).readings
    assert reading.unmet == ("principal.roles.contains(principal.id)", 'principal.id == "((x))"')


def test_what_was_read_of_a_url_is_the_url() -> None:
    of = tool("get", properties={"url": {"type": "string", "format": "uri"}})
    rule = 'permit (principal, action, resource) when { context.arguments.url.host == "a.example" };'
    found = explain(policy(rule, tools=[of]), facts(of, {"url": "https://b.example/x"}))
    assert found.read == {"context.arguments.url.host": "https://b.example/x"}


def test_a_tool_that_the_policy_does_not_know_has_no_rules() -> None:
    found = explain(policy(*RULES), facts(tool("stranger")))
    assert found.readings == () and found.decision.reasons == ("error",)
    assert explain(policy(*RULES), facts(LOOK)).readings[-1].rule.rule_id == "elsewhere"
