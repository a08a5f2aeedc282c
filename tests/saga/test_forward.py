"""A saga goes forward: in order, by its results, as far as it can go; and is refused where it could not be undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import BadInput, Principal, Saga, SagaStatus, Step, World, given, result
from interlock.errors import Conflict, NotFound
from interlock.ledger.conversation import Ledger
from interlock.registry.registry import Registry
from interlock.saga.check import STEPS_MAX, check
from interlock.saga.definition import saga_from
from interlock.saga.outcome import SagaOutcome
from interlock.saga.standing import StepStatus
from interlock.testing import FrozenClock
from tests.planes import ANA, BOB, OPA, PERMIT, Far, Stage, staged
from tests.rollout.two import SECOND
from tests.saga.desk import ALLOW, Desk, break_down, in_line, refuse

pytestmark = pytest.mark.anyio

HOLDS_B = PERMIT + '\n@id("asks") @approvers("approver") forbid (principal, action == Action::"b", resource);'


async def test_steps_run_in_the_order_of_the_list_each_by_the_results_of_those_before() -> None:
    """C4: dependent steps as code that reads like the list of steps."""
    desk = Desk()
    saga = Saga("mixed", [
        Step("first", "a", {"n": given("/start")}),
        Step("second", "b", {"n": result("first", "/n"), "note": given("/note")}),
        Step("third", "c", {"n": result("first", "/n")}),
    ])  # fmt: skip
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(saga, ANA, {"start": 3, "note": '{"$result": "first"}'}) as run:
            outcome = await run.outcome()
        assert outcome.completed and outcome.cause is None
        assert outcome.results == {"first": {"n": 3}, "second": {"n": 3}, "third": {"n": 3}}
        assert desk.far.ran == [
            ("a", {"n": 3}), ("b", {"n": 3, "note": '{"$result": "first"}'}), ("c", {"n": 3}),
        ]  # fmt: skip
        [row] = await stage.plane.store.rows("run")
        assert (row["driver"], row["title"], row["status"], row["reason"]) == ("saga", "mixed", "finished", "completed")
        assert await stage.plane.store.due() == []


async def test_what_a_saga_is_given_is_data_and_refers_to_nothing() -> None:
    """Nothing that came from outside is looked into for references: it stands where it was put."""
    free = {"type": "object", "properties": {"n": {}}, "required": ["n"]}
    far = Far()
    tools = [far.tool("a", input_schema=free), far.tool("b", input_schema=free)]
    saga = Saga("said", [Step("a", "a", {"n": given("/said")}), Step("b", "b", {"n": result("a", "/n")})])
    said = {"$result": "b", "pointer": "/secret"}
    async with staged(*tools) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(saga, ANA, {"said": said}) as run:
            assert (await run.outcome()).completed
    assert far.ran == [("a", {"n": said}), ("b", {"n": said})]


async def test_steps_that_are_not_ordered_run_together_and_others_wait_for_them() -> None:
    """Defect 52: what may run at the same time is declared, and nothing else does."""
    desk, at_work, together = Desk("abcd"), 0, 0

    async def side_by_side(arguments: dict[str, Any], context: Any) -> object:
        nonlocal at_work, together
        at_work += 1
        together = max(together, at_work)
        await anyio.sleep(0)
        await anyio.sleep(0)
        at_work -= 1
        return arguments

    desk.does = dict.fromkeys("abcd", side_by_side)
    desk.options = {name: {"effect": "read", "compensate": "", "compensate_with": {}} for name in "bc"}
    saga = Saga("diamond", [
        Step("a", "a", {"n": 1}),
        Step("b", "b", {"n": 2}, after=("a",)),
        Step("c", "c", {"n": 3}, after=("a",)),
        Step("d", "d", {"n": 4}, after=("b", "c")),
    ])  # fmt: skip
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(saga, ANA, {}) as run:
            assert (await run.outcome()).completed
    assert (desk.ran[0], set(desk.ran[1:3]), desk.ran[3], together) == ("a", {"b", "c"}, "d", 2)


async def test_writes_on_one_thing_never_run_together() -> None:
    """Defect 52, of steps that say nothing of their order: on one server without a resource, one after the other."""
    desk, at_work = Desk("abc"), 0

    async def alone(arguments: dict[str, Any], context: Any) -> object:
        nonlocal at_work
        at_work += 1
        assert at_work == 1, "two writes at once"
        await anyio.sleep(0)
        at_work -= 1
        return arguments

    desk.does = dict.fromkeys("abc", alone)
    saga = Saga("loose", [Step(name, name, {"n": 1}, after=()) for name in "abc"])
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(saga, ANA, {}) as run:
            assert (await run.outcome()).completed


async def test_a_held_step_parks_the_saga_and_its_approval_goes_on_with_it(tmp_path: Path) -> None:
    """C4; a saga that waits holds no claim, is not due, and is found once it is answered."""
    desk = Desk("abc")
    async with staged(*desk.tools(), ledger=tmp_path / "ledger.db") as stage:
        stage.obey(HOLDS_B)
        async with stage.plane.saga(in_line("abc"), ANA, {}) as run:
            waiting = await run.outcome()
        assert (waiting.status, desk.ran, len(waiting.waits_for)) == (SagaStatus.WAITING, ["a"], 1)
        assert waiting.cause is not None and waiting.cause.status is StepStatus.HELD
        assert await stage.plane.store.due() == []
        events = len(await stage.events(run.run_id))
        assert await stage.plane.advance(run.run_id)
        assert len(await stage.events(run.run_id)) == events, "asking twice is asking once"
        held = waiting.cause.outcome
        assert held is not None
        await stage.answer(run.run_id, held, BOB)
        [due] = await stage.plane.store.due()
        await stage.plane.advance(due.run_id)
        assert (await stage.plane.saga_outcome(run.run_id)).completed
        assert desk.ran == ["a", "b", "c"]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_saga_whose_worker_was_lost_between_two_steps_is_found(kept: bool, tmp_path: Path) -> None:
    """DESIGN 1.3, on both stores: started and not over, not waiting, and nobody has it."""
    desk = Desk("abc")
    async with staged(*desk.tools(), ledger=tmp_path / "ledger.db" if kept else None) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("abc"), ANA, {}) as run:
            assert await stage.plane.store.due() == [], "whoever started it has it"
        [due] = await stage.plane.store.due()
        assert (due.run_id, due.why) == (run.run_id, "claim.lapsed")
        await stage.plane.advance(run.run_id)
        assert desk.ran == ["a", "b", "c"]
        assert await stage.plane.store.due() == []


async def test_starting_it_again_by_its_name_is_starting_it_once() -> None:
    """Defect 51: a re-run made a second tenant."""
    desk = Desk("ab")
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        for _ in range(3):
            async with stage.plane.saga(in_line("ab"), ANA, {"who": 1}, name="tenant-1") as run:
                assert (await run.outcome()).completed
        assert desk.ran == ["a", "b"]
        with pytest.raises(Conflict, match="has this name"):
            async with stage.plane.saga(in_line("ab"), ANA, {"who": 2}, name="tenant-1"):
                raise AssertionError("it is another one")
        async with stage.plane.saga(in_line("ab"), ANA, {"who": 2}, name="tenant-2") as other:
            async with stage.plane.saga(in_line("ab"), ANA, {"who": 2}, name="tenant-2") as same:
                assert (await same.outcome()).completed, "whoever comes back goes on with it"
            assert (await other.outcome()).completed and other.run_id == same.run_id != run.run_id
        assert desk.times == {"a": 2, "b": 2}


async def test_begun_by_one_name_at_once_it_is_one_saga_for_all_who_did(tmp_path: Path) -> None:
    """Defect 51: in one process, and in several on one file."""
    desk = Desk("ab")
    outcomes: list[SagaOutcome] = []

    async def begin(stage: Stage) -> None:
        async with stage.plane.saga(in_line("ab"), ANA, {"who": 1}, name="tenant-1") as run:
            outcomes.append(await run.outcome())

    ledger = tmp_path / "ledger.db"
    elsewhere = World(clock=FrozenClock(), new_id=lambda kind: f"{kind}_elsewhere")
    async with (
        staged(*desk.tools(), ledger=ledger) as stage,
        staged(*desk.tools(), ledger=ledger, world=elsewhere) as other,
    ):
        stage.obey(ALLOW)
        other.obey(ALLOW)
        async with anyio.create_task_group() as tasks:
            for each in (stage, stage, other, other):
                tasks.start_soon(begin, each)
        assert len({outcome.run_id for outcome in outcomes}) == 1 and len(outcomes) == 4
        assert (await stage.plane.saga_outcome(outcomes[0].run_id)).completed
    assert desk.times == {"a": 1, "b": 1}


async def test_what_a_saga_may_use_is_limited_and_its_undoing_is_not() -> None:
    """B11: charged to its own budget, or to that of the run that it is begun for; what undoes goes beyond it."""
    desk = Desk("abc")
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("abc"), ANA, {}, budget={"calls": 2}) as run:
            outcome = await run.outcome()
        assert outcome.status is SagaStatus.COMPENSATED and outcome.cause is not None
        assert (outcome.cause.id, outcome.cause.why) == ("c", "limit.budget")
        assert desk.ran == ["a", "b", "unb", "una"]
        async with stage.plane.run(ANA, budget={"calls": 4}) as above:
            async with stage.plane.saga(in_line("abc"), ANA, {}, parent=above.run_id) as below:
                assert (await below.outcome()).completed
            assert (await above.call("a", {"n": 1})).kind == "done"
            assert (await above.call("a", {"n": 2})).code == "limit.budget"
        with pytest.raises(Conflict):
            async with stage.plane.saga(in_line("ab"), ANA, {}, parent=above.run_id):
                raise AssertionError("its parent is over")


async def test_two_sagas_know_nothing_of_each_other() -> None:
    """Defect 39: the failure of the second rolled back what the first had committed."""
    desk = Desk("ab")
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("ab"), ANA, {}) as first:
            assert (await first.outcome()).completed
        desk.does = {"b": refuse}
        async with stage.plane.saga(in_line("ab"), ANA, {}) as second:
            assert (await second.outcome()).status is SagaStatus.COMPENSATED
        assert desk.times == {"a": 2, "b": 2, "una": 1}
        assert (await stage.plane.saga_outcome(first.run_id)).completed


async def test_a_result_that_is_not_what_must_come_of_a_step_is_no_success() -> None:
    """Defect 51: a result that says «not done» counted as done, and undefined ids flowed on."""
    for result_of_b, expect in (({"n": 1, "state": "draft"}, {"/state": "signed"}), ({"ok": True}, {})):
        desk = Desk("abc")

        async def short(arguments: dict[str, Any], context: Any, said: object = result_of_b) -> object:
            return said

        desk.does = {"b": short}
        desk.options = {"b": {"compensate_with": {"n": "/arguments/n"}}}
        async with staged(*desk.tools()) as stage:
            stage.obey(ALLOW)
            async with stage.plane.saga(in_line("abc", b={"expect": expect}), ANA, {}) as run:
                outcome = await run.outcome()
        assert (outcome.status, outcome.completed) == (SagaStatus.COMPENSATED, False)
        assert outcome.cause is not None
        assert (outcome.cause.id, outcome.cause.status, outcome.cause.why) == ("b", StepStatus.UNMET, "saga.unmet")
        assert desk.ran == ["a", "b", "unb", "una"], "it took effect, so it is undone too"


async def test_behind_the_pivot_a_step_is_tried_again_and_never_undone() -> None:
    """C4: forward only; three calls with a key each, then a person."""
    desk = Desk("abc", does={"c": refuse}, options={"c": {"keyed": True}})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("abc", pivot="b"), ANA, {}) as run:
            outcome = await run.outcome()
        assert outcome.status is SagaStatus.STUCK
        assert desk.times == {"a": 1, "b": 1, "c": 3}
        keys = [context.idempotency_key for (name, _), context in zip(desk.far.ran, desk.far.contexts, strict=True)]
        assert len(set(keys)) == 5, "each try is a call of its own"
        assert await stage.plane.store.due() == []
        with pytest.raises(Conflict, match="past its pivot"):
            await stage.plane.cancel_saga(run.run_id, ANA, reason="changed my mind")
        desk.does = {}
        opa = Principal("opa", roles=frozenset({"operator"}))
        assert (await stage.plane.resume_saga(run.run_id, opa, reason="mended")).completed
        assert desk.times == {"a": 1, "b": 1, "c": 4}


async def test_what_a_lost_process_had_no_tool_for_waits_for_one_that_has() -> None:
    desk = Desk("ab")
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("ab"), ANA, {}) as run:
            pass
        whole = stage.plane.plane.registry
        stage.plane.plane.registry = Registry([tool for tool in desk.tools() if tool.name in ("a", "una")])
        await stage.plane.advance(run.run_id)
        assert desk.ran == ["a"]
        assert [due.why for due in await stage.plane.store.due()] == ["claim.lapsed"]
        stage.plane.plane.registry = whole
        await stage.plane.advance(run.run_id)
        assert desk.ran == ["a", "b"]


async def test_the_words_of_a_saga_are_the_ledgers_alone(tmp_path: Path) -> None:
    """Defect 36, 39: nothing is kept beside it. Another process reads the same."""
    desk = Desk("abc", does={"c": break_down})
    ledger = tmp_path / "ledger.db"
    async with staged(*desk.tools(), ledger=ledger) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("abc"), ANA, {}) as run:
            outcome = await run.outcome()
    async with staged(*desk.tools(), ledger=ledger) as stage:
        assert (await stage.plane.saga_outcome(run.run_id)).as_json() == outcome.as_json()
        state = (await Ledger(stage.plane.store).conversation(run.run_id, "default")).state
        assert saga_from(state.course["saga"]) == saga_from(in_line("abc").as_json())


async def test_a_sagas_run_is_not_come_back_to_as_one_of_calls() -> None:
    desk = Desk("a")
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(in_line("a"), ANA, {}) as saga:
            pass
        with pytest.raises(Conflict, match="driven by its saga"):
            async with stage.plane.run(ANA, run_id=saga.run_id):
                raise AssertionError("nobody else calls in it")
        async with stage.run() as run:
            with pytest.raises(NotFound, match="is no saga"):
                await stage.plane.saga_outcome(run.run_id)


def refused(saga: Saga, desk: Desk | None = None, gave: Any = None) -> str:
    """The code with which a saga is refused at its start."""
    with pytest.raises(BadInput) as caught:
        check(saga, Registry((desk or Desk()).tools()), gave or {})
    return caught.value.code


STARTS: list[tuple[str, Saga]] = [
    ("saga.steps", Saga("none", [])),
    ("saga.steps", Saga("many", [Step(f"s{n}", "a", {"n": 1}) for n in range(STEPS_MAX + 1)])),
    ("saga.name", Saga("a name", [Step("a", "a", {"n": 1})])),
    ("saga.step", Saga("x", [Step("a b", "a", {"n": 1})])),
    ("saga.step", Saga("x", [Step("a", "a", {"n": 1}), Step("a", "b", {"n": 1})])),
    ("saga.pivot", Saga("x", [Step("a", "a", {"n": 1}, pivot=True), Step("b", "b", {"n": 1}, pivot=True)])),
    ("saga.tool", Saga("x", [Step("a", "aa", {"n": 1})])),
    ("saga.reference", Saga("x", [Step("a", "a", {"n": result("b", "/n")}), Step("b", "b", {"n": 1})])),
    ("saga.reference", Saga("x", [Step("a", "a", {"n": result("a", "/n")})])),
    ("saga.reference", Saga("x", [Step("a", "a", {"n": 1}, after=("b",)), Step("b", "b", {"n": 1})])),
    ("saga.reference", Saga("x", [Step("a", "a", {"n": 1}), Step("b", "b", {"n": result("a", "n")})])),
    ("saga.reference", Saga("x", [Step("a", "a", {"n": 1}, expect={"n": 1})])),
    ("saga.input", Saga("x", [Step("a", "a", {"n": given("/n")})])),
    ("saga.arguments", Saga("x", [Step("a", "a", {"n": "one"})])),
    ("saga.arguments", Saga("x", [Step("a", "a", {})])),
    ("saga.arguments", Saga("x", [Step("a", "a", {"n": 1}), Step("b", "b", {"n": result("a", "/n"), "m": 1})])),
]


@pytest.mark.parametrize(("code", "saga"), STARTS)
def test_a_saga_that_could_not_be_done_is_refused_at_its_start(code: str, saga: Saga) -> None:
    assert refused(saga) == code


async def test_nothing_of_a_refused_saga_stands_or_runs() -> None:
    desk = Desk("ab", options={"b": {"compensate": "", "compensate_with": {}}})
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        with pytest.raises(BadInput, match="nothing undoes 'b'"):
            async with stage.plane.saga(in_line("ab"), ANA, {}):
                raise AssertionError("it is refused")
        assert (desk.ran, await stage.plane.store.rows("run")) == ([], [])


def test_a_write_before_the_pivot_is_undone_by_something_or_says_that_it_need_not_be() -> None:
    """Defect 42: a missing `compensate` silently meant that nothing is undone."""
    bare: dict[str, dict[str, Any]] = {"b": {"compensate": "", "compensate_with": {}}}
    assert refused(in_line("abc"), Desk("abc", options=bare)) == "saga.undo"
    desk = Desk("abc", options=bare)
    registry = Registry(desk.tools())
    check(in_line("abc", b={"undo": False}), registry, {})
    check(in_line("ab", pivot="b"), registry, {})
    check(in_line("abc", pivot="b"), Registry(Desk("abc", options={**bare, "c": {"keyed": True}}).tools()), {})
    reads = Desk("abc", options={"b": {**bare["b"], "effect": "read"}})
    check(in_line("abc"), Registry(reads.tools()), {})


def test_what_may_be_called_in_a_steps_place_must_be_undone_too() -> None:
    """Defect 42, of a fallback."""
    bare = {"fallback": "c"}
    desk = Desk("abc", options={"a": bare, "c": {"compensate": "", "compensate_with": {}}})
    assert refused(in_line("ab"), desk) == "saga.undo"


def test_a_step_behind_the_pivot_can_be_tried_until_it_is_done() -> None:
    """C4: its far end dedupes, or can be asked; else nobody knows whether it was done."""
    assert refused(in_line("abc", pivot="b")) == "saga.forward"
    for option in ("keyed", "idempotent"):
        check(in_line("abc", pivot="b"), Registry(Desk("abc", options={"c": {option: True}}).tools()), {})


async def test_a_pivot_that_stands_before_a_step_that_it_waits_for_waits_with_it() -> None:
    """The saga is put to rest while a step is held that stands behind the pivot in the list, and not after it."""
    desk = Desk("abc")
    saga = Saga("x", [
        Step("p", "a", {"n": 1}, pivot=True),
        Step("b", "b", {"n": 1}, after=()),
        Step("c", "c", {"n": 1}, after=("p",)),
    ])  # fmt: skip
    desk.options = {"c": {"keyed": True}}
    async with staged(*desk.tools()) as stage:
        stage.obey(HOLDS_B)
        async with stage.plane.saga(saga, ANA, {}) as run:
            assert (await run.outcome()).status is SagaStatus.WAITING
        assert (await stage.plane.store.due(), desk.ran) == ([], [])


def test_the_pivot_comes_after_all_that_may_have_to_be_undone() -> None:
    saga = Saga("x", [
        Step("a", "a", {"n": 1}),
        Step("p", "b", {"n": 1}, after=("a",), pivot=True),
        Step("c", "c", {"n": 1}, after=("a",)),
        Step("d", "d", {"n": 1}, after=("p",)),
    ])  # fmt: skip
    assert saga.needs == {
        "a": frozenset(), "p": frozenset({"a", "c"}), "c": frozenset({"a"}), "d": frozenset({"p"}),
    }  # fmt: skip
    assert saga.past_pivot == {"d"}


async def test_a_saga_is_checked_against_the_versions_that_its_principal_has() -> None:
    """A8: what the first version takes, the second need not; found before anything runs, and not in the middle."""
    far = Far()
    pair = far.tool("a", version="1"), far.tool("a", version="2", input_schema=SECOND)
    old, new = (Saga("s", [Step("s", "a", said)]) for said in ({"n": 1}, {"n": 1, "currency": "EUR"}))
    async with staged(*pair) as stage:
        stage.obey(ALLOW)
        for percent, fits, other in ((0, old, new), (100, new, old)):
            await stage.plane.roll_out("a", "2", percent, OPA, reason="drill")
            async with stage.plane.saga(fits, ANA, {}) as run:
                assert (await run.outcome()).completed
            with pytest.raises(BadInput) as refused:
                async with stage.plane.saga(other, ANA, {}) as run:
                    pass
            assert refused.value.code == "saga.arguments"
    assert len(far.ran) == 2
