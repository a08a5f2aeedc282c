"""How the tries of a call ended."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from interlock.core.canonical import Json
from interlock.execution.reconcile import Said


class Answer(NamedTuple):
    """How it ended.

    Attributes:
        value: What the tool returned, or the last `Failure`.
        tries: How many tries were made, those of lost workers included.
        said: What the far end said last, where it was asked; None where it was not.
        source: For the record, where it is not from an invocation of the call's own: `cached` or `shared` with the
            call that has it from the tool, or `together` with how many it was made for.
    """

    value: Any
    tries: int
    said: Said | None = None
    source: Mapping[str, Json] = MappingProxyType({})
