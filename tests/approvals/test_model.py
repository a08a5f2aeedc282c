"""A long random life of held calls beside a naive reading of the raw events.

Whatever people, clocks, policies and publishers do in whatever order: no held call is ever executed without
an unconsumed, unexpired quorum of entitled people on exactly the bytes that run.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from interlock import CallContext, Principal, Run, Tool, foreign_tool
from interlock.core.call import call_digest
from interlock.core.canonical import canonical
from interlock.core.event import Event, Fact, Kind
from interlock.errors import InterlockError
from interlock.policy.flags import Scope
from interlock.registry.registry import Registry
from tests.core.test_run import events as linked
from tests.planes import ANA, NUMBER, OPA, PERMIT, Stage, saying, staged

STEPS = 12_000
"""Of all seeds; a hundred thousand found the same, in twenty seconds."""
PEOPLE = [
    ANA,
    Principal("ana", roles=frozenset({"support", "approver", "admin"})),
    Principal("bob", roles=frozenset({"approver"})),
    Principal("cay", roles=frozenset({"approver", "admin"})),
    Principal("dan", roles=frozenset({"admin"})),
    Principal("bot", roles=frozenset({"approver", "admin"}), kind="service"),
    Principal("eve"),
]
NAMED = {person.id: person for person in PEOPLE if person.id != "ana"}
HOLD = 'forbid (principal, action == Action::"pay", resource);'
POLICIES: dict[str, tuple[set[str], int] | None] = {
    PERMIT: None,
    PERMIT + '@id("h") @approvers("approver") ' + HOLD: ({"approver"}, 1),
    PERMIT + '@id("h") @approvers("approver") @quorum("2") @expires("30m") ' + HOLD: ({"approver"}, 2),
    PERMIT + '@id("h") @approvers("approver,admin") ' + HOLD: ({"approver", "admin"}, 1),
    PERMIT + '@id("h") @approvers("admin") @expires("1m") ' + HOLD: ({"admin"}, 1),
    '@id("none") forbid (principal, action, resource);': (set(), 99),
}


class Life:
    """One stage, what is in force on it, and what the naive reader found wrong."""

    def __init__(self) -> None:
        self.stage: Stage
        self.policy = PERMIT
        self.tool = self.published(0)
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()

    def published(self, version: int) -> Tool:
        return foreign_tool(
            "pay", "local", "Pays.", NUMBER, self.body, effect="irreversible", version=str(version)
        )  # fmt: skip

    async def body(self, arguments: dict[str, Any], context: CallContext) -> object:
        events = await self.stage.plane.store.read(context.run_id)
        self.wrong += self.objections(events, arguments, context)
        self.seen["executed"] += 1
        if random.Random(self.seen["executed"]).random() < 0.2:
            raise TimeoutError
        return arguments["n"]

    def objections(self, events: list[Event], arguments: dict[str, Any], context: CallContext) -> list[str]:
        """What speaks against this execution, read from the raw events alone."""
        mine = [event for event in events if event.fact.call_id == context.call_id]
        intents = [event for event in mine if event.fact.kind == "call.intent"]
        if len(intents) != 1:
            return [f"{len(intents)} intents"]
        digest = call_digest(self.tool, canonical(arguments))
        if intents[0].fact.body["digest"] != digest:
            return ["another digest than what runs"]
        needed = POLICIES[self.policy]
        consumed = [event for event in mine if event.fact.kind == "approval.consumed"]
        if needed is None and not consumed:
            self.seen["free"] += 1
            return []
        if len(consumed) != 1 or consumed[0].seq != intents[0].seq - 1:
            return [f"{len(consumed)} approvals consumed"]
        approval_id = consumed[0].fact.approval_id
        about = [event for event in events if event.fact.approval_id == approval_id and event.seq < consumed[0].seq]
        return self.quorum(about, digest, needed, intents[0].at_us)

    def quorum(self, about: list[Event], digest: str, needed: tuple[set[str], int] | None, at_us: int) -> list[str]:
        request = about[0].fact.body
        wrong = []
        if about[0].fact.kind != "approval.requested" or request["digest"] != digest:
            wrong.append("approved was another call")
        if at_us >= request["expires_us"]:
            wrong.append("expired")
        voices: dict[str, set[str]] = {}
        for event in about[1:]:
            body = event.fact.body
            match str(event.fact.kind):
                case "approval.decided" if body["decision"] == "approve" and body["approval"] == request["approval"]:
                    if event.at_us < request["expires_us"]:
                        voices[event.fact.principal_id] = set(NAMED[event.fact.principal_id].roles)
                case "approval.decided" if len(voices) >= request["quorum"]:
                    pass  # said after the quorum was complete
                case "call.decided":
                    pass
                case other:
                    wrong.append(f"{other} before it ran")
        voices = {who: roles for who, roles in voices.items() if NAMED[who].kind == "user" and who != "ana"}
        for groups, count in ((set(request["groups"]), request["quorum"]), needed or (set(), 0)):
            if len(voices) < count or not groups <= {role for roles in voices.values() for role in roles}:
                wrong.append(f"{sorted(voices)} are no quorum of {count} with {sorted(groups)}")
        self.seen["approved"] += not wrong
        return wrong


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(4))
async def test_no_held_call_is_executed_without_a_standing_quorum_on_its_bytes(seed: int) -> None:
    """Spec approvals, Tests: the model-based run; T23, T24, T44."""
    draw, life = random.Random(seed), Life()
    async with staged(life.tool, settings={"limits": {"alike_max": 1000}}) as stage:
        life.stage = stage
        stage.plane.plane.approvals = replace(stage.plane.plane.approvals, per_minute_max=10**6)
        steps = 0
        while steps < STEPS // 4:
            async with stage.run() as run:
                for _ in range(80):
                    steps += 1
                    with contextlib.suppress(InterlockError):
                        await step(draw, life, run)
    assert life.wrong == []
    assert life.seen["approved"] > 1, "the random life has to get somewhere, or it shows nothing"
    assert life.seen["free"] > 3


async def step(draw: random.Random, life: Life, run: Run) -> None:
    """Something that somebody may do."""
    stage, plane = life.stage, life.stage.plane.plane
    state = await stage.state(run.run_id)
    match draw.choices(
        ("ask", "answer", "advance", "time", "policy", "publish", "stop"), (6, 16, 6, 0.5, 0.5, 0.4, 0.3)
    )[0]:
        case "ask":
            spelling = draw.choice(['{"n":%d}', '{ "n" : %d }', '{"n":%d,"note":"approved"}'])
            await run.call("pay", spelling % draw.randint(0, 3), name=draw.choice(["", "a", "b", "c", "d", "e"]))
        case "answer" if state.approvals:
            approval = draw.choice(list(state.approvals.values()))
            shown = draw.choice([approval, approval, approval, draw.choice(list(state.approvals.values()))])
            answer = saying(shown.request, "approve" if draw.random() < 0.9 else "reject")
            await stage.plane.answer(approval.approval_id, answer, draw.choice(PEOPLE))
        case "advance":
            await stage.plane.advance(run.run_id)
        case "time":
            stage.clock.jump_wall(draw.choice([30, 61, 1801, 90_000, -3600]))
        case "policy":
            life.policy = draw.choice(list(POLICIES))
            stage.obey(life.policy)
        case "publish":
            life.tool = life.published(draw.randint(0, 2))
            plane.registry = Registry([life.tool])
            stage.obey(life.policy)
        case "stop":
            await plane.switch.turn(Scope.TOOL, "pay", OPA, stop=draw.random() < 0.3)


def test_the_naive_reader_objects_to_what_it_must() -> None:
    """A check that cannot fail is none: each of these is found."""
    life = Life()
    life.policy = PERMIT
    digest = call_digest(life.tool, canonical({"n": 1}))
    request = {"digest": digest, "approval": "x", "groups": ["approver"], "quorum": 1, "expires_us": 10**18}
    context = CallContext(run_id="r", call_id="c", attempt=1, idempotency_key="", principal_id="ana", tenant="t",
                          deadline_s=1)  # fmt: skip

    def told(*middle: Fact, requested: dict[str, Any] = request) -> list[str]:
        facts = [
            Fact(Kind.APPROVAL_REQUESTED, requested, "c", approval_id="a"),
            *middle,
            Fact(Kind.APPROVAL_CONSUMED, {}, "c", approval_id="a"),
            Fact(Kind.CALL_INTENT, {"digest": digest}, "c"),
        ]
        return life.objections(linked(facts), {"n": 1}, context)

    def voice(who: str, approval: str = "x", decision: str = "approve") -> Fact:
        body = {"decision": decision, "approval": approval}
        return Fact(Kind.APPROVAL_DECIDED, body, "c", 0, 0, who, approval_id="a")

    assert told(voice("bob")) == []
    assert told()
    assert told(voice("bob", approval="y"))
    assert told(voice("bob", decision="reject"), voice("cay"))
    assert told(voice("bot"))
    assert told(voice("dan"))
    assert told(voice("bob"), requested=request | {"quorum": 2})
    assert told(voice("bob"), requested=request | {"digest": "z"})
    assert told(voice("bob"), requested=request | {"expires_us": 1})
    assert told(voice("bob"), Fact(Kind.APPROVAL_SUPERSEDED, {}, "c", approval_id="a"))
