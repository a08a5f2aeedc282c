"""A saga goes back: everything that took effect is undone, the last first, whatever becomes of it on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import (
    CallContext,
    NotSent,
    Principal,
    Rejected,
    Saga,
    SagaStatus,
    Scope,
    Settings,
    Step,
    World,
    given,
    open_plane,
)
from interlock.core.event import Fact, Kind
from interlock.errors import BadInput, Conflict, NotEntitled, StoreUnavailable
from interlock.ledger.rebuild import differences
from interlock.ledger.redact import erase_subject
from interlock.ledger.replay import replay
from interlock.ledger.store import Append, Claim
from interlock.registry.registry import Registry
from interlock.saga.outcome import SagaOutcome
from interlock.saga.standing import StepStatus, UndoStatus
from interlock.testing import FrozenClock
from tests.planes import ANA, BOB, CAY, OPA, PERMIT, CutAt, Stage, WatchedStore, saying, staged
from tests.saga.desk import ALLOW, Desk, break_down, in_line, refuse, times

pytestmark = pytest.mark.anyio


def held(*tools: str) -> str:
    """Policy that holds calls of these tools."""
    rules = [f'@id("{name}") @approvers("approver") forbid (principal, action == Action::"{name}", resource);'
             for name in tools]  # fmt: skip
    return "\n".join([PERMIT, *rules])


def denied(*tools: str) -> str:
    """Policy that denies calls of these tools."""
    return "\n".join([PERMIT, *(f'forbid (principal, action == Action::"{name}", resource);' for name in tools)])


async def gone_through(stage: Stage, saga: Saga) -> SagaOutcome:
    """The saga, as far as it goes."""
    async with stage.plane.saga(saga, ANA, {}) as run:
        return await run.outcome()


def undoing(outcome: SagaOutcome) -> dict[str, str]:
    """How the undoing of each step stands, of those that have one."""
    return {step.id: step.undo.value for step in outcome.steps if step.undo is not UndoStatus.NONE}


@pytest.mark.parametrize("fails", "abcde")
async def test_what_was_done_is_undone_in_the_reverse_order(fails: str) -> None:
    """C4: a saga of five steps that fails at each in turn."""
    desk = Desk(does={fails: refuse})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line())
        before = "abcde"[: "abcde".index(fails)]
        assert desk.ran == [*before, fails, *(f"un{name}" for name in reversed(before))]
        assert (outcome.status, outcome.completed) == (SagaStatus.COMPENSATED, False)
        assert outcome.cause is not None and outcome.cause.why == "execute.rejected"
        assert undoing(outcome) == dict.fromkeys(before, "done")
        rows = await stage.plane.store.rows("compensation_action")
        assert [(row["tool"], row["outcome"]) for row in rows] == [(name, "done") for name in reversed(before)]
        [run] = await stage.plane.store.rows("run")
        assert (run["status"], run["reason"]) == ("finished", "compensated")
        assert await differences(stage.plane.store) == []


async def test_a_compensation_is_an_ordinary_call_with_the_one_it_undoes_as_its_parent() -> None:
    """Defect 43: it passes every gate, has its arguments by what its tool declares, an intent, and a result."""
    desk = Desk("ab", does={"b": refuse})
    desk.options = {"a": {"compensate_with": {"n": "/arguments/n", "note": "/result/n"}}}

    async def text(arguments: dict[str, Any], context: CallContext) -> object:
        return {"n": "r-7"}

    desk.does["a"] = text
    saga = Saga("line", [Step("a", "a", {"n": 7}), Step("b", "b", {"n": 1})])
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, saga)
        assert desk.far.ran[-1] == ("una", {"n": 7, "note": "r-7"})
        step = outcome.steps[0]
        said = await stage.said(outcome.run_id, step.undo_call_id)
        assert said == ["call.decided", "call.intent", "call.result/done"]
        [row] = await stage.plane.store.rows("tool_call", {"call_id": step.undo_call_id})
        assert (row["parent_id"], row["principal_id"]) == (step.call_id, ANA.id)


@pytest.mark.parametrize("how", ["fails", "times out", "crashes", "denied", "stopped", "unknown tool"])
async def test_a_compensation_that_does_not_come_about_keeps_no_other_from_it(how: str) -> None:
    """K39, defect 38: the others go on; `compensation_failed`, said by an event; resumable by id."""
    desk = Desk(does={"e": refuse})

    async def slow(arguments: dict[str, Any], context: CallContext) -> object:
        await anyio.sleep(3600)
        return {}

    policy = ALLOW
    match how:
        case "fails":
            desk.does["unc"] = refuse
        case "times out":
            desk.does["unc"], desk.options["unc"] = slow, {"timeout_s": 0.02, "attempts_max": 1}
        case "crashes":
            desk.does["unc"] = break_down
        case "denied":
            policy = denied("unc")
        case _:
            pass
    async with staged(*desk.tools()) as stage:
        stage.obey(policy)
        if how == "stopped":
            await stage.plane.stop(Scope.TOOL, "unc", CAY, reason="under repair")
        elif how == "unknown tool":
            desk.does["c"] = None  # type: ignore[assignment]  # it answers, and with no number
            desk.does["c"] = nothing
        outcome = await gone_through(stage, in_line(d={"arguments": {"n": 1}}))
        assert outcome.status is SagaStatus.COMPENSATION_FAILED
        assert undoing(outcome) == {"a": "done", "b": "done", "c": "failed"} | (
            {} if how == "unknown tool" else {"d": "done"}
        )
        rows = {row["tool"]: row["outcome"] for row in await stage.plane.store.rows("compensation_action")}
        assert rows["c"] == "failed" and set(rows.values()) == {"done", "failed"}
        assert desk.times["una"] == desk.times["unb"] == 1
        assert await stage.plane.store.due() == [], "it waits for a person"
        [run] = await stage.plane.store.rows("run")
        assert run["status"] == "open"


async def nothing(arguments: dict[str, Any], context: CallContext) -> object:
    """An answer from which nothing can be undone."""
    return {}


@pytest.mark.parametrize("kept", [True, False])
async def test_what_could_not_be_undone_is_tried_again_by_id_once_a_person_says_so(kept: bool, tmp_path: Path) -> None:
    """K39: resumable by id; each try is a call of its own with a key of its own (defect 38)."""
    desk = Desk("abc", does={"c": refuse, "una": times(3, refuse)})
    async with staged(*desk.tools(), ledger=tmp_path / "ledger.db" if kept else None) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("abc"))
        assert (outcome.status, desk.times["una"]) == (SagaStatus.COMPENSATION_FAILED, 3)
        for person, reason, error in ((ANA, "again", NotEntitled), (OPA, "", BadInput)):
            with pytest.raises(error):
                await stage.plane.resume_saga(outcome.run_id, person, reason=reason)
        again = await stage.plane.resume_saga(outcome.run_id, OPA, reason="it was unlocked")
        assert (again.status, desk.times["una"]) == (SagaStatus.COMPENSATED, 4)
        assert desk.times["unb"] == 1, "what was undone is not undone twice"
        keys = [each.idempotency_key for (name, _), each in zip(desk.far.ran, desk.far.contexts, strict=True)
                if name == "una"]  # fmt: skip
        assert len(set(keys)) == 4
        with pytest.raises(Conflict):
            await stage.plane.resume_saga(outcome.run_id, OPA, reason="once more")
        rows = await stage.plane.store.rows("compensation_action")
        assert [(row["tool"], row["outcome"]) for row in rows] == [("b", "done"), ("a", "failed"), ("a", "done")]
        assert await differences(stage.plane.store) == []
        assert not [step.problem for step in replay(await stage.plane.store.read(outcome.run_id)) if step.problem]


async def test_a_compensation_that_fails_for_a_moment_is_called_again_with_another_key() -> None:
    """Defect 38: own retries with own keys."""
    desk = Desk("abc", does={"c": refuse, "una": times(2, refuse)})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        assert (await gone_through(stage, in_line("abc"))).status is SagaStatus.COMPENSATED
        assert desk.times["una"] == 3


async def test_a_denied_compensation_is_not_tried_over_and_over_and_goes_on_when_policy_lets_it() -> None:
    """K39: denied."""
    desk = Desk("abc", does={"c": refuse})
    async with staged(*desk.tools()) as stage:
        stage.obey(denied("una"))
        outcome = await gone_through(stage, in_line("abc"))
        assert (outcome.status, desk.times["una"]) == (SagaStatus.COMPENSATION_FAILED, 0)
        calls = [row for row in await stage.plane.store.rows("tool_call") if row["tool"] == "una"]
        assert [row["code"].partition(".")[0] for row in calls] == ["authorize"]
        stage.obey(ALLOW)
        again = await stage.plane.resume_saga(outcome.run_id, OPA, reason="the rule was wrong")
        assert again.status is SagaStatus.COMPENSATED


async def test_a_hold_of_a_compensation_is_answered_by_what_let_its_step_pass() -> None:
    """C4, defect 43: a pre-authorised grant, for exactly that call; anybody else's call of the tool is held."""
    desk = Desk("abc", does={"c": refuse})
    async with staged(*desk.tools()) as stage:
        stage.obey(held("una", "unb"))
        outcome = await gone_through(stage, in_line("abc"))
        assert outcome.status is SagaStatus.COMPENSATED
        assert await stage.plane.store.rows("approval") == []
        decided = next(event.fact for event in await stage.events(outcome.run_id, outcome.steps[0].undo_call_id))
        assert (decided.decision, decided.body["undoes"]) == ("require_approval", outcome.steps[0].call_id)
        assert not [step.problem for step in replay(await stage.plane.store.read(outcome.run_id)) if step.problem]
        async with stage.run() as run:
            assert (await run.call("una", {"n": 7})).code == "approve.held"


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    "limits",
    [
        {"budgets": [{"name": "calls", "unit": "calls", "most": 2}]},
        {"rates": [{"name": "often", "calls": 2, "per_s": 60, "burst": 2}]},
        {"calls_max": 2},
    ],
)
async def test_a_limit_that_is_used_up_turns_a_saga_back_and_keeps_nothing_from_being_undone(
    limits: dict[str, Any], kept: bool, tmp_path: Path
) -> None:
    """What undoes a call is charged and never refused; the same tool, called for itself, is refused as any other."""
    desk = Desk("abc")
    ledger = tmp_path / "ledger.db" if kept else None
    async with staged(*desk.tools(), ledger=ledger, settings={"limits": limits}) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("abc"))
        assert outcome.cause is not None and outcome.cause.why.startswith("limit.")
        assert (outcome.status, desk.ran) == (SagaStatus.COMPENSATED, ["a", "b", "unb", "una"])
        if "budgets" in limits:
            assert list((await stage.plane.store.guards()).values()) == [4], "its budget pays, beyond its end"
        if "calls_max" not in limits:
            async with stage.run() as run:
                assert (await run.call("una", {"n": 8})).code.startswith("limit.")
        assert await differences(stage.plane.store) == []


async def test_a_compensation_whose_tool_was_changed_since_is_not_answered_in_advance() -> None:
    """The grant is for the definition that stood in the intent."""
    desk = Desk("abc", does={"c": refuse})
    async with staged(*desk.tools()) as stage:
        stage.obey(held("unb"))
        changed = [tool for tool in desk.tools() if tool.name != "unb"]
        other = desk.far.tool("unb", "reversible", idempotent=True, description="Does something else.")

        async def swap(arguments: dict[str, Any], context: CallContext) -> object:
            stage.plane.plane.registry = Registry([*changed, other])
            stage.obey(held("unb"))
            raise Rejected("409")

        desk.does["c"] = swap
        outcome = await gone_through(stage, in_line("abc"))
        assert (outcome.status, undoing(outcome)["b"]) == (SagaStatus.WAITING, "held")
        assert desk.ran == ["a", "b", "c"], "what was done before it waits for it"
        [asked] = await stage.plane.store.rows("approval")
        state = await stage.state(outcome.run_id)
        call = state.calls[asked["call_id"]].outcome
        assert call is not None
        await stage.answer(outcome.run_id, call, BOB)
        await stage.plane.advance(outcome.run_id)
        assert (await stage.plane.saga_outcome(outcome.run_id)).status is SagaStatus.COMPENSATED


async def test_a_rejected_step_turns_the_saga_back_and_a_held_one_is_withdrawn() -> None:
    desk = Desk("abc")
    async with staged(*desk.tools()) as stage:
        stage.obey(held("b"))
        outcome = await gone_through(stage, in_line("abc"))
        assert outcome.cause is not None and outcome.cause.outcome is not None
        await stage.answer(outcome.run_id, outcome.cause.outcome, BOB, decision="reject")
        await stage.plane.advance(outcome.run_id)
        assert (await stage.plane.saga_outcome(outcome.run_id)).status is SagaStatus.COMPENSATED
        assert desk.ran == ["a", "una"]

        waiting = await gone_through(stage, in_line("abc"))
        for who, reason, error in ((BOB, "no", NotEntitled), (ANA, "", BadInput)):
            with pytest.raises(error):
                await stage.plane.cancel_saga(waiting.run_id, who, reason=reason)
        called_off = await stage.plane.cancel_saga(waiting.run_id, ANA, reason="the tenant went elsewhere")
        assert (called_off.status, desk.ran) == (SagaStatus.COMPENSATED, ["a", "una", "a", "una"])
        [row] = [row for row in await stage.plane.store.rows("approval") if row["run_id"] == waiting.run_id]
        assert row["status"] == "withdrawn"
        with pytest.raises(Conflict):
            await stage.plane.cancel_saga(waiting.run_id, ANA, reason="again")


async def test_a_step_that_a_person_edited_goes_on_as_they_made_it_and_is_undone_as_such() -> None:
    """What was held is refused, and what they made of it stands in its place."""
    desk = Desk("abc", does={"c": refuse})
    async with staged(*desk.tools()) as stage:
        stage.obey(held("b"))
        outcome = await gone_through(stage, in_line("abc"))
        first = outcome.cause
        assert first is not None and first.outcome is not None
        await stage.answer(outcome.run_id, first.outcome, BOB, "edit", arguments={"n": 9})
        await stage.plane.advance(outcome.run_id)
        waiting = (await stage.plane.saga_outcome(outcome.run_id)).cause
        assert waiting is not None and waiting.outcome is not None
        assert (waiting.id, waiting.status) == ("b", StepStatus.HELD), "whoever edits does not approve"
        assert waiting.call_id != first.call_id
        await stage.answer(outcome.run_id, waiting.outcome, CAY)
        await stage.plane.advance(outcome.run_id)
        assert (await stage.plane.saga_outcome(outcome.run_id)).status is SagaStatus.COMPENSATED
        assert [ran for ran in desk.far.ran if ran[0] in ("b", "c", "unb")] == [
            ("b", {"n": 9}), ("c", {"n": 9}), ("unb", {"n": 9}),
        ]  # fmt: skip


async def test_what_a_person_said_while_a_saga_was_put_to_rest_is_not_overlooked() -> None:
    """`run.waiting` holds where nothing came between; else the run stays due."""
    desk = Desk("ab", does={"b": break_down})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        append = store.append

        async def meanwhile(asked: Append) -> Any:
            if asked.facts and asked.facts[0].kind is Kind.RUN_WAITING and asked.facts[0].body["seen"]:
                store.append = append  # type: ignore[method-assign]
                state = await stage.state(asked.chain)
                unknown = next(call for call in state.calls.values() if call.status == "unknown")
                told = {"outcome": "failed", "code": "settled", "message": "a person found that it was not done"}
                body = {"outcome": told, "by": OPA.id, "how": "person", "note": "I looked"}
                settled = Fact(Kind.CALL_RECONCILED, body, unknown.call_id, unknown.step, 0, OPA.id, outcome="failed")
                await append(Append(asked.chain, asked.tenant, [settled]))  # as another process would
            return await append(asked)

        store.append = meanwhile  # type: ignore[method-assign]
        outcome = await gone_through(stage, in_line("ab"))
        assert outcome.status is SagaStatus.COMPENSATED


async def test_an_unknown_step_is_undone_where_that_can_be_done_as_often_as_one_likes() -> None:
    """Defect 37: what failed ambiguously was not compensated."""
    desk = Desk("abc", does={"b": break_down}, options={"b": {"compensate_with": {"n": "/arguments/n"}}})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("abc"))
        assert outcome.status is SagaStatus.COMPENSATED
        assert desk.ran == ["a", "b", "unb", "una"]
        assert (outcome.steps[1].status, outcome.steps[1].undo) == (StepStatus.UNKNOWN, UndoStatus.DONE)


@pytest.mark.parametrize("settled", ["done", "failed"])
async def test_an_unknown_step_that_no_program_can_undo_waits_for_a_person(settled: str) -> None:
    """Defect 37: and nothing is undone by guess meanwhile (defect 41)."""
    desk = Desk("abc", does={"b": break_down}, options={"b": {"compensate_with": {"n": "/arguments/n"}},
                                                         "unb": {"idempotent": False}})  # fmt: skip
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("abc", c={"arguments": {"n": 1}}))
        assert (outcome.status, desk.ran) == (SagaStatus.WAITING, ["a", "b"])
        [unknown] = await stage.plane.store.rows("tool_call", {"status": "unknown"})
        await stage.plane.settle(unknown["call_id"], settled, OPA, note="I looked")
        after = await stage.plane.saga_outcome(outcome.run_id)
        if settled == "done":
            assert (after.status, desk.ran) == (SagaStatus.COMPLETED, ["a", "b", "c"])
        else:
            assert (after.status, desk.ran) == (SagaStatus.COMPENSATED, ["a", "b", "una"])


async def test_an_unknown_step_is_asked_about_where_its_tool_says_how() -> None:
    """Defect 37: reconciled as declared; «not done» is a failure like any other."""
    desk = Desk("ab", does={"b": break_down})
    asked = desk.far.tool("ask", "read", says_no)
    desk.options["b"] = {"reconcile": "ask", "attempts_max": 1}
    async with staged(*desk.tools(), asked) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("ab"))
        assert (outcome.status, outcome.steps[1].status) == (SagaStatus.COMPENSATED, StepStatus.FAILED)
        assert desk.ran == ["a", "b", "ask", "una"]


async def says_no(arguments: dict[str, Any], context: CallContext) -> object:
    """The far end knows nothing of it."""
    return {"done": False}


async def test_a_fallback_in_a_steps_place_is_what_is_undone() -> None:
    desk = Desk("abc", does={"a": refuse_for_now, "b": refuse}, options={"a": {"fallback": "c", "attempts_max": 1}})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("ab"))
        assert outcome.status is SagaStatus.COMPENSATED
        assert desk.ran == ["a", "c", "b", "unc"]
        assert outcome.steps[0].tool == "c"


async def refuse_for_now(arguments: dict[str, Any], context: CallContext) -> object:
    """Nothing left this process."""
    raise NotSent("refused")


@pytest.mark.parametrize("nth", range(1, 60))
async def test_cancelled_at_any_moment_what_was_done_is_undone_by_whoever_goes_on(nth: int) -> None:
    """Defect 40, K38: cancellation ran no compensation. What was cut off before anything left is made again."""
    desk = Desk("abc", options={name: {"compensate_with": {"n": "/arguments/n"}} for name in "abc"})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        stage.store_in(WatchedStore(stage.clock))
        run_id = ""
        with anyio.CancelScope() as scope:
            async with stage.plane.saga(in_line("abc"), ANA, {}) as run:
                run_id = run.run_id
                await CutAt(run.outcome(), scope, nth)
        stage.clock.advance(3600)
        while due := await stage.plane.plane.ledger.store.due():
            await stage.plane.advance(due[0].run_id)
        outcome = await stage.plane.saga_outcome(run_id)
        unknown = any(event.fact.kind is Kind.CALL_UNKNOWN for event in await stage.events(run_id))
        assert outcome.status is (SagaStatus.COMPENSATED if unknown else SagaStatus.COMPLETED)
        if outcome.status is SagaStatus.COMPENSATED:
            assert all(desk.times[f"un{name}"] >= 1 for name in "abc" if desk.times[name])
            assert [name for name in desk.ran if name.startswith("un")] == sorted(
                (name for name in desk.ran if name.startswith("un")), reverse=True
            )


async def test_called_off_in_another_process_while_a_step_runs_the_pivot_behind_it_is_not_done(tmp_path: Path) -> None:
    desk, run_ids, ledger = Desk("ab"), list[str](), tmp_path / "ledger.db"
    elsewhere = World(clock=FrozenClock(), new_id=lambda kind: f"{kind}_elsewhere")
    async with (
        staged(*desk.tools(), ledger=ledger) as stage,
        staged(*desk.tools(), ledger=ledger, world=elsewhere) as other,
    ):

        async def called_off(arguments: dict[str, Any], context: CallContext) -> object:
            await other.plane.cancel_saga(run_ids[0], ANA, reason="not wanted any more")
            return {"n": arguments["n"]}

        desk.does["a"] = called_off
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("ab", pivot="b"), ANA, {}) as run:
            run_ids.append(run.run_id)
            assert (await run.outcome()).status is SagaStatus.COMPENSATED
        assert desk.ran == ["a", "una"]


class SpokenBetween:
    """A ledger before whose append of a call's intent somebody elsewhere speaks."""

    def __init__(self, store: Any, tool: str, speak: Callable[[str], Awaitable[object]]) -> None:
        self._store, self._tool, self._speak = store, tool, speak

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, append: Append) -> Any:
        decided = [fact.body["tool"]["name"] for fact in append.facts if fact.kind is Kind.CALL_DECIDED]
        if decided == [self._tool] and append.facts[-1].kind is Kind.CALL_INTENT:
            await self._speak(append.chain)
        return await self._store.append(append)


@pytest.mark.parametrize("crossing", ["b", "f"])
async def test_called_off_just_before_the_intent_of_its_pivot_it_is_not_passed(tmp_path: Path, crossing: str) -> None:
    """The driver has looked, the pivot is decided, and the word comes from another process; of a fallback as well."""
    desk, ledger = Desk("abf"), tmp_path / "ledger.db"
    if crossing == "f":
        desk.options["b"], desk.does["b"] = {"fallback": "f"}, unreachable
    elsewhere = World(clock=FrozenClock(), new_id=lambda kind: f"{kind}_elsewhere")
    async with (
        staged(*desk.tools(), ledger=ledger) as stage,
        staged(*desk.tools(), ledger=ledger, world=elsewhere) as other,
    ):

        async def speak(run_id: str) -> None:
            await other.plane.cancel_saga(run_id, ANA, reason="not wanted any more")

        stage.obey(ALLOW)
        stage.store_in(SpokenBetween(stage.plane.store, crossing, speak))
        async with stage.plane.saga(in_line("ab", pivot="b"), ANA, {}) as run:
            outcome = await run.outcome()
        assert outcome.status is SagaStatus.COMPENSATED and outcome.cause is not None
        assert (outcome.cause.id, outcome.cause.why) == ("b", "limit.called_off")
        assert [name for name in desk.ran if name != "b"] == ["a", "una"]
        assert desk.times["b"] == (0 if crossing == "b" else 3)


async def test_called_off_while_its_pivot_waits_for_a_person_their_yes_passes_it_no_more() -> None:
    """The answer came first and nobody has acted on it: whoever does finds that the saga was called off."""
    desk = Desk("ab")
    async with staged(*desk.tools()) as stage:
        stage.obey(held("b"))
        async with stage.plane.saga(in_line("ab", pivot="b"), ANA, {}) as run:
            [approval_id] = (await run.outcome()).waits_for
        asked = await stage.plane.approval(approval_id)
        await stage.plane.answer(approval_id, saying(asked.request), BOB)
        outcome = await stage.plane.cancel_saga(run.run_id, ANA, reason="not wanted any more")
    assert outcome.status is SagaStatus.COMPENSATED
    assert desk.ran == ["a", "una"]


async def unreachable(arguments: dict[str, Any], context: CallContext) -> object:
    """Nothing was sent."""
    raise NotSent("no route to host")


async def test_a_bug_in_a_tool_or_an_exit_runs_the_compensations_all_the_same() -> None:
    """Defect 40: whatever ends the caller."""

    class Gone(BaseException):
        pass

    desk = Desk("abc", options={"b": {"compensate_with": {"n": "/arguments/n"}}})

    async def gone(arguments: dict[str, Any], context: CallContext) -> object:
        raise Gone

    desk.does["b"] = gone
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        with pytest.raises(BaseException) as caught:
            async with stage.plane.saga(in_line("abc"), ANA, {}, name="mine") as run:
                await run.outcome()
        assert caught.group_contains(Gone) if isinstance(caught.value, BaseExceptionGroup) else caught.type is Gone
        desk.does = {}
        [due] = await stage.plane.store.due()
        await stage.plane.advance(due.run_id)
        assert (await stage.plane.saga_outcome(due.run_id)).status is SagaStatus.COMPENSATED
        assert desk.ran == ["a", "b", "unb", "una"]


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("nth", range(2, 16))
async def test_a_ledger_that_cannot_be_written_stops_the_saga_and_nothing_is_undone_by_guess(
    nth: int, lost: bool
) -> None:
    """Defect 41, at each append in turn, not written or its answer lost: stop, recover, go on by what stands."""
    known = {"keyed": True, "compensate_with": {"n": "/arguments/n"}}
    desk = Desk("abc", does={"c": refuse}, options=dict.fromkeys("abc", known))
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        (store.lose_at if lost else store.fail_at).add(nth)
        run_id, failed = "", False
        try:
            async with stage.plane.saga(
                in_line("abc", b={"arguments": {"n": 2}}, c={"arguments": {"n": 3}}), ANA, {}
            ) as run:
                run_id = run.run_id
                await run.outcome()
        except StoreUnavailable:
            failed = True
        assert failed == (nth <= len(store.appends)), "it was told"
        before = desk.ran
        assert before == in_order(before), "nothing is undone while something may still be done"
        stage.clock.advance(3600)
        while due := await store.due():
            await stage.plane.advance(due[0].run_id)
        assert (await stage.plane.saga_outcome(run_id)).status is SagaStatus.COMPENSATED
        for name in "ab":
            assert desk.times[f"un{name}"] >= min(desk.times[name], 1), f"{name} was done, and is not undone"
        keys = {each.idempotency_key: name for (name, _), each in zip(desk.far.ran, desk.far.contexts, strict=True)}
        assert [name for name in keys.values() if name in "abc"] == list("abc")[: len(set(desk.ran) & set("abc"))]


def in_order(ran: list[str]) -> list[str]:
    """What ran, with what was done before all that was undone."""
    return sorted(ran, key=lambda name: name.startswith("un"))


async def test_a_saga_that_kills_every_worker_is_left_to_a_person() -> None:
    """K40: it is not advanced for ever."""
    desk = Desk("ab")
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("ab"), ANA, {}) as run:
            pass
        for _ in range(6):  # each of them was lost before anything came of it
            claim = Claim("lost", 1, "advance")
            await stage.plane.store.append(Append(run.run_id, "default", [], claim=claim))
            stage.clock.advance(2)
        await stage.plane.advance(run.run_id)
        assert desk.ran == []
        assert await stage.plane.store.due() == []
        waits = [event.fact.body for event in await stage.events(run.run_id) if event.fact.kind is Kind.RUN_WAITING]
        assert waits == [{"for": [], "code": "recovery.quarantined"}]
        assert (await stage.plane.resume_saga(run.run_id, OPA, reason="mended")).completed


async def test_called_off_by_nobody_elses_tenant() -> None:
    desk = Desk("ab")
    async with staged(*desk.tools()) as stage:
        stage.obey(held("b"))
        outcome = await gone_through(stage, in_line("ab"))
        stranger = Principal("opa", tenant="other", roles=frozenset({"operator"}))
        for asks in (stage.plane.cancel_saga, stage.plane.resume_saga):
            with pytest.raises(Exception, match="no run"):
                await asks(outcome.run_id, stranger, reason="mine now")


async def test_nothing_of_a_saga_is_erased_before_it_is_over() -> None:
    """What a step returned may be needed to undo it."""
    desk = Desk("abc", does={"c": refuse, "una": times(3, refuse)})
    root = Principal("root", roles=frozenset({"admin"}))
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("abc"))
        erased = await erase_subject(stage.plane.store, ANA.id, "request 7", root)
        assert (erased.events, {kept.why for kept in erased.kept}) == (0, {"what drives it is not over"})
        again = await stage.plane.resume_saga(outcome.run_id, OPA, reason="unlocked")
        assert again.status is SagaStatus.COMPENSATED
        assert (await erase_subject(stage.plane.store, ANA.id, "request 7", root)).kept == []


@pytest.mark.parametrize("found", ["done", "failed"])
async def test_a_compensation_of_which_nobody_knows_is_settled_by_a_person(found: str) -> None:
    """K39: neither sent again by itself nor forgotten."""
    desk = Desk("ab", does={"b": refuse, "una": times(1, break_down)}, options={"una": {"idempotent": False}})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("ab"))
        assert (outcome.status, desk.times["una"]) == (SagaStatus.COMPENSATION_FAILED, 1)
        [unknown] = await stage.plane.store.rows("tool_call", {"status": "unknown"})
        assert unknown["call_id"] == outcome.steps[0].undo_call_id
        await stage.plane.settle(unknown["call_id"], found, OPA, note="I looked")
        assert (await stage.plane.saga_outcome(outcome.run_id)).status is SagaStatus.COMPENSATED
        assert desk.times["una"] == (1 if found == "done" else 2)
        rows = await stage.plane.store.rows("compensation_action")
        assert [row["outcome"] for row in rows] == ["failed", "done"]


async def test_what_a_saga_gave_up_on_is_not_proposed_again_outside_of_it() -> None:
    """It would be done after all was undone."""
    desk = Desk("ab", does={"b": refuse_for_now}, options={"b": {"attempts_max": 1}})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        outcome = await gone_through(stage, in_line("ab"))
        assert outcome.status is SagaStatus.COMPENSATED
        [letter] = await stage.plane.store.rows("dead_letter")
        with pytest.raises(Conflict, match="is a saga's"):
            await stage.plane.retry(letter["call_id"], OPA, reason="again")


async def test_an_engine_goes_on_with_a_saga_once_somebody_has_answered(tmp_path: Path) -> None:
    """The loop of a real process: nobody calls `advance`."""
    desk = Desk("abc")
    (tmp_path / "policy.cedar").write_text(held("b"))
    settings = Settings(ledger=tmp_path / "ledger.db", folder=tmp_path, policy=tmp_path / "policy.cedar")
    async with open_plane(settings, tools=desk.tools()) as plane:
        async with plane.saga(in_line("abc"), ANA, {}) as saga:
            waiting = await saga.outcome()
        [approval_id] = waiting.waits_for
        asked = await plane.approval(approval_id)
        await plane.answer(approval_id, saying(asked.request), BOB)
        with anyio.fail_after(30):
            while not (await plane.saga_outcome(saga.run_id)).completed:
                await anyio.sleep(0.01)
    assert desk.ran == ["a", "b", "c"]


async def test_a_service_resumes_nothing() -> None:
    desk = Desk("ab", does={"b": refuse, "una": refuse})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        saga = Saga("line", [Step("a", "a", {"n": given("/n")}), Step("b", "b", {"n": 1})])
        async with stage.plane.saga(saga, ANA, {"n": 1}) as run:
            assert (await run.outcome()).status is SagaStatus.COMPENSATION_FAILED
        with pytest.raises(NotEntitled):
            bot = Principal("bot", roles=frozenset({"operator"}), kind="service")
            await stage.plane.resume_saga(run.run_id, bot, reason="again")
