"""`[console]`: the doors for people, the console and the API; a part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from interlock.core.address import check_url
from interlock.errors import SettingsError
from interlock.gateway_settings import OauthSettings


class GroupSettings(BaseModel):
    """Whom an issuer counts among a group, and the roles that they have here by it.

    Attributes:
        group: A value of the claim that `roles_claim` names, exactly.
        roles: The roles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    group: str = Field(min_length=1, max_length=200)
    roles: tuple[str, ...] = Field(min_length=1)


class OidcSettings(BaseModel):
    """An issuer of OpenID Connect that people sign in with.

    Attributes:
        issuer: Exactly as it names itself: https, or http on this machine.
        client_id: What this deployment is to it.
        client_secret_file: File of mode 0600 with the client's secret; none for a public client.
        scopes: What is asked for; `openid` always is.
        roles_claim: The claim of the ID token that says what groups somebody is in.
        groups: The roles that they have by them. Whoever is in none of them is refused.
        tenant: Whose people its people are, where no claim says it.
        tenant_claim: The claim that says it; a token without it is refused.
        reach: Hosts and networks that the issuer may be at although they are not public.
        algorithms: What its ID tokens may be signed with.
        leeway_s: Seconds by which its clock and this one's may differ.
        name: What the page of signing in calls it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    issuer: str
    client_id: str = Field(min_length=1, max_length=200)
    client_secret_file: Path | None = None
    scopes: tuple[str, ...] = ("openid",)
    roles_claim: str = Field(default="groups", min_length=1, max_length=100)
    groups: tuple[GroupSettings, ...] = Field(min_length=1)
    tenant: str = Field(default="default", min_length=1, max_length=100)
    tenant_claim: str = Field(default="", max_length=100)
    reach: tuple[str, ...] = ()
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = Field(
        default=("RS256", "ES256", "EdDSA"), min_length=1
    )
    leeway_s: float = Field(default=30, ge=0, le=120)
    name: str = Field(default="your organisation", min_length=1, max_length=60)

    @property
    def given(self) -> frozenset[str]:
        """Every role that its people may have by it."""
        return frozenset(role for each in self.groups for role in each.roles)

    @field_validator("issuer")
    @classmethod
    def _not_in_clear(cls, url: str) -> str:
        return _web(url, "issuer")


class ConsoleSettings(BaseModel):
    """The doors for people.

    Attributes:
        on: Whether `interlock serve` has them.
        public_url: As browsers reach it, where a server with TLS stands before it: `https://interlock.example`. Empty
            for the address that it listens on, which browsers keep a session at on this machine alone.
        session_hours: After so long somebody signs in again.
        idle_minutes: After so long without a request too.
        privileged_reauth_minutes: For what is privileged, somebody must have shown who they are within so long.
        view_min_ms: So long a request of that kind must have been in view before it can be approved.
        oidc: Whose people sign in; None for those who have a key here alone.
        tokens: Whose tokens the API takes beside keys, for an audience of its own; None for nobody's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    on: bool = True
    public_url: str = ""
    session_hours: float = Field(default=12, ge=0.1, le=24)
    idle_minutes: float = Field(default=60, ge=1, le=1440)
    privileged_reauth_minutes: float = Field(default=15, ge=1, le=1440)
    view_min_ms: int = Field(default=2000, ge=0, le=60_000, strict=True)
    oidc: OidcSettings | None = None
    tokens: OauthSettings | None = None

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, url: str) -> str:
        if url and _web(url, "public_url").rstrip("/").count("/") != 2:
            raise ValueError("an address without a path: https://interlock.example")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _the_issuer_knows_where_to_send_people(self) -> Self:
        if self.oidc is not None and not self.public_url:
            raise ValueError("`public_url` is needed with `oidc`: the issuer sends people back to it, exactly")
        return self


def _web(url: str, place: str) -> str:
    try:
        check_url(url, place)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return url
