"""`[screening]`: what is done about what tools return; a part of the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from interlock.core.finding import Act
from interlock.screening.handling import Handling

_Act = Literal["off", "flag", "redact", "withhold"]
_OfSentences = Literal["off", "flag", "withhold"]


class ToolScreening(BaseModel):
    """What is done otherwise about the results of some tools.

    Attributes:
        tools: Their names, in which `*` is any text.
        characters, content, secrets, injection, personal: As of `ScreeningSettings`; as it says there where None.
        fields: Where in a result personal data stand, as pointers in which `*` is any one part, and of which kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    tools: tuple[str, ...] = Field(min_length=1)
    characters: _Act | None = None
    content: _Act | None = None
    secrets: _Act | None = None
    injection: _OfSentences | None = None
    personal: _Act | None = None
    fields: dict[str, str] = Field(default_factory=dict)

    @field_validator("fields")
    @classmethod
    def _pointers(cls, said: dict[str, str]) -> dict[str, str]:
        if not all(where.startswith("/") for where in said):
            raise ValueError("a field is a pointer: begin it with a slash")
        return said


class ScreeningSettings(BaseModel):
    """What is done about what tools return, before a model reads it or the ledger keeps it.

    Attributes:
        characters: Characters that nobody sees: `off`, `flag`, `redact` (taken out) or `withhold`.
        content: What loads or acts by itself; `redact` makes it do nothing.
        secrets: Keys, tokens, passwords.
        injection: Texts that read like instructions: `off`, `flag` or `withhold`.
        personal: Personal data that patterns find.
        presidio: Name of an installed spaCy pipeline with which Presidio looks for personal data too; None for not.
        tools: What is done otherwise about some; the first that names a tool is taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    characters: _Act = "redact"
    content: _Act = "redact"
    secrets: _Act = "redact"
    injection: _OfSentences = "flag"
    personal: _Act = "off"
    presidio: str | None = None
    tools: tuple[ToolScreening, ...] = ()

    def handling(self) -> Callable[[str], Handling]:
        """What is done about the results of a tool, by its name."""
        usual = Handling(
            characters=Act(self.characters), content=Act(self.content), secrets=Act(self.secrets),
            injection=Act(self.injection), personal=Act(self.personal),
        )  # fmt: skip
        others = [(said.tools, _otherwise(usual, said)) for said in self.tools]

        def of(tool: str) -> Handling:
            return next((each for names, each in others if any(fnmatchcase(tool, name) for name in names)), usual)

        return of


def _otherwise(usual: Handling, said: ToolScreening) -> Handling:
    names = ("characters", "content", "secrets", "injection", "personal")
    acts = {name: Act(act) for name in names if (act := getattr(said, name)) is not None}
    return replace(usual, **acts, fields=tuple(sorted(said.fields.items())))
