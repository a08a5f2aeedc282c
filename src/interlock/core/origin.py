"""Where a value came from, from the most trusted to the least."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Origin(StrEnum):
    """Who a value is from; what is made of several is from the least trusted of them."""

    USER = "user"
    MODEL = "model"
    THIRD = "third"

    @classmethod
    def least(cls, origins: Iterable[Origin]) -> Origin:
        """The least trusted of them; the model's where there are none."""
        order = list(cls)
        return max(origins, key=order.index, default=cls.MODEL)
