"""What Interlock asks of a model: one turn for a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from interlock.core.message import Message
from interlock.core.tool import Offer


class Model(Protocol):
    """Answers a conversation with one more turn."""

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """The model's next message: text, proposed calls or both.

        Args:
            messages: The conversation so far, oldest first.
            tools: What it may propose; the list is an offer, not a control.
        """
        ...
