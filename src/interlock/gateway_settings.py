"""`[gateway]`: the door for clients of the Model Context Protocol; a part of the settings."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict, Field


class LocalSettings(BaseModel):
    """Who a caller without a key is, on this machine alone.

    Attributes:
        id: The principal.
        roles: Its roles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")
    roles: tuple[str, ...] = ()


class GatewaySettings(BaseModel):
    """The door.

    Attributes:
        host, port: Where `interlock serve` listens.
        path: The path of its one endpoint.
        idle_minutes: A conversation that has no session of its own is over after so long without a call.
        wait_s: Seconds that a client which comes back for a held call is kept waiting for the person's word.
        local: Who a caller without a key is, over stdio and on loopback; None for nobody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8722, ge=0, le=65_535, strict=True)
    path: str = Field(default="/mcp", pattern=r"^/[A-Za-z0-9._/-]*$")
    idle_minutes: float = Field(default=30, ge=1, le=10_080)
    wait_s: float = Field(default=20, ge=0, le=600)
    local: LocalSettings | None = None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there; a name that is not `localhost` counts as no."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
