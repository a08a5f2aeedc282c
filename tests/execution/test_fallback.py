"""A fallback is a call of its own, through every gate; a call given up on is a dead letter."""

from __future__ import annotations

import pytest

from interlock import OutcomeKind, Proposal
from interlock.errors import NotSent, Rejected, TryLater
from tests.execution.test_execute import BUG, LOST, failing
from tests.planes import Far, staged

pytestmark = pytest.mark.anyio

DOWN = NotSent("connection refused")


async def test_a_fallback_runs_where_nothing_was_done_and_asking_again_asks_it_again() -> None:
    """B11: a child call with its own decision, intent and key; by name, the same outcome."""
    far = Far()
    tools = [far.tool("put", "reversible", failing(*[DOWN] * 9), fallback="spare"), far.tool("spare", "reversible")]
    async with staged(*tools) as stage, stage.run() as run:
        outcome = await run.call("put", {"n": 1}, name="mine")
        assert (outcome.kind, outcome.tool, outcome.value) == (OutcomeKind.DONE, "spare", {"n": 1})
        assert far.names == ["put"] * 3 + ["spare"]
        state = await stage.state(run.run_id)
        parent, child = state.calls.values()
        assert (child.parent_id, child.call_id) == (parent.call_id, outcome.call_id)
        assert parent.outcome is not None
        assert (parent.outcome.kind, parent.outcome.fallback) == (OutcomeKind.FAILED, "spare")
        assert len({context.idempotency_key for context in far.contexts}) == 2
        again = await run.call("put", {"n": 1}, name="mine")
        assert (again.call_id, again.repeated, len(far.ran)) == (outcome.call_id, True, 4)


@pytest.mark.parametrize(
    ("effect", "errors", "fallen_back"),
    [
        ("reversible", [LOST], False),  # maybe sent: no fallback
        ("reversible", [BUG], False),
        ("reversible", [Rejected("no")], False),  # the far end's answer is an answer
        ("reversible", [TryLater("later")] * 3, True),
        ("reversible", [DOWN, DOWN, LOST], False),
        ("read", [LOST] * 3, True),
        ("read", [BUG] * 3, True),
    ],
)
async def test_no_fallback_where_something_may_have_left(
    effect: str, errors: list[Exception], fallen_back: bool
) -> None:
    """DESIGN.md section 3, the table; defect 45."""
    far = Far()
    async with staged(far.tool("act", effect, failing(*errors), fallback="spare"), far.tool("spare")) as stage:
        async with stage.run() as run:
            outcome = await run.call("act", {"n": 1})
        assert ("spare" in far.names) == fallen_back
        assert (outcome.tool == "spare") == fallen_back


async def test_the_fallback_passes_every_gate() -> None:
    """A fallback that policy holds is held: its approval is about it, not about the call that failed."""
    far = Far()
    tools = [far.tool("put", "reversible", failing(*[DOWN] * 3), fallback="pay"), far.tool("pay", "irreversible")]
    async with staged(*tools) as stage, stage.run() as run:
        held = await run.call("put", {"n": 1})
        assert (held.kind, held.tool) == (OutcomeKind.HELD, "pay")
        assert "pay" not in far.names
        await stage.answer(run.run_id, held)
        assert await stage.plane.advance(run.run_id)
        assert far.names[-1] == "pay"


async def test_in_a_batch_the_fallback_keeps_the_calls_place_in_line() -> None:
    """Writes on one thing stay in order, whichever tool does them in the end (B14)."""
    far = Far()
    tools = [
        far.tool("put", "reversible", failing(*[DOWN] * 3), fallback="spare", resource="n"),
        far.tool("spare", "reversible", resource="n"),
        far.tool("then", "reversible", resource="n"),
    ]
    async with staged(*tools) as stage, stage.run() as run:
        proposals = [Proposal(tool="put", arguments={"n": 1}), Proposal(tool="then", arguments={"n": 1})]
        assert all(outcome.done for outcome in await run.calls(proposals))
        assert far.names == ["put"] * 3 + ["spare", "then"]


async def test_a_write_given_up_on_is_a_dead_letter_and_nothing_else_is() -> None:
    """B11: the dead-letter queue has what was wanted and did not come about; a person decides."""
    far = Far()
    tools = [
        far.tool("put", "reversible", failing(*[DOWN] * 3)),
        far.tool("no", "reversible", failing(Rejected("no"))),
        far.tool("lost", "reversible", failing(LOST)),
        far.tool("get", does=failing(*[DOWN] * 3)),
        far.tool("spared", "reversible", failing(*[DOWN] * 3), fallback="spare"),
        far.tool("spare", "reversible"),
    ]
    async with staged(*tools) as stage, stage.run() as run:
        for name in ("put", "no", "lost", "get", "spared"):
            await run.call(name, {"n": 1})
        rows = await stage.plane.store.rows("dead_letter")
        assert [row["tool"] for row in rows] == ["put"]


async def test_a_wish_for_a_later_try_is_granted_within_bounds() -> None:
    """K27: Retry-After of 10^9, negative or no number: clamped, and the budget of attempts stays."""
    far = Far()
    wishes: list[float | None] = [1e9, -5, None, float("nan"), float("inf"), 30]
    errors = [TryLater("later", retry_after_s=wish) for wish in wishes]
    async with staged(far.tool("get", does=failing(*errors, 1), attempts_max=7)) as stage, stage.run() as run:
        assert (await run.call("get", {"n": 1})).done
        assert stage.paused[0] == 60
        assert all(paused <= 60 for paused in stage.paused)
        assert stage.paused[5] == 30
    tool = far.tool("get", does=failing(*[TryLater("no", retry_after_s=1)] * 9))
    async with staged(tool) as stage, stage.run() as run:
        assert (await run.call("get", {"n": 1})).code == "execute.busy"
        assert len(stage.paused) == 2
