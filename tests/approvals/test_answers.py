"""What people say besides yes and no: edits, responses, withdrawals, roles that are lent; and who they are by then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from anyio import to_thread

from interlock import OutcomeKind, Principal, Run
from interlock.approvals.decide import Answer, decide
from interlock.approvals.people import Standing
from interlock.core.approval import ApprovalState
from interlock.core.event import Kind
from interlock.errors import BadInput, Conflict, InterlockError, NotEntitled, StoreUnavailable
from interlock.keys import Keys
from interlock.registry.registry import Registry
from tests.planes import ANA, BOB, CAY, OPA, PERMIT, Far, Stage, WatchedStore, codes, saying, staged

pytestmark = pytest.mark.anyio

HOLDS = PERMIT + '@id("held") @approvers("approver") forbid (principal, action == Action::"pay", resource);'
LARGE = HOLDS.removesuffix(";") + " when { context.arguments.n > 5 };"
DAN = Principal("dan", roles=frozenset({"admin"}))


def paying(far: Far, **options: Any) -> Any:
    return far.tool("pay", "irreversible", output_schema={"type": "object", "required": ["n"]}, **options)


class Directory:
    """People as a test has them."""

    def __init__(self, *people: Principal) -> None:
        self.people = {person.id: person for person in people}
        self.down = False

    async def now(self, said: Principal) -> Principal | None:
        if self.down:
            raise StoreUnavailable("the directory is down")
        return self.people.get(said.id)


def known(stage: Stage, *people: Principal) -> Directory:
    directory = Directory(*people)
    stage.plane.plane.approvals.entitlement.people = directory
    return directory


async def refused(stage: Stage, run: Run, held: Any, person: Principal, decision: Any = "approve", **more: Any) -> str:
    with pytest.raises(InterlockError) as caught:
        await stage.answer(run.run_id, held, person, decision, **more)
    return caught.value.code


# ----------------------------------------------------------------- edit


async def test_an_edit_is_another_call_through_every_gate_and_the_first_one_names_it() -> None:
    """B10: the arguments that a person wrote run; those that the model proposed never do."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(LARGE)
        held = await run.call("pay", {"n": 9})
        await stage.answer(run.run_id, held, BOB, "edit", arguments={"n": 3}, words="only what was paid")
        assert far.ran == []
        await stage.plane.advance(run.run_id)
        first = (await stage.state(run.run_id)).calls[held.call_id].outcome
        assert first is not None
        assert (first.kind, first.code) == (OutcomeKind.REFUSED, "approve.edited")
        assert "only what was paid" in first.message
        assert far.ran == [("pay", {"n": 3})]
        assert first.as_json()["instead"] == first.instead
        told = await run.wait(held, timeout_s=1)
        assert (told.call_id, told.done) == (first.instead, True), "whoever waits is told of the call in its place"
        [proposed] = [
            e.fact.body["proposed"] for e in await stage.events(run.run_id, first.instead) if "proposed" in e.fact.body
        ]
        assert (proposed["parent"], proposed["edited_by"]) == (held.call_id, ["bob"])


async def test_whoever_edited_approves_neither_that_call_nor_one_that_was_edited_again() -> None:
    """Spec approvals 2 and 5: an editor is a requester; everybody who edited before as well."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        for number, editor in ((8, BOB), (7, CAY)):
            await stage.answer(run.run_id, held, editor, "edit", arguments={"n": number})
            await stage.plane.advance(run.run_id)
            outcome = (await stage.state(run.run_id)).calls[held.call_id].outcome
            assert outcome is not None
            held = (await stage.state(run.run_id)).calls[outcome.instead].outcome
            assert held is not None
            assert held.kind is OutcomeKind.HELD
        assert (await stage.shown(run.run_id, held))["editors"] == ["bob", "cay"]
        for editor in (BOB, CAY):
            for decision, more in (("approve", {}), ("reject", {}), ("edit", {"arguments": {"n": 1}})):
                assert await refused(stage, run, held, editor, decision, **more) == "approval.editor"
        await stage.answer(run.run_id, held, replace(DAN, roles=frozenset({"approver"})))
        await stage.plane.advance(run.run_id)
        assert far.ran == [("pay", {"n": 7})]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"n": "many"}, "/n"), ("{", "JSON"), ({"n": 9}, "changes nothing"), ('{ "n":9 }', "changes nothing")],
)
async def test_a_bad_edit_is_told_to_the_editor_at_once_and_nothing_is_recorded(arguments: Any, says: str) -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        with pytest.raises(BadInput) as caught:
            await stage.answer(run.run_id, held, BOB, "edit", arguments=arguments)
        assert caught.value.code == "approval.edit"
        assert says in str(caught.value)
        assert "approval.decided" not in await stage.said(run.run_id)
        await stage.answer(run.run_id, held, BOB, "edit", arguments={"n": 1})


async def test_killed_after_the_edited_call_was_made_and_before_the_first_one_ended_nothing_is_lost_or_doubled() -> (
    None
):
    """ADR 0018: the call in its place is recorded first."""
    far = Far()
    async with staged(paying(far)) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            stage.obey(LARGE)
            held = await run.call("pay", {"n": 9})
            await stage.answer(run.run_id, held, BOB, "edit", arguments={"n": 3})
            before = len(store.appends)
            await stage.plane.advance(run.run_id)
            kinds = [[str(fact.kind) for fact in append.facts] for append in store.appends[before:]]
            calls = [append.facts[0].call_id for append in store.appends[before:] if append.facts]
            assert kinds[-1] == ["call.decided"]
            assert calls[-1] == held.call_id
            assert held.call_id not in calls[:-1]
        for nth in range(3):
            far.ran.clear()
            async with stage.run() as run:
                held = await run.call("pay", {"n": 9})
                await stage.answer(run.run_id, held, BOB, "edit", arguments={"n": 3})
                store.fail_at = {len(store.appends) + 1 + nth}
                with pytest.raises(InterlockError):
                    await stage.plane.advance(run.run_id)
                assert (await run.call("pay", {"n": 9})).code == "limit.duplicate", "it is still open"
                await stage.plane.advance(run.run_id)
                await stage.plane.advance(run.run_id)
                assert (await run.wait(held, timeout_s=1)).kind in (OutcomeKind.DONE, OutcomeKind.UNKNOWN)
                assert far.names.count("pay") <= 1


async def test_no_client_can_take_the_name_of_the_call_that_an_edit_makes() -> None:
    """The agent knows the id of the approval, and may name its calls as it likes."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(LARGE)
        held = await run.call("pay", {"n": 9})
        await run.call("pay", {"n": 1}, name=f"edit/{held.approval_id}")
        await stage.answer(run.run_id, held, BOB, "edit", arguments={"n": 3})
        await stage.plane.advance(run.run_id)
        assert far.ran == [("pay", {"n": 1}), ("pay", {"n": 3})]


# ----------------------------------------------------------------- respond


async def test_a_response_is_the_result_nothing_runs_and_the_record_says_that_a_person_said_it() -> None:
    """B10, A9: its origin is never the tool."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS.replace('"held")', '"held") @quorum("2")'))
        held = await run.call("pay", {"n": 9}, name="mine")
        await stage.answer(run.run_id, held, BOB, "respond", value={"n": 0})
        await stage.plane.advance(run.run_id)
        told = await run.wait(held, timeout_s=1)
        assert (told.done, told.value) == (True, {"n": 0})
        assert (await run.call("pay", {"n": 9}, name="mine")).value == {"n": 0}
        assert far.ran == []
        said = await stage.said(run.run_id, held.call_id)
        assert "call.intent" not in said
        assert said[-1] == "call.decided/done"
        last = (await stage.events(run.run_id, held.call_id))[-1].fact.body["stop"]
        assert last["audit"] == {"approval": held.approval_id, "by": "person", "person": "bob"}


@pytest.mark.parametrize("value", ["text", {"m": 1}, {"n": float("nan")}, {"n": object()}, {"n": "x" * (5 << 20)}])
async def test_a_response_that_the_tool_could_not_have_returned_is_refused_at_once(value: Any) -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        assert await refused(stage, run, held, BOB, "respond", value=value) == "approval.value"
        assert "approval.decided" not in await stage.said(run.run_id)


async def test_whoever_edits_or_responds_must_know_the_tool_that_was_shown() -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        other, none = paying(far, version="2"), far.tool("other")
        for tool, code in ((other, "approval.tool_changed"), (none, "approval.tool")):
            stage.plane.plane.registry = Registry([tool])
            assert await refused(stage, run, held, BOB, "edit", arguments={"n": 1}) == code
            assert await refused(stage, run, held, BOB, "respond", value={"n": 1}) == code


# ----------------------------------------------------------------- withdraw


@pytest.mark.parametrize("person", [ANA, OPA], ids=["subject", "operator"])
async def test_a_request_is_withdrawn_by_whoever_it_is_for_or_an_operator_and_its_call_is_refused(
    person: Principal,
) -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        for other in (BOB, replace(OPA, kind="service")):
            with pytest.raises(NotEntitled):
                await stage.plane.withdraw(held.approval_id, other)
        asked = await stage.plane.withdraw(held.approval_id, person, reason="no longer wanted")
        assert asked.status == "withdrawn"
        with pytest.raises(Conflict):
            await stage.plane.withdraw(held.approval_id, person)
        assert await refused(stage, run, held, BOB) == "approval.settled"
        await stage.plane.advance(run.run_id)
        assert codes([await run.wait(held, timeout_s=1)]) == ["approve.withdrawn"]
        assert far.ran == []


async def test_a_withdrawal_that_comes_after_the_quorum_has_lost_the_race() -> None:
    asked = ApprovalState("a", "c", {"quorum": 1, "groups": ["x"]})
    asked.decide("bob", {"decision": "approve", "roles": ["x"]})
    asked.end("withdrawn")
    assert asked.status == "approved"
    asked.end("consumed")
    asked.end("expired")
    assert asked.status == "consumed"


# ----------------------------------------------------------------- bound, seen, not too fast


def asked(**changes: Any) -> ApprovalState:
    request = {
        "approval": "ab", "nonce": "cd", "groups": ["approver"], "quorum": 1, "expires_us": 10, "subject": "ana",
        "effect": "privileged",
    }  # fmt: skip
    return ApprovalState("appr_1", "call_1", request | changes)


YES = Answer(decision="approve", digest="ab", nonce="cd")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (replace(YES, nonce=""), "approval.nonce"),
        (replace(YES, nonce="ce"), "approval.nonce"),
        (replace(YES, decision="maybe"), "approval.decision"),  # type: ignore[arg-type]
        (replace(YES, decision=""), "approval.decision"),  # type: ignore[arg-type]
        (replace(YES, arguments={}), "approval.arguments"),
        (replace(YES, decision="edit"), "approval.arguments"),
        (replace(YES, value=1), "approval.value"),
        (replace(YES, viewed_ms=-1), "approval.viewed"),
        (replace(YES, viewed_ms=1.5), "approval.viewed"),  # type: ignore[arg-type]
        (replace(YES, viewed_ms=True), "approval.viewed"),
    ],
)
async def test_an_answer_is_one_of_four_and_bound_to_one_asking(answer: Answer, code: str) -> None:
    """T23: a malformed answer approves nothing."""
    with pytest.raises(BadInput) as caught:
        decide(asked(), answer, Standing(BOB), 0)
    assert caught.value.code == code


async def test_one_byte_or_another_form_of_a_letter_is_another_call_and_the_order_of_keys_is_not() -> None:
    """Spec approvals, Tests; T23: an approval of one of them releases none of the others."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        nfc, nfd = "caf\u00e9", "cafe\u0301"
        held = [
            await run.call("pay", arguments) for arguments in ({"n": 1, "note": nfc}, {"n": 1, "note": nfd}, {"n": 2})
        ]
        shown = [await stage.shown(run.run_id, each) for each in held]
        assert len({each["digest"] for each in shown}) == 3
        assert len({each["approval"] for each in shown}) == 3
        for request, other in ((0, 1), (1, 0), (2, 0)):
            with pytest.raises(BadInput):
                await stage.plane.answer(held[request].approval_id, saying(shown[other]), BOB)
        twin = await run.call("pay", '{ "note": "caf\\u00e9", "n": 1 }')
        assert twin.code == "limit.duplicate", "the same call in another spelling: the first one stands for it"
        await stage.answer(run.run_id, held[0], BOB)
        await stage.plane.advance(run.run_id)
        assert far.ran == [("pay", {"n": 1, "note": nfc})]


async def test_how_long_somebody_looked_is_recorded_and_a_glance_at_a_privileged_call_is_called_hasty() -> None:
    """Spec approvals 7."""
    for effect, viewed_ms, hasty in (
        ("privileged", 1999, True),
        ("privileged", 2000, False),
        ("irreversible", 1, False),
    ):
        body = decide(asked(effect=effect), replace(YES, viewed_ms=viewed_ms), Standing(BOB), 0).body
        assert (body["viewed_ms"], body.get("hasty", False)) == (viewed_ms, hasty)
    assert "viewed_ms" not in decide(asked(), YES, Standing(BOB), 0).body


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "sqlite"])
async def test_one_person_decides_at_most_so_many_in_a_minute_and_hinders_nobody_else(
    kept: bool, tmp_path: Any
) -> None:
    """Spec approvals 7: in the transaction of the decision itself, so that no two processes let more through."""
    far = Far()
    async with staged(paying(far), ledger=tmp_path / "l.db" if kept else None) as stage:
        stage.obey(HOLDS)
        held = []
        for _ in range(4):
            async with stage.run() as run:
                held += [(run, await run.call("pay", {"n": n})) for n in range(9)]
        for run, each in held[:30]:
            await stage.answer(run.run_id, each, BOB)
        run, late = held[30]
        with pytest.raises(Conflict) as caught:
            await stage.answer(run.run_id, late, BOB, "reject")
        assert (caught.value.code, "for 2 s" in str(caught.value)) == ("approval.rate", True)
        assert (await stage.state(run.run_id)).approvals[late.approval_id].status == "pending"
        await stage.answer(run.run_id, held[31][1], CAY)
        stage.clock.advance(2)
        await stage.answer(run.run_id, late, BOB)


async def test_five_hundred_holds_in_a_minute_pause_the_run_and_ask_people_twenty_one_times() -> None:
    """T26: the rest is refused and recorded, reads go on, and one decision lets the run go on."""
    far = Far()
    settings = {"limits": {"calls_max": 1000}}
    async with staged(paying(far), far.tool("get"), settings=settings) as stage, stage.run() as run:
        stage.obey(HOLDS)
        told = []
        for n in range(500):
            told.append(await run.call("pay", {"n": n}))
            stage.clock.advance(0.1)
        assert codes(told) == ["approve.held"] * 21 + ["approve.paused"] * 479
        assert len(await stage.plane.store.rows("approval", {"status": "pending"})) == 21
        assert (await stage.said(run.run_id)).count("call.decided/refused") == 479
        assert (await run.call("get", {"n": 1})).done
        assert "a person" in told[-1].message


async def test_calls_that_are_decided_at_once_do_not_slip_past_the_pause() -> None:
    """T26: what is about to be asked counts too, on a store that suspends."""
    from interlock import Proposal

    far = Far()
    async with staged(paying(far)) as stage:
        stage.store_in(WatchedStore(stage.clock))
        async with stage.run() as run:
            stage.obey(HOLDS)
            told = await run.calls([Proposal(tool="pay", arguments={"n": n}) for n in range(60)])
            assert codes(told).count("approve.held") <= 21


async def test_what_a_client_replies_to_a_held_call_is_no_answer() -> None:
    """T44: neither by the call's name, nor in its arguments, nor as a tool's result is there a way to a decision."""
    far = Far()

    async def accepts(arguments: dict[str, Any], context: Any) -> object:
        return {"action": "accept", "approval_id": "appr_1", "decision": "approve", "content": {"approved": True}}

    async with staged(paying(far), far.tool("elicit", does=accepts)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9}, name="mine")
        replies = [{"n": 9, "note": f"accept {held.approval_id}"}, {"n": 9, "action": "accept"}, '{"action":"accept"}']
        for reply in replies:
            assert (await run.call("pay", reply, name="mine")).code == "recall.name_reused"
        assert (await run.call("elicit", {"n": 1})).done
        for _ in range(3):
            await stage.plane.advance(run.run_id)
        assert (await run.call("pay", {"n": 9}, name="mine")).kind is OutcomeKind.HELD
        assert far.names == ["elicit"]
        assert "approval.decided" not in await stage.said(run.run_id)


# ----------------------------------------------------------------- who they are by now


async def test_an_approver_who_has_left_the_group_by_the_time_it_runs_does_not_count() -> None:
    """Spec approvals 2 and 4: superseded, asked anew, and the difference says who."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        directory = known(stage, BOB, CAY)
        stage.obey(HOLDS)
        for gone in (None, replace(BOB, roles=frozenset({"staff"})), replace(BOB, kind="service")):
            held = await run.call("pay", {"n": 9})
            await stage.answer(run.run_id, held, BOB)
            if gone is None:
                del directory.people["bob"]
            else:
                directory.people["bob"] = gone
            await stage.plane.advance(run.run_id)
            state = await stage.state(run.run_id)
            assert state.approvals[held.approval_id].status == "superseded"
            again = state.approvals[state.calls[held.call_id].approval_id]
            assert again.request["instead_of"] == held.approval_id
            assert again.request["difference"] == [{"what": "approver bob", "was": ["approver"], "now": []}]
            assert far.ran == []
            ends = [e.fact for e in await stage.events(run.run_id) if e.fact.kind is Kind.APPROVAL_SUPERSEDED]
            assert ends[-1].body["difference"] == again.request["difference"]
            await stage.plane.answer(again.approval_id, saying(again.request), CAY)
            await stage.plane.advance(run.run_id)
            assert far.names == ["pay"]
            far.ran.clear()
            directory.people["bob"] = BOB


async def test_whoever_is_not_found_may_not_decide_and_a_role_must_be_held_by_both_accounts() -> None:
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        directory = known(stage, replace(BOB, roles=frozenset({"staff"})))
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        assert await refused(stage, run, held, CAY) == "approval.group"
        assert await refused(stage, run, held, BOB) == "approval.group"
        directory.people["bob"] = BOB
        assert await refused(stage, run, held, replace(BOB, roles=frozenset())) == "approval.group"
        await stage.answer(run.run_id, held, BOB)


async def test_where_nobody_can_say_who_people_are_nothing_is_approved_and_nothing_approved_runs() -> None:
    """Spec approvals 9: it waits, and goes on once they can."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        directory = known(stage, BOB, CAY)
        stage.obey(HOLDS)
        one, other = await run.call("pay", {"n": 8}), await run.call("pay", {"n": 9})
        await stage.answer(run.run_id, one, BOB)
        directory.down = True
        assert await refused(stage, run, other, BOB) == "people.unavailable"
        with pytest.raises(StoreUnavailable):
            await stage.plane.advance(run.run_id)
        assert far.ran == []
        directory.down = False
        await stage.plane.advance(run.run_id)
        assert far.ran == [("pay", {"n": 8})]


async def test_a_deployments_file_of_keys_says_who_people_are_and_is_read_again_when_it_changes(tmp_path: Any) -> None:
    """Spec approvals 4: approver still entitled. Without such a file the recorded roles stand."""
    far = Far()
    async with staged(paying(far), ledger=tmp_path / "l.db") as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held, BOB)
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 1, "nobody has a key here: whoever embeds it knows them"
        keys = Keys(tmp_path / "keys.json")
        await to_thread.run_sync(keys.add, CAY)
        held = await run.call("pay", {"n": 2})
        assert await refused(stage, run, held, BOB) == "approval.group"
        await to_thread.run_sync(keys.add, BOB)
        await stage.answer(run.run_id, held, BOB)
        await to_thread.run_sync(keys.revoke, "bob", "default")
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 1
        assert (await stage.state(run.run_id)).approvals[held.approval_id].status == "superseded"
        await to_thread.run_sync((tmp_path / "keys.json").unlink)
        held = await run.call("pay", {"n": 3})
        assert await refused(stage, run, held, CAY) == "approval.group", "a file that was there and is gone"


# ----------------------------------------------------------------- in somebody's place


async def test_a_role_that_was_lent_counts_until_it_ends_or_is_taken_back() -> None:
    """Spec approvals 2: depth 1, with an end; checked when they decide and when it runs."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 1})
        assert await refused(stage, run, held, DAN) == "approval.group"
        await stage.plane.delegate(BOB, "dan", ["approver"], hours=2, reason="on leave")
        await stage.answer(run.run_id, held, DAN)
        [said] = [e.fact for e in await stage.events(run.run_id) if e.fact.kind is Kind.APPROVAL_DECIDED]
        assert (said.body["roles"], said.body["lent_by"]) == (["approver"], {"approver": "bob"})
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 1
        for end in ("taken back", "over"):
            held = await run.call("pay", {"n": 2 if end == "over" else 3})
            await stage.answer(run.run_id, held, DAN)
            if end == "over":
                stage.clock.advance(7200)
            else:
                await stage.plane.undelegate(BOB, "dan")
            await stage.plane.advance(run.run_id)
            assert len(far.ran) == 1
            assert (await stage.state(run.run_id)).approvals[held.approval_id].status == "superseded"
            await stage.plane.delegate(BOB, "dan", ["approver"], hours=2, reason="on leave")


async def test_lender_and_borrower_never_count_as_two_people() -> None:
    """T24: no sock puppet, in either order, not even where the borrower has the role as well."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS.replace('"held")', '"held") @quorum("2")'))
        await stage.plane.delegate(BOB, "dan", ["approver"], hours=2, reason="on leave")
        await stage.plane.delegate(BOB, "cay", ["approver"], hours=2, reason="on leave")
        for n, (first, second) in enumerate([(BOB, DAN), (DAN, BOB), (CAY, BOB), (BOB, CAY)]):
            held = await run.call("pay", {"n": n})
            await stage.answer(run.run_id, held, first)
            assert await refused(stage, run, held, second) == "approval.twice"
        await stage.plane.undelegate(BOB, "dan")
        held = await run.call("pay", {"n": 10})
        await stage.answer(run.run_id, held, CAY)
        await stage.plane.undelegate(BOB, "cay")
        assert await refused(stage, run, held, BOB) == "approval.twice", "it was lent when she spoke"


async def test_what_the_subject_or_an_editor_has_lent_does_not_count_for_their_call() -> None:
    """T24: nobody approves their own call through somebody else."""
    far = Far()
    boss = replace(ANA, roles=frozenset({"support", "approver"}))
    async with staged(paying(far)) as stage, stage.run(boss) as run:
        stage.obey(HOLDS)
        await stage.plane.delegate(boss, "dan", ["approver"], hours=2, reason="on leave")
        held = await run.call("pay", {"n": 1})
        assert await refused(stage, run, held, DAN) == "approval.group"
        await stage.plane.delegate(BOB, "dan", ["approver"], hours=2, reason="on leave")
        await stage.answer(run.run_id, held, BOB, "edit", arguments={"n": 2})
        await stage.plane.advance(run.run_id)
        first = (await stage.state(run.run_id)).calls[held.call_id].outcome
        assert first is not None
        held = (await stage.state(run.run_id)).calls[first.instead].outcome
        assert await refused(stage, run, held, DAN) == "approval.group"


@pytest.mark.parametrize(
    ("lender", "to", "groups", "hours", "reason", "code"),
    [
        (replace(BOB, kind="service"), "dan", ["approver"], 1, "x", "delegation.service"),
        (BOB, "dan", ["approver", "admin"], 1, "x", "delegation.role"),
        (BOB, "bob", ["approver"], 1, "x", "delegation.to"),
        (BOB, "", ["approver"], 1, "x", "delegation.to"),
        (BOB, "dan", [], 1, "x", "delegation.groups"),
        (BOB, "dan", ["approver"], 0, "x", "delegation.until"),
        (BOB, "dan", ["approver"], 721, "x", "delegation.until"),
        (BOB, "dan", ["approver"], 1, " ", "delegation.reason"),
    ],
)
async def test_what_cannot_be_lent(
    lender: Principal, to: str, groups: list[str], hours: float, reason: str, code: str
) -> None:
    async with staged() as stage:
        with pytest.raises(InterlockError) as caught:
            await stage.plane.delegate(lender, to, groups, hours=hours, reason=reason)
        assert caught.value.code == code


async def test_what_was_lent_cannot_be_lent_on() -> None:
    """Depth 1."""
    async with staged() as stage:
        await stage.plane.delegate(BOB, "dan", ["approver"], hours=2, reason="on leave")
        with pytest.raises(NotEntitled):
            await stage.plane.delegate(DAN, "eve", ["approver"], hours=2, reason="me too")
        with pytest.raises(InterlockError):
            await stage.plane.undelegate(BOB, "eve")


# ----------------------------------------------------------------- what changed


async def test_a_new_request_says_what_changed_since_the_old_one() -> None:
    """Spec approvals 4: policy tightened and the tool published anew while the request was pending."""
    far = Far()
    async with staged(paying(far)) as stage, stage.run() as run:
        stage.obey(HOLDS)
        held = await run.call("pay", {"n": 9})
        await stage.answer(run.run_id, held, BOB)
        old = stage.plane.plane.registry.tools[0].digest
        stage.plane.plane.registry = Registry([paying(far, version="2")])
        stage.obey(
            HOLDS.replace(
                '"held") @approvers("approver")', '"held") @quorum("2") @expires("1h") @approvers("approver,admin")'
            )
        )
        await stage.plane.advance(run.run_id)
        state = await stage.state(run.run_id)
        [again] = [each for each in state.approvals.values() if each.status == "pending"]
        found = {each["what"]: (each["was"], each["now"]) for each in again.request["difference"]}
        assert found["definition"] == (old, stage.plane.plane.registry.tools[0].digest)
        assert found["groups"] == (["approver"], ["admin", "approver"])
        assert found["quorum"] == (1, 2)
        assert found["expires_s"] == (86_400, 3600)
        assert far.ran == []
