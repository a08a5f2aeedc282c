"""Header and body of one request must say the same: who stands before may have judged it by its headers alone."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.errors import BadInput, MissingExtra
from interlock.gateway.asgi import Scope, header
from interlock.gateway.message import Message

try:
    from mcp.shared.inbound import NAME_BEARING_METHODS, decode_header_value
    from mcp_types import PROTOCOL_VERSION_META_KEY
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None


def check_agreement(scope: Scope, message: Message) -> None:
    """Refuse a message that its headers describe otherwise, in any revision.

    Whether a header that the revision of 2026 wants is there at all, the SDK checks.

    Raises:
        BadInput: They disagree (`http.mismatch`).
    """
    method = header(scope, b"mcp-method")
    if method and method != message.method:
        raise _mismatch("Mcp-Method")
    key = NAME_BEARING_METHODS.get(message.method)
    name = header(scope, b"mcp-name")
    if key and name and decode_header_value(name) != message.params.get(key):
        raise _mismatch("Mcp-Name")
    meta = message.params.get("_meta")
    said = meta.get(PROTOCOL_VERSION_META_KEY) if isinstance(meta, Mapping) else None
    if said is not None and said != header(scope, b"mcp-protocol-version"):
        raise _mismatch("MCP-Protocol-Version")


def _mismatch(name: str) -> BadInput:
    return BadInput(f"{name} says something else than the body", code="http.mismatch", remedy="Let both say the same.")
