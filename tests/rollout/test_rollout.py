"""A version rolled out on a plane: offered and run alike, counted, taken back by itself, and by nobody else. A5, A8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import World
from interlock.core.call import OutcomeKind
from interlock.core.event import Event, Kind
from interlock.core.ids import RandomIds
from interlock.core.principal import Principal
from interlock.core.tool import CallContext
from interlock.errors import BadInput, NotEntitled, NotFound, PolicyError, Rejected, StoreUnavailable
from interlock.ledger.store import tenant_chain
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.registry.pin import pins_of
from interlock.registry.registry import Registry
from interlock.registry.trial import CALLS_MIN, OTHERS_MIN, Figures
from interlock.testing import FrozenClock
from tests.planes import ANA, BOB, OPA, PERMIT, Far, Stage, WatchedStore, staged
from tests.rollout.two import SECOND, breaks, call, people, version_of, versions

pytestmark = pytest.mark.anyio

HOLD = PERMIT + '\n@approvers("approver")\nforbid (principal, action == Action::"pay", resource);'


async def words(stage: Stage, kind: Kind = Kind.ROLLOUT_ROLLED_BACK) -> list[Event]:
    events = await stage.plane.store.read(tenant_chain("default"))
    return [event for event in events if event.fact.kind is kind]


async def to(stage: Stage, percent: int, version: str = "2", **options: Any) -> Any:
    return await stage.plane.roll_out("pay", version, percent, OPA, reason="the new bank", **options)


async def test_nobody_has_a_new_version_before_it_is_rolled_out() -> None:
    async with staged(*versions(Far())) as stage:
        assert {await version_of(stage, who) for who in people(30)} == {"1"}


async def test_who_has_it_keeps_it_from_5_to_100_and_is_offered_what_runs() -> None:
    """A5, A8: sticky by principal; raising the share moves nobody back."""
    everybody = people(60)
    async with staged(*versions(Far())) as stage:
        before: set[str] = set()
        for percent in (5, 25, 50, 100):
            await to(stage, percent)
            now = set()
            for who in everybody:
                ran = await version_of(stage, who)
                [offered] = await stage.plane.tools_for(who)
                assert offered.version == ran
                now |= {who.id} if ran == "2" else set()
            assert before <= now
            before = now
        assert len(before) == len(everybody)


async def test_the_record_says_which_version_ran_and_what_chose_it() -> None:
    async with staged(*versions(Far())) as stage:
        state = await to(stage, 100)
        async with stage.run() as run:
            await run.call("pay", {"n": 1})
            [decided] = [event.fact for event in await stage.events(run.run_id) if event.fact.kind is Kind.CALL_DECIDED]
        assert decided.body["tool"]["version"] == "2"
        assert decided.body["selected"] == {"by": "rollout", "percent": 100, "rollout": state.said.rollout_id}
        assert decided.tool_hash == state.tool.digest
        [said] = await words(stage, Kind.ROLLOUT_SET)
        assert said.fact.principal_id == "opa" and said.fact.body["reason"] == "the new bank"
        assert (said.fact.body["was"], said.fact.body["percent"]) == (0, 100)


async def test_a_call_of_a_tool_without_versions_says_nothing_of_them() -> None:
    async with staged(Far().tool("look")) as stage, stage.run() as run:
        await run.call("look", {"n": 1})
        [decided] = [event.fact for event in await stage.events(run.run_id) if event.fact.kind is Kind.CALL_DECIDED]
        assert "selected" not in decided.body and await stage.plane.store.guards("default/rollout/") == {}


async def test_each_version_is_checked_against_its_own_schema() -> None:
    far = Far()
    first, second = far.tool("pay", version="1"), far.tool("pay", version="2", input_schema=SECOND)
    async with staged(first, second) as stage:
        assert (await call(stage, ANA, {"n": 1, "currency": "EUR"})).code == "validate.schema"
        await to(stage, 100)
        assert (await call(stage, ANA, {"n": 1, "currency": "EUR"})).done
        assert (await call(stage, ANA, {"n": 1})).code == "validate.schema"


async def test_a_tool_that_is_off_for_a_principal_gives_a_clear_reason_and_is_not_offered() -> None:
    """The feature flag: one version, for some."""
    async with staged(Far().tool("pay", version="1"), Far().tool("look")) as stage:
        await to(stage, 25, "1")
        have = [who for who in people(40) if len(await stage.plane.tools_for(who)) == 2]
        assert 0 < len(have) < 40
        for who in people(40):
            outcome = await call(stage, who)
            assert outcome.done if who in have else outcome.code == "validate.off"
        await to(stage, 0, "1")
        assert (await call(stage, have[0])).code == "validate.off"


async def test_a_version_whose_older_one_is_gone_stays_for_its_share_and_says_so() -> None:
    """A8: removed too early. The others have no version, are told so, and an operator sees why."""
    far = Far()
    old, new = versions(far)
    async with staged(old, new) as stage:
        await to(stage, 25)
        assert not any(state.left_over for state in await stage.plane.rollouts())
        stage.plane.plane.registry = Registry([new])
        without, *_ = [who for who in people(40) if not await stage.plane.tools_for(who)]
        async with stage.run(without) as run:
            assert (await run.call("pay", {"n": 1})).code == "validate.off"
            [decided] = [event.fact for event in await stage.events(run.run_id) if event.fact.kind is Kind.CALL_DECIDED]
        assert "is no longer here" in decided.body["stop"]["audit"]["versions"]
        [state] = await stage.plane.rollouts()
        assert (state.left_over, state.share) == (True, 25)
        await to(stage, 100)
        assert not (await stage.plane.rollouts())[0].left_over
        await to(stage, 25)
        assert not (await stage.plane.rollouts())[0].left_over, "its benign twin: a tool for some alone, said so"


# ---------------------------------------------------------------------- taken back


async def fail_until_back(stage: Stage) -> int:
    for number in range(1, 60):
        await call(stage, ANA, {"n": number})
        if await words(stage):
            return number
    raise AssertionError("it was never taken back")


async def test_a_version_that_fails_is_taken_back_by_itself_and_nobody_gets_it_until_a_person_says_so() -> None:
    """A8; with the figures in the record, and in the inbox of a person."""
    async with staged(*versions(Far(), does=breaks)) as stage:
        state = await to(stage, 100)
        assert await fail_until_back(stage) == CALLS_MIN
        [back] = await words(stage)
        assert back.fact.principal_id == "interlock" and back.fact.call_id == state.said.rollout_id
        assert (back.fact.body["calls"], back.fact.body["failed"], back.fact.body["percent"]) == (20, 20, 100)
        assert {await version_of(stage, who) for who in people(20)} == {"1"}
        [item] = await stage.plane.inbox()
        assert (item.kind, item.tool, item.ids) == ("rolled_back", "pay 2", (state.said.rollout_id,))
        await to(stage, 100)
        assert (await call(stage, ANA)).code.startswith("execute.")
        assert await stage.plane.inbox() == []
        [_, now] = await stage.plane.rollouts()
        assert now.figures == Figures(1, 1), "figures begin anew with each word"


async def fails(arguments: dict[str, Any], context: CallContext) -> object:
    raise Rejected("not so")


async def fails_for_ana(arguments: dict[str, Any], context: CallContext) -> object:
    if context.principal_id == "ana":
        return await fails(arguments, context)
    return {"n": arguments["n"], "by": "2"}


async def test_one_principal_whose_calls_fail_takes_a_version_back_for_nobody_who_it_works_for() -> None:
    """A8: calls can be made to fail. That others' calls fail too, or that nobody else has it, is another thing."""
    async with staged(*versions(Far(), does=fails_for_ana)) as stage:
        await to(stage, 100)
        for who in people(OTHERS_MIN):
            assert (await call(stage, who)).done
        for number in range(40):
            assert not (await call(stage, ANA, {"n": number})).done
        assert await words(stage) == []
        assert {await version_of(stage, who) for who in people(OTHERS_MIN)} == {"2"}
    async with staged(*versions(Far(), does=fails)) as stage:
        await to(stage, 100)
        for who in (*people(OTHERS_MIN), *[ANA] * (CALLS_MIN - OTHERS_MIN)):
            await call(stage, who)
        [back] = await words(stage)
        assert (back.fact.body["worst_calls"], back.fact.body["worst_failed"]) == (15, 15)


@pytest.mark.parametrize(("percent", "back"), [(100, True), (0, False)])
async def test_an_effect_that_is_unknown_counts_as_failed(percent: int, back: bool) -> None:
    async def hangs(arguments: dict[str, Any], context: CallContext) -> object:
        raise RuntimeError("who knows")

    first, second = versions(Far(), "reversible", hangs)
    async with staged(first, second) as stage:
        await to(stage, percent)
        outcomes = [await call(stage, ANA, {"n": number}) for number in range(25)]
        assert (OutcomeKind.UNKNOWN in {outcome.kind for outcome in outcomes}) is back
        assert bool(await words(stage)) is back


async def test_what_the_model_does_wrong_is_no_failure_of_the_version() -> None:
    """Refusals, holds and rehearsals are not counted at all: nothing ran."""
    async with staged(*versions(Far(), does=breaks)) as stage:
        await to(stage, 100)
        stage.obey("permit (principal, action, resource) when { context.arguments.n > 0 };")
        for wrong in ({"n": "x"}, {"n": 0}, {"m": 1}) * 10:
            assert (await call(stage, ANA, wrong)).kind is OutcomeKind.REFUSED
        async with stage.run() as run:
            await run.call("pay", {"n": 1}, dry_run=True)
        [_, state] = await stage.plane.rollouts()
        assert state.figures == Figures() and not await words(stage)


async def test_a_far_end_that_fails_both_versions_alike_takes_nothing_back() -> None:
    async def no(arguments: dict[str, Any], context: CallContext) -> object:
        raise Rejected("not today")

    far = Far()
    pair = [far.tool("pay", does=no, version=label) for label in "12"]
    async with staged(*pair) as stage:
        await to(stage, 50)
        for who in people(60):
            await call(stage, who)
        [_, state] = await stage.plane.rollouts()
        assert state.figures.calls >= CALLS_MIN and state.figures.old_calls >= CALLS_MIN
        assert state.figures.failed == state.figures.calls and not await words(stage)


async def test_a_breaker_that_one_version_opened_leaves_the_other_alone() -> None:
    """What is rolled back at 20 calls has an open breaker by then, and nobody else pays for it."""
    async with staged(*versions(Far(), does=breaks)) as stage:
        await to(stage, 100)
        await fail_until_back(stage)
        assert await version_of(stage, ANA) == "1"


async def test_a_result_of_another_form_than_declared_counts_and_one_from_the_cache_does_not() -> None:
    async def odd(arguments: dict[str, Any], context: CallContext) -> object:
        return "odd" if arguments["n"] else {"n": 0}

    form = {"type": "object"}
    pair = versions(Far(), does=odd, output_schema=form, cache_s=60.0)
    async with staged(*pair) as stage:
        await to(stage, 100)
        async with stage.run() as run:
            for _ in range(3):
                assert (await run.call("pay", {"n": 0})).done
            assert (await run.call("pay", {"n": 1})).code == "screen.output_schema"
        [_, state] = await stage.plane.rollouts()
        assert state.figures == Figures(2, 1)


async def test_a_rollback_binds_the_next_call_of_another_process(tmp_path: Path) -> None:
    """Two planes on one ledger: figures are counted together, and one takes back for both, once."""
    ledger, clock = tmp_path / "ledger.db", FrozenClock()
    world = World(clock=clock, new_id=RandomIds(clock))
    async with (
        staged(*versions(Far(), does=breaks), ledger=ledger, world=world) as one,
        staged(*versions(Far(), does=breaks), ledger=ledger, world=world) as other,
    ):
        await to(one, 100)
        async with anyio.create_task_group() as tasks:
            for stage in (one, other):
                for number in range(15):
                    tasks.start_soon(call, stage, ANA, {"n": number})
        assert len(await words(one)) == 1
        assert await version_of(one, ANA) == await version_of(other, ANA) == "1"


async def test_where_the_rollback_cannot_be_written_the_call_is_told_and_the_next_failure_takes_back() -> None:
    async with staged(*versions(Far(), does=breaks)) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        await to(stage, 100)
        for number in range(CALLS_MIN - 1):
            await call(stage, ANA, {"n": number})
        async with stage.run() as run:
            store.fail_at = {len(store.appends) + 2}  # the call's own append comes first
            assert (await run.call("pay", {"n": 90})).kind is OutcomeKind.FAILED
            assert not await words(stage)
            await run.call("pay", {"n": 91})
        assert len(await words(stage)) == 1


async def test_where_what_is_rolled_out_cannot_be_read_nothing_runs() -> None:
    """As with the stop switch: who cannot read what holds runs nothing at all."""
    far = Far()
    async with staged(*versions(far)) as stage, stage.run() as run:

        async def unreadable(tenant: str) -> object:
            raise StoreUnavailable("the disk is gone", code="ledger.read")

        stage.plane.plane.switch.standing = unreadable  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            await run.call("pay", {"n": 1})
        assert far.ran == []


# ---------------------------------------------------------------- held and lost calls


async def held(stage: Stage, run: Any) -> Any:
    stage.obey(HOLD)
    outcome = await run.call("pay", {"n": 1}, name="mine")
    assert outcome.kind is OutcomeKind.HELD
    return outcome


@pytest.mark.parametrize("now", [1, 100])
async def test_a_call_that_was_approved_as_a_version_runs_as_it_while_anybody_has_that(now: int) -> None:
    far = Far()
    async with staged(*versions(far, "reversible")) as stage, stage.run() as run:
        await to(stage, 100)
        waits = await held(stage, run)
        await to(stage, now)
        await stage.answer(run.run_id, waits)
        assert (await run.call("pay", {"n": 1}, name="mine")).value == {"n": 1, "by": "2"}


async def test_an_approval_of_a_version_that_was_taken_back_is_void_and_says_what_changed() -> None:
    """Approvals bind the definition: what was shown does not run, and what would run was not shown."""
    far = Far()
    async with staged(*versions(far, "reversible")) as stage, stage.run() as run:
        await to(stage, 100)
        waits = await held(stage, run)
        await stage.answer(run.run_id, waits)
        await to(stage, 0)
        again = await run.call("pay", {"n": 1}, name="mine")
        assert again.kind is OutcomeKind.HELD and far.ran == []
        [void] = [
            event.fact for event in await stage.events(run.run_id) if event.fact.kind is Kind.APPROVAL_SUPERSEDED
        ]  # fmt: skip
        assert [each["what"] for each in void.body["difference"]] == ["definition"]
        await stage.answer(run.run_id, again)
        assert (await run.call("pay", {"n": 1}, name="mine")).value == {"n": 1}


async def test_an_edit_is_checked_against_the_version_that_was_shown() -> None:
    far = Far()
    first = far.tool("pay", "reversible", version="1")
    second = far.tool("pay", "reversible", version="2", input_schema=SECOND)
    async with staged(first, second) as stage, stage.run() as run:
        await to(stage, 100)
        stage.obey(HOLD)
        waits = await run.call("pay", {"n": 1, "currency": "EUR"}, name="mine")
        with pytest.raises(BadInput):
            await stage.answer(run.run_id, waits, decision="edit", arguments={"n": 2})
        await stage.answer(run.run_id, waits, decision="edit", arguments={"n": 2, "currency": "USD"})
        await stage.plane.advance(run.run_id)
        state = await stage.state(run.run_id)
        assert [(each.status, each.version) for each in state.calls.values()] == [("closed", "2"), ("held", "2")]


async def test_the_same_effect_is_not_made_again_as_another_version() -> None:
    """Unknown as version 2, it is open as version 1 too: a rollback makes no second effect."""

    async def who_knows(arguments: dict[str, Any], context: CallContext) -> object:
        raise RuntimeError("cut off")

    far = Far()
    async with staged(*versions(far, "irreversible", who_knows)) as stage, stage.run() as run:
        stage.obey(PERMIT)
        await to(stage, 100)
        first = await run.call("pay", {"n": 1})
        assert first.kind is OutcomeKind.UNKNOWN
        await to(stage, 0)
        again = await run.call("pay", {"n": 1})
        assert (again.code, len(far.ran)) == ("limit.duplicate", 1)
        assert (await run.call("pay", {"n": 2})).done, "its benign twin: another effect"


# -------------------------------------------------------------------------- policy


def test_a_rule_must_fit_every_version() -> None:
    far = Far()
    pair = [far.tool("pay", version="1"), far.tool("pay", version="2", input_schema=SECOND)]
    fits = 'permit (principal, action == Action::"pay", resource) when { context.arguments.n < 5 };'
    broken = 'permit (principal, action == Action::"pay", resource) when { context.arguments.currency == "EUR" };'
    Policy([Source("a.cedar", fits)], pair)
    with pytest.raises(PolicyError):
        Policy([Source("a.cedar", broken)], pair)
    with pytest.raises(PolicyError):
        Policy([Source("a.cedar", broken)], pair[::-1])


async def test_a_rule_can_tell_versions_and_is_asked_with_the_types_of_the_one_that_runs() -> None:
    far = Far()
    as_text = {**SECOND, "properties": {"n": {"type": "string"}}, "required": ["n"]}
    pair = [far.tool("pay", version="1"), far.tool("pay", version="2", input_schema=as_text)]
    async with staged(*pair) as stage:
        stage.obey('permit (principal, action, resource) when { context.tool.version == "2" };')
        assert (await call(stage, ANA)).kind is OutcomeKind.REFUSED
        await to(stage, 100)
        assert (await call(stage, ANA, {"n": "one"})).done
        await to(stage, 0)
        assert (await call(stage, ANA)).kind is OutcomeKind.REFUSED, "no decision of the other version is remembered"


# ------------------------------------------------------------------------ who may


@pytest.mark.parametrize("who", [ANA, BOB])
async def test_only_operators_and_admins_roll_out(who: Principal) -> None:
    async with staged(*versions(Far())) as stage:
        with pytest.raises(NotEntitled):
            await stage.plane.roll_out("pay", "2", 5, who, reason="mine")
        assert await words(stage, Kind.ROLLOUT_SET) == []


@pytest.mark.parametrize(
    ("tool", "version", "percent", "reason", "code"),
    [
        ("nothing", "1", 5, "x", "rollout.version"),
        ("pay", "3", 5, "x", "rollout.version"),
        ("pay", "2", 101, "x", "rollout.percent"),
        ("pay", "2", -1, "x", "rollout.percent"),
        ("pay", "2", True, "x", "rollout.percent"),
        ("pay", "2", 5, " ", "rollout.reason"),
        ("pay", "2", 5, "x" * 501, "rollout.reason"),
        ("ask", "1", 5, "x", "rollout.needed"),
    ],
)
async def test_what_is_no_rollout_is_refused(tool: str, version: str, percent: Any, reason: str, code: str) -> None:
    far = Far()
    ask = far.tool("ask")
    mail = far.tool("mail", "reversible", reconcile="ask")
    async with staged(*versions(far), ask, mail) as stage:
        with pytest.raises((NotFound, BadInput)) as refused:
            await stage.plane.roll_out(tool, version, percent, OPA, reason=reason)
        assert refused.value.code == code
        assert await words(stage, Kind.ROLLOUT_SET) == []


async def test_a_version_that_awaits_review_is_nobodys_and_cannot_be_rolled_out() -> None:
    """A5: each version has its own pin."""
    pair = versions(Far())
    async with staged(*pair) as stage:
        await to(stage, 100)
        stage.plane.plane.registry = Registry(pair, pins=pins_of(pair[:1]))
        assert await version_of(stage, ANA) == "1"
        with pytest.raises(BadInput) as refused:
            await to(stage, 100)
        assert refused.value.code == "rollout.unreviewed"
        await to(stage, 0)
        stage.plane.plane.registry = Registry(pair, pins=pins_of(pair))
        await to(stage, 100)
        assert await version_of(stage, ANA) == "2"


async def test_another_tenant_has_rollouts_of_its_own() -> None:
    async with staged(*versions(Far())) as stage:
        await to(stage, 100)
        assert await version_of(stage, Principal("ana", "other", frozenset({"support"}))) == "1"


async def test_what_is_tolerated_stays_as_it_was_said_until_it_is_said_anew() -> None:
    async with staged(*versions(Far())) as stage:
        assert (await to(stage, 5)).said.tolerated == 5.0
        assert (await to(stage, 25, tolerated=1.0)).said.tolerated == 1.0
        assert (await to(stage, 50)).said.tolerated == 1.0
        assert json.dumps((await words(stage, Kind.ROLLOUT_SET))[-1].fact.body["tolerated"]) == "1.0"
