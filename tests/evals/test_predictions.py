"""The law of D4: whatever was called, what a backtest predicts is what comes out when the same calls are made."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock.core.event import Event
from interlock.core.tool import CallContext, Entity, Tool
from interlock.evals.again import Again, Known
from interlock.evals.asked import Asked, Reader
from interlock.evals.backtest import Candidates, backtest
from interlock.evals.tally import Judged
from interlock.evals.walk import Window
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from tests.planes import CAY, PERMIT, Far, Stage, staged

TIER = {"type": "object", "properties": {"tier": {"type": "integer"}}, "required": ["tier"]}
RULES = (
    '@id("unlucky") forbid (principal, action, resource) when { context.arguments.n == 3 };',
    '@id("held") @approvers("approver") forbid (principal, action == Action::"put", resource);',
    '@id("dear") @approvers("admin") forbid (principal, action, resource) when { context.arguments.n > 2 };',
    '@id("refused") forbid (principal, action == Action::"look", resource) when { context.session.refusals > 0 };',
    '@id("spree") forbid (principal, action == Action::"put", resource) when { context.session.writes > 2 };',
    '@id("many") forbid (principal, action, resource) when { context.session.calls > 5 };',
    '@id("tier") forbid (principal, action == Action::"touch", resource) '
    "when { resource has tier && resource.tier == 1 };",
    '@id("blind") forbid (principal, action == Action::"who", resource);',
    '@id("rightless") forbid (principal, action == Action::"touch", resource) when { principal.kind == "user" };',
)
Calls = list[tuple[str, int]]


async def tier(arguments: dict[str, Any], context: CallContext) -> object:
    return {"tier": arguments["n"] % 2}


def tools(far: Far) -> list[Tool]:
    return [
        far.tool("look"), far.tool("put", "reversible"), far.tool("who", does=tier, output_schema=TIER),
        far.tool("touch", "reversible", resource="n", entities={"n": Entity(type="Thing", lookup="who")}),
    ]  # fmt: skip


async def make(stage: Stage, policy: Policy, calls: Calls) -> list[Event]:
    """One run; every second call that is held is approved."""
    stage.plane.plane.policy = policy
    async with stage.run() as run:
        for number, (tool, n) in enumerate(calls):
            outcome = await run.call(tool, {"n": n})
            if outcome.approval_id and number % 2:
                await stage.answer(run.run_id, outcome, CAY)
                await stage.plane.advance(run.run_id)
    return await stage.events(run.run_id)


class Keys:
    """Which call a recorded one is: the n-th of the run's own, or what was looked up for it; and which time."""

    def __init__(self, events: list[Event]) -> None:
        asked = [each for each in map(Reader().take, events) if each is not None]
        steps = sorted({event.fact.step: event.fact.call_id for event in events if event.fact.step}.items())
        children = {each.call_id for each in asked if each.parent}
        self._own = {call: place for place, (_, call) in enumerate(s for s in steps if s[1] not in children)}
        self._times: Counter[tuple[object, ...]] = Counter()
        self.asked = [(self.of(each), each) for each in asked]
        self._times.clear()

    def of(self, asked: Asked) -> tuple[object, ...]:
        key = (self._own[asked.parent], asked.name) if asked.parent else (self._own[asked.call_id],)
        self._times[key] += 1
        return (*key, self._times[key])


@settings(max_examples=60)
@example([("touch", 3)], {RULES[0]}, {RULES[0], RULES[-1]})  # what was looked up for it stopped it; now nothing is
@given(
    calls=st.lists(st.tuples(st.sampled_from(["look", "put", "touch"]), st.integers(1, 4)), max_size=8),
    old=st.sets(st.sampled_from(RULES), max_size=3),
    new=st.sets(st.sampled_from(RULES), max_size=3),
)
def test_what_is_predicted_is_what_comes_out(calls: Calls, old: set[str], new: set[str]) -> None:
    async def law() -> None:
        async with staged(*tools(Far())) as stage:
            every = stage.plane.plane.registry.tools
            then, now = (
                Policy([Source("p.cedar", "\n".join(['@id("all") ' + PERMIT, *sorted(rules)]))], every)
                for rules in (old, new)
            )
            recorded = Keys(await make(stage, then, calls))
            judged: list[Judged] = []
            candidates = Candidates(new=Again(now, Known(every)), each=judged.append)
            tally = (await backtest(stage.plane.store, Window(tenant="default"), candidates)).tally
        async with staged(*tools(Far())) as stage:
            really = {key: asked for key, asked in Keys(await make(stage, now, calls)).asked}
        places = {(asked.call_id, asked.seq): key for key, asked in recorded.asked}
        for each in judged:
            if each.why:
                continue
            came = really[places[each.asked.call_id, each.asked.seq]]
            assert each.now is not None
            assert (each.now.verdict, each.now.reasons, each.now.terms) == (came.verdict, came.reasons, came.terms)
        if old == new:
            assert tally.changed == tally.diverged == tally.undecidable == 0

    anyio.run(law)
