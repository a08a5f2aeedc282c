"""What a client's file says of a server, as settings: no secret in clear, and nothing that a shell would read.

What cannot be said so is left with the client, with the reason: a server that is called directly still is better known
than one that works no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from interlock.errors import BadInput
from interlock.server_book import command_digest
from interlock.server_settings import ServerSettings
from interlock.settings import named_environment
from interlock.wrapping.clients import ClientFile, Named

SECRETS: Final = PurePath(".interlock/secrets")
"""Where what may be a secret is kept, each in a file of mode 0600."""

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HARMLESS: Final = re.compile(r"(?i)(true|false|yes|no|on|off|none|null|\d{1,6}|[a-z]{1,12}([-_][a-z]{1,12})?)")
_PATH: Final = re.compile(r"(\.{0,2}/|~/|[A-Za-z]:\\)[\w ./\\@+-]*")
_TELLING: Final = re.compile(
    r"(?i)key|token|secret|passw|pwd|credential|auth|cookie|session|dsn|private|signature|(^|[_-])pat($|[_-])"
)
_SHAPED: Final = re.compile(
    r"(sk|pk|rk|ghp|gho|ghs|ghu|glpat|xox[a-z]|npm|pypi|hf|ntn|secret|Bearer|Basic)[-_ ][\w.+/=-]{6,}"
    r"|github_pat_\w+|A(KIA|SIA|Iza)[\w-]{10,}|eyJ[\w-]{8,}|[a-z][a-z0-9+.-]*://[^/\s@]+@|-----BEGIN"
)
_RANDOM: Final = re.compile(r"(?=[^\s/]*\d)(?=[^\s/]*[A-Za-z])[\w+=-]{20,}")


class Left(BadInput):
    """A server cannot be put behind as its client's file names it."""

    code = "client.left"


@dataclass(frozen=True, slots=True)
class Taken:
    """A server that can be put behind.

    Attributes:
        named: What the client's file says.
        settings: The same as settings, with the digest of the command.
        secrets: File, from the settings' folder on, to what it is to hold.
    """

    named: Named
    settings: ServerSettings
    secrets: Mapping[str, str] = field(default_factory=dict)


def take(named: Named, file: ClientFile, used: Iterable[str], ask: Callable[[str], str]) -> Taken:
    """A server of a client's file as settings.

    Args:
        used: Names that others have already.
        ask: What a person gives for an input that the file asks for; empty for nothing.

    Raises:
        Left: It cannot be said in settings, and why.
    """
    return _Taking(named, file, _free(named.name, set(used)), ask).taken()


def secret_looking(name: str, value: str) -> bool:
    """Whether a value may be a secret: by its name, or because it is not plainly harmless. Doubt counts as yes."""
    if _TELLING.search(name) or _SHAPED.search(value):
        return True
    if _HARMLESS.fullmatch(value) or _PATH.fullmatch(value):
        return False
    return not _public(value)


def secret_word(text: str) -> bool:
    """Whether a word of a command line or an address has the form of a secret, or is called one."""
    flag, _, value = text.partition("=") if text.startswith("-") else ("", "", text)
    return bool(_SHAPED.search(text) or _RANDOM.fullmatch(value) or (value and _TELLING.search(flag)))


class _Taking:
    """The taking of one server."""

    def __init__(self, named: Named, file: ClientFile, name: str, ask: Callable[[str], str]) -> None:
        self._named, self._name, self._ask = named, name, ask
        place = named.place
        self._folder = Path(place[1]) if place[0] == "projects" else file.folder.resolve()
        self._secrets: dict[str, str] = {}
        self._said: dict[str, Any] = {"name": name}

    def taken(self) -> Taken:
        said = self._named.said
        if "command" in said:
            self._command(said)
        elif "url" in said:
            self._address(said)
        else:
            raise Left("has neither a command nor a url")
        try:
            settings = ServerSettings(**self._said)
        except ValidationError as error:
            raise Left(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        if settings.command:
            settings = settings.model_copy(update={"command_digest": command_digest(settings)})
        return Taken(self._named, settings, self._secrets)

    def _command(self, said: Mapping[str, Any]) -> None:
        words = [said["command"], *_listed(said.get("args"), "args")]
        self._said["command"] = tuple(self._word(word) for word in words)
        if "cwd" in said:
            self._said["cwd"] = Path(self._word(said["cwd"]))
        elif any(_beside(self._folder, word) for word in self._said["command"]):
            self._said["cwd"] = self._folder  # so that it is found where the client finds it
        given = self._from_file(said.get("envFile")) | _mapped(said.get("env"), "env")
        clear, files, passed = {}, {}, []
        for variable, value in given.items():
            if not _NAME.fullmatch(variable):
                raise Left(f"the name of variable {variable!r} is none")
            if value in (f"${{{variable}}}", f"${{env:{variable}}}"):
                passed.append(variable)
                continue
            text = self._filled(value)
            if secret_looking(variable, text):
                files[variable] = self._keep(variable, text)
            else:
                clear[variable] = text
        self._said |= {"env": clear, "env_files": files, "env_pass": tuple(passed)}

    def _address(self, said: Mapping[str, Any]) -> None:
        if said.get("type") == "sse":
            raise Left("speaks SSE, which Interlock does not; ask its maker for its address of streamable HTTP")
        url = self._word(said["url"])
        self._said["url"] = url
        clear = {}
        for header, value in _mapped(said.get("headers"), "headers").items():
            text = self._filled(value)
            scheme, _, key = text.partition(" ")
            if header.lower() == "authorization" and scheme.lower() == "bearer" and key:
                self._said["key_file"] = Path(self._keep("bearer", key))
            elif secret_looking(header, text):
                self._said.setdefault("header_files", {})[header] = Path(self._keep(header, text))
            else:
                clear[header] = text
        self._said["headers"] = clear

    def _word(self, said: object) -> str:
        """A word of a command line or an address, which everybody on the machine can read."""
        if not isinstance(said, str):
            raise Left("a part of its command is no text")
        text = _VARIABLE.sub(lambda found: self._place(found[1]), said)
        if secret_word(text):
            raise Left(
                "a part of its command line or address looks like a secret",
                remedy="Give it to the server by a variable: settings keep those in files of their own.",
            )
        return text

    def _place(self, variable: str) -> str:
        """A variable that stands for a folder; others have no place in a command line."""
        places = {"userHome": Path.home(), "workspaceFolder": self._folder, "CLAUDE_PROJECT_DIR": self._folder}
        if variable == "/" or variable == "pathSeparator":
            return os.sep
        if variable not in places:
            raise Left(f"its command line or address has the variable {variable!r}", remedy="Write its value out.")
        return str(places[variable])

    def _filled(self, value: str) -> str:
        return _VARIABLE.sub(lambda found: self._value(found[1]), value)

    def _value(self, variable: str) -> str:
        kind, _, name = variable.rpartition(":")
        if kind == "input":
            if text := self._ask(name):
                return text
            raise Left(f"asks for the input {name!r}, and nobody gave it")
        name, marked, default = variable.partition(":-") if kind != "env" else (name, "", "")
        if name in ("userHome", "workspaceFolder", "CLAUDE_PROJECT_DIR"):
            return self._place(name)
        found = named_environment([name])
        if name not in found and not marked:
            raise Left(f"needs the variable {name!r}, which is not set", remedy="Set it, and try again.")
        return found.get(name, default)

    def _from_file(self, said: object) -> dict[str, str]:
        """The variables of a file of `NAME=value` lines."""
        if said is None:
            return {}
        file = self._folder / self._word(said)
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise Left(f"its file of variables cannot be read: {file}") from None
        pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line and line[:1] != "#")
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}

    def _keep(self, name: str, text: str) -> Path:
        if len(text.splitlines()) != 1:
            raise Left(f"the value of {name!r} is empty or has several lines")
        safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        path = str(SECRETS / f"{self._name}.{safe}")
        self._secrets[path] = text
        return Path(path)


def _beside(folder: Path, word: str) -> bool:
    """Whether a word is the relative path of a file below the folder."""
    return "/" in word and not word.startswith(("/", "~", "@", "-")) and (folder / word).is_file()


def _free(said: str, used: set[str]) -> str:
    """A name for settings: like the client's, and nobody else's."""
    plain = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"server-{plain}".strip("-")
    plain = plain[:28].strip("-")
    names = [
        plain if plain != "local" else "local-server",
        *(f"{plain}-{number}" for number in range(2, len(used) + 3)),
    ]
    return next(name for name in names if name not in used)


def _public(value: str) -> bool:
    """Whether it is an address without anything that could open something."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    plain = parts.scheme in ("http", "https") and parts.hostname is not None and "@" not in parts.netloc
    return plain and not parts.query and not parts.fragment and not _RANDOM.search(parts.path)


def _mapped(said: object, place: str) -> dict[str, str]:
    if said is None:
        return {}
    if not isinstance(said, Mapping) or not all(isinstance(each, str | int | float) for each in said.values()):
        raise Left(f"its {place} are no names with values")
    return {str(name): str(value) for name, value in said.items()}


def _listed(said: object, place: str) -> list[object]:
    if said is None:
        return []
    if not isinstance(said, list):
        raise Left(f"its {place} are no list")
    return said
