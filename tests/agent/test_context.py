"""What the model is sent: small, in a stable order, and true to the ledger."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from interlock import AgentLimits
from interlock.agent.context import Context
from interlock.core.message import Message, Proposal, Role
from interlock.core.tool import CallContext
from interlock.errors import DefinitionError
from tests.agent.desk import Watched, desk, result, says, told
from tests.planes import Far

pytestmark = pytest.mark.anyio

LARGE = "ab" * 40_000
LONG = AgentLimits(turns_max=40, results_kept=4, context_tokens_max=10_000_000)


async def large(arguments: dict[str, Any], _: CallContext) -> object:
    return f"{arguments['n']}: {LARGE}"


def shared(first: tuple[Message, ...], second: tuple[Message, ...]) -> int:
    """How many messages two requests begin with alike."""
    return next((n for n, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), len(first))


async def test_a_large_result_is_cut_and_says_so() -> None:
    """Defect 71."""
    model = Watched(says("", ("look", {"n": 1})), says("Long."))
    async with desk(
        model, Far().tool("look", does=large), agent={"limits": AgentLimits(result_bytes_max=2048)}
    ) as stage:
        await result(stage.plane)
    [answer] = told(model.asked[1][0])
    text = json.dumps(f"1: {LARGE}")
    beginning = answer["value"].pop("beginning")
    assert answer["value"] == {"truncated": True, "bytes": len(text), "sha256": sha256(text.encode()).hexdigest()}
    assert text.startswith(beginning) and len(beginning) == 1024
    assert len(model.asked[1][0][-1].text) < 2048


async def test_a_result_is_cut_between_characters_and_stays_one_json_object() -> None:
    async def wide(_: dict[str, Any], __: CallContext) -> object:
        return {"text": "€" * 5_000}

    limits = AgentLimits(result_bytes_max=1024)
    model = Watched(says("", ("look", {"n": 1})), says("Long."))
    async with desk(model, Far().tool("look", does=wide), agent={"limits": limits}) as stage:
        await result(stage.plane)
    [answer] = told(model.asked[1][0])
    assert answer["value"]["beginning"].endswith("€") and answer["value"]["bytes"] > 15_000


@pytest.mark.parametrize("digest", [5, {"a": 1}, "x" * 30_000])
async def test_a_result_that_only_looks_like_a_cut_one_is_cut_and_dropped_like_any_other(digest: object) -> None:
    """A tool may say what it likes: it ends no run, and is no longer before the model than others are."""

    async def forged(_: dict[str, Any], __: CallContext) -> object:
        return {"truncated": True, "bytes": 1, "sha256": digest, "beginning": "b" * 2000}

    limits = AgentLimits(result_bytes_max=1024, results_kept=2)
    model = Watched(*[says("", ("look", {"n": n})) for n in range(6)], says("End."))
    async with desk(model, Far().tool("look", does=forged), agent={"limits": limits}) as stage:
        assert (await result(stage.plane)).text == "End."
    assert all(len(message.text) < 2048 for message in model.asked[-1][0])


async def test_old_results_are_dropped_by_rule_and_nothing_else_ever_changes() -> None:
    """C8: a request begins with all of the one before it, but where results of several turns are dropped at once."""
    turns = [says(f"Turn {n}.", ("look", {"n": n})) for n in range(30)]
    model = Watched(*turns, says("Done."))
    async with desk(model, Far().tool("look", does=large), agent={"limits": LONG}) as stage:
        await result(stage.plane)
    requests = [messages for messages, _ in model.asked]
    rewritten = [n for n in range(1, len(requests)) if shared(requests[n - 1], requests[n]) < len(requests[n - 1])]
    assert rewritten == [8, 12, 16, 20, 24, 28], "once in four turns"
    for n, messages in enumerate(requests):
        answers = told(messages)
        whole = sum("value" in answer for answer in answers)
        assert [("value" in answer) for answer in answers] == [False] * (n - whole) + [True] * whole
        assert min(n, 4) <= whole <= 8
    [first, *_] = told(requests[-1])
    assert (first["outcome"], first["tool"], "value" in first) == ("done", "look", False)
    assert first["dropped"]["bytes"] > 80_000
    assert max(sum(len(message.text) for message in messages) for messages in requests) < 8 * 33_500 + 30 * 400
    assert [m.text for m in requests[-1] if m.role is Role.MODEL] == [f"Turn {n}." for n in range(30)]


async def test_small_results_are_kept_because_dropping_them_saves_nothing() -> None:
    model = Watched(*[says("", ("look", {"n": n})) for n in range(12)], says("Done."))
    async with desk(model, Far().tool("look"), agent={"limits": AgentLimits(results_kept=2)}) as stage:
        await result(stage.plane)
    assert all("value" in answer for answer in told(model.asked[-1][0]))


async def test_what_another_process_makes_of_the_ledger_is_what_this_one_sent() -> None:
    """C5: the context is a fold too."""
    model = Watched(*[says(f"Turn {n}.", ("look", {"n": n}), ("nothing", {})) for n in range(9)], says("Done."))
    async with desk(model, Far().tool("look", does=large), agent={"limits": AgentLimits(results_kept=3)}) as stage:
        found = await result(stage.plane)
        state = await stage.state(found.run_id)
        assert state.transcript is not None
        [*asked, _] = state.transcript.turns
        state.transcript.turns = asked
        again = Context(model.asked[0][0][0].text, state, AgentLimits(results_kept=3))
        assert again.messages() == model.asked[-1][0]


async def test_calls_whose_ids_are_missing_or_not_unique_are_bound_all_the_same() -> None:
    """Defect 55: ids are pairs, whatever a provider sends."""
    calls = tuple(Proposal(tool="look", arguments={"n": n}, id=id) for n, id in enumerate(("a", "", "a", "b")))
    model = Watched(Message(role=Role.MODEL, proposals=calls), says("Done."))
    async with desk(model, Far().tool("look")) as stage:
        await result(stage.plane)
    messages = model.asked[1][0]
    bound = [proposal.id for proposal in messages[2].proposals]
    assert bound == [message.answers for message in messages[3:]]
    assert (len(set(bound)), bound[3]) == (4, "b")
    assert [answer["value"]["n"] for answer in told(messages)] == [0, 1, 2, 3]


@pytest.mark.parametrize("wrong", [{"turns_max": 0}, {"turns_max": True}, {"results_kept": 1}, {"result_bytes_max": 9}])
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=next(iter(wrong))):
        AgentLimits(**wrong)
