"""Profiles as the operator writes them: a TOML file for each server, and in it a table for each tool.

# profiles/bank.toml
[tools.send_money]
reviewed = true
roles = { recipient = "target", amount = "amount", subject = "content" }
shapes = { recipient = "iban" }
phrases = ["send * money"]

[tools.list_payments]
reviewed = true
fields = { "/*/recipient" = "iban", "/*/date" = "date" }
readers = ["user"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Container
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from interlock.core.provenance import ROLES, Level
from interlock.errors import SettingsError
from interlock.grounding.profile import TARGETS_MAX, FieldRule, Profile, Profiles
from interlock.grounding.typed import SHAPES
from interlock.settings import Settings

OWN: Final = "local"
"""The server of a deployment's own tools: `local.toml`."""

_BYTES_MAX: Final = 1 << 20

Glob = Annotated[str, Field(min_length=1, max_length=512)]
Words = Annotated[str, Field(min_length=1, max_length=200)]
Trusted = Literal["third", "model", "record"]
"""How far a result may be trusted of itself: what the user pointed at, the run says."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FieldProfile(_Strict):
    """A rule for leaves of a result, where there is more to say than its shape.

    Attributes:
        shape: What it must look like.
        level: How far it is trusted then.
        secret: Any eight characters of it in what goes out are shown.
    """

    shape: str = "name"
    level: Trusted = "record"
    secret: bool = False

    @field_validator("shape")
    @classmethod
    def _known(cls, shape: str) -> str:
        return _one_of("shape", shape, SHAPES)


class Lists(_Strict):
    """What may always be named, as globs."""

    recipients: tuple[Glob, ...] = ()
    hosts: tuple[Glob, ...] = ()
    paths: tuple[Glob, ...] = ()


class ToolTrust(_Strict):
    """What of one tool is trusted; what each means stands at `grounding.profile.Profile`."""

    roles: dict[Glob, str] = Field(default_factory=dict)
    shapes: dict[Glob, str] = Field(default_factory=dict)
    fields: dict[Glob, str | FieldProfile] = Field(default_factory=dict)
    default: Trusted = "third"
    form: Literal["", "json"] = ""
    readers: tuple[Glob, ...] = ()
    directory: bool = False
    creates: Annotated[str, Field(pattern=r"^(/.*)?$")] = ""
    phrases: tuple[Words, ...] = ()
    allowed: Lists = Field(default_factory=Lists)
    caps: dict[Glob, Decimal] = Field(default_factory=dict)
    nouns: dict[Glob, tuple[Words, ...]] = Field(default_factory=dict)
    targets_max: int = Field(default=TARGETS_MAX, ge=1, le=10_000, strict=True)
    reviewed: bool = False

    @field_validator("roles")
    @classmethod
    def _roles(cls, said: dict[str, str]) -> dict[str, str]:
        return {glob: _one_of("role", role, ROLES) for glob, role in said.items()}

    @field_validator("shapes")
    @classmethod
    def _shapes(cls, said: dict[str, str]) -> dict[str, str]:
        return {glob: _one_of("shape", shape, SHAPES) for glob, shape in said.items()}

    @field_validator("fields")
    @classmethod
    def _fields(cls, said: dict[str, str | FieldProfile]) -> dict[str, str | FieldProfile]:
        return {
            glob: _one_of("shape", rule, SHAPES) if isinstance(rule, str) else rule for glob, rule in said.items()
        }  # fmt: skip

    @field_validator("caps")
    @classmethod
    def _caps(cls, said: dict[str, Decimal]) -> dict[str, Decimal]:
        if bad := [name for name, cap in said.items() if not (cap.is_finite() and cap >= 0)]:
            raise ValueError(f"the cap of {bad[0]!r} is no amount")
        return said

    def profile(self) -> Profile:
        """The same for grounding: of what nobody has reviewed, only what makes calls stricter."""
        rules = {
            glob: FieldProfile(shape=rule) if isinstance(rule, str) else rule for glob, rule in self.fields.items()
        }
        said = Profile(
            roles=self.roles, shapes=self.shapes, default=Level[self.default.upper()], form=self.form,
            fields=tuple(
                FieldRule(glob, Level[rule.level.upper()], rule.shape, rule.secret) for glob, rule in rules.items()
            ),
            readers=self.readers, directory=self.directory, creates=self.creates, phrases=self.phrases,
            allowed={name: found for name, found in self.allowed.model_dump().items() if found},
            caps=self.caps, nouns=self.nouns, targets_max=self.targets_max, profiled=bool(self.roles),
            reviewed=self.reviewed,
        )  # fmt: skip
        return said if self.reviewed else said.until_reviewed()


class ServerTrust(_Strict):
    """One file.

    Attributes:
        server: The operator's name of the server; the file's own name where it is not said.
        tools: Tool, as its server calls it, to what of it is trusted.
    """

    server: str = ""
    tools: dict[str, ToolTrust] = Field(default_factory=dict)


def profiles_of(settings: Settings, own: Container[str] | None = None) -> Profiles:
    """The profiles that the settings name; none where they name no folder.

    Args:
        own: Names of the deployment's own tools, to find a name that is misspelt; not looked at where None.

    Raises:
        SettingsError: With file and field: it cannot be read, is not TOML, says what is not known, or names a server
            twice, or one or an own tool that there is not.
    """
    if settings.provenance.profiles is None:
        return Profiles()
    folder = settings.at(settings.provenance.profiles)
    if not folder.is_dir():
        raise SettingsError(
            f"provenance.profiles: {folder} is no folder", code="settings.profiles", remedy="Make it, or name another."
        )
    prefixes = {said.name: said.prefixed for said in (*settings.servers, *settings.services)}
    found: dict[tuple[str, str], Profile] = {}
    files: dict[str, Path] = {}
    for file in sorted(folder.glob("*.toml")):
        said = read_profile_file(file)
        server = said.server or file.stem
        if server in files:
            raise _wrong(file, "server", f"{server!r} is that of {files[server].name} too", "Say it in one file.")
        if server != OWN and server not in prefixes:
            known = ", ".join([OWN, *prefixes])
            raise _wrong(file, "server", f"there is no server {server!r}", f"Name one of {known}.")
        files[server] = file
        for name, trust in said.tools.items():
            if server == OWN and own is not None and name not in own:
                raise _wrong(file, f"tools.{name}", "there is no such tool here", "See `interlock tools list`.")
            found[server, prefixes.get(server, "") + name] = trust.profile()
    return Profiles(found)


def readable_profiles(settings: Settings) -> Profiles:
    """The same for whoever looks at a deployment that may not open: none where something is wrong with them."""
    try:
        return profiles_of(settings)
    except SettingsError:
        return Profiles()


def read_profile_file(file: Path) -> ServerTrust:
    """What one file says.

    Raises:
        SettingsError: With file and field.
    """
    try:
        text = file.read_bytes()
        if len(text) > _BYTES_MAX:
            raise _wrong(file, "", f"more than {_BYTES_MAX} bytes", "Say less.")
        return ServerTrust.model_validate(tomllib.loads(text.decode()))
    except OSError as error:
        raise _wrong(file, "", str(error.strerror), "Let this process read it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(file, "", f"not TOML: {error}", "Mend it.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("str", "FieldProfile"))
        what = "it is not known" if first["type"] == "extra_forbidden" else str(first["msg"])
        raise _wrong(file, where, what, "See docs/how-to/trust-values.md.") from None


def _one_of(what: str, said: str, known: tuple[str, ...]) -> str:
    if said not in known:
        raise ValueError(f"the {what} {said!r} is none of {', '.join(known)}")
    return said


def _wrong(file: Path, where: str, what: str, remedy: str) -> SettingsError:
    return SettingsError(f"{file}: {where + ': ' if where else ''}{what}", code="settings.profiles", remedy=remedy)
