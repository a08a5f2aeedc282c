"""`[provenance]`: where the operator says what of tools is trusted; a part of the settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ProvenanceSettings(BaseModel):
    """What of tools is trusted, by the operator's word.

    Attributes:
        profiles: Folder of TOML files, one for each server; None for what the tools' own declarations say.
        mandates: Id of a principal of the first tenant to the tools that are asked for whenever they call through the
            gateway.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    profiles: Path | None = None
    mandates: dict[str, tuple[str, ...]] = Field(default_factory=dict)
