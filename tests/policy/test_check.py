"""A policy that does not fit the tools fails at load, with file and line."""

from __future__ import annotations

import time

import pytest

from interlock.core.tool import Entity, Tool
from interlock.errors import PolicyError
from interlock.policy.shape import Gap
from tests.policy.makers import LOOK, PERMIT, TOOLS, policy, tool

FORBID = 'forbid (principal, action == Action::"refund", resource)'


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('permit (principal, action == Action::"no_such_tool", resource);', "no_such_tool"),
        ('permit (principal, action in Action::"category/none", resource);', "category/none"),
        ('permit (principal, action in Action::"server/elsewhere", resource);', "server/elsewhere"),
        ('permit (principal, action == Action::"call", resource);', "applicable action"),
        (FORBID + " when { context.arguments.amout > 5 };", "amout"),
        (FORBID + ' when { context.arguments.note == "x" };', "optional attribute"),
        (FORBID + ' when { context.arguments.amount > "5" };', "unexpected type"),
        (FORBID + ' when { context.arguments.amount > decimal("5.0") };', "unexpected type"),
        (FORBID + " when { context.session.cals > 5 };", "cals"),
        (FORBID + " when { context.flags.any };", "flags"),
        (FORBID + ' when { principal.name == "x" };', "name"),
        (FORBID + ' when { principal in Group::"x" };', "Group"),
        (FORBID + " when { resource is Planet };", "Planet"),
        ('forbid (principal == User::"x", action, resource);', "User"),
        ('forbid (principal, action == Action::"repair", resource is Server);', "applicable action"),
        (FORBID + " when { context.arguments.amount };", "unexpected type"),
        (FORBID + " when { context.arguments has amout && context.arguments.amout > 5 };", "arguments.amout"),
        (FORBID + " when { context has arguments.amout };", "arguments.amout"),
        (FORBID + " when { context.counts has tags };", "counts.tags"),
        (FORBID + " when { resource has owner };", "resource.owner"),
        (FORBID + " when { principal has name };", "principal.name"),
        ("forbid (principal, action, resource) when { context.arguments.amount > 5 };", "amount"),
    ],
)
def test_a_name_or_type_that_is_wrong_is_a_load_error_with_its_line(rule: str, says: str) -> None:
    """Defect 19 and T34: nothing that a policy says is silently never read."""
    with pytest.raises(PolicyError) as caught:
        policy(PERMIT, f"// a comment\n\n{rule}")
    assert str(caught.value).startswith("b.cedar:3: ") and says in str(caught.value)
    assert caught.value.code in ("policy.type", "policy.parse") and "\n" not in str(caught.value)


def test_a_principal_is_named_with_its_tenant() -> None:
    with pytest.raises(PolicyError, match=r'a\.cedar:1: .*Write Principal::"default/bob"'):
        policy('permit (principal == Principal::"bob", action, resource);')
    policy('permit (principal == Principal::"default/bob", action, resource);')


def test_rules_about_a_tier_that_no_tool_has_are_checked_all_the_same() -> None:
    text = 'forbid (principal, action in Action::"effect/privileged", resource)'
    assert [rule.place for rule in policy(text + ";", tools=[LOOK]).unreachable()] == ["a.cedar:1"]
    with pytest.raises(PolicyError, match="cals"):
        policy(text + " when { context.session.cals > 1 };", tools=[LOOK])


def test_a_rule_that_concerns_a_tool_is_not_reported_as_unreachable() -> None:
    """T34: the lint finds a rule that nothing reaches."""
    assert policy(PERMIT).unreachable() == ()
    assert policy(PERMIT, 'forbid (principal, action in Action::"effect/privileged", resource);').unreachable() == ()


def test_a_policy_without_tools_loads() -> None:
    assert len(policy(PERMIT, tools=[]).unreachable()) == 1


def test_arguments_that_no_rule_can_see_are_listed() -> None:
    loose = tool("loose", properties={"x": {}, "y": {"type": "integer"}}, additional=True)
    assert policy(PERMIT, tools=[LOOK, loose]).untyped() == {
        "loose": (Gap("", "further properties are accepted"), Gap("/x", "it has no type"))
    }


@pytest.mark.parametrize("name", ["Server", "in", "a-b", "Long", "__cedar", ""])
def test_an_entity_type_that_cannot_be_one_is_refused(name: str) -> None:
    entities = {"q": Entity(type=name, lookup="look")}
    with pytest.raises(PolicyError, match="cannot name an entity type"):
        policy(PERMIT, tools=[tool("t", properties={"q": {"type": "string"}}, entities=entities)])


def test_a_lookup_that_needs_lookups_is_refused() -> None:
    other = tool("other", properties={"q": {"type": "string"}}, entities={"q": Entity(type="A", lookup="look")})
    with pytest.raises(PolicyError, match="without end"):
        policy(
            PERMIT,
            tools=[
                LOOK,
                other,
                tool("t", properties={"a": {"type": "string"}}, entities={"a": Entity(type="B", lookup="other")}),
            ],
        )


def test_names_that_would_be_two_things_are_refused() -> None:
    """Defect 15: a tool never takes another one's rules by taking its name."""
    with pytest.raises(PolicyError, match="two tools"):
        policy(PERMIT, tools=[LOOK, tool("look", "privileged")])
    with pytest.raises(PolicyError, match="group of all tools"):
        policy(PERMIT, tools=[tool("call")])
    policy(
        'permit (principal, action == Action::"github:look", resource);', tools=[LOOK, tool("look", server="github")]
    )


def reader(name: str, rent: str) -> Tool:
    """A lookup whose result has a rent of the given type, and an attribute of its own."""
    properties = {"owner": {"type": "string"}, "rent": {"type": rent}, name: {"type": "string"}}
    return tool(name, properties={"id": {"type": "string"}}, output_schema={"type": "object", "properties": properties})


def actor(name: str, lookup: str) -> Tool:
    entities = {"id": Entity(type="Flat", lookup=lookup)}
    return tool(name, properties={"id": {"type": "string"}}, resource="id", entities=entities)


def test_two_lookups_of_one_type_have_their_attributes_together() -> None:
    tools = [reader("a", "integer"), reader("b", "integer"), actor("c", "a"), actor("d", "b")]
    text = (
        "permit (principal, action, resource is Flat) when { resource has a && resource has b && resource has owner };"
    )
    policy(text, tools=tools)


def test_two_lookups_that_type_one_attribute_differently_are_refused() -> None:
    with pytest.raises(PolicyError, match="'rent' of Flat"):
        policy(PERMIT, tools=[reader("a", "integer"), reader("b", "string"), actor("c", "a"), actor("d", "b")])


def test_thousands_of_tools_that_differ_in_what_no_rule_reads_load_in_a_moment() -> None:
    tools = [tool(f"t{number}", properties={f"p{number}": {"type": "string"}}) for number in range(1500)]
    started = time.process_time()
    loaded = policy(PERMIT, 'forbid (principal, action == Action::"t7", resource);', tools=tools)
    assert time.process_time() - started < 5
    assert len(loaded.concerning(tools[7])) == 2 and len(loaded.concerning(tools[8])) == 1


def test_the_digest_is_of_the_sources_and_of_what_they_see_of_the_tools() -> None:
    one = policy(PERMIT).digest
    assert one == policy(PERMIT).digest and len(one) == 64
    assert one != policy(PERMIT + " ").digest
    assert one != policy(PERMIT, "").digest
    assert one != policy(PERMIT, tools=[*TOOLS, tool("more")]).digest
    assert one != policy(PERMIT, tools=[*TOOLS[1:], tool("look", "reversible", {"q": {"type": "string"}})]).digest
