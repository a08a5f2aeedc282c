"""`[routing]`: what is offered where there are many tools; a part of the settings."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RoutingSettings(BaseModel):
    """What is offered where there are more tools than a model reads well.

    Attributes:
        above: So many tools are offered as they are; of more, a selection with `find_tools`.
        most: How many a selection has at first.
        index: Whether `find_tools` says the names of all others, with a few words of each.
        encoder: Module whose `encode` turns texts into vectors, which rank too; None for full text alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    above: int = Field(default=40, ge=1, le=10_000)
    most: int = Field(default=12, ge=1, le=128)
    index: bool = False
    encoder: str | None = None

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Self:
        if self.most > self.above:
            raise ValueError("most is more than above, from which on there is a selection")
        return self
