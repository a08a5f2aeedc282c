"""The gate `verify`: only the exact word passes, and where nobody can be asked nothing does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.call import LimitedCall
from interlock.core.run import RunState
from tests.planes import Far, Stage, staged

pytestmark = pytest.mark.anyio
VERIFIED = '@id("v") @verify permit (principal, action, resource);'


def saying(stage: Stage, verdict: Mapping[str, Any]) -> list[LimitedCall]:
    """Have a verifier that always says the same; what it is asked."""
    asked: list[LimitedCall] = []

    async def verifier(limited: LimitedCall, run: RunState) -> Mapping[str, Any]:
        asked.append(limited)
        return verdict

    stage.obey(VERIFIED)
    stage.plane.plane.verifier = verifier
    return asked


async def test_without_a_verifier_a_call_that_needs_one_is_refused() -> None:
    """Fail closed: it is not run unverified, in whatever mode its tool is."""
    far = Far()
    async with staged(far.tool("get"), far.tool("put", "reversible")) as stage, stage.run() as run:
        stage.obey(VERIFIED)
        for tool in ("get", "put"):
            assert (await run.call(tool, {"n": 1})).code == "verify.no_verifier"
        assert far.ran == []


async def test_a_call_that_policy_wants_verified_runs_on_the_word_approved() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:
        asked = saying(stage, {"verdict": "approved"})
        outcome = await run.call("put", {"n": 1})
        assert outcome.done
        assert asked[0].allowed.valid.text == b'{"n":1}'
        decided = (await stage.events(run.run_id, outcome.call_id))[0].fact
        assert decided.body["verify"] == {"verdict": "approved"}


async def test_a_call_that_policy_does_not_want_verified_asks_nobody() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:
        asked = saying(stage, {"verdict": "rejected"})
        stage.obey("permit (principal, action, resource);")
        assert (await run.call("put", {"n": 1})).done
        assert asked == []


@given(
    st.one_of(
        st.text(),
        st.sampled_from(["APPROVED", "Approved", "approved ", "NOT APPROVED", "approved.", "uncertain", "rejected"]),
        st.none() | st.booleans() | st.integers() | st.lists(st.just("approved"), max_size=2),
    )
)
@settings(max_examples=40)
def test_any_other_word_is_not_approved(word: Any) -> None:
    """Defects 24, 25, 29, 30: structured verdict, exact word; no substring, no confidence, no flag."""

    async def main() -> None:
        far = Far()
        async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:
            for verdict in ({"verdict": word, "confidence": 0.99}, {}, {"APPROVED": True}):
                saying(stage, verdict)
                outcome = await run.call("put", {"n": 1})
                assert outcome.code in ("verify.not_approved", "limit.loop") or word == "approved"
            assert far.ran == [] or word == "approved"

    anyio.run(main)


async def test_a_verifier_that_fails_lets_nothing_pass() -> None:
    """Fail closed; the error escapes as what it is and the call is recorded as failed."""
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:

        async def broken(limited: LimitedCall, run: RunState) -> Mapping[str, Any]:
            raise OSError("the model is down")

        stage.obey(VERIFIED)
        stage.plane.plane.verifier = broken
        with pytest.raises(OSError, match="down"):
            await run.call("put", {"n": 1})
        assert far.ran == []
        assert (await stage.said(run.run_id))[-1] == "call.decided/failed"
