"""What a model is sent in a long conversation: `python -m proof.context`.

Recorded conversations of the data folder (tau-bench airline), one after the other as one conversation of one run: what
each user began with is said, the model says what was recorded, and the tools answer what was recorded. Counted is what
the model is sent over all its turns, a token being four characters, once with everything shown, once with old results
dropped, and once by the default limits. Where a request does not begin with all of the one before it, what comes after
the first difference cannot come from a provider's cache.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from interlock import Agent, AgentLimits, Principal, Settings, World, open_plane
from interlock.core.message import Message, Role
from interlock.core.tool import Offer
from interlock.models.replay import ReplayModel, turns_of
from interlock.testing import CountedIds, FrozenClock
from proof.conversations import _tool
from proof.recorded import FOLDER, RecordedFarEnd, RecordedRun, Turns, recorded

SUITE = "airline"

LIMITS = {
    "everything": AgentLimits(turns_max=200, results_kept=1000, context_tokens_max=10_000_000),
    "old results dropped": AgentLimits(turns_max=200, context_tokens_max=10_000_000),
    "the default": AgentLimits(turns_max=200),
}


class _Counted(ReplayModel):
    """Recorded runs one after the other, whose requests are counted."""

    def __init__(self, runs: Sequence[RecordedRun], far_end: RecordedFarEnd) -> None:
        turns = [turns_of(run.messages) for run in runs]
        super().__init__(*(turn for each in turns for turn in each))
        calls = [[*run.turns, *[[]] * len(each)][: len(each)] for run, each in zip(runs, turns, strict=True)]
        self._calls: Turns = [some for each in calls for some in each]
        self._far_end = far_end
        self.sent: list[int] = []
        self.fresh: list[int] = []
        self._before: tuple[Message, ...] = ()

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `ReplayModel`; the tools are told which turn it is."""
        place = sum(message.role is Role.MODEL for message in messages)
        self._far_end.calls = list(self._calls[place]) if place < len(self._calls) else []
        pairs = enumerate(zip(messages, self._before, strict=False))
        same = next((n for n, (one, other) in pairs if one != other), len(self._before))
        self.sent.append(_tokens(messages))
        self.fresh.append(_tokens(messages[same:]))
        self._before = tuple(messages)
        return await super().reply(messages, tools)


def _tokens(messages: Sequence[Message]) -> int:
    said = sum(len(message.text) + sum(len(str(call.arguments)) for call in message.proposals) for message in messages)
    return said // 4


async def _one(data: Path, conversations: int, limits: AgentLimits) -> _Counted:
    suite = recorded(data)[SUITE]
    far_end = RecordedFarEnd()
    runs = suite.runs[:conversations]
    model = _Counted(runs, far_end)
    tools = [_tool(SUITE, definition, far_end) for definition in suite.tools]
    agents = [Agent("desk", model, limits=limits)]
    world = World(clock=FrozenClock(), new_id=CountedIds())
    begins = [next(str(each["content"]) for each in run.messages if each["role"] == "user") for run in runs]
    async with (
        open_plane(Settings(ledger=None), tools=tools, world=world, agents=agents, engine=False) as plane,
        plane.conversation("desk", Principal("ana", roles=frozenset({"support"})), words=begins[0]) as run,
    ):
        for words in begins[1:]:
            result = await run.result()
            assert result.answered, result
            await run.say(words)
        await run.result()
    return model


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.context", description="Tokens of a long conversation.")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--conversations", type=int, default=56, metavar="N", help="so many recorded ones (56)")
    options = parser.parse_args()
    print(f"{'shown':<22}{'turns':>7}{'longest':>10}{'sent':>13}{'not cached':>13}")
    for name, limits in LIMITS.items():
        model = anyio.run(_one, options.data, options.conversations, limits)
        sent, fresh = sum(model.sent), sum(model.fresh)
        print(f"{name:<22}{len(model.sent):>7}{max(model.sent):>10,}{sent:>13,}{fresh:>13,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
