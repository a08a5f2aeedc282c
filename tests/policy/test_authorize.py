"""The gate: stop switch, entitlement, entities, decision; in this order, and in words that reveal no rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from interlock.core.call import AllowedCall, Outcome, OutcomeKind, Stop
from interlock.core.decision import Mode, Verdict
from interlock.core.principal import Principal
from interlock.core.tool import Entity
from interlock.policy.authorize import Ask, authorize
from interlock.policy.cedar import Policy
from interlock.policy.flags import Flags
from tests.policy.makers import (
    CLERK,
    DROP,
    GET_PROPERTY,
    LOOK,
    MONDAY_NOON_US,
    NOBODY,
    PERMIT,
    REFUND,
    REPAIR,
    policy,
    run,
    tool,
    valid,
)

OWNERS = (
    'permit (principal, action == Action::"repair", resource is Property)'
    " when { resource has owner && resource.owner == principal.id };"
)


class World:
    """A directory of properties behind governed reads, and a note of what was asked."""

    def __init__(self, known: Mapping[Any, Any] | None = None, outcome: OutcomeKind = OutcomeKind.DONE) -> None:
        self.known = dict(known or {})
        self.outcome = outcome
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.suggested: Any = [{"id": 12, "label": "12 Elm Street"}, {"id": 31, "label": "Oak Court"}]

    async def __call__(self, tool: str, arguments: Mapping[str, Any]) -> Outcome:
        self.asked.append((tool, dict(arguments)))
        if tool == "find_property":
            return Outcome(kind=OutcomeKind.DONE, call_id="call_s", tool=tool, value=self.suggested)
        [value] = arguments.values()
        done = self.outcome is OutcomeKind.DONE
        return Outcome(
            kind=self.outcome,
            call_id="call_r",
            tool=tool,
            value=self.known.get(value) if done else None,
            code="" if done else "authorize.denied",
            message="" if done else "the database said: secret-4711",
        )


def ask(world: World | None = None, flags: Flags | None = None) -> Ask:
    return Ask(flags or Flags(), MONDAY_NOON_US, world or World())


def stopped(found: AllowedCall | Stop, code: str) -> Stop:
    assert isinstance(found, Stop), found
    assert (found.gate, found.outcome.kind, found.outcome.code) == ("authorize", OutcomeKind.REFUSED, code)
    assert found.outcome.message and found.outcome.next_step
    return found


def now(coroutine: Any) -> Any:
    """Run a coroutine that must not suspend."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def test_a_call_that_names_no_entity_is_decided_without_suspending() -> None:
    found = now(authorize(valid(LOOK, {"q": "x"}), policy(PERMIT), run(), ask()))
    assert isinstance(found, AllowedCall)
    assert found.decision.verdict is Verdict.ALLOW
    assert found.valid.arguments == {"q": "x"} and found.facts["now_us"] == MONDAY_NOON_US


def test_a_denial_tells_the_model_no_rule_and_the_audit_everything() -> None:
    """Defect 16: an offered tool is decided at the call; defect 66: stable codes and no internals."""
    loaded = policy(PERMIT, '@id("no-large-refunds") forbid (principal, action, resource)'
                    ' when { context.arguments has amount && context.arguments.amount > 100 };')  # fmt: skip
    stop = stopped(now(authorize(valid(REFUND, {"amount": 101}), loaded, run(), ask())), "authorize.denied")
    told = json.dumps(stop.outcome.as_json())
    assert "no-large-refunds" not in told and "100" not in told and loaded.digest not in told
    assert stop.audit["decision"]["reasons"] == ["rule:no-large-refunds"]  # type: ignore[index,call-overload]
    assert stop.audit["facts"]["principal"] == CLERK.written  # type: ignore[index,call-overload]


def test_a_hold_passes_the_gate_with_what_releases_it() -> None:
    loaded = policy(PERMIT, '@approvers("boss") forbid (principal, action, resource);')
    found = now(authorize(valid(REFUND, {"amount": 1}), loaded, run(), ask()))
    assert isinstance(found, AllowedCall) and found.decision.verdict is Verdict.REQUIRE_APPROVAL


def test_a_tool_that_this_principal_could_never_have_is_not_available() -> None:
    loaded = policy('permit (principal in Role::"clerk", action == Action::"look", resource);')
    assert isinstance(now(authorize(valid(LOOK), loaded, run(), ask())), AllowedCall)
    for call in (valid(DROP), valid(LOOK, principal=NOBODY)):
        stop = stopped(now(authorize(call, loaded, run(), ask())), "authorize.not_available")
        assert stop.audit["decision"]["verdict"] == "deny"  # type: ignore[index,call-overload]


@pytest.mark.parametrize("mode", Mode)
def test_the_stop_switch_binds_whatever_policy_says_and_in_every_mode(mode: Mode) -> None:
    """Requirement B19: one flag stops the next call, and the reason stays with the audit."""
    flags = Flags({("", "tool", "look"): "incident 7"})
    stop = stopped(now(authorize(valid(LOOK), policy(PERMIT, mode=mode), run(), ask(flags=flags))), "authorize.stopped")
    assert "incident" not in json.dumps(stop.outcome.as_json())
    assert stop.audit["decision"]["errors"] == ["incident 7"]  # type: ignore[index,call-overload]
    assert stop.audit["decision"]["mode"] == "enforce"  # type: ignore[index,call-overload]
    assert isinstance(now(authorize(valid(DROP), policy(PERMIT, mode=mode), run(), ask(flags=flags))), AllowedCall)


@pytest.mark.parametrize("of", [LOOK, REPAIR])
@pytest.mark.anyio
async def test_evaluate_only_records_a_denial_and_lets_the_call_pass(of: Any) -> None:
    """Requirement B9: shadow mode."""
    world = World({12: {"owner": "u1"}})
    arguments = {"property_id": 12, "text": "x"} if of is REPAIR else {"q": "x"}
    found = await authorize(valid(of, arguments), policy("", mode=Mode.EVALUATE_ONLY), run(), ask(world))
    assert isinstance(found, AllowedCall)
    assert (found.decision.verdict, found.decision.mode) == (Verdict.DENY, Mode.EVALUATE_ONLY)


@pytest.mark.anyio
async def test_the_entity_that_the_resource_argument_names_is_looked_up_and_decided_on() -> None:
    """Requirement B2 and defect 20: an id that belongs to somebody else is of no use."""
    world = World({12: {"owner": "u1", "rent": 950.5}, 13: {"owner": "u9"}})
    loaded = policy(OWNERS)
    mine = await authorize(valid(REPAIR, {"property_id": 12, "text": "x"}), loaded, run(), ask(world))
    assert isinstance(mine, AllowedCall)
    assert mine.facts["resource"] == {"type": "Property", "id": "12", "attributes": {"owner": "u1", "rent": 950.5}}
    assert world.asked == [("get_property", {"id": 12})]
    other = await authorize(valid(REPAIR, {"property_id": 13, "text": "x"}), loaded, run(), ask(world))
    stopped(other, "authorize.denied")


@pytest.mark.anyio
async def test_who_may_not_have_the_tool_causes_no_lookup() -> None:
    world = World({12: {"owner": "u1"}})
    loaded = policy(OWNERS.replace("(principal,", '(principal in Role::"manager",'))
    call = valid(REPAIR, {"property_id": 12, "text": "x"})
    stopped(await authorize(call, loaded, run(), ask(world)), "authorize.not_available")
    flags = Flags({("", "all", ""): "incident"})
    stopped(await authorize(call, policy(PERMIT), run(), ask(world, flags)), "authorize.stopped")
    assert world.asked == []


@pytest.mark.anyio
async def test_a_thing_that_does_not_exist_is_refused_with_what_does() -> None:
    """Requirement B2: the model can repair its call; sample failure «invented data»."""
    world = World()
    text = replace(REPAIR, input_schema={**REPAIR.input_schema, "properties": {"property_id": {"type": "string"}}})
    loaded = policy(PERMIT, tools=[text, GET_PROPERTY])
    stop = stopped(
        await authorize(valid(text, {"property_id": "12 elm st"}), loaded, run(), ask(world)), "authorize.entity"
    )
    [problem] = stop.outcome.problems
    assert (problem.field, problem.code, problem.closest) == ("/property_id", "entity", 12)
    assert problem.allowed == [{"id": 12, "label": "12 Elm Street"}, {"id": 31, "label": "Oak Court"}]
    assert world.asked == [("get_property", {"id": "12 elm st"}), ("find_property", {"query": "12 elm st"})]


@pytest.mark.parametrize(
    ("suggested", "allowed"),
    [
        (None, None),
        ("a text", None),
        ([{"id": {"a": 1}}, {"label": "x"}, 7], None),
        ([{"id": 1, "label": "l" * 200, "more": "x"}], [{"id": 1, "label": "l" * 80}]),
        ([{"id": number} for number in range(9)], [{"id": number, "label": ""} for number in range(5)]),
    ],
)
@pytest.mark.anyio
async def test_suggestions_that_have_not_their_form_are_left_out(suggested: Any, allowed: Any) -> None:
    world = World()
    world.suggested = suggested
    found = await authorize(valid(REPAIR, {"property_id": 99, "text": "x"}), policy(PERMIT), run(), ask(world))
    [problem] = stopped(found, "authorize.entity").outcome.problems
    assert (problem.allowed, problem.closest) == (allowed, None)


@pytest.mark.parametrize("outcome", [kind for kind in OutcomeKind if kind is not OutcomeKind.DONE])
@pytest.mark.anyio
async def test_a_lookup_that_does_not_answer_refuses_and_leaks_nothing(outcome: OutcomeKind) -> None:
    call = valid(REPAIR, {"property_id": 12, "text": "x"})
    stop = stopped(
        await authorize(call, policy(PERMIT), run(), ask(World(outcome=outcome))), "authorize.entity_unchecked"
    )
    told = json.dumps(stop.outcome.as_json())
    assert "4711" not in told and "get_property" not in told and outcome.value not in told.replace("refused", "", 1)
    assert stop.audit["lookup"] == "get_property"


@pytest.mark.parametrize("answer", ["yes", True, 7, [{"owner": "u1"}]])
@pytest.mark.anyio
async def test_a_lookup_that_returns_no_object_refuses(answer: Any) -> None:
    found = await authorize(
        valid(REPAIR, {"property_id": 12, "text": "x"}), policy(PERMIT), run(), ask(World({12: answer}))
    )
    stopped(found, "authorize.entity_unchecked")


INVITE = tool(
    "invite",
    "reversible",
    {"people": {"type": "array", "items": {"type": "string"}}, "room": {"type": "string"}},
    required=[],
    resource="room",
    entities={"people": Entity(type="Person", lookup="find"), "room": Entity(type="Room", lookup="find", by="q")},
)
FIND = tool("find", properties={"q": {"type": "string"}}, output_schema={"type": "object"})


def inviting(*rules: str) -> Policy:
    return policy(*rules, tools=[INVITE, FIND])


@pytest.mark.anyio
async def test_every_value_of_a_list_is_looked_up_and_the_missing_one_is_pointed_at() -> None:
    world = World({"ann": {}, "bob": {}})
    call = valid(INVITE, {"people": ["ann", "zoe", "bob"]})
    stop = stopped(await authorize(call, inviting(PERMIT), run(), ask(world)), "authorize.entity")
    assert stop.outcome.problems[0].field == "/people/1"
    assert world.asked == [("find", {"people": "ann"}), ("find", {"people": "zoe"})]


@pytest.mark.anyio
async def test_a_list_longer_than_can_be_looked_up_is_refused() -> None:
    world = World({str(number): {} for number in range(30)})
    call = valid(INVITE, {"people": [str(number) for number in range(21)]})
    stopped(await authorize(call, inviting(PERMIT), run(), ask(world)), "authorize.entity_unchecked")
    assert world.asked == []


@pytest.mark.parametrize("value", [True, 1.5, {"a": 1}, ["x"]])
@pytest.mark.anyio
async def test_a_value_that_can_name_nothing_is_refused(value: Any) -> None:
    call = valid(INVITE, {"people": [value]})
    stopped(await authorize(call, inviting(PERMIT), run(), ask()), "authorize.entity_unchecked")


@pytest.mark.anyio
async def test_an_argument_left_out_or_null_is_not_looked_up_and_the_server_is_the_resource() -> None:
    world = World({"r1": {}})
    only_server = inviting("permit (principal, action, resource is Server);")
    for arguments in ({}, {"room": None, "people": [None]}):
        found = await authorize(valid(INVITE, arguments), only_server, run(), ask(world))
        assert isinstance(found, AllowedCall) and found.facts["resource"]["type"] == "Server"  # type: ignore[index,call-overload]
    assert world.asked == []
    stopped(await authorize(valid(INVITE, {"room": "r1"}), only_server, run(), ask(world)), "authorize.denied")


@pytest.mark.anyio
async def test_a_resource_argument_of_no_one_type_names_its_entity_all_the_same() -> None:
    loose = replace(
        REPAIR, input_schema={**REPAIR.input_schema, "properties": {"property_id": {"type": ["string", "integer"]}}}
    )
    loaded = policy(OWNERS, tools=[loose, GET_PROPERTY])
    for value in (12, "12"):
        world = World({value: {"owner": "u1"}})
        found = await authorize(valid(loose, {"property_id": value}), loaded, run(), ask(world))
        assert isinstance(found, AllowedCall), found


def test_a_revoked_role_and_a_new_policy_count_from_the_next_call() -> None:
    """Defect 18: nothing is resolved once and kept."""
    loaded = policy('permit (principal in Role::"clerk", action, resource);')
    assert isinstance(now(authorize(valid(LOOK), loaded, run(), ask())), AllowedCall)
    stopped(now(authorize(valid(LOOK, principal=Principal("u1")), loaded, run(), ask())), "authorize.not_available")
    stopped(now(authorize(valid(LOOK, principal=CLERK), policy(""), run(), ask())), "authorize.not_available")
