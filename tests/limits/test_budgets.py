"""Budgets and rates on the path: reserved at worst before anything leaves, settled by what it was (B6, C8, T29)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import CallContext, NotSent, Principal, Proposal, Rejected
from interlock.core.clock import SECOND_US
from interlock.core.guard_row import read_row
from interlock.errors import BadInput, Conflict, NotFound
from interlock.ledger.rebuild import differences
from interlock.limits.budget import Budget
from interlock.verification.verify import Verification
from tests.planes import ANA, CAY, OPA, Far, Stage, codes, kinds, staged
from tests.verification.readers import VERIFIED
from tests.verification.test_model_verifier import APPROVES, Mind, reader

pytestmark = pytest.mark.anyio

MONEY = {"name": "money", "unit": "micro_usd", "most": 1000, "per": ("principal",)}
CALLS = {"name": "calls", "unit": "calls", "most": 3}
HELD = '@id("held") @approvers("approver") forbid (principal, action, resource); permit (principal, action, resource);'


@asynccontextmanager
async def scene(tmp_path: Path, store: str, *tools: Any, **limits: Any) -> AsyncIterator[Stage]:
    ledger = None if store == "memory" else tmp_path / "ledger.db"
    async with staged(*tools, ledger=ledger, settings={"limits": limits, "seal": {"on": False}}) as stage:
        stage.obey("permit (principal, action, resource);")
        yield stage


async def budget(stage: Stage) -> dict[tuple[str, ...], tuple[int, int]]:
    """What is reserved and spent of each row, by what names it; held against the guards and against the events."""
    found: dict[str, tuple[int, int]] = {}
    for row in await stage.plane.store.rows("budget"):
        reserved, spent = found.get(row["name"], (0, 0))
        found[row["name"]] = (reserved + row["reserved"], spent + row["spent"])
    guards = await stage.plane.store.guards()
    assert {name: sum(parts) for name, parts in found.items()} == {
        name: value for name, value in guards.items() if (read_row(name) or [""] * 2)[1] in ("budget", "run")
    }
    assert await differences(stage.plane.store) == []
    return {tuple(map(str, read_row(name) or [])): parts for name, parts in found.items()}


async def amounts(stage: Stage) -> dict[str, tuple[int, int]]:
    """The same by the budget's name, where each has one row."""
    return {name[2]: parts for name, parts in (await budget(stage)).items()}


STORES = pytest.mark.parametrize("store", ["memory", "sqlite"])


def spending(*said: tuple[str, int], fails: Exception | None = None) -> Any:
    async def does(arguments: dict[str, Any], context: CallContext) -> object:
        for unit, amount in said:
            context.spend(unit, amount)
        if fails is not None:
            raise fails
        return {"n": arguments["n"]}

    return does


@STORES
@pytest.mark.parametrize("effect", ["read", "reversible"])
async def test_a_call_is_charged_what_it_was_and_refused_where_the_worst_does_not_fit(
    tmp_path: Path, store: str, effect: str
) -> None:
    """Defect 69: the worst case is reserved before, in integers, and what was not spent goes back."""
    far = Far()
    tool = far.tool("ask", effect, spending(("micro_usd", 100), ("micro_usd", 50)), costs={"micro_usd": 400})
    async with scene(tmp_path, store, tool, budgets=[MONEY]) as stage, stage.run() as run:
        outcomes = [await run.call("ask", {"n": n}) for n in range(7)]
        assert codes(outcomes) == [""] * 5 + ["limit.budget"] * 2
        assert outcomes[-1].message == "the budget of this user is used up"
        assert len(far.ran) == 5
        assert await amounts(stage) == {"money": (0, 750)}
        audit = (await stage.events(run.run_id, outcomes[-1].call_id))[-1].fact.body["stop"]
        assert audit["gate"] == "limit"
        assert {key: audit["audit"][key] for key in ("unit", "asked", "left", "most")} == {
            "unit": "micro_usd", "asked": 400, "left": 250, "most": 1000,
        }  # fmt: skip


@STORES
async def test_what_says_nothing_costs_what_was_reserved_and_an_argument_may_say_it(tmp_path: Path, store: str) -> None:
    schema = {
        "type": "object", "additionalProperties": False, "required": ["n", "cents"],
        "properties": {"n": {"type": "integer"}, "cents": {"type": "integer", "minimum": 0}},
    }  # fmt: skip
    far = Far()
    tool = far.tool("pay", "irreversible", input_schema=schema, costs={"cents": "cents"})
    async with (
        scene(tmp_path, store, tool, budgets=[{"name": "cents", "unit": "cents", "most": 100}]) as stage,
        stage.run() as run,
    ):
        outcomes = [await run.call("pay", {"n": n, "cents": cents}) for n, cents in enumerate([60, 41, 40, 0, 1])]
        assert codes(outcomes) == ["", "limit.budget", "", "", "limit.budget"]
        assert await amounts(stage) == {"cents": (0, 100)}


@STORES
@pytest.mark.parametrize(
    ("effect", "fails", "kind", "left"),
    [
        ("read", RuntimeError("broken"), "failed", (0, 0)),
        ("reversible", NotSent("no line"), "failed", (0, 0)),
        ("reversible", Rejected("no"), "failed", (0, 0)),
        ("reversible", RuntimeError("broken"), "unknown", (400, 0)),
    ],
)
async def test_a_failure_gives_everything_back_and_an_unknown_keeps_it(
    tmp_path: Path, store: str, effect: str, fails: Exception, kind: str, left: tuple[int, int]
) -> None:
    tool = Far().tool("ask", effect, spending(fails=fails), costs={"micro_usd": 400}, attempts_max=1)
    async with scene(tmp_path, store, tool, budgets=[MONEY]) as stage, stage.run() as run:
        assert kinds([await run.call("ask", {"n": 1})]) == [kind]
        assert await amounts(stage) == {"money": left}


@STORES
@pytest.mark.parametrize(("word", "spent"), [("done", 400), ("failed", 0)])
async def test_an_unknown_is_charged_or_given_back_by_a_persons_word(
    tmp_path: Path, store: str, word: str, spent: int
) -> None:
    tool = Far().tool("ask", "reversible", spending(fails=RuntimeError("broken")), costs={"micro_usd": 400})
    async with scene(tmp_path, store, tool, budgets=[MONEY]) as stage:
        async with stage.run() as run:
            unknown = await run.call("ask", {"n": 1})
        assert await amounts(stage) == {"money": (400, 0)}
        await stage.plane.settle(unknown.call_id, word, OPA, note="looked")
        assert await amounts(stage) == {"money": (0, spent)}


async def test_what_a_failed_call_says_that_it_spent_is_spent(tmp_path: Path) -> None:
    tool = Far().tool(
        "ask", "read", spending(("micro_usd", 30), fails=RuntimeError("broken")), costs={"micro_usd": 400}
    )
    async with scene(tmp_path, "memory", tool, budgets=[MONEY, CALLS]) as stage, stage.run() as run:
        assert kinds([await run.call("ask", {"n": 1})]) == ["failed"]
        assert await amounts(stage) == {"money": (0, 90), "calls": (0, 0)}  # three attempts


@STORES
async def test_what_is_spent_beyond_is_charged_and_shows_and_nothing_more_passes(tmp_path: Path, store: str) -> None:
    tool = Far().tool("ask", "read", spending(("micro_usd", 5000)), costs={"micro_usd": 400})
    async with scene(tmp_path, store, tool, budgets=[MONEY]) as stage, stage.run() as run:
        assert codes([await run.call("ask", {"n": n}) for n in (1, 2)]) == ["", "limit.budget"]
        assert await amounts(stage) == {"money": (0, 5000)}


@pytest.mark.parametrize(("unit", "amount"), [("eur", 1), ("micro_usd", -1), ("micro_usd", True), ("micro_usd", 1.5)])
async def test_a_tool_spends_units_that_it_declares_in_whole_numbers(unit: str, amount: Any) -> None:
    tool = Far().tool("ask", "read", spending((unit, amount)), costs={"micro_usd": 400}, attempts_max=1)
    async with staged(tool) as stage, stage.run() as run:
        stage.obey("permit (principal, action, resource);")
        outcome = await run.call("ask", {"n": 1})
        assert outcome.code == "execute.broken"
        assert "tool.unit" not in outcome.message


@STORES
async def test_calls_at_once_never_pass_the_limit(tmp_path: Path, store: str) -> None:
    """T29: by parallel calls of several runs."""
    far = Far()
    async with scene(tmp_path, store, far.tool("get"), far.tool("put", "reversible"), budgets=[CALLS]) as stage:
        found: list[str] = []

        async def one(number: int) -> None:
            async with stage.run() as run:
                found.extend(codes([await run.call("put" if number % 2 else "get", {"n": number})]))

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(one, number)
        assert sorted(found) == [""] * 3 + ["limit.budget"] * 9
        assert len(far.ran) == 3


async def test_reads_of_a_batch_are_each_charged_and_answered_together(tmp_path: Path) -> None:
    invoked: list[int] = []

    async def several(arguments: list[dict[str, Any]], contexts: list[CallContext]) -> list[object]:
        invoked.append(len(arguments))
        return [{"n": each["n"]} for each in arguments]

    tool = Far().tool("get", "read", batch=several)
    time = {"name": "time", "unit": "ms", "most": 10_000_000}
    async with scene(tmp_path, "memory", tool, budgets=[CALLS, time]) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="get", arguments={"n": n}) for n in range(5)])
        assert sorted(codes(outcomes)) == ["", "", "", "limit.budget", "limit.budget"]
        assert invoked == [3]
        assert await amounts(stage) == {"calls": (0, 3), "time": (0, 0)}


async def test_an_answer_from_the_cache_costs_nothing(tmp_path: Path) -> None:
    far = Far()
    rate = {"name": "often", "calls": 3, "per_s": 60}
    tool = far.tool("get", "read", cache_s=60.0, cache_tags=["n"])
    async with scene(tmp_path, "memory", tool, budgets=[CALLS], rates=[rate]) as stage, stage.run() as run:
        assert codes([await run.call("get", {"n": 1}) for _ in range(3)]) == [""] * 3
        assert await amounts(stage) == {"calls": (0, 1)}
        assert codes([await run.call("get", {"n": n}) for n in (2, 3, 4)]) == ["", "", "limit.rate"]


async def test_time_is_reserved_for_all_attempts_and_charged_for_what_they_took(tmp_path: Path) -> None:
    far = Far()
    stages: list[Stage] = []

    async def slow(arguments: dict[str, Any], context: CallContext) -> object:
        stages[0].clock.advance(0.25)
        if len(far.ran) < 3:
            raise NotSent("no line")
        return 1

    tool = far.tool("get", "read", slow, timeout_s=2.0)
    time = {"name": "time", "unit": "ms", "most": 6000}
    async with scene(tmp_path, "memory", tool, budgets=[time]) as stage, stage.run() as run:
        stages.append(stage)
        assert (await run.call("get", {"n": 1})).done
        assert await amounts(stage) == {"time": (0, 750)}
        assert (await run.call("get", {"n": 2})).code == "limit.budget"  # 6000 at worst, and 5250 are left


@STORES
async def test_a_rate_is_told_in_seconds_and_passes_then(tmp_path: Path, store: str) -> None:
    """Defect 68: at most the burst, and no count that is off by one."""
    far = Far()
    rate = {"name": "often", "calls": 6, "per_s": 60, "burst": 2, "per": ("principal", "tool")}
    async with scene(tmp_path, store, far.tool("get"), far.tool("put", "reversible"), rates=[rate]) as stage:
        async with stage.run() as run:
            outcomes = [await run.call("get", {"n": n}) for n in range(3)]
            assert codes(outcomes) == ["", "", "limit.rate"]
            assert outcomes[-1].next_step == "Try again in 10 s, or go on with other work."
            assert (await run.call("put", {"n": 1})).done  # another tool has its own
            stage.clock.advance(10)
            assert codes([await run.call("get", {"n": n}) for n in (3, 4)]) == ["", "limit.rate"]
        async with stage.run(CAY) as run:
            assert (await run.call("get", {"n": 1})).done  # and another user


async def test_a_day_begins_anew_and_a_clock_that_is_set_back_counts_for_its_day(tmp_path: Path) -> None:
    daily = CALLS | {"most": 1, "every": "day"}
    async with scene(tmp_path, "memory", Far().tool("get"), budgets=[daily]) as stage, stage.run() as run:
        day_s = 86_400 - stage.clock.wall_us() // SECOND_US % 86_400
        assert codes([await run.call("get", {"n": n}) for n in (1, 2)]) == ["", "limit.budget"]
        stage.clock.advance(day_s - 1)
        assert (await run.call("get", {"n": 3})).code == "limit.budget"
        stage.clock.advance(1)
        assert codes([await run.call("get", {"n": n}) for n in (4, 5)]) == ["", "limit.budget"]
        stage.clock.jump_wall(-86_400)
        assert (await run.call("get", {"n": 6})).code == "limit.budget"
        assert len(await budget(stage)) == 2


async def test_nobody_is_asked_about_a_call_that_could_not_run(tmp_path: Path) -> None:
    far = Far()
    async with scene(tmp_path, "memory", far.tool("put", "reversible"), budgets=[CALLS | {"most": 1}]) as stage:
        stage.obey(HELD)
        async with stage.run() as run:
            first, second = [await run.call("put", {"n": n}) for n in (1, 2)]
            assert kinds([first, second]) == ["held", "held"]  # a call that waits reserves nothing
            assert await budget(stage) == {}
            await stage.answer(run.run_id, first)
            await stage.answer(run.run_id, second)
            await stage.plane.advance(run.run_id)
            told = [call.outcome for call in (await stage.state(run.run_id)).calls.values()]
            assert [outcome.code for outcome in told if outcome is not None] == ["", "limit.budget"]
            assert (await run.call("put", {"n": 3})).code == "limit.budget"
            assert (await run.call("put", {"n": 3}, dry_run=True)).code == "limit.budget"
        assert len(await stage.plane.store.rows("approval")) == 2
        assert len(far.ran) == 1


@STORES
async def test_a_run_that_is_started_for_another_uses_what_is_left_above_it(tmp_path: Path, store: str) -> None:
    """T29: by sub-agents. Each run has its own limits and those of every run above it."""
    far = Far()
    async with scene(tmp_path, store, far.tool("get")) as stage:
        plane = stage.plane
        async with plane.run(ANA, budget={"calls": 4}) as task:
            assert (await task.call("get", {"n": 0})).done
            async with plane.run(ANA, budget={"calls": 100}, parent=task.run_id) as child:
                async with plane.run(ANA, budget={"calls": 1}, parent=child.run_id) as grandchild:
                    assert codes([await grandchild.call("get", {"n": n}) for n in (1, 2)]) == ["", "limit.budget"]
                outcomes = [await child.call("get", {"n": n}) for n in (3, 4, 5)]
                assert codes(outcomes) == ["", "", "limit.budget"]
                assert outcomes[-1].message == "the budget of this task is used up"
            assert (await task.call("get", {"n": 6})).code == "limit.budget"
        assert sorted(sum(parts) for parts in (await budget(stage)).values()) == [1, 3, 4]


async def test_a_parent_is_an_open_run_of_the_same_principal(tmp_path: Path) -> None:
    async with scene(tmp_path, "memory", Far().tool("get")) as stage:
        plane = stage.plane
        async with plane.run(ANA, budget={"calls": 4}) as task:
            for stranger in (CAY, Principal("ana", "other")):
                with pytest.raises(NotFound):
                    await plane.run(stranger, parent=task.run_id).__aenter__()
        with pytest.raises(Conflict) as over:
            await plane.run(ANA, parent=task.run_id).__aenter__()
        assert over.value.code == "run.parent_over"


@pytest.mark.parametrize("said", [{"Calls": 1}, {"calls": -1}, {"calls": True}, {"calls": 1.0}, {"calls": 10**16}])
async def test_a_runs_budget_is_a_whole_number_of_a_unit(said: dict[str, Any]) -> None:
    async with staged(Far().tool("get")) as stage:
        with pytest.raises(BadInput) as refused:
            await stage.plane.run(ANA, budget=said).__aenter__()
        assert refused.value.code == "run.budget"


async def test_runs_below_runs_come_to_an_end(tmp_path: Path) -> None:
    async with staged(Far().tool("get")) as stage:
        parent = ""
        with pytest.raises(BadInput):
            for _ in range(70):
                run = await stage.plane.run(ANA, budget={"calls": 9}, parent=parent).__aenter__()
                parent = run.run_id


async def test_a_cancelled_read_is_charged_in_full(tmp_path: Path) -> None:
    """T29: what was dialled may have cost, and cutting it off is no way round."""
    entered = anyio.Event()

    async def hangs(arguments: dict[str, Any], context: CallContext) -> object:
        entered.set()
        await anyio.sleep_forever()
        return None

    tool = Far().tool("ask", "read", hangs, costs={"micro_usd": 400})
    async with scene(tmp_path, "memory", tool, budgets=[MONEY]) as stage, stage.run() as run:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.call, "ask", {"n": 1})
            await entered.wait()
            assert await amounts(stage) == {"money": (400, 0)}
            tasks.cancel_scope.cancel()
        assert await amounts(stage) == {"money": (0, 400)}
        [call] = (await stage.state(run.run_id)).calls.values()
        assert call.outcome is not None
        assert call.outcome.code == "call.cancelled"


@pytest.mark.parametrize("unit", ["callz", "microusd", "cents"])
async def test_a_runs_budget_in_a_unit_that_nothing_costs_is_refused_and_limits_no_nothing(unit: str) -> None:
    """T29: a slip of the pen would leave the run without a limit."""
    async with staged(Far().tool("ask", costs={"pages": 1})) as stage:
        with pytest.raises(BadInput) as caught:
            async with stage.plane.run(ANA, budget={"pages": 5, unit: 100}):
                pass
        assert caught.value.code == "run.budget"
        assert "pages" in caught.value.remedy


@pytest.mark.parametrize(
    "limits",
    [
        {"rates": [{"name": "few", "calls": 1, "per_s": 60, "per": ["run"]}]},
        {"budgets": [{"name": "few", "unit": "calls", "most": 1, "per": ["run"]}]},
    ],
)
async def test_what_is_kept_for_each_run_is_each_runs_own(tmp_path: Path, limits: dict[str, Any]) -> None:
    async with scene(tmp_path, "memory", Far().tool("ask"), **limits) as stage:
        for _ in range(2):
            async with stage.run() as run:
                outcomes = [await run.call("ask", {"n": n}) for n in range(2)]
                assert [outcome.done for outcome in outcomes] == [True, False]


@pytest.mark.parametrize(
    ("options", "of_pay", "of_look", "of_a_model"),
    [
        ({}, True, True, True),
        ({"tools": frozenset({"pay"})}, True, False, False),
        ({"effects": frozenset({"read"})}, False, True, False),
        ({"tools": frozenset({"pay"}), "effects": frozenset({"read"})}, False, False, False),
        ({"per": ("tool",)}, True, True, False),
        ({"per": ("principal",)}, True, True, True),
    ],
)
def test_what_a_budget_is_about(options: dict[str, Any], of_pay: bool, of_look: bool, of_a_model: bool) -> None:
    """A budget of tools does not pay for models; one of everything does."""
    far, about = Far(), Budget(name="b", unit="calls", most=1, **options).about
    assert (about(far.tool("pay", "reversible")), about(far.tool("look")), about(None)) == (of_pay, of_look, of_a_model)


async def test_what_a_limit_would_refuse_no_second_reader_is_asked_about_and_no_rehearsal_lets_pass(
    tmp_path: Path,
) -> None:
    mind = Mind(APPROVES)
    async with scene(tmp_path, "memory", Far().tool("put", "reversible"), budgets=[CALLS]) as stage, stage.run() as run:
        for n in range(3):
            assert (await run.call("put", {"n": n})).done
        assert (await run.call("put", {"n": 8}, dry_run=True)).code == "limit.budget"
        stage.obey(VERIFIED)
        stage.plane.plane.verification = Verification(verifier=reader(mind))
        assert ((await run.call("put", {"n": 9})).code, mind.given) == ("limit.budget", [])
