"""Models that speak as they think: their text comes in pieces, their calls only when the message is whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, runtime_checkable

from interlock.core.message import Message, Usage
from interlock.core.tool import Offer
from interlock.errors import ModelError
from interlock.models.metered import is_count
from interlock.models.model import Model


@runtime_checkable
class StreamingModel(Protocol):
    """A `Model` that can also be listened to."""

    def stream(self, messages: Sequence[Message], tools: Sequence[Offer]) -> AsyncIterator[str | Message]:
        """Pieces of the text in their order, then the whole message, which is the last thing that comes.

        Raises:
            ModelError: It did not come to its end; no call of it may run.
        """
        ...


class Heard:
    """A model that somebody listens to. It is a `Model` itself.

    Attributes:
        name, output_max: Those of the model.
    """

    def __init__(
        self, model: Model, hear: Callable[[str], None] | None, took: Callable[[Usage | None], None]
    ) -> None:  # fmt: skip
        """A model with a listener.

        Args:
            hear: Told its text as it comes, or at its end where it cannot stream; None where the text is a draft.
            took: Told what the turn took, once it is whole; None where nobody counted, or not in tokens.
        """
        self._model, self._hear, self._took = model, hear, took
        self.name, self.output_max = model.name, model.output_max

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`."""
        message = await self._heard(messages, tools)
        usage = message.usage
        self._took(usage if usage is not None and is_count(usage) else None)
        return message

    async def _heard(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        if self._hear is None or not isinstance(self._model, StreamingModel):
            message = await self._model.reply(messages, tools)
            if message.text and self._hear is not None:
                self._hear(message.text)
            return message
        whole: Message | None = None
        async for piece in self._model.stream(messages, tools):
            if isinstance(piece, str):
                self._hear(piece)
            else:
                whole = piece
        if whole is None:
            raise ModelError("the stream ended before its message did", code="model.stream_cut")
        return whole
