"""What hangs on a decision that is another now: counters, look-ups, runs that were started, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from interlock.core.event import Fact, Kind
from interlock.core.tool import Entity, Tool
from interlock.evals.again import Again, Known
from interlock.evals.asked import Asked, Terms
from interlock.evals.backtest import Candidates, backtest
from interlock.evals.consequences import Consequences
from interlock.evals.tally import Judged
from interlock.evals.walk import Window
from interlock.ledger.store import Append, MemoryStore
from interlock.policy.cedar import Policy
from interlock.policy.facts import Session
from interlock.policy.rules import Source
from interlock.policy.schema import tool_facts
from interlock.testing import FrozenClock
from tests.planes import Far

ALLOW, DENY = Terms("allow"), Terms("deny")
READ, WRITE = Far().tool("look"), Far().tool("put", "reversible")
CHECKED = replace(WRITE, entities={"n": Entity(type="Thing", lookup="look")})
REFUSALS, CALLS = ("context", "session", "refusals"), ("context", "session", "calls")


def asked(call_id: str = "call_2", **more: Any) -> Asked:
    known: dict[str, Any] = {
        "run_id": "run_1", "call_id": call_id, "seq": 5, "at_us": 1, "tool_hash": "", "verdict": "allow",
        "decision": {"verdict": "allow", "mode": "enforce"}, "facts": {}, "arguments": {}, "tool": None, "parent": "",
        "again": False,
    }  # fmt: skip
    return Asked(**known | more)


def after(now: Terms | None, tool: Tool | None = WRITE, **more: Any) -> Consequences:
    """A run whose first call came to this."""
    found = Consequences()
    found.note(asked("call_1", **more), now, tool)
    return found


def test_nothing_hangs_on_a_decision_that_stays_as_it_was() -> None:
    same = after(ALLOW)
    assert not same.changed
    assert not same.reach(asked(), [REFUSALS]) and not same.unmade(asked(parent="call_1"), "saga")


@pytest.mark.parametrize("now", [DENY, None], ids=["changed", "unknown"])
def test_refusals_hang_on_any_other_decision_and_time_roles_and_arguments_on_none(now: Terms | None) -> None:
    run = after(now)
    assert run.reach(asked(), [REFUSALS]) and run.reach(asked(), [("context", "session")])
    assert run.reach(asked(), [("context",)])
    for path in (("context", "session", "age_s"), ("context", "time", "hour"), ("principal",),
                 ("context", "arguments", "n"), ("context", "tool", "name"),
                 ("context", "session", "words_seen")):  # fmt: skip
        assert not run.reach(asked(), [path]), path


def test_how_many_calls_there_are_hangs_on_it_only_where_it_brings_or_spares_others() -> None:
    assert not after(DENY, READ).reach(asked(), [CALLS])
    for tool in (CHECKED, replace(WRITE, fallback="look"), replace(WRITE, reconcile="look"), None):
        assert after(DENY, tool).reach(asked(), [CALLS]), tool
    run = after(DENY)
    run.unasked("validate")
    assert not run.reach(asked(), [CALLS])
    run.unasked("recall")
    assert run.reach(asked(), [CALLS])


def test_what_a_look_up_finds_hangs_on_writes_before_it() -> None:
    thing = {"resource": {"type": "Thing", "id": "7", "attributes": {}}}
    assert after(DENY, WRITE).reach(asked(facts=thing), [("resource", "owner")])
    assert not after(DENY, READ).reach(asked(facts=thing), [("resource", "owner")])
    assert not after(DENY, WRITE).reach(asked(), [("resource",)]), "it is the server"


def test_where_values_came_from_hangs_on_it_where_it_counts() -> None:
    run = after(DENY)
    assert run.reach(asked(), [("context", "provenance", "saw_third")])
    assert not run.reach(asked(), [("context", "provenance", "words_seen")])
    assert not run.reach(asked(), [("context", "provenance", "lacks")])
    assert run.reach(asked(facts={"provenance": {"judged": True}}), [("context", "provenance", "lacks")])


def test_what_is_made_for_a_call_goes_with_it_and_so_does_what_a_definition_computes() -> None:
    run = after(DENY)
    assert run.unmade(asked(parent="call_1"), "calls")
    assert run.unmade(asked("call_1", again=True), "calls")
    assert run.unmade(asked(), "saga") and run.unmade(asked(), "graph")
    assert not run.unmade(asked(), "calls") and not run.unmade(asked(), "agent")
    assert after(DENY, READ, parent="call_2").reach(asked(), []), "what was looked up for it was denied"


def decided(tool: Tool, call_id: str, n: int) -> Fact:
    body = {
        "proposed": {}, "tool": dict(tool.written), "effect": tool.effect.value, "arguments": {"n": n},
        "decision": {"verdict": "allow", "reasons": ["rule:all"], "mode": "enforce"},
        "facts": {"now_us": 1, "session": Session()._asdict(), "tool": dict(tool_facts(tool))},
    }  # fmt: skip
    return Fact(Kind.CALL_DECIDED, body, call_id, tool_hash=tool.digest, decision="allow")


def started(**more: Any) -> Fact:
    principal = {"id": "ana", "tenant": "default", "roles": [], "kind": "user"}
    return Fact(Kind.RUN_STARTED, {"principal": principal, "driver": "calls", **more})


@pytest.mark.anyio
async def test_a_run_that_a_changed_call_started_diverges_and_with_it_the_run_that_it_reports_to() -> None:
    look, ask = Far().tool("look"), replace(Far().tool("ask", "reversible"), starts="worker")
    store = MemoryStore(FrozenClock())
    task = {"call": "call_1", "from": "boss", "how": "worker", "text": "do"}
    for name, facts in (
        ("run_1", [started(), decided(ask, "call_1", 3)]),
        ("run_2", [started(parent="run_1", task=task), decided(look, "call_1", 1)]),
        ("run_3", [started(), decided(look, "call_1", 1)]),
        ("run_1", [Fact(Kind.CALL_REPORTED, {"run": "run_2"}, "call_1"), decided(look, "call_2", 1)]),
        ("run_3", [Fact(Kind.CALL_REPORTED, {"run": "run_9"}, "call_1"), decided(look, "call_2", 1)]),
    ):
        await store.append(Append(name, "default", facts))
    text = (
        '@id("all") permit (principal, action, resource);\n'
        '@id("not-three") forbid (principal, action == Action::"ask", resource) when { context.arguments.n == 3 };\n'
        '@id("quiet") forbid (principal, action == Action::"look", resource) when { context.session.refusals > 9 };'
    )
    each: list[Judged] = []
    new = Again(Policy([Source("p.cedar", text)], [look, ask]), Known([look, ask]))
    await backtest(store, Window(tenant="default"), Candidates(new=new, each=each.append))
    assert [(one.asked.run_id, one.asked.name, one.why) for one in each] == [
        ("run_1", "ask", ""), ("run_2", "look", "diverged"), ("run_3", "look", ""), ("run_1", "look", "diverged"),
        ("run_3", "look", ""),
    ]  # fmt: skip
