"""What goes between a model and the path: messages and proposed calls, in no provider's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks. A tool's result is never anything but `tool`."""

    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One tool call as a model proposed it, unchecked.

    Attributes:
        tool: Name as proposed.
        arguments: JSON text or object, exactly as it came.
        id: The provider's id of the call, which its result must bear; empty where it gave none.
    """

    tool: str
    arguments: str | Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        text: What was said.
        proposals: Calls that a model's turn proposes.
        answers: Provider's call id, of a tool's message.
    """

    role: Role
    text: str = ""
    proposals: tuple[Proposal, ...] = ()
    answers: str = ""
