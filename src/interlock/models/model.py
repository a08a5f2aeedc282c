"""What Interlock asks of a model: one turn for a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from interlock.core.message import Message
from interlock.core.tool import Offer


class Model(Protocol):
    """Answers a conversation with one more turn.

    Attributes:
        name: Provider and model, such as `openai:gpt-5`.
        output_max: Tokens that one turn may have at most: what is reserved before it is asked for.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def output_max(self) -> int:
        """See the class."""
        ...

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """The model's next message: text, proposed calls or both, with what it took.

        Args:
            messages: The conversation so far, oldest first.
            tools: What it may propose; the list is an offer, not a control.

        Raises:
            ModelError: It did not answer, or not with what can be read.
        """
        ...
