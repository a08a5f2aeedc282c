"""What a server claims of its tools by annotations: it may raise what a call counts as, and never lower it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.core.tool import Effect


def at_least(effect: Effect, claims: Mapping[str, Any]) -> Effect:
    """The operator's effect, or the one that the server admits to, where that is more.

    `destructiveHint` is at least irreversible, `readOnlyHint: false` at least reversible. What a server denies, and
    what it leaves out, says nothing.
    """
    hints = claims.get("annotations")
    if not isinstance(hints, Mapping):
        return effect
    admitted = Effect.READ
    if hints.get("readOnlyHint") is False:
        admitted = Effect.REVERSIBLE
    if hints.get("destructiveHint") is True:
        admitted = Effect.IRREVERSIBLE
    return max(effect, admitted, key=lambda each: each.rank)


def reaches_out(outward: bool, claims: Mapping[str, Any]) -> bool:
    """Whether a call may carry data out: by the operator's word, or because the server admits to it."""
    hints = claims.get("annotations")
    return outward or (isinstance(hints, Mapping) and hints.get("openWorldHint") is True)
