"""A model whose answers are looked at before anybody goes by them: what is none is a model that failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import NoneType

from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.core.tool import Offer
from interlock.errors import InterlockError, ModelError
from interlock.models.metered import is_count
from interlock.models.model import Model

logger = logging.getLogger("interlock.models")

_MESSAGE: Mapping[str, tuple[type, ...]] = {
    "text": (str,), "model": (str,), "finish": (Finish,), "proposals": (tuple, list), "usage": (Usage, NoneType),
}  # fmt: skip
_PROPOSAL: Mapping[str, tuple[type, ...]] = {
    "tool": (str,), "id": (str,), "arguments": (str, Mapping), "confidence": (int, NoneType),
}  # fmt: skip
"""What the parts of each are, whatever their types promise: a model of somebody's own may say anything."""


class Checked:
    """A model that only answers with messages that can be recorded. It is a `Model` itself.

    Attributes:
        name, output_max: Those of the model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name, self.output_max = model.name, model.output_max

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`. Tokens that no answer can have taken are not counted.

        Raises:
            ModelError: Also for what the model's own code raises, which is logged.
        """
        try:
            message = await self._model.reply(messages, tools)
        except InterlockError:
            raise
        except Exception as error:
            logger.exception("model %s raised what is no ModelError", self.name)
            raise ModelError(f"{self.name} failed: {type(error).__name__}") from error
        if not _is_message(message):
            raise ModelError(f"{self.name} did not answer with a model's message", code="model.malformed")
        if message.usage is not None and not is_count(message.usage):
            return message._replace(usage=None)
        return message


def _is_message(said: object) -> bool:
    if not (isinstance(said, Message) and said.role is Role.MODEL and _is_made_of(said, _MESSAGE)):
        return False
    return all(map(_is_proposal, said.proposals))


def _is_proposal(said: object) -> bool:
    return isinstance(said, Proposal) and _is_made_of(said, _PROPOSAL)


def _is_made_of(said: object, parts: Mapping[str, tuple[type, ...]]) -> bool:
    return all(isinstance(getattr(said, name), kinds) for name, kinds in parts.items())
