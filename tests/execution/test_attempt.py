"""One try: what an error's type says of the effect, and what its text never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from interlock.core.tool import CallContext
from interlock.errors import NotSent, Rejected, ToolError
from interlock.execution.attempt import Failure, attempt
from tests.planes import Far

CONTEXT = CallContext(
    run_id="run_1", call_id="call_1", attempt=1, idempotency_key="k", principal_id="ana", tenant="t", deadline_s=5.0
)


async def tried(effect: str, error: BaseException, **options: Any) -> Failure:
    async def fail(arguments: dict[str, Any], context: CallContext) -> object:
        raise error

    found = await attempt(Far().tool("act", effect, fail, **options), {"n": 1}, CONTEXT)
    assert isinstance(found, Failure)
    return found


TABLE = [
    # error, effect, kind, may have happened
    (NotSent("x"), "read", "unavailable", False),
    (NotSent("x"), "reversible", "unavailable", False),
    (Rejected("x"), "read", "rejected", False),
    (Rejected("x"), "irreversible", "rejected", False),
    (TimeoutError("x"), "read", "timeout", False),
    (TimeoutError("x"), "reversible", "timeout", True),
    (ToolError("x"), "read", "broken", False),
    (ToolError("x"), "reversible", "broken", True),
    (ConnectionRefusedError("x"), "privileged", "broken", True),
    (ValueError("timeout, please retry"), "read", "broken", False),
    (ValueError("nothing was sent"), "reversible", "broken", True),
    (ExceptionGroup("x", [NotSent("y")]), "reversible", "broken", True),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("error", "effect", "kind", "maybe_done"), TABLE, ids=repr)
async def test_the_type_of_an_error_says_what_may_have_happened(
    error: Exception, effect: str, kind: str, maybe_done: bool
) -> None:
    """Defects 44, 47: a write counts as maybe done unless the transport proves that nothing was sent."""
    failure = await tried(effect, error)
    assert (failure.kind, failure.maybe_done) == (kind, maybe_done)


@pytest.mark.anyio
@pytest.mark.parametrize(("effect", "maybe_done"), [("read", False), ("reversible", True)])
async def test_a_try_ends_at_its_deadline(effect: str, maybe_done: bool) -> None:
    """Defect 44: the timeout is round the whole body, whatever the body catches."""

    async def hang(arguments: dict[str, Any], context: CallContext) -> object:
        try:
            await anyio.sleep(60)
        except TimeoutError:
            return "swallowed"
        return "woke"

    with anyio.fail_after(30):
        tool = Far().tool("hang", effect, hang)
        failure = await attempt(tool, {"n": 1}, replace(CONTEXT, deadline_s=0.01))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.maybe_done) == ("timeout", maybe_done)


@pytest.mark.anyio
async def test_cancellation_is_no_failure_of_the_tool() -> None:
    """Defects 40, 49: it passes through, and is no value and no error text."""

    async def hang(arguments: dict[str, Any], context: CallContext) -> object:
        await anyio.sleep(60)
        return None

    found: list[object] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        found.append(await attempt(Far().tool("hang", does=hang), {"n": 1}, CONTEXT))
    assert scope.cancelled_caught
    assert found == []


@pytest.mark.anyio
async def test_a_returned_exception_is_a_value_and_no_failure() -> None:
    """Defect 46: only what is raised is a failure; screening refuses what is no JSON."""

    async def give(arguments: dict[str, Any], context: CallContext) -> object:
        return ValueError("returned")

    assert isinstance(await attempt(Far().tool("give", does=give), {"n": 1}, CONTEXT), ValueError)


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


@pytest.mark.anyio
@pytest.mark.parametrize("error", [Unreadable(), ValueError("\ud800"), ValueError("x" * 1_000_000), OSError(b"\xff")])
async def test_whatever_an_error_says_can_be_kept(error: Exception) -> None:
    """Defect 61, T30: a failure is recorded, however its error behaves when it is asked for its text."""
    failure = await tried("read", error)
    assert failure.error.encode()
    assert len(failure.error) <= 2100


@pytest.mark.anyio
async def test_the_words_for_the_model_are_the_tools_authors_and_bounded() -> None:
    """Defect 66: `reason` is told, the error's own text is not."""
    failure = await tried("reversible", Rejected("409 internal", reason="already paid\ud800" + "x" * 9999))
    assert failure.said.startswith("already paid")
    assert "internal" not in failure.said
    assert len(failure.said.encode()) < 2100
