"""A model that reads a call is paid for by the budgets of the call's run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interlock.core.event import Kind
from interlock.core.guard_row import rows_of
from interlock.core.message import Message, Role, Usage
from interlock.limits.budget import Budget, Budgets
from interlock.limits.limit import Limits
from interlock.limits.quota import Quotas
from interlock.verification.verify import Verification
from tests.planes import Far, Stage, staged
from tests.verification.readers import VERIFIED
from tests.verification.test_model_verifier import APPROVES, Mind, reader

pytestmark = pytest.mark.anyio


def paying(stage: Stage, mind: Mind, *budgets: Budget) -> None:
    stage.obey(VERIFIED)
    stage.plane.plane.verification = Verification(verifier=reader(mind))
    stage.plane.plane.limits = Limits(quotas=Quotas(budgets=Budgets(budgets)))


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "ledger.db" if request.param == "sqlite" else None


async def test_a_reading_is_reserved_at_its_worst_and_settled_by_what_it_was(ledger: Path | None) -> None:
    far = Far()
    async with staged(far.tool("put", "reversible"), ledger=ledger) as stage, stage.run() as run:
        budgets = (Budget(name="t", unit="tokens", most=20_000), Budget(name="m", unit="micro_usd", most=100_000))
        paying(stage, Mind(APPROVES), *budgets)
        assert (await run.call("put", {"n": 1})).done
        facts = [event.fact for event in await stage.events(run.run_id)]
        [reserved] = [fact for fact in facts if fact.kind is Kind.BUDGET_RESERVED]
        [settled] = [fact for fact in facts if fact.kind is Kind.BUDGET_SETTLED]
        assert reserved.call_id == settled.call_id
        assert reserved.call_id.startswith("model_")
        assert settled.body["spent"] == {"tokens": 110, "micro_usd": 120}
        kept: dict[str, Any] = dict(await stage.plane.store.guards(rows_of("default")))
        assert sorted(kept.values()) == [110, 120]


async def test_where_the_budget_is_used_up_the_call_is_in_doubt_and_no_model_is_asked(ledger: Path | None) -> None:
    far, mind = Far(), Mind(APPROVES)
    async with staged(far.tool("put", "reversible"), ledger=ledger) as stage, stage.run() as run:
        paying(stage, mind, Budget(name="t", unit="tokens", most=100))
        outcome = await run.call("put", {"n": 1})
        assert outcome.code == "verify.not_approved"
        assert (mind.given, far.ran) == ([], [])
        audit = (await stage.events(run.run_id, outcome.call_id))[-1].fact.body["stop"]["audit"]
        assert audit["verdict"]["why"].startswith("budget: ")


async def test_a_run_without_budgets_records_no_reservation() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:
        paying(stage, Mind(APPROVES))
        outcome = await run.call("put", {"n": 1})
        assert outcome.done
        kinds = {event.fact.kind for event in await stage.events(run.run_id)}
        assert not kinds & {Kind.BUDGET_RESERVED, Kind.BUDGET_SETTLED}
        decided = (await stage.events(run.run_id, outcome.call_id))[0].fact
        assert decided.body["verify"]["tokens"] == {"input": 100, "output": 10}, "it stands in the verdict"


@pytest.mark.parametrize("told", [Usage(-1_000_000, 0), Usage(5, -3), Usage(10**30, 1), Usage(True, 1)])
async def test_a_count_that_can_be_none_is_settled_as_the_worst(told: Usage, ledger: Path | None) -> None:
    """T29: a far end that took less than nothing would fill the budget up."""
    far, answer = Far(), Message(role=Role.MODEL, text="I do not know.", usage=told)
    async with staged(far.tool("put", "reversible"), ledger=ledger) as stage, stage.run() as run:
        paying(stage, Mind(answer), Budget(name="t", unit="tokens", most=20_000))
        await run.call("put", {"n": 1})
        [reserved] = [event.fact for event in await stage.events(run.run_id) if event.fact.kind is Kind.BUDGET_RESERVED]
        [[_, _, worst]] = reserved.body["reserved"]
        assert worst > 500
        assert list((await stage.plane.store.guards(rows_of("default"))).values()) == [worst]
