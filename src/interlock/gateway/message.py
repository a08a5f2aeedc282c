"""One message of a client, read strictly before the SDK sees a byte of it, and written anew from what was read.

Two readers of one text may take it for two things: a key that stands twice, a number that only one of them can hold.
So nobody behind reads what the client wrote, but the one spelling of what was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from interlock.core.canonical import canonical, parse_json
from interlock.errors import BadInput

MESSAGE_MAX: Final = 1 << 20
"""Bytes of one message."""

_ID_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Message:
    """A JSON-RPC message.

    Attributes:
        method: Empty for an answer.
        asked: The id of a request or of what is answered; None for a notification.
        params: Empty where it has none.
        text: The message, canonical.
    """

    method: str
    asked: str | int | None
    params: Mapping[str, Any]
    text: bytes

    @property
    def is_request(self) -> bool:
        """Whether it wants an answer."""
        return bool(self.method) and self.asked is not None


def read_message(text: bytes) -> Message:
    """Read one message.

    Raises:
        BadInput: It is no strict JSON (`json.*`), or no single message of the protocol (`rpc.shape`).
    """
    said = parse_json(text)
    if not isinstance(said, dict) or said.get("jsonrpc") != "2.0":
        raise _shape("no single JSON-RPC 2.0 message")
    method, asked, params = said.get("method", ""), said.get("id"), said.get("params", {})
    if not isinstance(method, str) or ("method" in said) != bool(method):
        raise _shape("`method` is no name")
    if isinstance(asked, bool) or not isinstance(asked, str | int | None) or len(str(asked)) > _ID_MAX:
        raise _shape(f"`id` is no text or number of at most {_ID_MAX} characters")
    if "id" in said and asked is None:
        raise _shape("`id` is null")
    if not isinstance(params, dict):
        raise _shape("`params` is no object")
    answers = ("result" in said) + ("error" in said)
    if answers != (0 if method else 1) or (not method and asked is None):
        raise _shape("neither a request nor an answer")
    return Message(method, asked, params, canonical(said))


def _shape(why: str) -> BadInput:
    return BadInput(f"the message is malformed: {why}", code="rpc.shape", remedy="Send one message of the protocol.")
