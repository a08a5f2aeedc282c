"""A model that says what it was told to say: for tests, demos and replays."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.core.message import Message
from interlock.core.tool import Offer
from interlock.errors import Conflict


class ScriptedModel:
    """Plays messages in order, whatever it is asked.

    Attributes:
        asked: The conversations that it was given, for a test to look at.
        name, output_max: See `Model`.
    """

    name = "scripted:script"
    output_max = 4096

    def __init__(self, *turns: Message) -> None:
        self._turns = turns
        self.asked: list[tuple[Message, ...]] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """The next message of the script.

        Raises:
            Conflict: The script is at its end.
        """
        if len(self.asked) == len(self._turns):
            raise Conflict(f"the script has {len(self._turns)} turns and all are played", code="model.script_over")
        self.asked.append(tuple(messages))
        return self._turns[len(self.asked) - 1]
