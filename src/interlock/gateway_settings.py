"""`[gateway]`: the door for clients of the Model Context Protocol; a part of the settings."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from interlock.core.address import check_url
from interlock.errors import SettingsError


class LocalSettings(BaseModel):
    """Who a caller without a key is, on this machine alone.

    Attributes:
        id: The principal.
        roles: Its roles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")
    roles: tuple[str, ...] = ()


class ScopeSettings(BaseModel):
    """What a scope of a token is here. A scope that none of these names is nothing.

    Attributes:
        scope: As the issuer writes it.
        opens: What it opens, as the scopes of a key do.
        roles: The roles that its bearer has by it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    scope: str = Field(min_length=1, max_length=200)
    opens: tuple[Literal["tools", "attest:words", "read", "write", "console"], ...] = ("tools",)
    roles: tuple[str, ...] = ()

    @field_validator("opens")
    @classmethod
    def _no_agent_decides(cls, opens: tuple[str, ...]) -> tuple[str, ...]:
        if "console" in opens and {"tools", "attest:words"} & set(opens):
            raise ValueError("what opens `tools` or `attest:words` never opens `console`: an agent does not decide")
        return opens


class OauthSettings(BaseModel):
    """Tokens of an issuer that are let in beside keys.

    Attributes:
        issuer: Who issues them, exactly as their `iss` says: https, or http on this machine.
        audience: Whom they must be for, exactly: this door, by its URL as clients know it.
        jwks_file, jwks_url: Where the issuer's public keys stand; one of the two. Keys that came in clear could be
            anybody's: https, or http from this machine.
        reach: Hosts and networks that `jwks_url` may be at although they are not public.
        algorithms: What they may be signed with.
        leeway_s: Seconds by which the issuer's clock and this one's may differ.
        scopes: What their scopes are here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    issuer: str
    audience: str = Field(pattern=r"^https?://[^/?#\s\"]+(/[A-Za-z0-9._/-]*)?$")
    jwks_file: Path | None = None
    jwks_url: str = ""
    reach: tuple[str, ...] = ()
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = Field(
        default=("RS256", "ES256", "EdDSA"), min_length=1
    )
    leeway_s: float = Field(default=30, ge=0, le=120)
    scopes: tuple[ScopeSettings, ...] = ()

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _not_in_clear(cls, url: str, info: ValidationInfo) -> str:
        try:
            if url or info.field_name == "issuer":
                check_url(url, str(info.field_name))
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return url

    @model_validator(mode="after")
    def _keys_from_one_place(self) -> Self:
        if (self.jwks_file is None) == (not self.jwks_url):
            raise ValueError("name `jwks_file` or `jwks_url`, and not both")
        return self


class GatewaySettings(BaseModel):
    """The door.

    Attributes:
        host, port: Where `interlock serve` listens.
        path: The path of its one endpoint.
        idle_minutes: A conversation that has no session of its own is over after so long without a call.
        wait_s: Seconds that a client which comes back for a held call is kept waiting for the person's word.
        local: Who a caller without a key is, over stdio and on loopback; None for nobody.
        hosts: What the `Host` of a request may be, exactly; None for the address that it came to.
        origins: What its `Origin` may be, where it has one; None for those of the same address.
        oauth: Whose tokens are let in beside keys; None for nobody's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8722, ge=0, le=65_535, strict=True)
    path: str = Field(default="/mcp", pattern=r"^/[A-Za-z0-9._/-]*$")
    idle_minutes: float = Field(default=30, ge=1, le=10_080)
    wait_s: float = Field(default=20, ge=0, le=600)
    local: LocalSettings | None = None
    hosts: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    oauth: OauthSettings | None = None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there; a name that is not `localhost` counts as no."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
