"""A model that says what was recorded: of another run, of another framework, or written down for a test.

What it says depends on how far the conversation has come, and on nothing else. So it goes on in another process where
the first one was killed, which a script that counts its own turns cannot.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from interlock.core.event import Event, Kind
from interlock.core.message import TASK, Finish, Message, Proposal, Role, Usage
from interlock.core.tool import Offer

_PIECE = re.compile(r"\S*\s*")


class ReplayModel:
    """Plays turns by their place in the conversation: the so-manieth turn of the model is the so-manieth recorded.

    Past their end it answers with nothing, so that a run comes to its end.

    Attributes:
        name, output_max: See `Model`.
    """

    output_max = 4096

    def __init__(self, *turns: Message, name: str = "replay:recorded") -> None:
        self.name = name
        self._turns = turns

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """The turn at this place."""
        place = sum(message.role is Role.MODEL and not _took_up(message) for message in messages)
        return self._turns[place] if place < len(self._turns) else Message(role=Role.MODEL)

    async def stream(self, messages: Sequence[Message], tools: Sequence[Offer]) -> AsyncIterator[str | Message]:
        """The same, word by word."""
        turn = await self.reply(messages, tools)
        for piece in _PIECE.findall(turn.text):
            if piece:
                yield piece
        yield turn


def _took_up(message: Message) -> bool:
    return bool(message.proposals) and message.proposals[0].id == TASK


def turns_of(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The model's turns of a recorded conversation: messages with `role`, `content` and `tool_calls`.

    A call is `{"id", "name", "args"}`, or as OpenAI writes it. Turns that only talk to the user are left out, but for
    the last: whoever replays the conversation does not reply to them.
    """
    turns = [_turn(message) for message in messages if message.get("role") == "assistant"]
    return [turn for place, turn in enumerate(turns, 1) if turn.proposals or place == len(turns)]


def turns_of_run(events: Iterable[Event]) -> list[Message]:
    """The model's turns of an agent's run, from its events: those of `store.read`, or of a bundle.

    Raises:
        KeyError: A turn was erased, or is none.
    """
    return [_of_event(event.fact.body) for event in events if event.fact.kind is Kind.MESSAGE]


def _of_event(body: Mapping[str, Any]) -> Message:
    proposals = tuple(
        Proposal(
            tool=call["tool"], id=call.get("id", ""), confidence=call.get("confidence"),
            arguments=call["arguments_text"] if "arguments_text" in call else call["arguments"],
        )
        for call in body.get("calls", ())
    )  # fmt: skip
    finish = Finish(body.get("finish", Finish.WHOLE))
    usage = Usage(**body["usage"]) if "usage" in body else None
    return Message(role=Role.MODEL, text=body["text"], proposals=proposals, finish=finish, usage=usage)


def _turn(message: Mapping[str, Any]) -> Message:
    calls = message.get("tool_calls") or ()
    return Message(role=Role.MODEL, text=_text(message.get("content")), proposals=tuple(map(_proposal, calls)))


def _proposal(call: Mapping[str, Any]) -> Proposal:
    function = call.get("function")
    if isinstance(function, Mapping):
        tool, arguments = function.get("name"), function.get("arguments")
    else:
        tool, arguments = call.get("name") or function, call.get("args")
    said = arguments if isinstance(arguments, str | Mapping) else {}
    return Proposal(tool=str(tool or ""), arguments=said, id=str(call.get("id") or ""))


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(_text(part) for part in content)
    if isinstance(content, Mapping):
        return str(content.get("text") or content.get("content") or "")
    return content if isinstance(content, str) else ""
