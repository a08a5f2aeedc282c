"""What `[[servers]]` and `[[services]]` have in common: whatever stands behind, by the operator's file alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from interlock.core.secret import SECRET, reference_of
from interlock.errors import BadInput

EffectName = Literal["read", "reversible", "irreversible", "privileged"]


class SecretName(BaseModel):
    """A reference to a secret in the place of a text: `{ "$secret" = "env://NAME" }`.

    Attributes:
        reference: Where the secret is kept; read when it is needed, and kept nowhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    reference: str = Field(alias=SECRET)

    @field_validator("reference")
    @classmethod
    def _is_one(cls, text: str) -> str:
        try:
            return reference_of(text).text
        except BadInput as error:
            raise ValueError(str(error)) from None


class BehindSettings(BaseModel):
    """One thing behind.

    Attributes:
        name: What it is called in tools, events and policies; unique.
        prefix: What stands before the names of its tools; `name__` where None.
        reach: Hosts, addresses and networks that it may be at although they are not public. An address in the settings
            that names its host by address needs no entry.
        timeout_s: Seconds that one attempt of a call may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_.-]{0,40})?$")] | None = None
    reach: tuple[str, ...] = ()
    timeout_s: float = Field(default=30, gt=0, le=3600)

    @property
    def prefixed(self) -> str:
        """What stands before the names of its tools."""
        return f"{self.name}__" if self.prefix is None else self.prefix

    @field_validator("name")
    @classmethod
    def _not_ours(cls, name: str) -> str:
        if name == "local":
            raise ValueError("'local' is the name of the functions of this process")
        return name
