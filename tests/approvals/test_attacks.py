"""What somebody tries who wants a held call to run without the people whom it needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from interlock import BadInput, OutcomeKind, Principal
from interlock.approvals.grant import GrantTerms
from interlock.core.approval import ApprovalState
from interlock.core.ids import named_call_id
from interlock.core.principal import FIRST_TENANT
from interlock.errors import InterlockError, StoreUnavailable
from interlock.key_ring import KeyPeople, KeyRing
from interlock.keys import Keys
from interlock.pipeline import call_tool
from interlock.testing import FrozenClock
from tests.approvals.test_answers import HOLDS, known, paying, refused
from tests.execution.test_execute import failing
from tests.execution.test_fallback import DOWN
from tests.planes import BOB, CAY, PERMIT, Far, proposed, saying, staged

pytestmark = pytest.mark.anyio

DAN, EVE = Principal("dan"), Principal("eve")
TWO = HOLDS.replace('"held")', '"held") @quorum("2")')


async def test_two_who_speak_for_the_same_lender_alone_are_no_two_people() -> None:
    """T24: one member of a group who lends their role to two strangers is one voice and no quorum of two."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(TWO)
        for borrower in (DAN, EVE):
            await stage.plane.delegate(BOB, borrower.id, ["approver"], hours=2, reason="on leave")
        held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held, DAN)
        assert await refused(stage, run, held, EVE) == "approval.twice"
        await stage.answer(run.run_id, held, CAY)  # her role is her own
        await stage.plane.advance(run.run_id)
        assert far.names == ["pay"]


async def test_two_whose_lenders_differ_are_two_people() -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(TWO)
        for lender, borrower in ((BOB, DAN), (CAY, EVE)):
            await stage.plane.delegate(lender, borrower.id, ["approver"], hours=2, reason="on leave")
        held = await run.call("pay", {"n": 1})
        for person in (DAN, EVE):
            await stage.answer(run.run_id, held, person)
        await stage.plane.advance(run.run_id)
        assert far.names == ["pay"]


async def test_who_approved_by_a_role_of_their_own_does_not_stand_for_it_by_a_lent_one() -> None:
    """T23: two approved; one has left the group since and has the role from the other now, which is one voice."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        directory = known(stage, BOB, CAY)
        stage.obey(TWO)
        held = await run.call("pay", {"n": 1})
        for person in (BOB, CAY):
            await stage.answer(run.run_id, held, person)
        directory.people["cay"] = replace(CAY, roles=frozenset({"admin"}))
        await stage.plane.delegate(BOB, "cay", ["approver"], hours=2, reason="on leave")
        await stage.plane.advance(run.run_id)
        assert far.ran == []
        assert (await stage.state(run.run_id)).approvals[held.approval_id].status == "superseded"


async def test_whatever_a_directory_raises_nothing_is_approved_and_the_call_goes_on_waiting() -> None:
    """Spec approvals 9: a directory of the embedder's own need not know the errors of Interlock."""
    far = Far()

    class Broken:
        async def now(self, said: Principal) -> Principal | None:
            raise ConnectionError(f"secret of {said.id}")

    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held, BOB)
        other = await run.call("pay", {"n": 2})
        stage.plane.plane.approvals.entitlement.people = Broken()
        assert await refused(stage, run, other, BOB) == "people.unavailable"
        with pytest.raises(StoreUnavailable) as caught:
            await stage.plane.advance(run.run_id)
        assert "secret" not in str(caught.value)
        assert far.ran == []
        known(stage, BOB)
        await stage.plane.advance(run.run_id)
        assert far.ran == [("pay", {"n": 1})]


async def test_a_file_of_keys_that_comes_back_as_it_was_is_read_again(tmp_path: Path) -> None:
    """A restored backup has the same size and time: who is in it is somebody again, and nobody was meanwhile."""
    file, aside = tmp_path / "keys.json", tmp_path / "aside"
    await to_thread.run_sync(Keys(file).add, BOB)
    people = KeyPeople(KeyRing(file, FrozenClock()))
    assert await people.now(BOB) == BOB
    await to_thread.run_sync(file.rename, aside)
    assert await people.now(BOB) is None
    await to_thread.run_sync(aside.rename, file)
    assert await people.now(BOB) == BOB


async def test_nobody_takes_the_place_of_a_fallback_by_naming_a_call_like_it() -> None:
    """T23: what a client named beforehand is not told as what the fallback came to."""

    far = Far()
    tools = [
        far.tool("look"),
        far.tool("main", does=failing(*[DOWN] * 9), fallback="spare", attempts_max=1),
        far.tool("spare"),
    ]
    async with staged(*tools) as stage, stage.run() as run:
        stage.obey(PERMIT)
        await run.call("look", {"n": 666}, name=f"fallback/{named_call_id(run.run_id, 'x')}")
        outcome = await run.call("main", {"n": 1}, name="x")
        assert (outcome.tool, outcome.value) == ("spare", {"n": 1})
        assert far.names == ["look", "main", "spare"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"words": 5}, "approval.words"),
        ({"words": "x" * 2001}, "approval.words"),
        ({"decision": "edit", "arguments": [1]}, "approval.arguments"),
        ({"decision": "edit", "arguments": 7}, "approval.arguments"),
        ({"decision": "edit"}, "approval.arguments"),
        ({"decision": ["approve"]}, "approval.decision"),
        ({"decision": "respond", "value": object()}, "approval.value"),
        ({"words": "\ud800"}, "json.surrogate"),
    ],
)
async def test_an_answer_that_is_none_is_refused_by_name_and_nothing_is_recorded(
    said: dict[str, Any], code: str
) -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 1})
        before = len(await stage.events(run.run_id))
        answer = saying(await stage.shown(run.run_id, held), **({"decision": "approve"} | said))
        with pytest.raises(InterlockError) as caught:
            await stage.plane.answer(held.approval_id, answer, BOB)
        assert caught.value.code == code
        assert len(await stage.events(run.run_id)) == before


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"uses": 1.5}, "grant.uses"), ({"uses": True}, "grant.uses"), ({"uses": "5"}, "grant.uses"),
        ({"lasts_s": 1.5}, "grant.expires"), ({"lasts_s": float("nan")}, "grant.expires"),
        ({"lasts_s": "60"}, "grant.expires"), ({"reason": None}, "grant.reason"), ({"subject": 5}, "grant.subject"),
        ({"where": {"/n": {"equals": {1: 2}}}}, "json.type"), ({"where": []}, "grant.where"),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_counted_are_none(said: dict[str, Any], code: str) -> None:
    terms: dict[str, Any] = {"tool": "pay", "where": {"/n": {"any": True}}, "uses": 1, "lasts_s": 60, "reason": "r"}
    with pytest.raises(BadInput) as caught:
        GrantTerms(**(terms | said))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("to", "reason", "code"),
    [("x" * 257, "r", "delegation.to"), ("dan", "r" * 2001, "delegation.reason")],
)
async def test_what_is_lent_fits_into_a_line_of_the_ledger(to: str, reason: str, code: str) -> None:
    async with staged() as stage:
        with pytest.raises(BadInput) as caught:
            await stage.plane.delegate(BOB, to, ["approver"], hours=1, reason=reason)
        assert caught.value.code == code
        assert await stage.plane.store.read(f"tenant/{FIRST_TENANT}") == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("bob", {"as_one_with": ["dan"]}), ("dan", {"lent_by": {"approver": "bob"}, "as_one_with": ["bob"]})),
        (("bob", {}), ("dan", {"lent_by": {"approver": "bob"}, "as_one_with": ["bob"]})),
        (("dan", {"lent_by": {"approver": "bob"}}), ("eve", {"lent_by": {"approver": "bob"}})),
        (("bob", {}), ("bob", {})),
    ],
)
def test_of_two_who_count_as_one_and_answer_at_the_same_moment_only_the_first_counts(first: Any, second: Any) -> None:
    """T24: neither saw the other's answer; the fold of the ledger is what decides."""
    asked = ApprovalState("appr_1", "call_1", {"groups": ["approver"], "quorum": 2})
    for who, said in (first, second):
        asked.decide(who, {"decision": "approve", "roles": ["approver"], **said})
    assert (asked.status, list(asked.approvals)) == ("pending", [first[0]])
    asked.decide("cay", {"decision": "approve", "roles": ["approver"]})
    assert asked.status == "approved"


async def test_a_rehearsal_of_an_approved_call_runs_nothing() -> None:
    """Under the very id of the call: what was approved is not used up by it either."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held, BOB)
        call = proposed(run, "pay", {"n": 1}, held.call_id, dry_run=True)
        assert (await call_tool(call, stage.plane.plane)).kind is OutcomeKind.REFUSED
        assert far.ran == []
        assert (await stage.state(run.run_id)).approvals[held.approval_id].status == "approved"


async def test_a_flood_pauses_no_rehearsal() -> None:
    """T26: nothing of it runs, and nobody is asked."""
    far = Far()
    tools = [paying(far), far.tool("put", "reversible", keyed=True)]
    async with staged(*tools) as stage, stage.run() as run:
        stage.obey(HOLDS)
        put = proposed(run, "put", {"n": 1})

        for n in range(21):
            assert (await run.call("pay", {"n": n})).kind is OutcomeKind.HELD
        assert (await call_tool(put, stage.plane.plane)).code == "approve.paused"
        rehearsed = await run.call("put", {"n": 2}, dry_run=True)
        assert rehearsed.code == "rehearsal.would_run"


async def test_what_a_lender_lent_who_is_a_service_by_now_counts_no_more() -> None:
    """Spec approvals 2: only people decide, and nobody in a program's place."""
    async with staged(paying(Far())) as stage, stage.run() as run:
        directory = known(stage, BOB, DAN)
        stage.obey(HOLDS)
        await stage.plane.delegate(BOB, "dan", ["approver"], hours=2, reason="on leave")
        held = await run.call("pay", {"n": 1})
        directory.people["bob"] = replace(BOB, kind="service")
        assert await refused(stage, run, held, DAN) == "approval.group"
        directory.people["bob"] = BOB
        await stage.answer(run.run_id, held, DAN)


async def test_what_a_person_made_of_a_held_call_is_asked_about_though_the_run_is_paused() -> None:
    """T26: an edit takes one question away and puts another one; a flood does not end it."""
    async with staged(paying(Far())) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = [await run.call("pay", {"n": n}) for n in range(21)]
        assert (await run.call("pay", {"n": 99})).code == "approve.paused"
        await stage.answer(run.run_id, held[0], BOB, "edit", arguments={"n": 50})
        assert len((await stage.state(run.run_id)).approvals.pending) == 20
        stage.plane.plane.approvals = replace(stage.plane.plane.approvals, pending_max=5)
        await stage.plane.advance(run.run_id)
        assert len((await stage.state(run.run_id)).approvals.pending) == 21


@pytest.mark.parametrize("part", ["approval", "digest"])
async def test_an_approval_of_another_digest_releases_nothing(part: str) -> None:
    """T23: the digests are computed again from what would run, whatever the request says of them."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held, BOB)
        (await stage.state(run.run_id)).approvals[held.approval_id].request[part] = "00" * 32
        await stage.plane.advance(run.run_id)
        assert far.ran == []
