"""What networks and far ends do to a call: faults K22 to K28, over real sockets, with the documented HTTP client.

The rule is that of sent-ness: no connection is not sent; from the first byte on it may have been done, and what
follows is what the tool declares. `PROPERTIES` has one of each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from interlock import Outcome, World, tool
from interlock.core.tool import Tool
from interlock.testing import CountedIds, FaultProxy, FrozenClock
from proof.far_end import HttpFarEnd, Reply
from tests.faults.shop import look, pay
from tests.planes import Stage, staged

pytestmark = pytest.mark.anyio

PROPERTIES: dict[str, dict[str, Any]] = {
    "none": {},
    "keyed": {"keyed": True},
    "idempotent": {"idempotent": True},
    "read": {},
}


@pytest.fixture
def far() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as far:
        yield far


@pytest.fixture
def network(far: HttpFarEnd) -> Iterator[FaultProxy]:
    with FaultProxy(far.port, deadline_s=5) as network:
        yield network


def declared(kind: str, far: HttpFarEnd, port: int, **options: Any) -> Tool:
    """A tool of one kind; the far end of a keyed one dedupes."""
    far.dedupe = kind == "keyed"
    made = look if kind == "read" else pay
    return made(port, **PROPERTIES[kind], **options)


async def called(stage: Stage, used: Tool, n: int = 1) -> Outcome:
    """One call of it, in a run of its own."""
    async with stage.run() as run:
        outcome: Outcome = await run.call(used.name, {"n": n})
        closing = [event for event in await stage.events(run.run_id, outcome.call_id) if event.fact.closes]
        assert len(closing) == (outcome.kind != "unknown"), "one end, or none yet"
    return outcome


async def one(used: Tool, n: int = 1) -> tuple[Outcome, Stage]:
    """One call on a plane of its own."""
    async with staged(used) as stage:
        return await called(stage, used, n), stage


def then_accept(network: FaultProxy) -> World:
    """A world in which the port is open again after the first pause."""
    clock = FrozenClock()

    async def pause(seconds: float) -> None:
        clock.advance(seconds)
        network.accept()

    return World(clock=clock, new_id=CountedIds(), pause=pause)


# Refused: fault K22.


@pytest.mark.parametrize("kind", PROPERTIES)
async def test_a_refused_connection_is_not_sent_and_tried_again_whatever_the_tool_declares(
    kind: str, far: HttpFarEnd, network: FaultProxy
) -> None:
    """Fault K22, defect 45."""
    network.refuse()
    used = declared(kind, far, network.port)
    async with staged(used, world=then_accept(network)) as stage:
        assert (await called(stage, used)).done
    assert len(far.effects) == 1


async def test_a_port_that_stays_closed_fails_after_three_tries_and_then_is_left_alone(network: FaultProxy) -> None:
    """Fault K22, defects 46, 48: three tries with pauses between them; failures that tools raise feed the breaker."""
    network.refuse()
    used = pay(network.port)
    async with staged(used) as stage:
        outcomes = [await called(stage, used, n) for n in range(6)]
        assert {outcome.kind for outcome in outcomes} == {"failed"}
        assert outcomes[0].code == "execute.unavailable"
        assert [round(seconds) for seconds in stage.paused[:2]] == [1, 2]
        assert outcomes[-1].code == "execute.open"
        pauses = len(stage.paused)
        network.accept()
        assert (await called(stage, used, 7)).code == "execute.open"
        assert len(stage.paused) == pauses
        stage.clock.advance(3600)
        assert (await called(stage, used, 8)).done, "one probe found it mended"


# Cut, reset, half closed: fault K23.


def offsets(network: FaultProxy, verb: str) -> list[tuple[int, str]]:
    """Where to cut, of the one clean exchange so far: each class of byte on both ways."""
    [passed] = network.passed
    there = {0, 1, passed.request // 2, passed.request - 8, passed.request - 1, passed.request}
    if verb == "half_close":
        there.remove(passed.request)  # whoever has said all may end that way: it breaks nothing
    back = {0, 1, 12, passed.response // 2, passed.response - 8, passed.response - 1}
    return [(at, "request") for at in sorted(there)] + [(at, "response") for at in sorted(back)]


@pytest.mark.parametrize("verb", ["cut_after", "reset", "half_close"])
@pytest.mark.parametrize("kind", PROPERTIES)
async def test_a_connection_that_breaks_at_any_byte_counts_as_maybe_sent(
    kind: str, verb: str, far: HttpFarEnd, network: FaultProxy
) -> None:
    """Fault K23, defects 45, 47: of nothing but the tool's word is it sent again."""
    assert (await one(declared(kind, far, network.port), 10))[0].done
    for n, (at, direction) in enumerate(offsets(network, verb), 11):
        far.effects.clear()
        before = len(network.passed)
        getattr(network, verb)(at, direction)
        outcome, _ = await one(declared(kind, far, network.port), n)
        assert network.quiet()
        tries = len(network.passed) - before
        where = f"{verb} at {at} of the {direction}: {outcome}"
        # a far end that was reset may be at it still when the next call is made, whose effects these are not
        keys = [key for key, body in far.effects if body["n"] == n]
        if kind == "none":
            assert (outcome.kind, tries) == ("unknown", 1), where
            assert len(keys) <= 1, where
        else:
            assert (outcome.kind, tries) == ("done", 2), where
            assert len(keys) in ((1,) if kind == "keyed" else (1, 2)), where
            assert len(set(keys)) == 1, "one key for all tries"


# Silence, dripping, what comes late or twice: faults K24 to K26.


@pytest.mark.parametrize("direction", ["request", "response"])
async def test_a_black_hole_ends_at_the_deadline_and_a_write_is_unknown(
    direction: Any, far: HttpFarEnd, network: FaultProxy
) -> None:
    """Fault K24, defect 44: also where the request arrives after its caller was told."""
    network.stall(0, direction)
    outcome, _ = await one(declared("none", far, network.port, timeout_s=0.2))
    assert (outcome.kind, outcome.code) == ("unknown", "execute.unknown")
    network.release()
    assert network.quiet()
    assert len(far.effects) == 1, "which is why it must be told as unknown, and not as failed"


@pytest.mark.parametrize(("holes", "kind"), [(1, "done"), (2, "done"), (3, "unknown")])
async def test_a_keyed_write_into_a_black_hole_is_sent_again_within_its_budget(
    holes: int, kind: str, far: HttpFarEnd, network: FaultProxy
) -> None:
    """Faults K24, K25: what the silent tries come to afterwards is deduped by its key, and is no second result."""
    network.stall(times=holes)
    outcome, stage = await one(declared("keyed", far, network.port, timeout_s=0.2))
    assert outcome.kind == kind
    assert len(stage.paused) == min(holes, 2)
    network.release()
    assert network.quiet()
    assert len(far.effects) == 1
    assert set(far.asked.values()) == {3 if kind == "unknown" else holes + 1}


async def test_an_answer_after_the_deadline_is_no_second_result(far: HttpFarEnd, network: FaultProxy) -> None:
    """Fault K25: the first answer is held, the second try is answered, then the first one comes."""
    network.stall(10, "response")
    used = declared("keyed", far, network.port, timeout_s=0.2)
    async with staged(used) as stage, stage.run() as run:
        outcome = await run.call("pay", {"n": 1})
        before = await stage.said(run.run_id, outcome.call_id)
        network.release()
        assert network.quiet()
        assert await stage.said(run.run_id, outcome.call_id) == before
        assert outcome.done
        assert len(far.effects) == 1


@pytest.mark.parametrize("kind", PROPERTIES)
async def test_a_response_that_is_delivered_twice_is_one_result(
    kind: str, far: HttpFarEnd, network: FaultProxy
) -> None:
    """Fault K25."""
    network.dup("response")
    outcome, _ = await one(declared(kind, far, network.port))
    assert (outcome.kind, outcome.value) == ("done", 1)
    assert len(far.effects) == 1


async def test_a_request_that_is_delivered_twice_is_one_effect_by_its_key(far: HttpFarEnd, network: FaultProxy) -> None:
    """Fault K25: somebody on the way repeats it; the key is what the far end knows it by."""
    network.dup("request")
    outcome, _ = await one(declared("keyed", far, network.port))
    assert network.quiet()
    assert outcome.done
    assert (set(far.asked.values()), len(far.effects)) == ({2}, 1)


@pytest.mark.parametrize(("kind", "expected", "tries"), [("none", "unknown", 1), ("read", "failed", 3)])
async def test_an_answer_that_drips_in_is_cut_off_at_the_total_deadline(
    kind: str, expected: str, tries: int, far: HttpFarEnd, network: FaultProxy
) -> None:
    """Fault K26: each byte comes well within a read's time, the whole does not."""
    network.drip(20, times=3)
    outcome, _ = await one(declared(kind, far, network.port, timeout_s=0.3))
    assert outcome.kind == expected
    assert len(network.passed) == tries
    assert all(0 < passed.response < 100 for passed in network.passed)


# Words of the far end: faults K27, K28.

OWN = [1, 2]
"""Pauses of our own between three tries, rounded."""


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "pauses"),
    [
        ("1000000000", [60, 60]),
        ("9" * 400, OWN),
        ("7", [7, 7]),
        ("0", OWN),
        ("-5", OWN),
        ("soon", OWN),
        ("1e3", OWN),
        ("", OWN),
        ("Fri, 31 Dec 2100 23:59:59 GMT", [60, 60]),
        ("Fri, 31 Dec 1999 23:59:59 GMT", OWN),
        ("Fri, 99 Foo 2100 23:59:59 GMT", OWN),
    ],
)
async def test_a_busy_far_end_is_waited_for_and_not_for_ever(
    asked: str, pauses: list[int], status: int, far: HttpFarEnd
) -> None:
    """Fault K27, defects 45, 48: a pause is the far end's within bounds; the number of tries is ours."""
    far.script = lambda body: Reply(status, does=False, headers=(("Retry-After", asked),))
    outcome, stage = await one(pay(far.port))
    assert (outcome.kind, outcome.code) == ("failed", "execute.busy")
    assert (sum(far.asked.values()), far.effects) == (3, [])
    rounded = [min(seconds, round(seconds)) if seconds > 2.4 else round(seconds) for seconds in stage.paused]
    assert rounded == pauses


async def test_a_write_that_a_busy_far_end_put_off_is_done_once(far: HttpFarEnd) -> None:
    """Fault K27: «busy» says that it was not done, so even a tool that declares nothing is tried again."""
    replies = deque([Reply(429, does=False), Reply(503, does=False)])
    far.script = lambda body: replies.popleft() if replies else Reply()
    outcome, _ = await one(pay(far.port))
    assert (outcome.kind, len(far.effects)) == ("done", 1)


@pytest.mark.parametrize("status", [500, 502, 504, 299, 303])
@pytest.mark.parametrize(
    ("kind", "expected", "effects"), [("none", "unknown", 1), ("keyed", "done", 1), ("idempotent", "done", 2)]
)
async def test_an_error_after_the_effect_is_sent_again_only_where_that_is_safe(
    kind: str, expected: str, effects: int, status: int, far: HttpFarEnd
) -> None:
    """Fault K28, defect 45."""
    replies = deque([Reply(status)])
    far.script = lambda body: replies.popleft() if replies else Reply()
    outcome, _ = await one(declared(kind, far, far.port))
    assert (outcome.kind, len(far.effects)) == (expected, effects)
    assert len({body["n"] for _, body in far.effects}) == 1


@pytest.mark.parametrize("does", [True, False])
async def test_an_error_is_asked_about_where_the_tool_can_ask(does: bool, far: HttpFarEnd) -> None:
    """Fault K28: what the far end knows by the key is the outcome; what it does not know is sent once more."""

    @tool(effect="read")
    def was_paid(idempotency_key: str) -> dict[str, Any]:
        """Say whether a payment was made."""
        numbers = [number for number, (key, _) in enumerate(far.effects, 1) if key == idempotency_key]
        return {"done": bool(numbers), "result": numbers[0] if numbers else None}

    replies = deque([Reply(500, does=does)])
    far.script = lambda body: replies.popleft() if replies else Reply()
    used = pay(far.port, reconcile="was_paid")
    async with staged(used, was_paid) as stage:
        outcome = await called(stage, used)
    assert (outcome.kind, outcome.value, len(far.effects)) == ("done", 1, 1)
    assert sum(far.asked.values()) == (1 if does else 2)


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_words_of_a_far_end_start_no_second_try(status: int, far: HttpFarEnd) -> None:
    """Defect 47: the type of what a transport raises counts, whatever the far end writes into its answer."""
    far.script = lambda body: Reply(status, does=False, headers=(("X-Error", "timeout: please retry"),))
    outcome, stage = await one(pay(far.port, keyed=True))
    assert (outcome.kind, outcome.code) == ("failed", "execute.rejected")
    assert (sum(far.asked.values()), stage.paused) == (1, [])
