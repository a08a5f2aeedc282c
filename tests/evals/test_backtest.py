"""D4: a changed policy over recorded calls says what would be decided, and says so where nobody can say it."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import apsw
import pytest

from interlock import Principal, Proposal
from interlock.core.event import Fact, Kind
from interlock.core.tool import CallContext, Entity, Tool
from interlock.evals.again import Again, Known
from interlock.evals.backtest import Candidates, backtest
from interlock.evals.tally import Judged, Tally
from interlock.evals.walk import Window
from interlock.ledger.redact import redact
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Append, MemoryStore, Store
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from tests.execution.test_secrets import keep
from tests.planes import ANA, OPA, PERMIT, Far, Stage, staged

pytestmark = pytest.mark.anyio

ALL = PERMIT + "\n"
NOT_13 = ALL + '@id("unlucky") forbid (principal, action, resource) when { context.arguments.n == 13 };'
HELD_13 = ALL + (
    '@id("unlucky-held") @approvers("approver") forbid (principal, action, resource) '
    "when { context.arguments.n == 13 };"
)
NOT_AFTER_REFUSALS = NOT_13 + (
    '@id("not-after-refusals") forbid (principal, action == Action::"look", resource) '
    "when { context.session.refusals >= 1 };"
)


def rules(text: str, tools: tuple[Tool, ...]) -> Policy:
    return Policy([Source("new.cedar", text)], tools)


async def asked_again(
    store: Store, tools: tuple[Tool, ...], text: str, *, old: str | None = None, **window: Any
) -> tuple[Tally, list[Judged]]:
    """The backtest of a policy over everything that the store has."""
    known = await Known(tools).read(store)
    each: list[Judged] = []
    before = None if old is None else Again(rules(old, tools), known)
    candidates = Candidates(new=Again(rules(text, tools), known), old=before, each=each.append)
    found = await backtest(store, Window(**{"tenant": "default", **window}), candidates)
    return found.tally, each


def tools_of(stage: Stage) -> tuple[Tool, ...]:
    return stage.plane.plane.registry.tools


async def test_what_changes_is_counted_from_what_to_what_with_the_rules_that_decide() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            for n in (12, 13, 14):
                await run.call("look", {"n": n})
                await run.call("put", {"n": n})
        ran = list(far.ran)
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), NOT_13)
        held, _ = await asked_again(stage.plane.store, tools_of(stage), HELD_13)
        same, _ = await asked_again(stage.plane.store, tools_of(stage), PERMIT)
    assert far.ran == ran, "no tool ran again"
    assert (tally.calls, tally.compared, tally.changed) == (6, 6, 2)
    assert tally.matrix == {("allow", "allow"): 4, ("allow", "deny"): 2}
    assert tally.rules == {"rule:unlucky": 2}
    [first, second] = tally.examples["allow", "deny"]
    assert first.asked.arguments == {"n": 13} and second.now == ("rule:unlucky",)
    assert first.was == ("rule:test.cedar:1",)
    assert (held.holds_per_100(0), round(held.holds_per_100(1), 1)) == (0.0, 33.3)
    assert (same.changed, same.compared) == (0, 6)


async def test_nothing_is_dialled_while_a_policy_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        async with stage.run() as run:
            await run.call("look", {"n": 1})

        def refuse(*given: object, **more: object) -> None:
            raise AssertionError("a socket was opened")

        monkeypatch.setattr(socket, "socket", refuse)
        ran = list(far.ran)
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), NOT_13)
    assert (tally.calls, far.ran) == (1, ran)


async def test_facts_that_hang_on_a_changed_decision_are_counted_as_diverged_and_no_others() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage:
        stage.obey(PERMIT)
        for last in (13, 14):
            async with stage.run() as run:
                await run.call("look", {"n": 1})
                await run.call("put", {"n": last})
                await run.call("look", {"n": 2})
                await run.call("put", {"n": 3})
        tally, each = await asked_again(stage.plane.store, tools_of(stage), NOT_AFTER_REFUSALS)
    assert tally.diverged == 1, "the look behind the refused put: its rules read the refusals"
    [lost] = [judged for judged in each if judged.why == "diverged"]
    assert (lost.asked.name, lost.asked.arguments) == ("look", {"n": 2})
    assert tally.matrix == {("allow", "allow"): 6, ("allow", "deny"): 1}
    assert tally.after == 1, "the put behind it is decided all the same"


async def test_a_repetition_of_what_would_be_held_is_decided_before_it_is_refused_as_one() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        stage.obey(ALL)
        async with stage.run() as run:
            await run.call("put", {"n": 13})
            await run.call("put", {"n": 13})
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), HELD_13)
        stage.obey(HELD_13)
        async with stage.run() as again:
            await again.call("put", {"n": 13})
            await again.call("put", {"n": 13})
        decided = [event.fact.decision for event in await stage.events(again.run_id) if event.fact.decision]
    assert tally.matrix == {("allow", "require_approval"): 2}
    assert decided == ["require_approval"] * 2, "as it really comes out"


async def test_a_hold_that_other_people_would_answer_is_no_other_verdict_and_is_counted() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        stage.obey(HELD_13)
        async with stage.run() as run:
            held = await run.call("put", {"n": 13})
            await stage.answer(run.run_id, held)
            await stage.plane.advance(run.run_id)
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), HELD_13.replace('"approver"', '"lead"'))
        freed, each = await asked_again(stage.plane.store, tools_of(stage), PERMIT)
    assert (tally.changed, tally.terms, tally.calls) == (0, 1, 1)
    assert freed.matrix == {("require_approval", "allow"): 1}
    assert [judged.why for judged in each if judged.asked.again] == ["diverged"], "it would not be asked about again"


async def test_what_did_not_bind_is_compared_by_what_was_said_and_followed_by_what_was_done() -> None:
    """Observed first: the record says deny and the call ran, so behind it the refusals differ."""
    far = Far()
    async with staged(far.tool("look"), settings={"mode": "evaluate_only"}) as stage:
        policy = stage.plane.plane.policy
        stage.obey(NOT_AFTER_REFUSALS, policy.mode)
        async with stage.run() as run:
            await run.call("look", {"n": 13})
            await run.call("look", {"n": 1})
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), NOT_AFTER_REFUSALS)
    assert len(far.ran) == 2
    assert (tally.matrix, tally.diverged) == ({("deny", "deny"): 1}, 1)


async def owner(arguments: dict[str, Any], context: CallContext) -> object:
    return {"owner": "ana"}


def with_entity(far: Far) -> tuple[Tool, ...]:
    schema = {"type": "object", "properties": {"owner": {"type": "string"}}, "required": ["owner"]}
    return (
        far.tool("who", does=owner, output_schema=schema),
        far.tool("touch", "reversible", resource="n", entities={"n": Entity(type="Thing", lookup="who")}),
    )


OWNED = ALL + (
    '@id("owned") forbid (principal, action == Action::"touch", resource) '
    "unless { resource has owner && resource.owner == principal.id };"
)
NOBODY = 'permit (principal, action == Action::"who", resource);'


async def test_a_look_up_that_did_not_happen_cannot_be_decided_and_one_that_would_not_is_diverged() -> None:
    far = Far()
    async with staged(*with_entity(far)) as stage:
        tools = tools_of(stage)
        stage.obey(NOBODY)
        async with stage.run() as run:
            assert (await run.call("touch", {"n": 1})).code == "authorize.not_available"
        never, _ = await asked_again(stage.plane.store, tools, OWNED)
        same, _ = await asked_again(stage.plane.store, tools, NOBODY)
    assert (never.undecided, never.missing) == ({"lookup": 1}, {"resource": 1})
    assert same.matrix == {("deny", "deny"): 1}
    async with staged(*with_entity(Far())) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            assert (await run.call("touch", {"n": 1})).done
        kept, _ = await asked_again(stage.plane.store, tools, OWNED)
        gone, each = await asked_again(stage.plane.store, tools, NOBODY)
    assert kept.matrix == {("allow", "allow"): 2}
    assert (gone.matrix, gone.diverged) == ({("allow", "deny"): 1}, 1)
    assert [judged.asked.name for judged in each if judged.why] == ["who"], "nobody would have looked it up"


async def test_a_look_up_that_would_be_denied_takes_its_call_with_it() -> None:
    async with staged(*with_entity(Far())) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            await run.call("touch", {"n": 1})
        text = ALL + 'forbid (principal, action == Action::"who", resource);'
        tally, each = await asked_again(stage.plane.store, tools_of(stage), text)
    assert (tally.matrix, tally.diverged) == ({("allow", "deny"): 1}, 1)
    assert [judged.asked.name for judged in each if judged.why] == ["touch"]


async def test_what_was_erased_is_undecidable_and_never_wrong(tmp_path: Path) -> None:
    far = Far()
    async with staged(far.tool("look"), ledger=tmp_path / "l.db") as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            for n in (13, 14):
                await run.call("look", {"n": n})
        events = await stage.events(run.run_id)
        seq = next(event.seq for event in events if event.fact.body.get("arguments") == {"n": 13})
        await redact(stage.plane.store, run.run_id, [seq], "asked for", OPA)
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), NOT_13)
        blind, _ = await asked_again(stage.plane.store, tools_of(stage), PERMIT)
    assert (tally.undecided, tally.matrix) == ({"erased": 1}, {("allow", "allow"): 1})
    assert blind.undecided == {"erased": 1}, "a rule that reads nothing could not know a forged argument"


async def test_a_fact_that_older_records_have_not_is_undecidable_only_for_rules_that_read_it() -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        tools = tools_of(stage)
        stage.obey(PERMIT)
        async with stage.run() as run:
            await run.call("look", {"n": 1})
            [decided] = [event for event in await stage.events(run.run_id) if event.fact.kind is Kind.CALL_DECIDED]
        body = {**decided.fact.body, "facts": dict(decided.fact.body["facts"])}
        body["facts"]["session"] = {"calls": 0, "age_s": 0}
        older = [
            Fact(Kind.RUN_STARTED, (await stage.events(run.run_id))[0].fact.body),
            decided.fact._replace(body=body),
        ]
        await stage.plane.store.append(Append("run_older", "default", older))
        reading = ALL + "forbid (principal, action, resource) when { context.session.writes > 3 };"
        tally, _ = await asked_again(stage.plane.store, tools, reading)
        other, _ = await asked_again(stage.plane.store, tools, NOT_13)
    assert (tally.undecided, tally.missing) == ({"unrecorded": 1}, {"context.session.writes": 1})
    assert (other.undecidable, other.compared) == (0, 2)


TRACED = ALL + (
    '@id("origin") @approvers("approver") forbid (principal, action, resource) '
    "when { !context.provenance.lacks.isEmpty() };"
)
SAW = ALL + 'forbid (principal, action in Action::"call", resource) when { context.provenance.saw_third };'


async def recorded_as(provenance: dict[str, Any] | None, tool: Tool, text: str) -> Tally:
    """The backtest of one call of a tool of another server whose record says this of where it comes from."""
    async with staged(tool) as stage:
        stage.obey(ALL)
        async with stage.run() as run:
            await run.call("send", {"n": 1})
        events = [event.fact for event in await stage.events(run.run_id)]
        store = MemoryStore(stage.clock)
        for fact in events:
            if fact.kind is Kind.CALL_DECIDED:
                facts = {name: part for name, part in fact.body["facts"].items() if name != "provenance"}
                facts |= {} if provenance is None else {"provenance": provenance}
                fact = fact._replace(body={**fact.body, "facts": facts})
            await store.append(Append(run.run_id, "default", [fact]))
        tally, _ = await asked_again(store, tools_of(stage), text)
        return tally


async def test_where_a_call_came_from_is_read_from_its_record_and_never_guessed() -> None:
    def theirs(effect: str) -> Tool:
        return replace(Far().tool("send", effect), server="mail")

    lacks = {"lacks": [{"code": "target", "pointer": "/n"}], "saw_third": True}
    assert (await recorded_as(lacks | {"judged": True}, theirs("reversible"), TRACED)).verdicts(1) == {
        "require_approval": 1
    }
    assert (await recorded_as(lacks, theirs("read"), TRACED)).verdicts(1) == {"allow": 1}, "what lacks does not count"
    assert (await recorded_as(None, theirs("reversible"), TRACED)).undecided == {"provenance": 1}
    assert (await recorded_as(None, theirs("read"), TRACED)).verdicts(1) == {"allow": 1}, "a plain read lacks nothing"
    assert (await recorded_as(lacks, theirs("read"), SAW)).verdicts(1) == {"deny": 1}
    blind = await recorded_as(None, theirs("read"), SAW)
    assert (blind.undecided, blind.missing) == ({"provenance": 1}, {"context.provenance.saw_third": 1})


async def test_a_tool_that_vanished_is_decided_by_what_its_record_says_and_not_by_its_arguments() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("gone", "reversible")) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            await run.call("gone", {"n": 13})
        left = (tools_of(stage)[0],)
        by_tier = ALL + '@id("no-writes") forbid (principal, action in Action::"effect/reversible", resource);'
        tally, _ = await asked_again(stage.plane.store, left, by_tier)
        reading = ALL + (
            'forbid (principal, action in Action::"call", resource) '
            "when { context.arguments has n && context.arguments.n == 13 };"
        )
        blind, _ = await asked_again(stage.plane.store, left, reading)
    assert tally.matrix == {("allow", "deny"): 1}
    assert (blind.undecided, blind.matrix) == ({"definition": 1}, {})


async def test_each_of_two_versions_is_decided_by_its_own_definition() -> None:
    far = Far()
    older = far.tool("pay", "reversible")
    schema = {
        "type": "object",
        "properties": {"n": {"type": "string"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    newer = far.tool("pay", "reversible", input_schema=schema)
    async with staged(older) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            await run.call("pay", {"n": 13})
        store = stage.plane.store
        text = ALL + 'forbid (principal, action == Action::"pay", resource) when { context.arguments.n == "x" };'
        unknown, _ = await asked_again(store, (newer,), text)
        seen = Fact(Kind.TOOL_SEEN, {"server": "local", "name": "pay", "definition": older.definition()},
                    tool_hash=older.digest)  # fmt: skip
        await store.append(Append("definitions", "default", [seen]))
        unfit, _ = await asked_again(store, (newer,), text)
        fits, _ = await asked_again(store, (newer,), PERMIT)
    assert unknown.undecided == {"definition": 1}
    assert unfit.undecided == {"unfit": 1}, "the rule takes n for a text, which it was not"
    assert fits.matrix == {("allow", "allow"): 1}


async def test_nothing_of_another_tenant_is_seen() -> None:
    """T35: the counts, the examples and the chains are of one tenant."""
    far = Far()
    other = Principal("eve", tenant="acme", roles=frozenset({"support"}))
    async with staged(far.tool("look")) as stage:
        for who, n in ((ANA, 1), (other, 13), (ANA, 2)):
            async with stage.run(who) as run:
                await run.call("look", {"n": n})
        tools = tools_of(stage)
        ours, each = await asked_again(stage.plane.store, tools, NOT_13)
        theirs, _ = await asked_again(stage.plane.store, tools, NOT_13, tenant="acme")
    assert (ours.calls, ours.changed) == (2, 0)
    assert all(judged.asked.arguments != {"n": 13} for judged in each)
    assert (theirs.calls, theirs.changed) == (1, 1)


def tamper(file: Path, said: bytes, instead: bytes) -> None:
    """Write over payloads, as whoever has the file can."""
    database = apsw.Connection(str(file))
    for (trigger,) in list(database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        database.execute(f"DROP TRIGGER {trigger}")
    for pos, body in list(database.execute("SELECT pos, body FROM payload")):
        database.execute("UPDATE payload SET body = ? WHERE pos = ?", (body.replace(said, instead), pos))
    database.close()


async def test_a_broken_chain_is_said_and_nothing_behind_the_break_is_counted_as_known(tmp_path: Path) -> None:
    far, file = Far(), tmp_path / "l.db"
    async with staged(far.tool("look"), ledger=file) as stage:
        stage.obey(PERMIT)
        async with stage.run() as first:
            await first.call("look", {"n": 12})
        async with stage.run() as second:
            await second.call("look", {"n": 77})
            await second.call("look", {"n": 14})
        tools, clock = tools_of(stage), stage.clock
    await anyio.to_thread.run_sync(tamper, file, b'{"n":77}', b'{"n":13}')
    store = await anyio.to_thread.run_sync(SqliteStore, file, clock)
    known = Known(tools)
    found = await backtest(store, Window(tenant="default"), Candidates(new=Again(rules(NOT_13, tools), known)))
    await store.close()
    assert list(found.walked.broken) == [second.run_id]
    assert (found.tally.undecided, found.tally.matrix) == ({"broken": 2}, {("allow", "allow"): 1})


async def test_only_what_was_decided_within_the_time_counts_with_what_was_said_before() -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            await run.call("look", {"n": 13})
            stage.clock.advance(60)
            since = stage.clock.wall_us()
            await run.call("look", {"n": 13})
            stage.clock.advance(60)
            until = stage.clock.wall_us()
            await run.call("look", {"n": 13})
        tools = tools_of(stage)
        text = ALL + "forbid (principal, action, resource) when { context.session.calls == 1 };"
        tally, [judged] = await asked_again(stage.plane.store, tools, text, since_us=since, until_us=until)
        later, _ = await asked_again(stage.plane.store, tools, text, since_us=until)
    assert tally.matrix == {("allow", "deny"): 1}
    assert judged.asked.facts is not None and judged.asked.facts["principal"]["id"] == "ana"
    assert later.matrix == {("allow", "allow"): 1}


async def test_the_counts_do_not_depend_on_how_many_runs_are_followed_at_once() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage:
        stage.obey(PERMIT)
        async with stage.run() as first, stage.run() as second, stage.run() as third:
            for n in (1, 13, 2, 3, 13):
                for run in (first, second, third):
                    await run.calls([Proposal(tool="look", arguments={"n": n})])
        tools = tools_of(stage)
        whole, _ = await asked_again(stage.plane.store, tools, NOT_AFTER_REFUSALS)
        few, _ = await asked_again(stage.plane.store, tools, NOT_AFTER_REFUSALS, followed_max=1)
    assert whole.as_json() == few.as_json()
    assert whole.diverged == 9


async def test_two_policies_are_compared_on_the_same_facts() -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        stage.obey(PERMIT)
        async with stage.run() as run:
            for n in (13, 14):
                await run.call("look", {"n": n})
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), HELD_13, old=NOT_13)
    assert tally.matrix == {("deny", "require_approval"): 1, ("allow", "allow"): 1}


async def test_what_is_looked_up_for_whom_nothing_could_be_let_is_not_looked_up_however_the_run_went() -> None:
    """Rights are asked before look-ups, and hang on no counter: neither does what becomes of the look-ups."""
    async with staged(*with_entity(Far())) as stage:
        stage.obey(ALL)
        async with stage.run() as run:
            for n in (1, 2):
                assert (await run.call("touch", {"n": n})).done
        text = ALL + (
            '@id("no-users") forbid (principal, action == Action::"touch", resource) when { principal.kind == "user" };'
            '\n@id("few") forbid (principal, action == Action::"touch", resource) when { context.session.calls > 9 };'
        )
        tally, each = await asked_again(stage.plane.store, tools_of(stage), text)
    assert tally.matrix == {("allow", "deny"): 2}
    assert [(judged.asked.name, judged.why) for judged in each if judged.why] == [("who", "diverged")] * 2


async def test_a_call_with_a_reference_to_a_secret_is_decided_again_on_the_reference_as_a_text() -> None:
    far = Far()
    schema = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]}

    async def paid(arguments: dict[str, Any], context: CallContext) -> object:
        return "paid"

    pay = far.tool("pay", "reversible", paid, input_schema=schema, secrets={"key": "env://PAY_*"})
    of_old = (
        'forbid (principal, action == Action::"pay", resource) when { context.arguments.key like "env://PAY_OLD*" };'
    )
    no_old = f'{ALL}@id("old-key") {of_old}'
    async with staged(pay) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keep(stage, PAY_OLD="sk_live_4f9aZ+/q")
        for name in ("PAY_OLD", "PAY_KEY"):
            assert (await run.call("pay", {"key": {"$secret": f"env://{name}"}})).done
        tally, _ = await asked_again(stage.plane.store, tools_of(stage), no_old)
        stage.obey(no_old)
        now = [(await run.call("pay", {"key": {"$secret": f"env://{name}"}})).code for name in ("PAY_OLD", "PAY_KEY")]
    assert now == ["authorize.denied", ""]
    assert (tally.compared, tally.matrix) == (2, {("allow", "allow"): 1, ("allow", "deny"): 1})
    assert tally.rules == {"rule:old-key": 1}
