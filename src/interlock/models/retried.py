"""The one layer that asks a model again. Providers' own clients do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from interlock.core.message import Message
from interlock.core.tool import Offer
from interlock.errors import ModelUnavailable
from interlock.models.model import Model

TRIES_MAX = 3
WAIT_MAX_S = 60.0
"""Tries of one turn, the first included; seconds that are waited before the next one at most."""


class Retried:
    """A model that is asked again where it did not answer and may later. It is a `Model` itself.

    Attributes:
        name, output_max: Those of the model.
    """

    def __init__(self, model: Model, pause: Callable[[float], Awaitable[None]]) -> None:
        self._model, self._pause = model, pause
        self.name, self.output_max = model.name, model.output_max

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`. Waits as long as the provider asked for, else 1 s and then 2 s."""
        for tried in range(1, TRIES_MAX):
            try:
                return await self._model.reply(messages, tools)
            except ModelUnavailable as error:
                wait_s = 2.0 ** (tried - 1) if error.retry_after_s is None else error.retry_after_s
                if wait_s > WAIT_MAX_S:
                    raise
            await self._pause(wait_s)
        return await self._model.reply(messages, tools)
