"""`[[servers]]`: the MCP servers behind a plane, each with what the operator says of it; a part of the settings.

Servers come from this file alone (threat T19). What a server itself claims can make nothing here milder.
"""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from interlock.behind_settings import BehindSettings, EffectName, SecretName
from interlock.core.address import check_url
from interlock.errors import SettingsError

Allowed = Literal["sampling", "elicitation", "roots", "logging"]
"""What a server may ask of the client in front."""

TOKENS: Final = "server-tokens"
"""Folder, beside the ledger, with the tokens of those who logged in."""

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "fish", "ksh", "csh", "cmd", "powershell", "pwsh"})

_INLINE: Final = {
    "npx": {"-c", "--call"}, "npm": {"-c", "--call"}, "python": {"-c"}, "node": {"-e", "--eval", "-p", "--print"},
    "deno": {"eval"}, "bun": {"-e", "--eval"}, "perl": {"-e", "-E"}, "ruby": {"-e"}, "php": {"-r"}, "env": {"-S"},
}  # fmt: skip
"""Options by which a program runs its argument as code."""


class ToolProfile(BaseModel):
    """The operator's word on one tool of a server; what each means stands at `core.tool.Tool`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    effect: EffectName | None = None
    outward: bool | None = None
    keyed: bool | None = None
    idempotent: bool | None = None
    resource: str | None = None
    roles: dict[str, str] | None = None
    timeout_s: float | None = Field(default=None, gt=0, le=3600)
    attempts_max: int | None = Field(default=None, ge=1, le=10, strict=True)
    at_once: int | None = Field(default=None, ge=1, le=256, strict=True)
    costs: dict[str, int | str] | None = None
    cache_s: float | None = Field(default=None, ge=0)
    cache_tags: tuple[str, ...] | None = None
    invalidates: tuple[str, ...] | None = None
    fallback: str | None = None
    compensate: str | None = None
    compensate_with: dict[str, str] | None = None
    reconcile: str | None = None
    category: str | None = None
    tags: tuple[str, ...] | None = None


class TokenSettings(BaseModel):
    """How tokens for a server are had; a part of its entry.

    Attributes:
        issuer: The authorization server, exactly as it names itself. The server behind has no say in it.
        grant: `authorization_code` where each principal logs in; `client_credentials` where this deployment has one
            token for everybody.
        client_id: What the authorization server's operator calls us.
        client_secret_file: File of mode 0600 with the client's secret; none for a public client.
        may_register: Whether a client is registered at each login, where no `client_id` is said.
        scopes: What is asked for, and no more.
        redirect_port: Port on this machine at which a login comes back; any free one where 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    issuer: str
    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    client_id: Annotated[str, Field(pattern=r"^[!-~]{0,512}$")] = ""
    client_secret_file: Path | None = None
    may_register: bool = False
    scopes: tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,256}$")], ...] = ()
    redirect_port: int = Field(default=0, ge=0, le=65_535, strict=True)

    @property
    def of_service(self) -> bool:
        """Whether one token is everybody's."""
        return self.grant == "client_credentials"

    @field_validator("issuer")
    @classmethod
    def _web(cls, issuer: str) -> str:
        return _checked(issuer)

    @model_validator(mode="after")
    def _one_client(self) -> TokenSettings:
        if bool(self.client_id) == self.may_register:
            raise ValueError("say either client_id or may_register = true")
        if self.of_service and (self.may_register or self.client_secret_file is None):
            raise ValueError("client_credentials need a client_id with a client_secret_file")
        return self


class ServerSettings(BehindSettings):
    """One server: a command that is started here, or an address. Beside what everything behind has.

    Attributes:
        command: The program and its arguments, started as they stand, by no shell.
        env: Variables that it gets, with their values, or with references to secrets that are read whenever it is
            started. Beside these it gets PATH and HOME, and no other.
        env_pass: Names of variables that it gets as this process has them.
        env_files: Variable to the file of mode 0600 that holds its value.
        cwd: Where it is started.
        url: Where it answers: https, or http to this machine.
        headers: What every request to it bears: texts, or references to secrets that are read for each connection.
        header_files: Header to the file of mode 0600 that holds its value.
        key_file: File of mode 0600 with the key that it is sent as a bearer token.
        oauth: How tokens for it are had, where it wants OAuth; nothing is sent to it without one.
        trust: What is seen first of it, its command and its tools, is accepted; else both wait for a person.
        command_digest: The digest of the reviewed command, as `interlock servers accept` prints it.
        effects: Tool to what a call of it does; `privileged` where nothing is said.
        tools: Tool to everything else that the operator says of it.
        allow: What it may ask of the client in front.
        per_principal: Whether each principal has a connection of its own.
        tools_max: Tools that it may list.
        result_bytes_max: Bytes of one answer.
        start_s: Seconds until it must have started and listed its tools.
        relist_s: Seconds after which its tools are listed again, although it did not say that they changed.
    """

    command: tuple[str, ...] = ()
    env: dict[str, str | SecretName] = Field(default_factory=dict)
    env_pass: tuple[str, ...] = ()
    env_files: dict[str, Path] = Field(default_factory=dict)
    cwd: Path | None = None
    url: str = ""
    headers: dict[str, str | SecretName] = Field(default_factory=dict)
    header_files: dict[str, Path] = Field(default_factory=dict)
    key_file: Path | None = None
    oauth: TokenSettings | None = None
    trust: bool = False
    command_digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    effects: dict[str, EffectName] = Field(default_factory=dict)
    tools: dict[str, ToolProfile] = Field(default_factory=dict)
    allow: tuple[Allowed, ...] = ()
    per_principal: bool = False
    tools_max: int = Field(default=512, ge=1, le=10_000, strict=True)
    result_bytes_max: int = Field(default=4 << 20, ge=1024, le=64 << 20, strict=True)
    start_s: float = Field(default=30, gt=0, le=600)
    relist_s: float = Field(default=300, ge=1, le=86_400)

    @field_validator("command")
    @classmethod
    def _no_shell(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if not command:
            return command
        if any("\0" in part for part in command) or not command[0]:
            raise ValueError("a command is a program and its arguments")
        program = PurePath(command[0]).name.removesuffix(".exe").rstrip("0123456789.")
        if program in _SHELLS:
            raise ValueError(f"{program!r} is a shell; name the program that it would start")
        inline = _INLINE.get(program, set())
        if found := [part for part in command[1:] if part in inline or part.partition("=")[0] in inline]:
            raise ValueError(f"{found[0]!r} has {program!r} run its argument as code; name a program or a package")
        return command

    @field_validator("url")
    @classmethod
    def _web(cls, url: str) -> str:
        return _checked(url) if url else url

    @model_validator(mode="after")
    def _one_way(self) -> ServerSettings:
        if bool(self.command) == bool(self.url):
            raise ValueError("a server has either a command or a url")
        return self

    @model_validator(mode="after")
    def _one_credential(self) -> ServerSettings:
        if self.oauth is None:
            return self
        if not self.url or "?" in self.url or "#" in self.url:
            raise ValueError("oauth is for a server at a url without a query")
        named = {name.lower() for name in (*self.headers, *self.header_files)}
        if self.key_file is not None or "authorization" in named:
            raise ValueError("say either oauth or another authorization")
        return self

    @property
    def apart(self) -> bool:
        """Whether each principal has a connection of its own: always, where each has a token of its own."""
        return self.per_principal or (self.oauth is not None and not self.oauth.of_service)


def _checked(url: str) -> str:
    try:
        check_url(url, "url")
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return url
