"""A call as it was proposed, before anything is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.core.canonical import canonical, digest


def proposal_digest(tool: str, arguments: str | bytes | Mapping[str, Any]) -> str:
    """Hex SHA-256 of a call as it was proposed: tells whether a named call is asked again or is another one.

    An object and a JSON text never share a digest: what a client resends is what it sent.
    """
    name = tool.encode("utf-8", "surrogatepass")
    if isinstance(arguments, Mapping):
        return digest("interlock/proposal/object/1", name, canonical(arguments)).hex()
    text = arguments.encode("utf-8", "surrogatepass") if isinstance(arguments, str) else arguments
    return digest("interlock/proposal/text/1", name, text).hex()
