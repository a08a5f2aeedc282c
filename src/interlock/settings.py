"""Settings: one file and a few environment variables, read here and nowhere else.

    ledger = ".interlock/ledger.db"     # paths are relative to the file
    policy = "policy"                   # folder of *.cedar files; the default policy where left out
    shadow = "policy-next"              # candidate policy: evaluated and recorded, never enforced
    mode   = "enforce"                  # or "evaluate_only": decide and record, hold and deny nothing
    pins   = "tools.pins.json"          # accepted tool definitions; where set, others are withheld
    tools  = ["my_package.tools"]       # modules whose tools are registered
    agents = ["my_package.agents"]      # modules whose agents are known
    lease_s = 30                        # a lost worker's runs wait so long for another
    drain_s = 10                        # what executes may still take so long when a process is to end

    [limits]
    calls_max = 200
    vain_max  = 3
    alike_max = 4
    near_max  = 5
    turn_max  = 16

    [[limits.rates]]                    # any number of them: how often
    name = "refunds"
    calls = 10
    per_s = 60
    per = ["principal"]
    tools = ["refund"]

    [[limits.budgets]]                  # and how much
    name = "a day's money"
    unit = "micro_usd"
    most = 20000000
    every = "day"

    [cache]
    entries_max = 4096
    bytes_max = 33554432

    [seal]
    sinks = ["/mnt/audit/checkpoints.jsonl"]  # where signed checkpoints go: another disk, another owner

    [[notify.webhooks]]                       # who is told that a person is waited for
    name = "slack"
    url_file = "slack.url"

    [alerts]                                  # what is out of the ordinary enough to tell them
    errors = 0.3

    [[services]]                              # what a document of OpenAPI describes: its operations are tools
    name = "petstore"
    openapi = "petstore.yaml"
    base_url = "https://petstore.example/v1"

    [routing]                                 # of many tools, a selection is offered
    above = 40
    most = 12

    [verify]
    rules = ["my_package.checks"]       # modules whose RULES look at calls that policy wants verified
    model = "openai:gpt-5-mini"         # a model that reads them cold
    key_file = "secrets/openai.key"
    review = "approver"                 # who looks at what is in doubt
    thresholds = { irreversible = 80, privileged = 95 }

    [telemetry.otlp]
    endpoint = "http://127.0.0.1:4318"  # a collector of OpenTelemetry; nothing is sent anywhere without one

    [gateway]
    port = 8722                         # where `interlock serve` listens, on this machine alone

Environment: `INTERLOCK_CONFIG` names the file, `INTERLOCK_KEY` is the key of whoever types commands.
An unknown key anywhere refuses to start.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from interlock.alert_settings import AlertSettings
from interlock.console_settings import ConsoleSettings, GroupSettings, OidcSettings
from interlock.core.charge import BUDGET_MAX, UNIT
from interlock.errors import SettingsError
from interlock.gateway_settings import GatewaySettings, LocalSettings, OauthSettings, ScopeSettings
from interlock.notify_settings import MailSettings, NotifySettings, WebhookSettings
from interlock.provenance_settings import ProvenanceSettings
from interlock.routing_settings import RoutingSettings
from interlock.screening_settings import ScreeningSettings, ToolScreening
from interlock.secret_settings import AllowSettings, SecretSettings, VaultSettings
from interlock.server_settings import ServerSettings, ToolProfile
from interlock.service_settings import AuthSettings, ServiceSettings
from interlock.telemetry_settings import OtlpSettings, TelemetrySettings
from interlock.verify_settings import VerifySettings

FILE = "interlock.toml"
"""Name of the settings file, looked for in the working directory and above."""


_Per = tuple[Literal["tenant", "principal", "tool", "run"], ...]
_Effects = tuple[Literal["read", "reversible", "irreversible", "privileged"], ...]


class RateSettings(BaseModel):
    """A rate that runs share.

    Attributes:
        name: What it is called; no two alike.
        calls, per_s: So many calls in so many seconds.
        burst: So many at once where none were made for a while; as many as `calls` where 0.
        per: Each of what has as much of its own; the tenant together where empty.
        tools, effects: What it counts; every call where empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    name: str = Field(min_length=1, max_length=64)
    calls: int = Field(ge=1, le=1_000_000, strict=True)
    per_s: float = Field(gt=0, le=2_678_400)
    burst: int = Field(default=0, ge=0, le=1_000_000, strict=True)
    per: _Per = ()
    tools: tuple[str, ...] = ()
    effects: _Effects = ()


class BudgetSettings(BaseModel):
    """A budget that runs share.

    Attributes:
        name: What it is called; no two alike.
        unit: What is counted: `calls`, `tokens`, `micro_usd`, `ms`, or a unit that tools declare.
        most: How much.
        every: When it begins anew, UTC; never where empty.
        per: Each of what has as much of its own; the tenant together where empty.
        tools, effects: What it counts; every call, and what is no call, where empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    name: str = Field(min_length=1, max_length=64)
    unit: str = Field(pattern=f"^{UNIT.pattern}$")
    most: int = Field(ge=0, le=BUDGET_MAX, strict=True)
    every: Literal["day", "month", ""] = ""
    per: _Per = ()
    tools: tuple[str, ...] = ()
    effects: _Effects = ()


class LimitSettings(BaseModel):
    """Limits of one run, and what runs share.

    Attributes:
        calls_max: Calls of one run, refused ones included; of a conversation, since its user last said something.
        vain_max: Equal calls of one run in a row that were answered the same.
        alike_max: Equal calls of one run, but for those whose answer had changed by itself.
        near_max: Calls of one run in a row that differ in free text or paging only and were answered the same.
        turn_max: Calls that are proposed together.
        rates: How often calls may be made.
        budgets: How much may be used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    calls_max: int = Field(default=200, ge=1, le=100_000)
    vain_max: int = Field(default=3, ge=1, le=1000)
    alike_max: int = Field(default=4, ge=1, le=1000)
    near_max: int = Field(default=5, ge=1, le=1000)
    turn_max: int = Field(default=16, ge=1, le=64)
    rates: tuple[RateSettings, ...] = Field(default=(), strict=False)
    budgets: tuple[BudgetSettings, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _each_named_once(self) -> Self:
        for rules in (self.rates, self.budgets):
            names = [rule.name for rule in rules]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two are called {min(twice)!r}")
        return self


class CacheSettings(BaseModel):
    """What one process keeps of the results of reads.

    Attributes:
        entries_max: Results; 0 keeps none.
        bytes_max: Bytes of all of them together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    entries_max: int = Field(default=4096, ge=0, le=1_000_000)
    bytes_max: int = Field(default=32 << 20, ge=0, le=1 << 34)


class SealSettings(BaseModel):
    """How the ledger is sealed.

    Attributes:
        on: Whether it is.
        every_events: Events after which a checkpoint is made at once.
        every_s: Seconds after which one is made for fewer.
        sinks: Files that each checkpoint is sent to: lines of JSON, or a SQLite file where the name ends in `.db` or
            `.sqlite`. None for `checkpoints.jsonl` beside the ledger, which protects little: see the how-to.
        key: File of the signing key; None for `signing.key` beside the ledger.
        unsigned: Whether to go on writing, unsealed, where the key is missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    on: bool = True
    every_events: int = Field(default=256, ge=1, le=65_536, strict=True)
    every_s: float = Field(default=1, ge=0.05, le=3600)
    sinks: tuple[Path, ...] | None = None
    key: Path | None = None
    unsigned: bool = False


class Settings(BaseModel):
    """What a deployment is made of.

    Attributes:
        folder: Where the file stands; relative paths start there.
        ledger: SQLite file; None keeps nothing beyond the process.
        policy: Folder of Cedar files; None for the default policy.
        shadow: Folder of a candidate policy, evaluated beside; None for none.
        mode: Whether decisions bind.
        pins: Pin file; None trusts what is registered.
        tools: Modules whose tools are registered.
        agents: Modules whose agents are known.
        lease_s: Seconds that a claim of a run holds without being renewed: how long a lost worker's runs wait.
        drain_s: Seconds that what executes may still take when a process is asked to end.
        limits: Limits of one run.
        cache: What one process keeps of the results of reads.
        seal: How the ledger is sealed.
        alerts: What is out of the ordinary enough to tell people.
        notify: Who is told that a person is waited for, and how.
        services: Services whose operations are tools.
        verify: Who reads a call that policy wants verified.
        gateway: The door for clients of the Model Context Protocol.
        servers: The servers behind, whose tools stand among the own ones.
        secrets: Which secrets calls may refer to, and where they are kept.
        routing: What is offered where there are many tools.
        screening: What is done about what tools return.
        provenance: What of tools is trusted.
        telemetry: What is told of calls to other systems.
        console: The doors for people: console and API.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)
    folder: Path = Field(default_factory=Path.cwd, exclude=True)
    ledger: Path | None = Path(".interlock/ledger.db")
    policy: Path | None = None
    shadow: Path | None = None
    mode: Literal["enforce", "evaluate_only"] = "enforce"
    pins: Path | None = None
    tools: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    lease_s: float = Field(default=30, ge=1, le=600)
    drain_s: float = Field(default=10, ge=0, le=3600)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    seal: SealSettings = Field(default_factory=SealSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    services: tuple[ServiceSettings, ...] = ()
    routing: RoutingSettings = Field(default_factory=RoutingSettings)
    verify: VerifySettings = Field(default_factory=VerifySettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    servers: tuple[ServerSettings, ...] = ()
    screening: ScreeningSettings = Field(default_factory=ScreeningSettings)
    secrets: SecretSettings = Field(default_factory=SecretSettings)
    provenance: ProvenanceSettings = Field(default_factory=ProvenanceSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)

    def at(self, path: Path) -> Path:
        """A path of the file, from where the file stands."""
        return self.folder / path

    @property
    def sinks(self) -> tuple[Path, ...]:
        """Where checkpoints go."""
        named = self.seal.sinks
        return (self.state_folder / "checkpoints.jsonl",) if named is None else tuple(map(self.at, named))

    @property
    def signing_key(self) -> Path:
        """Where the key stands that signs them."""
        return self.state_folder / "signing.key" if self.seal.key is None else self.at(self.seal.key)

    @property
    def state_folder(self) -> Path:
        """Where the deployment's own files stand: the ledger, its key, the hashed keys of people."""
        return self.at(self.ledger).parent if self.ledger is not None else self.folder / ".interlock"


_SECTIONS: dict[str, type[BaseModel]] = {
    "limits": LimitSettings,
    "cache": CacheSettings,
    "seal": SealSettings,
    "alerts": AlertSettings,
    "notify": NotifySettings,
    "notify.webhooks": WebhookSettings,
    "notify.mail": MailSettings,
    "services": ServiceSettings,
    "services.auth": AuthSettings,
    "routing": RoutingSettings,
    "verify": VerifySettings,
    "gateway": GatewaySettings,
    "gateway.local": LocalSettings,
    "gateway.oauth": OauthSettings,
    "gateway.oauth.scopes": ScopeSettings,
    "console": ConsoleSettings,
    "console.oidc": OidcSettings,
    "console.oidc.groups": GroupSettings,
    "console.tokens": OauthSettings,
    "console.tokens.scopes": ScopeSettings,
    "servers": ServerSettings,
    "servers.tools": ToolProfile,
    "screening": ScreeningSettings,
    "provenance": ProvenanceSettings,
    "screening.tools": ToolScreening,
    "secrets": SecretSettings,
    "secrets.allow": AllowSettings,
    "secrets.vault": VaultSettings,
    "telemetry": TelemetrySettings,
    "telemetry.otlp": OtlpSettings,
}
"""The tables of the file, to say what may stand in each."""


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings: the given file, else `INTERLOCK_CONFIG`, else the nearest `interlock.toml`, else the defaults.

    Raises:
        SettingsError: The file is missing, not TOML, or has a key or value that it may not have.
    """
    named = file or (Path(os.environ["INTERLOCK_CONFIG"]) if os.environ.get("INTERLOCK_CONFIG") else None)
    found = named or _nearest(Path.cwd())
    if found is None:
        return Settings()
    try:
        said = tomllib.loads(found.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{found}: {error.strerror}", remedy="Name an existing file, or run `interlock init`."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{found}: not TOML: {error}", code="settings.syntax") from None
    if "folder" in said:
        raise SettingsError(f"{found}: unknown key 'folder'", code="settings.unknown_key", remedy="Remove it.")
    try:
        return Settings(**said, folder=found.resolve().parent)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            table = ".".join(str(part) for part in first["loc"][:-1] if not isinstance(part, int))
            fields = _SECTIONS[table].model_fields if table else Settings.model_fields
            known = [field.alias or name for name, field in fields.items()]
            near = get_close_matches(str(first["loc"][-1]), known, n=1)
            raise SettingsError(
                f"{found}: unknown key {where!r}", code="settings.unknown_key",
                remedy=f"Did you mean {near[0]!r}?" if near else f"Keys are {', '.join(sorted(known))}.",
            ) from None  # fmt: skip
        raise SettingsError(f"{found}: {where}: {first['msg']}", code="settings.value") from None


def named_environment(names: Iterable[str]) -> dict[str, str]:
    """These variables of the environment, as far as they are set: what a server that is started may be given."""
    wanted = set(names)
    return {name: value for name, value in os.environ.items() if name in wanted}


def key_file() -> Path:
    """Where `interlock login` keeps the keys of whoever types commands, a line for each deployment."""
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "interlock" / "key"


def typed_key() -> str:
    """The key of whoever types commands, as `INTERLOCK_KEY` has it; empty for none."""
    return os.environ.get("INTERLOCK_KEY", "")


def kept_keys() -> list[str]:
    """The keys that `interlock login` kept, one for each deployment, the newest first."""
    file = key_file()
    return file.read_text(encoding="utf-8", errors="replace").split() if file.exists() else []


def _nearest(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        if (place / FILE).is_file():
            return place / FILE
    return None
