"""What each argument must come from at least, by its role and by what the call does."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from interlock.core.provenance import ArgumentOrigin, Lack, Level
from interlock.core.tool import Effect, Tool
from interlock.grounding.index import Index
from interlock.grounding.profile import Profile, argument_fits
from interlock.grounding.typed import Unfit, number

NEGATIVE: Final = frozenset({"target", "command", "credential"})
"""Roles that are judged where the user's words are not seen: by what is found in text by others alone."""


def is_outward(tool: Tool) -> bool:
    """Whether a call carries something out that cannot be taken back."""
    return tool.outward or tool.effect.rank >= Effect.IRREVERSIBLE.rank


def lacking(index: Index, tool: Tool, profile: Profile, origins: tuple[ArgumentOrigin, ...]) -> Iterator[Lack]:
    """Every leaf whose level is below what its role asks for."""
    for origin in origins:
        needed = needs(tool, profile, origin, origins)
        if needed is None or origin.level >= needed:
            continue
        if not index.words_seen:
            if origin.role in NEGATIVE and origin.rung in ("r7", "r0"):
                yield Lack(origin.role, origin.pointer, needed)
        elif origin.level is not Level.MODEL:  # found nowhere, and nobody else has spoken in this run
            yield Lack(origin.role, origin.pointer, needed)


def needs(tool: Tool, profile: Profile, origin: ArgumentOrigin, origins: tuple[ArgumentOrigin, ...]) -> Level | None:
    """The least level that a leaf's role asks for in a call of the tool; None where any will do.

    What is fetched is judged by a rule of its own.
    """
    if origin.role in ("credential", "command"):
        return Level.USER
    if not tool.writes:
        return None
    inside = not is_outward(tool)
    match origin.role:
        case "target" if profile.shape(origin.pointer) == "path":
            return Level.USER
        case "target":
            return Level.RECORD if inside and "directory" in origin.flags else Level.ANCHORED
        case "selector":
            return Level.RECORD if inside else Level.ANCHORED
        case "amount":
            targets = [each.level for each in origins if each.role == "target"]
            return Level.RECORD if targets and min(targets) >= Level.ANCHORED else Level.ANCHORED
    return None


def beyond_caps(profile: Profile, values: dict[str, object]) -> Iterator[Lack]:
    """Every amount that is more than its cap, either way, or cannot be told to be less."""
    for pointer, value in values.items():
        for name, cap in profile.caps.items():
            if argument_fits(name, pointer) and not _within(value, cap):
                yield Lack("cap", pointer)


def _within(value: object, cap: Decimal) -> bool:
    if value is None:
        return True
    try:
        amount = Decimal(number(repr(value) if isinstance(value, int | float) else str(value)))
    except Unfit:  # `1.000,50` is one thing here and another there
        return False
    return abs(amount) <= cap
