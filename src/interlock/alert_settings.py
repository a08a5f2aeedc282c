"""`[alerts]`: what is out of the ordinary enough to tell people; a part of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AlertSettings(BaseModel):
    """From when on people are told. A rule whose number is 0 is off.

    Attributes:
        errors: Share of a tool's executed calls that failed or came out unknown, above 0 and up to 1.
        errors_min: So many executed calls within the time, or nothing is concluded.
        errors_within_min: That time, minutes.
        burst: So many calls of one tool by one principal within ten minutes, or nothing is concluded; beside that it
            must be far beyond what is usual.
        new_tools: So many tools within an hour that a principal never used before, or nothing is concluded.
        budget: Percents of a budget, each told once in its period.
        stuck_min: Minutes for which a run was due and nobody worked on it.
        held_min: Minutes for which somebody was waited for.
        fatigue: Whether approvers are looked at who approve nearly everything at a glance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    errors: float = Field(default=0.3, ge=0, le=1)
    errors_min: int = Field(default=20, ge=1, le=1_000_000, strict=True)
    errors_within_min: int = Field(default=15, ge=1, le=300, strict=True)
    burst: int = Field(default=30, ge=0, le=1_000_000, strict=True)
    new_tools: int = Field(default=5, ge=0, le=1_000, strict=True)
    budget: tuple[int, ...] = (80, 100)
    stuck_min: int = Field(default=15, ge=0, le=100_000, strict=True)
    held_min: int = Field(default=240, ge=0, le=100_000, strict=True)
    fatigue: bool = True
