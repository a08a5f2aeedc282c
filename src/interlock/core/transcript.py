"""What an agent's run has said so far: its model's turns, with the calls that each proposed, as the ledger has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from interlock.core.ids import named_call_id


class Asked(NamedTuple):
    """One call that a model's turn proposes.

    Attributes:
        call_id: Of the call, made from the run, the turn and its place in it: asked again, it is the same call.
        id: The provider's id of it; empty where it gave none.
        tool: Name as proposed.
        arguments: JSON text or object, as proposed.
        confidence: How sure the model said that it was, 0 to 100; None where it did not say.
    """

    call_id: str
    id: str
    tool: str
    arguments: str | Mapping[str, Any]
    confidence: int | None = None


@dataclass(slots=True)
class TurnState:
    """One turn of the model.

    Attributes:
        number: 1, 2, 3, … within the run.
        text: What the model said.
        calls: What it proposed, in its order.
        finish: Why the turn ended (`message.Finish`); one that is not `whole` is never acted on.
        final: It was asked to answer without calls: those that it proposes all the same are refused.
        told: What each call had been answered when the next turn began, as the bytes that stand in the ledger.
    """

    number: int
    text: str
    calls: tuple[Asked, ...]
    finish: str
    final: bool
    told: tuple[bytes, ...] = ()


class Words(NamedTuple):
    """What the user said.

    Attributes:
        after: Number of the model's turn that they follow; 0 for what the run began with.
        text: In their own words; empty where they are not seen.
    """

    after: int
    text: str


@dataclass(slots=True)
class Transcript:
    """The fold of an agent's run, beside that of its calls.

    Attributes:
        agent: Name of the agent.
        tools: Names of the tools that it may call; None for all that there are.
        words: What its user said, oldest first; never empty.
        conversation: An answer does not end it: its user may say more.
        review: Confidence below which a call waits for people, and the group that is asked; None where none does.
        turns: The model's turns, oldest first.
        offered: Names of the tools that the last turn was offered; None where it was all that the run may call.
        seqs: Number of the event of each turn.
        input_tokens, output_tokens, micro_usd: What they took, as far as it was counted.
    """

    agent: str
    tools: frozenset[str] | None = None
    words: list[Words] = field(default_factory=lambda: [Words(0, "")])
    conversation: bool = False
    review: tuple[int, str] | None = None
    turns: list[TurnState] = field(default_factory=list)
    offered: tuple[str, ...] | None = None
    seqs: list[int] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    micro_usd: int = 0

    @property
    def unanswered(self) -> bool:
        """Whether the user said something that the model has not been asked about."""
        return self.words[-1].after == len(self.turns)

    @property
    def turns_since(self) -> int:
        """Turns since the user last said something."""
        return len(self.turns) - self.words[-1].after

    def absorb(self, run_id: str, body: Mapping[str, Any], told: Callable[[str], bytes]) -> None:
        """Fold one more message in.

        Args:
            body: Of the event; empty where it was erased.
            told: What a call has been answered so far, given its id.
        """
        if self.turns:
            last = self.turns[-1]
            last.told = tuple([told(asked.call_id) for asked in last.calls])
        number = len(self.turns) + 1
        calls = []
        for place, said in enumerate(body.get("calls", ()), 1):
            arguments = said["arguments_text"] if "arguments_text" in said else said["arguments"]
            call_id = turn_call_id(run_id, number, place)
            calls.append(Asked(call_id, said.get("id", ""), said["tool"], arguments, said.get("confidence")))
        finish, final = body.get("finish", "whole"), body.get("final", False)
        self.turns.append(TurnState(number, body.get("text", ""), tuple(calls), finish, final))
        self.micro_usd += body.get("micro_usd", 0)
        if usage := body.get("usage"):
            self.input_tokens += usage.get("input_tokens", 0)
            self.output_tokens += usage.get("output_tokens", 0)


def begun(body: Mapping[str, Any], tools: frozenset[str] | None) -> Transcript:
    """That of a run which begins, from the body of its start."""
    said = body.get("review")
    review = None if said is None else (said["below"], said["group"])
    words = [Words(0, body.get("words", ""))]
    return Transcript(body["agent"], tools, words, body.get("conversation", False), review)


def turn_call_id(run_id: str, turn: int, place: int) -> str:
    """The call id of the so-manieth call of a turn, both from 1: the same on every ask."""
    return named_call_id(run_id, f"turn/{turn}/{place}")
