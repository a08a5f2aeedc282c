"""What an operation does to the world, by its method and its name: where that is in doubt, it writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from interlock.core.tool import Effect

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that ask and change nothing, by the definition of HTTP."""

_IDEMPOTENT: Final = frozenset({"PUT", "DELETE"})

_CHANGES: Final = frozenset(
    "activate add approve archive cancel clear close create deactivate delete destroy disable enable execute insert"
    " kill logout move pay purge put reboot refund reject remove reset restart restore resume revoke rotate run send"
    " set start stop submit suspend terminate trigger unlink unsubscribe update upload write".split()
)
"""Verbs that a GET's name begins with, or its path ends in, where it is no read whatever its method says."""

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_SHORT: Final = 64
"""Characters that a text may have and still be a selector."""

_STRUCTURED: Final = frozenset({"date", "date-time", "time", "duration", "uuid", "ipv4", "ipv6", "byte", "email"})
"""Formats that hold no free text."""


class Risk(NamedTuple):
    """What is said of a call's risk; see `core.tool.Tool`."""

    effect: Effect
    idempotent: bool
    outward: bool


def risk_of(method: str, name: str, path: str, carried: Iterable[Any]) -> Risk:
    """The risk of an operation.

    POST is irreversible: it may send, pay or publish. PUT and PATCH set a state that can be set back; DELETE cannot.
    A read is `outward` where it carries free text or an address beside its path.

    Args:
        name: Its operationId; empty where it has none.
        carried: Schemas of the arguments that are not in its path.
    """
    if method in SAFE:
        if _changes(name, path):
            return Risk(Effect.IRREVERSIBLE, idempotent=False, outward=False)
        return Risk(Effect.READ, idempotent=True, outward=any(map(_is_free, carried)))
    effect = Effect.REVERSIBLE if method in ("PUT", "PATCH") else Effect.IRREVERSIBLE
    return Risk(effect, idempotent=method in _IDEMPOTENT, outward=False)


def _changes(name: str, path: str) -> bool:
    first = next((word.lower() for word in _WORDS.findall(name.rpartition("/")[2])), "")
    return first in _CHANGES or path.rstrip("/").rpartition("/")[2].lower() in _CHANGES


def _is_free(schema: Any) -> bool:
    """Whether a text of any content fits: data of the run could leave in it."""
    if not isinstance(schema, Mapping):
        return True
    if "enum" in schema or "const" in schema:
        return False
    kinds = schema.get("type")
    if "array" in (kinds if isinstance(kinds, list) else [kinds]):
        return _is_free(schema.get("items", {}))
    if isinstance(kinds, str) and kinds in ("integer", "number", "boolean"):
        return False
    return schema.get("format") not in _STRUCTURED and schema.get("maxLength", _SHORT + 1) > _SHORT
