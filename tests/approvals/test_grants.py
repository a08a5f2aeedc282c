"""A grant on the whole path: it answers a hold in a quorum's place, so often, so long, for exactly that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import GrantTerms, OutcomeKind, Principal, Run, World
from interlock.approvals.grant import LIVE_MAX, Grant
from interlock.core.event import Event, Fact, GuardChange, Kind
from interlock.errors import BadInput, Conflict, InterlockError, NotEntitled, NotFound, StoreUnavailable
from interlock.ledger.store import Append, tenant_chain
from tests.planes import ANA, BOB, CAY, NUMBER, OPA, PERMIT, Far, Stage, WatchedStore, proposed, staged

pytestmark = pytest.mark.anyio

HOLDS = '@id("held") @approvers("approver") forbid (principal, action == Action::"pay", resource);'
TWO = HOLDS.replace('@id("held")', '@id("held") @quorum("2")')
BOTH = HOLDS.replace('"approver"', '"approver,admin"')
DAY_S = 86_400
SMALL = {"/n": {"at_most": 5}}


def terms(**options: Any) -> GrantTerms:
    given: dict[str, Any] = {"tool": "pay", "where": SMALL, "uses": 3, "lasts_s": DAY_S, "reason": "small ones"}
    return GrantTerms(**given | options)


@asynccontextmanager
async def scene(ledger: Path | None = None, **options: Any) -> AsyncIterator[tuple[Far, Stage]]:
    far = Far()
    async with staged(far.tool("pay", "irreversible", **options), ledger=ledger) as stage:
        yield far, stage


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return None if request.param == "memory" else tmp_path / "ledger.db"


# ------------------------------------------------------------------------ what it does


async def test_a_grant_answers_a_hold_in_a_quorums_place(ledger: Path | None) -> None:
    """B10: the call runs at once, nobody is asked, and the record says whose word released it."""
    async with scene(ledger) as (far, stage), stage.run() as run:
        grant = await stage.plane.issue_grant(terms(), BOB)
        outcome = await run.call("pay", {"n": 5})
        assert outcome.done
        assert len(far.ran) == 1
        assert await stage.said(run.run_id, outcome.call_id) == ["call.decided", "call.intent", "call.result/done"]
        decided, intent, _ = [event.fact.body for event in await stage.events(run.run_id, outcome.call_id)]
        assert decided["grant"] == {"grant_id": grant.grant_id, "by": ["bob"]}
        assert decided["decision"]["verdict"] == "require_approval"
        assert intent["grant_id"] == grant.grant_id
        [row] = await stage.plane.store.rows("tool_call", {"call_id": outcome.call_id})
        assert row["grant_id"] == grant.grant_id
        assert await stage.plane.plane.approvals.grants.used("default") == {grant.grant_id: 1}


async def test_a_grant_says_in_the_ledger_who_gave_it_for_what_and_why(ledger: Path | None) -> None:
    async with scene(ledger) as (_, stage):
        grant = await stage.plane.issue_grant(terms(subject="ana"), BOB)
        await stage.plane.endorse_grant(grant.grant_id, CAY)
        await stage.plane.revoke_grant(grant.grant_id, CAY, reason="no more")
        facts = [event.fact for event in await stage.plane.store.read(tenant_chain("default"))]
        tool = stage.plane.tools[0]
        assert [(str(fact.kind), fact.principal_id) for fact in facts] == [
            ("grant.issued", "bob"), ("grant.endorsed", "cay"), ("grant.revoked", "cay"),
        ]  # fmt: skip
        assert facts[0].body == {
            "grant_id": grant.grant_id, "tool": {"server": "local", "name": "pay", "hash": tool.digest},
            "where": SMALL, "subject": "ana", "uses": 3, "reason": "small ones", "groups": ["approver"],
            "expires_us": stage.clock.wall_us() + DAY_S * 1_000_000,
        }  # fmt: skip
        [row] = await stage.plane.store.rows("grant")
        assert (row["status"], row["issued_by"], row["endorsed_by"], row["revoked_by"]) == (
            "revoked", "bob", '["cay"]', "cay",
        )  # fmt: skip
        assert "at_most" not in repr(row), "what it is about stands in the event alone"


async def test_a_use_is_a_use_whatever_came_of_the_call(ledger: Path | None) -> None:
    async def breaks(arguments: dict[str, Any], context: Any) -> object:
        raise ValueError("no")

    async with scene(ledger, does=breaks) as (far, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(uses=2), BOB)
        for n in (1, 2):
            assert (await run.call("pay", {"n": n})).kind is not OutcomeKind.HELD
        assert (await run.call("pay", {"n": 3})).kind is OutcomeKind.HELD
        assert len(far.ran) == 2


async def test_a_request_that_waits_is_answered_by_people_alone() -> None:
    """A grant that is issued later is for later calls: what somebody was asked about stays theirs to answer."""
    async with scene() as (far, stage), stage.run() as run:
        held = await run.call("pay", {"n": 1}, name="mine")
        grant = await stage.plane.issue_grant(terms(), BOB)
        await stage.plane.advance(run.run_id)
        assert (await run.call("pay", {"n": 1}, name="mine")).kind is OutcomeKind.HELD
        assert far.ran == []
        assert (await run.call("pay", {"n": 2})).done
        await stage.answer(run.run_id, held)
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 2
        assert await stage.plane.plane.approvals.grants.used("default") == {grant.grant_id: 1}


async def test_a_rehearsal_says_what_a_grant_would_answer_and_uses_nothing() -> None:
    async with scene() as (far, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(uses=1), BOB)
        assert (await run.call("pay", {"n": 1}, dry_run=True)).code == "rehearsal.would_run"
        assert (await run.call("pay", {"n": 6}, dry_run=True)).code == "rehearsal.would_hold"
        assert (await run.call("pay", {"n": 1})).done
        assert len(far.ran) == 1


async def test_a_held_read_that_a_grant_releases_counts_as_a_use_and_is_never_told_from_a_cache() -> None:
    far = Far()
    async with staged(far.tool("pay", "read", cache_s=60.0)) as stage, stage.run() as run:
        stage.obey(PERMIT + HOLDS)
        grant = await stage.plane.issue_grant(terms(uses=2), BOB)
        for _ in range(2):
            assert (await run.call("pay", {"n": 1})).done
        assert len(far.ran) == 2
        assert await stage.plane.plane.approvals.grants.used("default") == {grant.grant_id: 2}
        assert (await run.call("pay", {"n": 1})).kind is OutcomeKind.HELD


async def test_of_several_grants_the_one_that_ends_first_is_used_first() -> None:
    async with scene() as (_, stage), stage.run() as run:
        late = await stage.plane.issue_grant(terms(uses=1, lasts_s=2 * DAY_S), BOB)
        soon = await stage.plane.issue_grant(terms(uses=1), BOB)
        used = []
        for n in (1, 2):
            outcome = await run.call("pay", {"n": n})
            [row] = await stage.plane.store.rows("tool_call", {"call_id": outcome.call_id})
            used.append(row["grant_id"])
        assert used == [soon.grant_id, late.grant_id]
        assert (await run.call("pay", {"n": 3})).kind is OutcomeKind.HELD


# ------------------------------------------------------------- what it takes: one by one


async def held(stage: Stage, far: Far, principal: Principal = ANA, n: int = 1) -> bool:
    """Whether a call of this principal waits for a person, and did not run."""
    ran = len(far.ran)
    async with stage.run(principal) as run:
        outcome = await run.call("pay", {"n": n})
    assert outcome.kind is OutcomeKind.HELD or len(far.ran) == ran + 1
    return outcome.kind is OutcomeKind.HELD


def beside(stage: Stage) -> World:
    """The world of another plane on the same store: the same clock, and no id twice."""
    return World(clock=stage.clock, new_id=stage.plane.plane.new_id)


async def test_it_is_for_the_arguments_that_it_names_and_no_others() -> None:
    async with scene() as (far, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(), BOB)
        assert await held(stage, far, n=6)
        assert (await run.call("pay", {"n": 1, "note": "x"})).kind is OutcomeKind.HELD
        assert not await held(stage, far, n=5)


async def test_it_is_for_whom_it_names() -> None:
    async with scene() as (far, stage):
        await stage.plane.issue_grant(terms(subject="ana"), BOB)
        assert await held(stage, far, replace(ANA, id="ann"))
        assert not await held(stage, far)


async def test_it_is_for_its_tenant(ledger: Path | None) -> None:
    """T35."""
    async with scene(ledger) as (far, stage):
        grant = await stage.plane.issue_grant(terms(), BOB)
        assert await held(stage, far, replace(ANA, tenant="other"))
        with pytest.raises(NotFound):
            await stage.plane.revoke_grant(grant.grant_id, replace(BOB, tenant="other"), reason="x")
        assert not await held(stage, far)


async def test_it_is_void_once_the_tool_is_published_anew() -> None:
    """Spec approvals, Tests: tool re-published. The definition hash is part of what was granted."""
    async with scene() as (far, stage):
        await stage.plane.issue_grant(terms(), BOB)
        changed = far.tool("pay", "irreversible", description="Does pay, and more.")
        await stage.plane.issue_grant(terms(uses=1), BOB)
        async with staged(changed, world=beside(stage)) as other:
            other.store_in(stage.plane.store)
            assert await held(other, far)
            await other.plane.issue_grant(terms(), BOB)
            assert not await held(other, far)


@pytest.mark.parametrize("other", [{"server": "elsewhere"}, {"name": "pay2"}], ids=["server", "name"])
async def test_the_same_name_on_another_server_is_another_tool(other: dict[str, str]) -> None:
    async with scene() as (_, stage):
        await stage.plane.issue_grant(terms(), BOB)
        tool = replace(stage.plane.tools[0], **other)  # type: ignore[arg-type]
        async with staged(tool, world=beside(stage)) as there:
            there.store_in(stage.plane.store)
            there.obey(PERMIT + HOLDS.replace('action == Action::"pay"', "action"))
            async with there.run() as run:
                assert (await run.call(tool.name, {"n": 1})).kind is OutcomeKind.HELD


@pytest.mark.parametrize("passes", ["both", "monotonic"])
async def test_it_ends_by_either_clock(passes: str) -> None:
    """T38: a wall that is set back prolongs nothing."""
    async with scene() as (far, stage):
        await stage.plane.issue_grant(terms(), BOB)
        stage.clock.advance(DAY_S - 1)
        assert not await held(stage, far)
        stage.clock.advance(1)
        if passes == "monotonic":
            stage.clock.jump_wall(-DAY_S)
        assert await held(stage, far)


async def test_a_wall_that_jumps_ahead_ends_it() -> None:
    async with scene() as (far, stage):
        await stage.plane.issue_grant(terms(), BOB)
        stage.clock.jump_wall(DAY_S)
        assert await held(stage, far)


async def test_it_is_over_once_it_is_revoked(ledger: Path | None) -> None:
    async with scene(ledger) as (far, stage):
        grant = await stage.plane.issue_grant(terms(), BOB)
        assert not await held(stage, far)
        await stage.plane.revoke_grant(grant.grant_id, CAY, reason="a mistake")
        assert await held(stage, far)
        assert await stage.plane.plane.approvals.grants.used("default") == {grant.grant_id: 1}
        with pytest.raises(Conflict):
            await stage.plane.revoke_grant(grant.grant_id, CAY, reason="again")


async def test_it_has_so_many_uses_and_the_next_call_is_held_as_if_there_were_none(ledger: Path | None) -> None:
    async with scene(ledger) as (far, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(uses=2), BOB)
        outcomes = [await run.call("pay", {"n": n}) for n in (1, 2, 3)]
        assert [outcome.kind.value for outcome in outcomes] == ["done", "done", "held"]
        assert await stage.said(run.run_id, outcomes[2].call_id) == ["call.decided/held", "approval.requested"]
        await stage.answer(run.run_id, outcomes[2])
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 3


async def test_it_is_never_for_a_privileged_call() -> None:
    """Not even where its definition could not have been privileged when it was issued: the gate asks again."""
    far = Far()
    async with staged(far.tool("pay", "privileged")) as stage:
        stage.obey(PERMIT + HOLDS)
        with pytest.raises(BadInput) as caught:
            await stage.plane.issue_grant(terms(), BOB)
        assert caught.value.code == "grant.privileged"
        tool = stage.plane.tools[0]
        body = {
            "grant_id": "grant_9", "tool": {"server": tool.server, "name": tool.name, "hash": tool.digest},
            "where": SMALL, "uses": 3, "expires_us": stage.clock.wall_us() + 10**9, "reason": "x",
            "groups": ["approver"],
        }  # fmt: skip
        await forged(stage, Fact(Kind.GRANT_ISSUED, body, principal_id="bob"))
        assert (await stage.plane.grants())[0].grant_id == "grant_9"
        assert await held(stage, far)


async def forged(stage: Stage, fact: Fact) -> None:
    """An event that no door of ours would write."""
    grants = stage.plane.plane.approvals.grants
    events = await stage.plane.store.append(Append(tenant_chain("default"), "default", [fact]))
    grants._tenant("default").absorb(events)


# ------------------------------------------------------------------------ whose word it is


async def test_whose_run_it_is_cannot_release_their_own_calls_by_a_grant() -> None:
    """T24: the subject's voice does not count, though they are an approver."""
    async with scene() as (far, stage):
        await stage.plane.issue_grant(terms(), BOB)
        boss = replace(BOB, roles=frozenset({"approver", "support"}))
        assert await held(stage, far, boss)
        assert not await held(stage, far)


async def test_a_quorum_of_two_takes_two_people(ledger: Path | None) -> None:
    async with scene(ledger) as (far, stage):
        stage.obey(PERMIT + TWO)
        grant = await stage.plane.issue_grant(terms(), BOB)
        assert await held(stage, far)
        with pytest.raises(NotEntitled):
            await stage.plane.endorse_grant(grant.grant_id, BOB)
        assert await held(stage, far)
        await stage.plane.endorse_grant(grant.grant_id, CAY)
        assert not await held(stage, far)
        assert await held(stage, far, replace(CAY, roles=frozenset({"support"}))), "one of the two is its subject"


async def test_every_group_that_a_rule_names_has_a_voice() -> None:
    async with scene() as (far, stage):
        stage.obey(PERMIT + BOTH)
        grant = await stage.plane.issue_grant(terms(), BOB)
        assert await held(stage, far)
        await stage.plane.endorse_grant(grant.grant_id, Principal("dan", roles=frozenset({"admin"})))
        assert not await held(stage, far)


async def test_a_policy_that_asks_for_more_today_is_not_answered_by_yesterdays_grant() -> None:
    """Spec approvals, Tests: policy tightened."""
    async with scene() as (far, stage):
        await stage.plane.issue_grant(terms(), BOB)
        stage.obey(PERMIT + TWO)
        assert await held(stage, far)
        stage.obey(PERMIT + HOLDS.replace('"approver"', '"board"'))
        assert await held(stage, far)
        stage.obey(PERMIT + HOLDS.replace('@approvers("approver")', ""))
        async with stage.run() as run:
            assert (await run.call("pay", {"n": 1})).kind is OutcomeKind.REFUSED
        assert far.ran == []


class Roster:
    """Who has which roles now: what a test says, of those whom it names."""

    def __init__(self, **roles: Any) -> None:
        self.roles = roles

    async def now(self, said: Principal) -> Principal | None:
        """See `People.now`."""
        found = self.roles.get(said.id, said)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    "now",
    [
        None, replace(BOB, roles=frozenset({"support"})), replace(BOB, kind="service"),
        StoreUnavailable("the directory is down", code="directory.down"),
    ],
    ids=["gone", "another group", "a service", "nobody knows"],
)  # fmt: skip
async def test_a_grant_is_worth_what_its_people_are_worth_now(now: Any) -> None:
    """Spec approvals 2: group membership is asked again for every call. What cannot be found out answers nothing."""
    async with scene() as (far, stage):
        grant = await stage.plane.issue_grant(terms(), BOB)
        people = stage.plane.plane.approvals.entitlement.people
        assert not await held(stage, far)
        stage.plane.plane.approvals.entitlement.people = Roster(bob=now)
        assert await held(stage, far)
        with pytest.raises((NotEntitled, StoreUnavailable)):
            await stage.plane.issue_grant(terms(), BOB)
        await stage.plane.endorse_grant(grant.grant_id, CAY)
        assert await held(stage, far) == isinstance(now, Exception), "the other voice is enough, where it is known"
        stage.plane.plane.approvals.entitlement.people = people
        assert not await held(stage, far)


async def test_two_of_whom_one_has_lent_the_other_a_role_are_one_voice() -> None:
    """T24: a sock puppet; a pair is never a quorum of two."""
    async with scene() as (far, stage):
        stage.obey(PERMIT + TWO)
        grant = await stage.plane.issue_grant(terms(), BOB)
        await stage.plane.endorse_grant(grant.grant_id, CAY)
        assert not await held(stage, far)
        await stage.plane.delegate(BOB, CAY.id, ["approver"], hours=1, reason="leave")
        assert await held(stage, far)


async def test_what_was_lent_gives_no_grant() -> None:
    async with scene() as (_, stage):
        await stage.plane.delegate(BOB, "dan", ["approver"], hours=1, reason="leave")
        with pytest.raises(NotEntitled):
            await stage.plane.issue_grant(terms(), Principal("dan", roles=frozenset({"support"})))


async def test_who_edited_a_call_has_no_voice_for_it() -> None:
    """Spec approvals 5: the editor becomes the requester, by a grant as well."""
    async with scene() as (far, stage), stage.run() as run:
        waiting = await run.call("pay", {"n": 9})
        await stage.plane.issue_grant(terms(), BOB)
        await stage.answer(run.run_id, waiting, BOB, "edit", arguments={"n": 1})
        await stage.plane.advance(run.run_id)
        assert far.ran == []
        await stage.plane.issue_grant(terms(), CAY)
        other = await run.call("pay", {"n": 8})
        await stage.answer(run.run_id, other, BOB, "edit", arguments={"n": 2})
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 1


@pytest.mark.parametrize(
    "person",
    [replace(BOB, kind="service"), Principal("dan"), Principal("dan", roles=frozenset({"operator", "support"})), ANA],
    ids=["service", "no role", "no approver group", "the agent's user"],
)
async def test_nobody_gives_or_endorses_a_grant_who_may_not_approve(person: Principal) -> None:
    """T24: nor does their attempt leave anything in the ledger."""
    async with scene() as (_, stage):
        with pytest.raises(NotEntitled):
            await stage.plane.issue_grant(terms(), person)
        assert await stage.plane.store.read(tenant_chain("default")) == []
        grant = await stage.plane.issue_grant(terms(), BOB)
        with pytest.raises(NotEntitled):
            await stage.plane.endorse_grant(grant.grant_id, person)
        assert len(await stage.plane.store.read(tenant_chain("default"))) == 1


@pytest.mark.parametrize(
    ("person", "may"),
    [
        (BOB, True),
        (CAY, True),
        (OPA, True),
        (replace(BOB, roles=frozenset()), True),
        (ANA, False),
        (Principal("dan"), False),
    ],
)
async def test_a_grant_is_taken_back_by_whoever_gave_it_or_could_have_and_by_operators(
    person: Principal, may: bool
) -> None:
    async with scene() as (far, stage):
        grant = await stage.plane.issue_grant(terms(), BOB)
        try:
            await stage.plane.revoke_grant(grant.grant_id, person, reason="x")
        except NotEntitled:
            assert not may
        assert await held(stage, far) == may


async def test_a_voice_that_was_written_twice_is_one_voice() -> None:
    """Two people are two ids: not one who speaks twice, whatever stands in the chain."""
    async with scene() as (far, stage):
        stage.obey(PERMIT + TWO)
        grant = await stage.plane.issue_grant(terms(), BOB)
        body = {"grant_id": grant.grant_id, "groups": ["approver"]}
        await forged(stage, Fact(Kind.GRANT_ENDORSED, body, principal_id="bob"))
        assert await held(stage, far)


async def test_what_the_chain_says_that_cannot_be_read_grants_nothing() -> None:
    async with scene() as (far, stage):
        grant = await stage.plane.issue_grant(terms(where={}), BOB)
        [event] = await stage.plane.store.read(tenant_chain("default"))
        good = event.fact.body | {"where": SMALL}
        for wrong in (
            {}, {"where": {"/n": {"like": "%"}}}, {"where": 7}, {"groups": []}, {"expires_us": 0},
            {"grant_id": grant.grant_id},
        ):  # fmt: skip
            body = {} if not wrong else good | {"grant_id": f"grant_{len(str(wrong))}x"} | wrong
            await forged(stage, Fact(Kind.GRANT_ISSUED, body, principal_id="bob"))
        await forged(stage, Fact(Kind.GRANT_REVOKED, {"grant_id": "grant_none"}, principal_id="bob"))
        assert await held(stage, far)


# ---------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"uses": 0}, "grant.uses"), ({"uses": 1001}, "grant.uses"),
        ({"lasts_s": 0}, "grant.expires"), ({"lasts_s": 30 * DAY_S + 1}, "grant.expires"),
        ({"reason": " "}, "grant.reason"), ({"reason": "x" * 2001}, "grant.reason"),
        ({"where": {"/n": {"like": "%"}}}, "grant.where"), ({"where": {"": {"any": True}}}, "grant.where"),
    ],
)  # fmt: skip
async def test_terms_have_bounds(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        terms(**wrong)
    assert caught.value.code == code


async def test_a_grant_for_a_tool_that_is_not_here_is_refused() -> None:
    async with scene() as (_, stage):
        with pytest.raises(NotFound):
            await stage.plane.issue_grant(terms(tool="nothing"), BOB)


async def test_so_many_grants_may_be_live_at_once_and_what_is_over_makes_room() -> None:
    async with scene() as (_, stage):
        grants = [await stage.plane.issue_grant(terms(), BOB) for _ in range(LIVE_MAX)]
        with pytest.raises(Conflict) as caught:
            await stage.plane.issue_grant(terms(), BOB)
        assert caught.value.code == "grant.too_many"
        await stage.plane.revoke_grant(grants[7].grant_id, BOB, reason="unused")
        await stage.plane.issue_grant(terms(), BOB)
        stage.clock.advance(DAY_S)
        await stage.plane.issue_grant(terms(), BOB)
        with pytest.raises(Conflict):
            await stage.plane.endorse_grant(grants[0].grant_id, CAY)


# ------------------------------------------------------------------------------ races


class Between(WatchedStore):
    """A store on which something happens just before the next intent is written."""

    then: Any = None

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`."""
        if self.then is not None and any(fact.kind is Kind.CALL_INTENT for fact in append.facts):
            act, self.then = self.then, None
            await act()
        return await super().append(append)


@asynccontextmanager
async def about_to_run(**options: Any) -> AsyncIterator[tuple[Far, Stage, Run, Between, Grant]]:
    async with scene() as (far, stage):
        store = Between(stage.clock)
        stage.store_in(store)
        grant = await stage.plane.issue_grant(terms(**options), BOB)
        async with stage.run() as run:
            yield far, stage, run, store, grant


async def test_a_use_that_another_call_took_meanwhile_leaves_the_call_held_and_not_refused() -> None:
    async with about_to_run(uses=1) as (far, stage, run, store, _):
        store.then = lambda: run.call("pay", {"n": 2})
        outcome = await run.call("pay", {"n": 1}, name="mine")
        assert outcome.kind is OutcomeKind.HELD
        assert [arguments["n"] for _, arguments in far.ran] == [2]
        assert await stage.said(run.run_id, outcome.call_id) == ["call.decided/held", "approval.requested"]
        [decided, _] = [event.fact.body for event in await stage.events(run.run_id, outcome.call_id)]
        assert "grant" not in decided, "no grant released it"
        assert (await run.call("pay", {"n": 1}, name="mine")).kind is OutcomeKind.HELD
        await stage.answer(run.run_id, outcome)
        await stage.plane.advance(run.run_id)
        assert [arguments["n"] for _, arguments in far.ran] == [2, 1]


async def test_a_grant_that_is_revoked_between_the_gate_and_the_intent_releases_nothing() -> None:
    async with about_to_run() as (far, stage, run, store, grant):
        store.then = lambda: stage.plane.revoke_grant(grant.grant_id, CAY, reason="stop")
        assert (await run.call("pay", {"n": 1})).kind is OutcomeKind.HELD
        assert far.ran == []


async def test_a_limit_that_refuses_beside_a_grant_is_a_refusal_and_takes_no_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from interlock.limits.limit import limit

    async def tight(*given: Any) -> Any:
        found = await limit(*given)
        return replace(found, guards=(GuardChange("default/budget", 1, at_most=0),))  # type: ignore[type-var]

    async with scene() as (far, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(), BOB)
        monkeypatch.setattr("interlock.pipeline.limit", tight)
        outcome = await run.call("pay", {"n": 1})
        assert (outcome.kind, far.ran) == (OutcomeKind.REFUSED, [])
        assert await stage.plane.plane.approvals.grants.used("default") == {}


async def test_many_calls_at_once_take_exactly_the_uses_that_there_are(ledger: Path | None) -> None:
    async with scene(ledger) as (far, stage):
        await stage.plane.issue_grant(terms(uses=5, where={"/n": {"any": True}}), BOB)
        outcomes = []

        async def one(n: int) -> None:
            async with stage.run() as run:
                outcomes.append(await run.call("pay", {"n": n}))

        async with anyio.create_task_group() as tasks:
            for n in range(20):
                tasks.start_soon(one, n)
        kinds = [outcome.kind.value for outcome in outcomes]
        assert (kinds.count("done"), kinds.count("held"), len(far.ran)) == (5, 15, 5)


# ------------------------------------------------------------------------- lost workers


async def lost(stage: Stage, grant: Grant, **options: Any) -> tuple[str, str]:
    """A run whose worker was lost after the intent of a call that the grant released; run id and call id."""
    run_id = ""
    async with stage.run() as run:
        run_id = run.run_id
        call = proposed(run, "pay")
        known = await stage.plane.plane.ledger.conversation(run_id, "default")
        tool = stage.plane.tools[0]
        from interlock.core.call import call_digest
        from interlock.core.canonical import canonical

        digest = call_digest(tool, canonical(call.arguments))
        decided = {
            "proposed": {}, "tool": dict(tool.written), "effect": str(tool.effect), "digest": digest,
            "arguments": {"n": 1}, "facts": {"tool": {}}, "grant": {"grant_id": grant.grant_id, "by": ["bob"]},
        }  # fmt: skip
        intent = {
            "key": "k", "digest": digest, "effect": str(tool.effect), "deadline_us": 0, "after_loss": tool.after_loss,
            "grant_id": grant.grant_id,
        }  # fmt: skip
        facts = [
            Fact(Kind.CALL_DECIDED, decided, call.call_id, 1, 0, "ana", tool.digest),
            Fact(Kind.CALL_INTENT, intent, call.call_id, 1, 1, "ana", tool.digest),
        ]
        await known.append(facts, (GuardChange(grant.guard, 1, at_most=grant.uses),))
    return run_id, "call_x"


async def test_a_lost_call_is_taken_up_under_the_grant_that_its_intent_names_and_takes_no_second_use() -> None:
    async with scene(keyed=True) as (far, stage):
        grant = await stage.plane.issue_grant(terms(uses=1), BOB)
        run_id, call_id = await lost(stage, grant)
        stage.clock.advance(2 * DAY_S)
        assert await stage.plane.advance(run_id)
        assert len(far.ran) == 1, "its last use was its own, and it was taken in time"
        assert (await stage.said(run_id, call_id))[-1] == "call.result/done"
        assert await stage.plane.plane.approvals.grants.used("default") == {grant.grant_id: 1}


async def test_a_lost_call_whose_grant_was_revoked_is_left_to_a_person() -> None:
    async with scene(keyed=True) as (far, stage):
        grant = await stage.plane.issue_grant(terms(uses=1), BOB)
        other = await stage.plane.issue_grant(terms(uses=1), BOB)
        run_id, call_id = await lost(stage, grant)
        await stage.plane.revoke_grant(grant.grant_id, CAY, reason="stop")
        assert await stage.plane.advance(run_id)
        assert far.ran == []
        assert (await stage.said(run_id, call_id))[-1] == "call.unknown/unknown"
        assert other.grant_id not in await stage.plane.plane.approvals.grants.used("default")


# --------------------------------------------------------- attacks on approvals, for grants


async def test_a_grant_is_no_approval_of_a_request_and_a_request_no_use_of_a_grant() -> None:
    """T23: what answers one thing answers no other."""
    async with scene() as (far, stage), stage.run() as run:
        waiting = await run.call("pay", {"n": 9})
        grant = await stage.plane.issue_grant(terms(), BOB)
        with pytest.raises(NotFound):
            await stage.plane.approval(grant.grant_id)
        with pytest.raises(InterlockError):
            await stage.plane.endorse_grant(waiting.approval_id, CAY)
        assert far.ran == []


@pytest.mark.parametrize(
    "arguments", ['{"n":5.0}', '{"n":"5"}', '{"n":true}', '{"n":5,"note":""}', '{"n":5,"\\u006e":9}', '{"N":5}', "{}"]
)
async def test_arguments_that_look_like_what_was_granted_are_not(arguments: str) -> None:
    """T23: args changed by a byte, a type, a key, a duplicate."""
    schema = {"type": "object", "additionalProperties": True}
    async with scene(input_schema=schema) as (far, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(where={"/n": {"equals": 5}}), BOB)
        assert not (await run.call("pay", arguments)).done
        assert far.ran == []


async def test_key_order_is_the_same_call_and_another_normal_form_is_another() -> None:
    """Spec approvals, Tests: NFC and NFD."""
    async with scene() as (_, stage), stage.run() as run:
        await stage.plane.issue_grant(terms(where={"/n": {"any": True}, "/note": {"equals": "\u00e9"}}), BOB)
        assert (await run.call("pay", '{"note":"\\u00e9","n":1}')).done
        assert (await run.call("pay", '{"n":1,"note":"e\\u0301"}')).kind is OutcomeKind.HELD


async def test_no_argument_of_a_call_can_name_a_grant() -> None:
    """T23: what a model or client says is never an answer."""
    schema = NUMBER | {"additionalProperties": True}
    async with scene(input_schema=schema) as (far, stage), stage.run() as run:
        grant = await stage.plane.issue_grant(terms(), BOB)
        for key in ("grant_id", "grant", "approved_by"):
            assert (await run.call("pay", {"n": 1, key: grant.grant_id})).kind is OutcomeKind.HELD
        assert far.ran == []
