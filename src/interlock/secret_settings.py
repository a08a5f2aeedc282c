"""`[secrets]`: which secrets calls may refer to, and where they are kept; a part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from interlock.core.address import check_url
from interlock.core.secret import check_allowed
from interlock.errors import BadInput, SettingsError

_Host = Annotated[str, Field(pattern=r"^(\*\.)?[A-Za-z0-9.:-]{1,253}$")]


class AllowSettings(BaseModel):
    """What may stand in the place of a secret.

    Attributes:
        tool: Name of a tool; one that ends in `*` stands for all that begin so.
        argument: Name of an argument, or a pointer into the arguments in which `*` stands for any key or item; empty
            for the arguments whose role is `credential`.
        references: References without a version; one that ends in `*` stands for all that begin so.
        hosts: Hosts to which the secret may go, as an argument says; `*.example.com` stands for every host beneath
            that. A rule with hosts allows nothing where no argument names one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    tool: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}\*?$")]
    argument: str = ""
    references: tuple[str, ...] = Field(min_length=1)
    hosts: tuple[_Host, ...] = ()

    @field_validator("references")
    @classmethod
    def _references(cls, references: tuple[str, ...]) -> tuple[str, ...]:
        for reference in references:
            try:
                check_allowed(reference)
            except BadInput as error:
                raise ValueError(f"{reference!r}: {error}") from None
        return references


class VaultSettings(BaseModel):
    """A server that speaks the API of Vault, with its secrets in engines of the kind KV 2.

    Attributes:
        url: Where it answers: https, or http to this machine or to a host in `reach`.
        token_file: File of mode 0600 with a token; read for each secret, so that a new one holds at once.
        role_id, secret_id_file: Or else a role of AppRole, with the file of mode 0600 that has its secret id.
        login_mount: Where AppRole is mounted.
        namespace: Of an enterprise server; empty for none.
        reach: Hosts, addresses and networks that it may be at although they are not public. A `url` that names its host
            by address needs no entry.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    url: str
    token_file: Path | None = None
    role_id: str = ""
    secret_id_file: Path | None = None
    login_mount: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "approle"
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{0,128}$")] = ""
    reach: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> VaultSettings:
        if (self.token_file is None) == (not self.role_id) or bool(self.role_id) != (self.secret_id_file is not None):
            raise ValueError("say either token_file, or role_id and secret_id_file")
        try:
            check_url(self.url, "url", in_clear=bool(self.reach))
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return self


class SecretSettings(BaseModel):
    """Secrets by reference.

    Attributes:
        allow: What calls may refer to. Nothing else is resolved, whoever asks.
        folder: Folder beneath which files with secrets are; none where None.
        vault: The server that keeps the secrets of `vault://`.
        timeout_s: Seconds until a secret must be there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    allow: tuple[AllowSettings, ...] = ()
    folder: Path | None = None
    vault: VaultSettings | None = None
    timeout_s: float = Field(default=10, ge=0.1, le=60)
