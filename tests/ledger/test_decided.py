"""D3, D4: the facts of every decision are whole again from the chain alone, though it says nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from interlock import Principal
from interlock.core.canonical import Written, canonical
from interlock.core.event import Fact, Kind
from interlock.core.tool import CallContext, Entity
from interlock.ledger.decided import Decided
from interlock.ledger.replay import replay
from interlock.pipeline import call_tool
from interlock.policy.cedar import Policy
from interlock.policy.facts import Facts
from interlock.policy.rules import Source
from tests.planes import Far, Stage, proposed, staged

pytestmark = pytest.mark.anyio

POLICY = """
permit (principal, action, resource);
@id("unlucky") forbid (principal, action, resource) when { context.arguments has n && context.arguments.n == 13 };
@approvers("lead") forbid (principal, action == Action::"pay", resource);
"""


class Recording(Policy):
    """Rules that write down every record of facts that they gave for the ledger."""

    made: list[Written]

    def record(self, facts: Facts) -> Written:
        """See `Policy.record`."""
        self.made.append(super().record(facts))
        return self.made[-1]


async def owner(arguments: dict[str, Any], context: CallContext) -> object:
    return {"owner": "ana", "n": arguments["n"]}


def recorded(stage: Stage) -> list[Written]:
    plane = stage.plane.plane
    policy = Recording([Source("test.cedar", POLICY)], plane.registry.tools)
    policy.made = []
    plane.policy = policy
    return policy.made


async def test_the_facts_of_every_decision_are_whole_again_from_the_chain_alone() -> None:
    far = Far()
    tools = [
        far.tool("get"), far.tool("put", "reversible", tags=("money",)), far.tool("pay", "irreversible"),
        far.tool("who", does=owner),
        far.tool("touch", "reversible", resource="n", entities={"n": Entity(type="Thing", lookup="who")}),
    ]  # fmt: skip
    async with staged(*tools) as stage:
        made = recorded(stage)
        async with stage.run() as run:
            for tool, n in [("get", 1), ("put", 2), ("get", 13), ("put", 3), ("touch", 4), ("touch", 5), ("pay", 6)]:
                await run.call(tool, {"n": n})
            promoted = replace(run.principal, roles=frozenset({"support", "lead"}))
            await call_tool(replace(proposed(run, "get", {"n": 7}), principal=promoted), stage.plane.plane)
            events = await stage.events(run.run_id)
    decided = Decided()
    whole = [facts for event in events if (facts := decided.facts(event)) is not None]
    assert len(whole) == len(made) == 10
    # a lookup is decided after its caller came in and is recorded before it: compared as what was decided when
    assert sorted(map(canonical, whole)) == sorted(record.text for record in made)
    assert all(canonical(dict(record)) == record.text for record in made), "what is compared is what was decided on"


async def test_what_a_chain_says_before_is_not_said_again() -> None:
    far = Far()
    async with staged(far.tool("get"), far.tool("put", "reversible")) as stage, stage.run() as run:
        for tool in ("get", "put", "get", "put"):
            await run.call(tool, {"n": 1, "note": tool})
        kept = [event.fact.body["facts"] for event in await stage.events(run.run_id) if event.fact.decision]
        assert ["tool" in facts for facts in kept] == [True, True, False, False]
        assert not any("principal" in facts or "resource" in facts for facts in kept)


async def test_what_a_step_writes_does_not_grow_with_its_run() -> None:
    """P5: bytes per step are flat."""
    async with staged(Far().tool("get"), settings={"limits": {"calls_max": 1000}}) as stage, stage.run() as run:
        for n in range(1000, 1400):
            await run.call("get", {"n": n})
        written: dict[int, int] = {}
        for event in await stage.events(run.run_id):
            written[event.fact.step] = written.get(event.fact.step, 0) + len(event.header) + len(event.payload)
        assert max(written[399], written[400]) < written[2] + 32, "the digits of counters and nothing else"


async def test_a_replay_shows_whole_facts_and_the_policy_that_decided() -> None:
    async with staged(Far().tool("get")) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        await run.call("get", {"n": 2})
        digest = stage.plane.plane.policy.digest
        told = [step.detail for step in replay(await stage.events(run.run_id)) if step.gate == "authorize"]
    assert [detail["decision"]["policy"] for detail in told] == [digest] * 2  # type: ignore[index,call-overload]
    for detail in told:
        facts = detail["facts"]
        assert isinstance(facts, dict)
        assert facts.keys() == {"now_us", "principal", "resource", "session", "tool"}


async def test_what_was_erased_before_is_missing_and_nothing_else_is() -> None:
    async with staged(Far().tool("get")) as stage:
        async with stage.run(Principal("kim")) as run:
            await run.call("get", {"n": 1})
            await run.call("get", {"n": 2})
        events = await stage.events(run.run_id)
    decided = Decided()
    found = []
    for event in events:
        gone = event.fact.kind is Kind.RUN_STARTED or event.fact.step == 1
        fact = event.fact._replace(body={}) if gone else event.fact
        found.append(decided.facts(event._replace(fact=fact)))
    [last] = [facts for facts in found if facts is not None]
    assert last.keys() == {"now_us", "resource", "session"}


async def test_who_goes_on_with_other_roles_is_decided_by_those_and_told_so() -> None:
    """A conversation's user comes back promoted: the record leaves them out from then on, and they are put back."""
    tool = Far().tool("get")
    async with staged(tool) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        events = await stage.events(run.run_id)
        [decision] = [event for event in events if event.fact.kind is Kind.CALL_DECIDED]
    words = Fact(Kind.RUN_WORDS, {"text": "go on", "roles": ["lead", "support"]}, step=1)
    erased = words._replace(body={})
    decided = Decided()
    for event in events:
        decided.facts(event)
    for said, roles in ((words, ["lead", "support"]), (erased, None)):
        decided.facts(decision._replace(fact=said))
        facts = decided.facts(decision)
        assert facts is not None
        assert facts.get("principal", {}).get("roles") == roles
