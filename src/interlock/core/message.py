"""What goes between a model and the path: messages and proposed calls, in no provider's format."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Role(StrEnum):
    """Who speaks. A tool's result is never anything but `tool`."""

    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


class Proposal(NamedTuple):
    """One tool call as a model proposed it, unchecked.

    Attributes:
        tool: Name as proposed.
        arguments: JSON text or object, exactly as it came.
        id: The provider's id of the call, which its result must bear; empty where it gave none.
        confidence: How sure the model says that it is, 0 to 100; None where it did not say. Recorded, and no gate.
    """

    tool: str
    arguments: str | Mapping[str, Any]
    id: str = ""
    confidence: int | None = None


class Usage(NamedTuple):
    """What one turn of a model took, as its provider counts.

    Attributes:
        input_tokens, output_tokens: Read and written, cached and hidden ones included.
        cached_tokens: Those read from the provider's cache, a part of `input_tokens`; 0 where it does not say.
        reasoning_tokens: Those that were written and not shown, a part of `output_tokens`; 0 where it does not say.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def plus(self, other: Usage | None) -> Usage:
        """Both together."""
        return self if other is None else Usage(*(a + b for a, b in zip(self, other, strict=True)))


TASK = "task"
"""Id of the turn by which an agent takes up what another run wants of it: nobody proposed it, it binds the data."""


class Finish(StrEnum):
    """Why a model's turn ended. Only a turn that is whole may be acted on."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    DECLINED = "declined"


class Message(NamedTuple):
    """One turn of a conversation. A long one is made of thousands, before its next turn can be asked for.

    Attributes:
        role: Who speaks.
        text: What was said.
        proposals: Calls that a model's turn proposes.
        answers: Provider's call id, of a tool's message.
        finish: Why a model's turn ended: it was whole, cut off at its length, or the provider declined.
        usage: What a model's turn took; None where nobody counted.
        model: Who said it, where several models could have; empty for the one that was asked.
    """

    role: Role
    text: str = ""
    proposals: tuple[Proposal, ...] = ()
    answers: str = ""
    finish: Finish = Finish.WHOLE
    usage: Usage | None = None
    model: str = ""
