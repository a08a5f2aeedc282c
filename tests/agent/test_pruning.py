"""What is left of the old turns of a long run: a line of each, cut in steps, by rule."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import AgentLimits
from interlock.agent.context import LINE_MAX, Context
from interlock.agent.pruning import CHARACTERS, Pruning, Size
from interlock.core.message import Message, Role
from interlock.core.tool import CallContext
from interlock.errors import DefinitionError
from tests.agent.desk import Watched, desk, result, says, told
from tests.agent.test_context import shared
from tests.planes import ANA, Far

LIMITS = AgentLimits(turns_max=200, results_kept=4, turns_kept=4, context_tokens_max=6000)
SAID = "I think about it.\n" + "Long thoughts. " * 100


async def short(arguments: dict[str, Any], _: CallContext) -> object:
    return {"n": arguments["n"], "secret": "of a third party"}


def long_run(turns: int) -> Watched:
    """A model that thinks aloud in every turn."""
    return Watched(*[says(SAID, ("look", {"n": n, "note": "x" * 300})) for n in range(turns)], says("Done."))


def size(messages: tuple[Message, ...]) -> int:
    """Characters of a request, with its calls."""
    return sum(len(message.text) + sum(len(str(p.arguments)) for p in message.proposals) for message in messages)


@pytest.mark.anyio
async def test_old_turns_become_a_line_each_in_steps_and_every_call_keeps_its_result() -> None:
    """C8: the model's own texts too, beyond the newest and where it is too long; in between nothing changes."""
    model = long_run(40)
    async with desk(model, Far().tool("look", does=short), agent={"limits": LIMITS}) as stage:
        await result(stage.plane)
    requests = [messages for messages, _ in model.asked]
    rewritten = [n for n, (one, next) in enumerate(pairwise(requests), 1) if shared(one, next) < len(one)]
    assert 2 <= len(rewritten) <= 10, "in steps, and not in each turn"
    assert max(map(size, requests)) < (6000 + 1500) * CHARACTERS
    last = requests[-1]
    spoken = [message for message in last if message.role is Role.MODEL]
    lines = [message for message in spoken if message.text == "I think about it. …"]
    assert len(lines) >= 20, len(lines)
    assert [message.text for message in spoken[-4:]] == [SAID] * 4
    assert spoken[: len(lines)] == lines, "the oldest"
    for message in lines:
        assert len(message.proposals[0].arguments["shortened"]) == LINE_MAX
    for place, message in enumerate(last):
        if message.role is Role.MODEL:
            answers = [other.answers for other in last[place + 1 : place + 1 + len(message.proposals)]]
            assert answers == [proposal.id for proposal in message.proposals]
    first = told(last)[0]
    assert first == {"kind": "tool_result", "outcome": "done", "call_id": first["call_id"]}


@pytest.mark.anyio
async def test_another_process_cuts_at_the_same_place() -> None:
    """C5."""
    model = long_run(23)
    async with desk(model, Far().tool("look", does=short), agent={"limits": LIMITS}) as stage:
        found = await result(stage.plane)
        state = await stage.state(found.run_id)
        assert state.transcript is not None
        [*state.transcript.turns, _] = state.transcript.turns
        assert Context(model.asked[0][0][0].text, state, LIMITS).messages() == model.asked[-1][0]


@pytest.mark.anyio
async def test_what_the_user_said_is_never_cut_and_a_short_run_is_not_touched() -> None:
    words = "My order is late. " * 200
    turns = [turn for n in range(6) for turn in (says(SAID, ("look", {"n": n})), says(SAID + f"Answer {n}."))]
    model = Watched(*turns)
    async with (
        desk(model, Far().tool("look"), agent={"limits": LIMITS}) as stage,
        stage.plane.conversation("desk", ANA, words=words) as run,
    ):
        await run.result()
        for n in range(1, 6):
            await run.say(f"{n}: {words}")
            await run.result()
    last = model.asked[-1][0]
    assert [m.text for m in last if m.role is Role.USER] == [words, *(f"{n}: {words}" for n in range(1, 6))]
    assert any(message.text == "I think about it. …" for message in last)
    assert all(message.text in (SAID, "Done.") for message in await _spoken(5)), "the twin: nothing was cut"


async def _spoken(turns: int) -> list[Message]:
    model = long_run(turns)
    async with desk(model, Far().tool("look"), agent={"limits": AgentLimits()}) as stage:
        await result(stage.plane)
    return [message for message in model.asked[-1][0] if message.role is Role.MODEL]


SIZES = st.lists(
    st.builds(lambda line, more, most: Size(line + more + most, line + more, line), *[st.integers(0, 20_000)] * 3),
    max_size=80,
)


@given(SIZES, st.integers(2, 12), st.integers(2, 12), st.integers(1000, 20_000))
@settings(deadline=None, max_examples=150)
def test_borders_only_move_on_leave_the_newest_alone_and_know_how_long_it_is(
    sizes: list[Size], results_kept: int, turns_kept: int, most: int
) -> None:
    limits = AgentLimits(results_kept=results_kept, turns_kept=turns_kept, context_tokens_max=most)
    pruning, moved, before = Pruning(limits), [], (0, 0)
    for count, each in enumerate(sizes, 1):
        pruning.add(each)
        now = (pruning.short, pruning.lines)
        assert now >= before and pruning.lines <= max(0, count - turns_kept)
        if pruning.lines > before[1]:
            moved.append(count)
        before = now
        naive = sum(
            size.line if place < pruning.lines else size.short if place < pruning.short else size.whole
            for place, size in enumerate(sizes[:count])
        )
        assert pruning._characters == naive
    assert all(later - sooner >= 1 for sooner, later in pairwise(moved))
    assert len(moved) <= len(sizes) // max(1, turns_kept // 2)


@pytest.mark.parametrize("wrong", [{"turns_kept": 1}, {"context_tokens_max": 999}, {"context_tokens_max": True}])
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=next(iter(wrong))):
        AgentLimits(**wrong)
