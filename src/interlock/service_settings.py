"""`[[services]]`: what a document of OpenAPI describes, each with the operator's word on it; a part of the settings.

Services come from this file alone. Where one answers, and what it is sent as credentials, is said here and in no
document.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interlock.behind_settings import BehindSettings, EffectName


class AuthSettings(BaseModel):
    """What every request to a service bears.

    Attributes:
        kind: `bearer` or `basic`, or the place of a key: a `header`, the `query` or a `cookie`.
        name: What the header, parameter or cookie is called.
        user: For `basic`.
        key_file: File of mode 0600 with the secret; read for each request, so that a new one holds at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    kind: Literal["bearer", "basic", "header", "query", "cookie"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = ""
    user: str = ""
    key_file: Path

    @model_validator(mode="after")
    def _whole(self) -> AuthSettings:
        if (self.kind in ("header", "query", "cookie")) != bool(self.name):
            raise ValueError("a header, query or cookie has a name, and nothing else has")
        if (self.kind == "basic") != bool(self.user) or not self.user.isascii() or ":" in self.user:
            raise ValueError("basic has a user without a colon, and nothing else has one")
        return self


class ServiceSettings(BehindSettings):
    """One service. Beside what everything behind has.

    Attributes:
        openapi: Its document of OpenAPI 3.0 or 3.1, JSON or YAML.
        base_url: Where its paths begin.
        document_server: Whether the first server of the document is believed, where `base_url` is empty.
        effects: operationId, or a pattern of them, to what a call does; the first that fits.
        only: operationIds or patterns of what is imported; everything where empty.
        auth: What every request bears.
        key_header: Header by which it dedupes writes, where the document does not say so.
        result_bytes_max: Bytes of one answer.
    """

    openapi: Path
    base_url: str = ""
    document_server: bool = False
    effects: dict[str, EffectName] = Field(default_factory=dict)
    only: tuple[str, ...] = ()
    auth: tuple[AuthSettings, ...] = ()
    key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,64}$")] = ""
    result_bytes_max: int = Field(default=4 << 20, ge=1024, le=16 << 20, strict=True)
