"""`[verify]`: who reads a call that policy wants verified; a part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class VerifySettings(BaseModel):
    """Who reads a call that policy wants verified, and what becomes of a doubt.

    Attributes:
        rules: Modules with a `RULES` each, a tuple of functions; all of them are asked, before the model.
        model: Provider and model, `openai:…` or `anthropic:…`; None for none.
        base_url: Where the provider's interface is served; its own address where None.
        key_file: File that holds the provider's key and nothing else.
        timeout_s: Seconds that one verdict of the model may take, all tries together.
        tokens_max: Tokens that its answer may have.
        price_input, price_output: Millionths of a US dollar for a million tokens read and written; None for the list
            price of the model.
        review: Approver group that a doubt goes to; None where a doubt is refused.
        thresholds: Effect to the confidence, 0 to 100, below which an approval of the model counts as a doubt.
        cache_s: Seconds that a verdict of the model may be used again, for the same of everything; 0 for never.
        cache_entries_max: Verdicts that are kept for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    rules: tuple[str, ...] = ()
    model: str | None = None
    base_url: str | None = None
    key_file: Path | None = None
    timeout_s: float = Field(default=30, ge=0.1, le=300)
    tokens_max: int = Field(default=1024, ge=64, le=65_536, strict=True)
    price_input: int | None = Field(default=None, ge=0, le=10**9, strict=True)
    price_output: int | None = Field(default=None, ge=0, le=10**9, strict=True)
    review: str | None = None
    thresholds: dict[Literal["read", "reversible", "irreversible", "privileged"], int] = Field(default_factory=dict)
    cache_s: float = Field(default=300, ge=0, le=86_400)
    cache_entries_max: int = Field(default=1000, ge=1, le=1_000_000, strict=True)

    @field_validator("thresholds")
    @classmethod
    def _percent(cls, said: dict[str, int]) -> dict[str, int]:
        if not all(0 <= value <= 100 for value in said.values()):
            raise ValueError("a threshold is from 0 to 100")
        return said
