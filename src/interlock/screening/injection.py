"""Texts of a result that read like instructions to the model: flagged, for people, for rules and for the model itself.

Evidence, and no control: whoever rewords well is not found. What a result can make a model do is decided by where each
argument's value came from.
"""

from __future__ import annotations

from typing import Final

from interlock.core.instructions import STEMS, spoken
from interlock.screening.characters import STOPS as HIDDEN

TEXT_MAX: Final = 64 << 10
"""Characters of one text that are looked at; a result that is told has no more."""

STOPS: Final = (*STEMS, *HIDDEN)
"""Where none of it is, no sign is."""


def speaking(text: str) -> dict[str, int]:
    """The signs that a text speaks to the model, each once."""
    return {sign.value: 1 for sign, _ in spoken(text[:TEXT_MAX]) if sign.grave}
