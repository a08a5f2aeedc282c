"""The fast way and the naive way agree; and the laws of decisions, over random policies and facts."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.canonical import canonical
from interlock.core.decision import Verdict
from interlock.core.principal import Principal
from interlock.core.provenance import ArgumentOrigin, Lack, Level, Provenance
from interlock.policy.cedar import Policy
from interlock.policy.evaluator import principal_id
from interlock.policy.facts import Facts, Resource, Session, context_of
from interlock.policy.memo import WHOLE, Memo, expression_reads, reads_of
from interlock.policy.rules import Source, parse_rules
from interlock.policy.schema import cedar_schema
from interlock.policy.shape import fit
from tests.policy.makers import GET_PROPERTY, MONDAY_NOON_US, PROPERTY, facts, policy, tool, traced

SEND = tool(
    "send",
    "irreversible",
    {
        "amount": {"type": "integer"},
        "price": {"type": "number"},
        "note": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "to": {"type": "object", "properties": {"zip": {"type": "string"}, "city": {"type": "string"}}},
        "url": {"type": "string", "format": "uri"},
    },
    required=["note"],
    outward=True,
)
MEND = tool(
    "mend",
    "reversible",
    {"id": {"type": "integer"}, "amount": {"type": "integer"}},
    required=["amount"],
    resource="id",
    entities={"id": PROPERTY},
)
PEEK = tool("peek", "read", {"note": {"type": "string"}}, server="github", category="notes")
TOOLS = (SEND, MEND, PEEK, GET_PROPERTY)
FLAGS = ("profiled", "mandated", "words_seen", "saw_third", "saw_private", "sent_out")

CONDITIONS = [
    'principal.kind == "service"',
    'principal in Role::"a"',
    'principal in [Role::"a", Role::"b"] || principal in Tenant::"t2"',
    'principal == Principal::"default/u1"',
    'principal is Principal in Role::"b"',
    'principal.roles.contains("b")',
    'principal.id == "u1"',
    'principal has id && principal.tenant == "t2"',
    'Principal::"default/u1" in Role::"a"',
    "context.arguments has amount && context.arguments.amount > 3",
    "context.arguments has amount && context.arguments.amount + 9223372036854775807 > 0",
    'context.arguments has price && context.arguments.price.lessThan(decimal("2.5"))',
    'context.arguments has note && context.arguments.note like "x*"',
    'context.arguments has tags && context.arguments.tags.contains("x")',
    'context.arguments has to.zip && context.arguments.to.zip == "1"',
    'context.arguments has url && context.arguments.url.host == "a.example"',
    "context.counts has tags && context.counts.tags > 1",
    "context.arguments has to && context.arguments.to == context.arguments.to",
    "context.session.calls > 2",
    "context.session.words_seen",
    "context.session.refusals + context.session.writes > 3",
    "context.time.hour < 12",
    'context.time.now < datetime("2026-01-05T12:00:00Z")',
    "context.session == context.session && context.session.calls > 2",
    "context.time == context.time && context.time.hour < 12",
    "context.arguments == context.arguments && context.session.words_seen",
    "context.counts == context.counts && context.session.words_seen",
    "context == context && context.session.writes > 3 && context.time.weekday < 5",
    "context.tool.outward",
    'context.tool.category == "notes"',
    "resource is Property && resource has owner && resource.owner == principal.id",
    'resource is Property && resource has rent && resource.rent.lessThan(decimal("9.5"))',
    "resource has owner && resource.owner == principal.id",
    'resource == Server::"local"',
    'resource in Property::"1"',
    'action == Action::"send"',
    'context.provenance.lacks.contains("target")',
    "context.provenance.lacks.isEmpty() && context.session.words_seen",
    "context.provenance.profiled",
    "context.provenance.mandated || context.provenance.words_seen",
    "context.provenance.saw_third && context.provenance.saw_private && context.provenance.sent_out",
    "context.provenance.least has target && context.provenance.least.target < 4",
    "context.provenance.levels has amount && context.provenance.levels.amount == 1",
    "context.provenance == context.provenance && context.provenance.saw_third",
    "context.provenance.least == context.provenance.least && context.provenance.saw_third",
    'if context.session.words_seen then principal.kind == "user" else context.session.calls < 2',
]
SCOPES = [
    "principal, action, resource",
    'principal in Role::"a", action, resource',
    'principal == Principal::"default/u1", action, resource',
    'principal is Principal in Tenant::"t2", action, resource',
    'principal, action in Action::"call", resource',
    'principal, action in Action::"effect/irreversible", resource',
    'principal, action in [Action::"mend", Action::"server/github"], resource',
    "principal, action, resource is Server",
    'principal, action == Action::"mend", resource is Property',
]


@st.composite
def rules(draw: st.DrawFn, effect: str | None = None) -> str:
    effect = effect or draw(st.sampled_from(["permit", "permit", "forbid", "hold"]))
    notes = ""
    if effect == "hold":
        notes = f'@approvers("{draw(st.sampled_from(["a", "b", "a,c"]))}") @quorum("{draw(st.integers(1, 3))}") '
        notes += f'@expires("{draw(st.integers(1, 9))}h") ' + draw(st.sampled_from(["", "@verify "]))
    text = f"{notes}{'forbid' if effect == 'hold' else effect} ({draw(st.sampled_from(SCOPES))})"
    for _ in range(draw(st.integers(0, 2))):
        terms = draw(st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2))
        joint = draw(st.sampled_from([" && ", " || "]))
        body = joint.join(f"({'!' if draw(st.booleans()) else ''}({term}))" for term in terms)
        text += f" {draw(st.sampled_from(['when', 'unless']))} {{ {body} }}"
    return text + ";"


def loaded(texts: list[str]) -> Policy | None:
    """The policy, or None where Cedar's checker refuses a rule (some conditions fit no tool of some scopes)."""
    kept = [text for text in texts if fits(text)]
    return policy(*kept, tools=TOOLS) if kept else None


@lru_cache(maxsize=4096)
def fits(text: str) -> bool:
    try:
        policy(text, tools=TOOLS)
    except Exception:
        return False
    return True


@st.composite
def records(draw: st.DrawFn) -> Facts:
    of = draw(st.sampled_from([SEND, MEND, PEEK]))
    possible: dict[str, st.SearchStrategy[Any]] = {
        "amount": st.sampled_from([1, 5, 5.0, -7]),
        "price": st.sampled_from([1, 2.4, 2.5, 9]),
        "note": st.sampled_from(["x1", "y", ""]),
        "tags": st.lists(st.sampled_from(["x", "y"]), max_size=3),
        "to": st.fixed_dictionaries({}, optional={"zip": st.sampled_from(["1", "2", None]), "city": st.just("c")}),
        "url": st.sampled_from(["https://a.example/b", "https://b.example"]),
        "id": st.just(1),
    }
    named = of.input_schema["properties"]
    arguments = {
        name: draw(possible[name]) for name in named if name in of.input_schema["required"] or draw(st.booleans())
    }
    who = Principal(
        draw(st.sampled_from(["u1", "u2"])),
        draw(st.sampled_from(["default", "t2"])),
        draw(st.frozensets(st.sampled_from(["a", "b"]), max_size=2)),
        draw(st.sampled_from(["user", "service"])),
    )
    session = Session(*(draw(st.integers(0, 4)) for _ in range(5)), draw(st.booleans()))
    resource = None
    if "id" in arguments:
        attributes = draw(
            st.fixed_dictionaries(
                {},
                optional={"owner": st.sampled_from(["u1", "u3"]), "rent": st.sampled_from([9.5, 2]), "x": st.just([])},
            )
        )
        resource = Resource("Property", "1", attributes)
    came = Provenance(
        arguments=tuple(draw(origin(name)) for name in arguments),
        lacks=tuple(Lack(code) for code in draw(st.lists(st.sampled_from(["target", "link"]), max_size=2))),
        **{name: draw(st.booleans()) for name in FLAGS},
    )
    moment = MONDAY_NOON_US + draw(st.sampled_from([-1, 0, 1])) * 7_200_000_000
    return facts(of, arguments, principal=who, session=session, resource=resource, now_us=moment, provenance=came)


def origin(name: str) -> st.SearchStrategy[ArgumentOrigin]:
    levels = st.sampled_from([Level.THIRD, Level.USER])
    return st.builds(ArgumentOrigin, st.just(f"/{name}"), st.sampled_from(["target", "content"]), levels, st.just("r8"))


def elsewhere(came: Provenance) -> list[Provenance]:
    """Where a call comes from, with one thing changed."""
    found = [replace(came, **{name: not getattr(came, name)}) for name in FLAGS]
    found += [replace(came, lacks=lacks) for lacks in ((), (Lack("target"),), (Lack("link"),))]
    one = ArgumentOrigin("/amount", "target", Level.THIRD, "r8")
    others = (one, one._replace(level=Level.USER), one._replace(role="content"), one._replace(pointer="/note"))
    return [*found, *(replace(came, arguments=(other,)) for other in others), replace(came, arguments=())]


def neighbours(record: Facts) -> list[Facts]:
    """Records that differ from this one in a single fact, each of which some condition reads."""
    who, session, resource = record.principal, record.session, record.resource
    found = [
        record._replace(principal=replace(who, id="u2" if who.id == "u1" else "u1")),
        record._replace(principal=replace(who, tenant="t2" if who.tenant == "default" else "default")),
        record._replace(principal=replace(who, kind="service" if who.kind == "user" else "user")),
        *(record._replace(principal=replace(who, roles=who.roles ^ {role})) for role in "ab"),
        *(
            record._replace(session=session._replace(**{name: 9 - value}))
            for name, value in session._asdict().items()
            if name != "words_seen"
        ),
        record._replace(session=session._replace(words_seen=not session.words_seen)),
        *(record._replace(traced=traced(other)) for other in elsewhere(record.traced.provenance)),
        *(record._replace(now_us=record.now_us + step) for step in (-1, -7_200_000_000, 86_400_000_000)),
    ]
    others = {
        "amount": 2,
        "price": 2.4,
        "note": "xx",
        "tags": ["x", "x"],
        "to": {"zip": "1"},
        "url": "https://a.example/c",
    }
    named = record.tool.input_schema["properties"]
    changes = [{**record.arguments, name: value} for name, value in others.items() if name in named]
    changes += [{**record.arguments, "to": {"zip": "3"}}, {**record.arguments, "to": {}}] if "to" in named else []
    changes += [
        {key: value for key, value in record.arguments.items() if key != name}
        for name in record.arguments
        if name not in record.tool.input_schema["required"]  # a call without it does not exist
    ]
    for arguments in changes:
        if "id" in arguments or resource.type == "Server":
            found.append(record._replace(arguments=arguments, text=canonical(arguments)))
    if resource.type != "Server":
        for attributes in ({"owner": "u1"}, {"owner": "u3", "rent": 9}, {"owner": "u1", "rent": 10}, {}):
            found.append(record._replace(resource=replace(resource, attributes=attributes)))
        found.append(record._replace(resource=replace(resource, id="2")))
    return found


ROOTS = [
    facts(SEND, {"note": "x", "amount": 9, "tags": ["x"], "to": {"zip": "2"}, "price": 9, "url": "https://b.example"}),
    facts(MEND, {"amount": 9}, principal=Principal("u1", roles=frozenset("ab"))),
    facts(
        MEND,
        {"id": 1, "amount": 9},
        resource=Resource("Property", "1", {"owner": "u3"}),
        principal=Principal("u1", "t2", frozenset("b")),
    ),
    facts(PEEK, {"note": "y"}, session=Session(3, 3, 3, 3, 3, True)),
]


def agree(of: Policy, record: Facts) -> None:
    decision = of.decide(record)
    named = frozenset(reason.removeprefix("rule:") for reason in decision.reasons if reason.startswith("rule:"))
    assert (decision.verdict, named) == naive(of, record), (record, [rule.text for rule in of.rules])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_fact_that_changes_alone_is_never_answered_for_by_another(condition: str) -> None:
    """Shown by 4: whatever a condition reads is part of what its answers are remembered by."""
    for scope in SCOPES:
        if fits(text := f"permit ({scope}) when {{ {condition} }};"):
            of = policy(text, tools=TOOLS)
            for root in ROOTS:
                for record in (root, *neighbours(root)):
                    agree(of, record)
            return
    raise AssertionError("the condition fits no scope")


@lru_cache
def whole_schema() -> cedarpy.Schema:
    of = policy("", tools=TOOLS)
    every = [types for each in TOOLS if (types := of.types_of(each)) is not None]
    return cedarpy.Schema.from_json_str(json.dumps(cedar_schema(every, WHOLE)))


def naive(of: Policy, record: Facts) -> tuple[Verdict, frozenset[str]]:
    """Everything sent, every rule asked from its text, nothing remembered."""
    types = of.types_of(record.tool)
    assert types is not None
    schema = whole_schema()
    who = record.principal
    uid = {"type": "Principal", "id": principal_id(who)}
    entities: list[dict[str, Any]] = [
        {
            "uid": uid,
            "attrs": {"id": who.id, "tenant": who.tenant, "kind": who.kind, "roles": sorted(who.roles)},
            "parents": [*({"type": "Role", "id": role} for role in who.roles), {"type": "Tenant", "id": who.tenant}],
        }
    ]
    resource = {"type": record.resource.type, "id": record.resource.id}
    if record.resource.type != "Server":
        entities.append({"uid": resource, "attrs": fit(types.attributes, record.resource.attributes), "parents": []})
    request = {
        "principal": uid,
        "action": {"type": "Action", "id": types.action},
        "resource": resource,
        "context": fit(types.context, {**context_of(record), "tool": types.facts}),
    }

    def asked(chosen: list[Any]) -> tuple[bool, frozenset[str], list[str]]:
        text = "\n".join(f"{rule.text}" for rule in chosen)
        said = cedarpy.is_authorized(request, text, entities, schema)
        names = frozenset(chosen[int(reason.removeprefix("policy"))].rule_id for reason in said.diagnostics.reasons)
        return said.allowed, names, said.diagnostics.errors

    every = list(of.rules)
    allowed, names, errors = asked(every)
    if errors:
        return Verdict.DENY, frozenset()
    if allowed:
        return Verdict.ALLOW, names
    holds = {rule.rule_id for rule in every if rule.holds}
    if not names or names - holds:
        return Verdict.DENY, names - holds
    permitted, more, errors = asked([rule for rule in every if not rule.holds])
    return (Verdict.REQUIRE_APPROVAL, names | more) if permitted and not errors else (Verdict.DENY, frozenset())


@settings(max_examples=40)
@given(st.lists(rules(), min_size=1, max_size=5), st.lists(records(), min_size=1, max_size=4))
def test_remembered_and_plain_decisions_agree(texts: list[str], asked: list[Facts]) -> None:
    """Shown by 4: pruned, compiled and remembered, a decision is what Cedar says of everything at once."""
    of = loaded(texts)
    if of is None:
        return
    for record in asked:
        for each in (record, *neighbours(record)[:6], record):
            agree(of, each)


RANK = {Verdict.DENY: 0, Verdict.REQUIRE_APPROVAL: 1, Verdict.ALLOW: 2}


@settings(max_examples=40)
@given(
    st.lists(rules(), min_size=1, max_size=4),
    rules("forbid") | rules("hold"),
    st.lists(records(), min_size=1, max_size=4),
)
def test_adding_a_forbid_never_allows_more(texts: list[str], further: str, asked: list[Facts]) -> None:
    """Shown by 4; nor does it ask fewer people, or give them longer."""
    before, after = loaded(texts), loaded([*texts, further])
    if before is None or after is None:
        return
    for record in asked:
        was, now = before.decide(record), after.decide(record)
        assert RANK[now.verdict] <= RANK[was.verdict]
        if was.hold is not None and now.hold is not None:
            assert now.hold.groups >= was.hold.groups and now.hold.quorum >= was.hold.quorum
            assert now.hold.expires_s <= was.hold.expires_s and now.verify >= was.verify


@settings(max_examples=40)
@given(st.lists(rules(), min_size=1, max_size=4), st.lists(records(), min_size=1, max_size=6))
def test_who_may_not_have_a_tool_is_denied_every_call_of_it(texts: list[str], asked: list[Facts]) -> None:
    of = loaded(texts)
    if of is None:
        return
    for record in asked:
        if not of.may_have(record.principal, record.tool):
            assert of.decide(record).verdict is Verdict.DENY, [rule.text for rule in of.rules]


def reads(condition: str) -> frozenset[tuple[str, ...]]:
    [rule] = parse_rules([Source("a.cedar", f"permit (principal, action, resource) when {{ {condition} }};")])
    return reads_of([rule])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("context.arguments.a.b > 1", {("context", "arguments", "a", "b")}),
        ("context.arguments has a", {("context", "arguments", "a")}),
        ("context.arguments.a > 1 && context.arguments == context.arguments", {("context", "arguments")}),
        ('principal in Role::"a"', {("principal", "roles")}),
        ('principal in [Role::"a", Tenant::"b"]', {("principal", "roles"), ("principal", "tenant")}),
        ('principal in Principal::"a/b"', {("principal",)}),
        ("principal in resource", {("principal",), ("resource",)}),
        ("principal == resource", {("principal",), ("resource",)}),
        ("principal is Principal", set()),
        ('action in Action::"call"', set()),
        ('resource in Server::"a"', {("resource",)}),
        ('Role::"a" in Role::"b"', set(WHOLE)),
        ('Principal::"a/b".kind == "user"', set(WHOLE)),
        ('principal.hasTag("a")', set(WHOLE)),
        ('(if context.session.words_seen then principal else principal).kind == "a"', set(WHOLE)),
        ("[context.time.hour].contains(3)", {("context", "time", "hour")}),
        ('{"a": context.time.hour} == {"a": 1}', {("context", "time", "hour")}),
        ("context.tool.outward", {("context", "tool", "outward")}),
    ],
)
def test_every_path_that_a_condition_can_read_is_found(condition: str, expected: set[tuple[str, ...]]) -> None:
    assert reads(condition) == expected


def test_an_expression_of_no_known_kind_reads_nothing_and_is_no_expression() -> None:
    assert list(expression_reads("text")) == []


def test_only_what_rules_read_tells_two_decisions_apart() -> None:
    """Rules over roles and effect are decided once for every argument, session and moment."""
    of = policy('permit (principal in Role::"a", action in Action::"call", resource);', tools=TOOLS)
    who = Principal("u1", roles=frozenset({"a"}))
    first = of.decide(facts(PEEK, {"note": "x"}, principal=who))
    other = Principal("u9", "t9", frozenset({"a"}), "service")
    assert of.decide(facts(PEEK, {"note": "y"}, principal=other, session=Session(9), now_us=1)) is first


def test_true_and_one_are_different_facts() -> None:
    of = policy("permit (principal, action, resource) when { context.arguments has amount };", tools=TOOLS)
    assert of.decide(facts(MEND, {"amount": 1})).verdict is Verdict.ALLOW
    assert of.decide(facts(MEND, {"amount": True})).verdict is Verdict.DENY
    assert of.decide(facts(MEND, {"amount": 1})).verdict is Verdict.ALLOW


def test_a_memo_is_bounded_and_keeps_what_is_asked_for() -> None:
    memo: Memo[int] = Memo(10)
    for number in range(1000):
        memo.put(number, number)
        assert number == 0 or memo.get(0) == 0
    assert sum(memo.get(number) is not None for number in range(1000)) <= 21
