"""`interlock init --from`: a deployment out of the servers that a client uses, and its file with Interlock instead."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import RenderableType

from interlock.cli.deployment import CLIENT_KEY, Deployment
from interlock.cli.keys import named
from interlock.cli.layout import Cell, Listing, Sheet, fields, heading, lines, note, told
from interlock.cli.output import Exit, Report
from interlock.core.principal import Principal
from interlock.core.visible import one_line
from interlock.errors import NotFound, SettingsError
from interlock.keys import CONSOLE, TOOLS, WORDS, Keys
from interlock.ledger.store import Store
from interlock.policy.rules import DEFAULT_POLICY
from interlock.private_files import write_private
from interlock.registry.profile_draft import draft
from interlock.settings import FILE, Settings
from interlock.wrapping.clients import ClientFile, Named, known_files, read_client, write_client
from interlock.wrapping.look import Seen, accept, look
from interlock.wrapping.profile_text import profile_text
from interlock.wrapping.taking import Left, Taken, take
from interlock.wrapping.written import client_entry, one_line_entry, settings_text

STATE = ".interlock"

PROFILES = "profiles"
"""Folder of the drafts of trust profiles."""

HOOK_KEY = "hook.key"
"""File of the key that the hooks of a coding agent act by: it may attest the user's words."""

_TIERS = {"read": "good", "reversible": "", "irreversible": "wait", "privileged": "bad"}


@dataclass
class _Found:
    """What the clients' files name, sorted."""

    files: list[ClientFile]
    taken: list[Taken] = field(default_factory=list)
    left: list[tuple[Named, str]] = field(default_factory=list)
    replaced: dict[Path, list[Named]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Made:
    """The deployment that was made."""

    folder: Path
    seen: list[Seen]
    person: Principal
    key: str


def init_from(
    deployment: Deployment, folder: Path, person: Principal, files: Sequence[Path], *, write: bool, yes: bool
) -> Report:
    """Make the deployment; see `interlock init`.

    Raises:
        SettingsError: A file of a client is not acceptable, or nothing can be written.
        NotFound: No server in them can be put behind.
    """
    agent = agent_of(person)
    found = _sorted([read_client(file) for file in files], deployment)
    if not found.taken:
        raise NotFound(
            "no server of these files can be put behind", code="client.nothing",
            remedy="; ".join(f"{one_line(each.name)}: {why}" for each, why in found.left) or "They name none.",
        )  # fmt: skip
    if not yes:
        deployment.output.show(*_started(found.taken))
        if not deployment.output.confirm("Start these, to see what they offer?"):
            return Report({"made": []}, [told("Nothing was made.", "wait")], Exit.NO)
    try:
        (folder / STATE).mkdir(parents=True, exist_ok=True, mode=0o700)
        for each in found.taken:
            for path, text in each.secrets.items():
                write_private(folder / path, text.encode())
        seen = anyio.run(look, _settings(folder, found.taken), deployment.world)
        key = _write(folder, seen, person, agent, deployment.now_us)
    except OSError as error:
        raise SettingsError(
            f"{error.filename}: {error.strerror}", code="init.write", remedy="Choose a folder that you may write to."
        ) from None

    async def record(store: Store) -> int:
        return await accept(store, seen, person)

    replace(deployment, file=folder / FILE).with_store(record, writes=True)
    command = _command(folder)
    backups = _replace(found, command) if write else {}
    return _report(found, _Made(folder, seen, person, key), command, backups)


def agent_of(person: Principal) -> Principal:
    """Who a person's client makes its calls as: somebody else, so that the person may answer them."""
    return named(Principal(f"{person.id}-agent", roles=frozenset({"agent"})))


def detected() -> list[Path]:
    """The files of clients in their known places.

    Raises:
        NotFound: There is none.
    """
    if files := known_files(Path.home(), Path.cwd()):
        return files
    raise NotFound("no client's file stands in a known place", code="client.none", remedy="Name it with --from.")


def _sorted(files: list[ClientFile], deployment: Deployment) -> _Found:
    """Which servers can be put behind, each once however many files name it, and which cannot."""
    found = _Found(files)
    alike: dict[str, Taken] = {}
    for file in files:
        for each in file.servers:
            if each.ours:
                continue
            mark = repr((each.name, sorted(each.said.items(), key=lambda pair: pair[0])))
            try:
                if each.off:
                    raise Left("its client has it switched off")
                if mark not in alike:
                    used = [taken.settings.name for taken in found.taken]
                    alike[mark] = take(each, file, used, lambda name: _asked(deployment, name))
                    found.taken.append(alike[mark])
                found.replaced.setdefault(file.path, []).append(each)
            except Left as error:
                found.left.append((each, str(error)))
    return found


def _asked(deployment: Deployment, name: str) -> str:
    """What a person types for an input that a client's file asks for; empty where nobody is there."""
    if deployment.output.as_json or not sys.stdin.isatty():
        return ""
    question = f"{one_line(name)} (a client's input)"
    return str(click.prompt(question, hide_input=True, err=True, default="", show_default=False))


def _settings(folder: Path, taken: Sequence[Taken]) -> Settings:
    return Settings(folder=folder.resolve(), ledger=None, servers=tuple(each.settings for each in taken))


def _write(folder: Path, seen: list[Seen], person: Principal, agent: Principal, now_us: int) -> str:
    """Settings, policy, keys; the person's key, which stands nowhere else."""
    state = folder / STATE
    (state / ".gitignore").write_text("*\n", encoding="utf-8")
    policy = folder / "policy" / DEFAULT_POLICY.name
    if not policy.exists():
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text(DEFAULT_POLICY.read_text(encoding="utf-8"), encoding="utf-8")
    keys = Keys(state / "keys.json")
    key = keys.add(person, (CONSOLE,), now_us)
    write_private(state / CLIENT_KEY, keys.add(agent, made_us=now_us).encode() + b"\n")
    coder = replace(agent, id=f"{person.id}-coder")
    write_private(state / HOOK_KEY, keys.add(coder, (TOOLS, WORDS), now_us).encode() + b"\n")
    _write_profiles(folder / PROFILES, seen)
    (folder / FILE).write_text(settings_text(seen), encoding="utf-8")
    return key


def _write_profiles(folder: Path, seen: Sequence[Seen]) -> None:
    """Drafts for every server that answered; a file that is there already stays as it is."""
    folder.mkdir(exist_ok=True)
    for each in seen:
        file = folder / f"{each.settings.name}.toml"
        if each.tools and not file.exists():
            drafts = {one.name: draft(one.name, one.tool.description, one.tool.input_schema) for one in each.tools}
            file.write_text(profile_text(each.settings.name, drafts), encoding="utf-8")


def _command(folder: Path) -> list[str]:
    """How a client starts the gateway of this deployment, wherever it stands itself."""
    beside = Path(sys.executable).with_name("interlock")
    program = str(beside) if beside.exists() else "interlock"
    at = folder.resolve()
    return [program, "gateway", "stdio", "--settings", str(at / FILE), "--key-file", str(at / STATE / CLIENT_KEY)]


def _replace(found: _Found, command: list[str]) -> dict[Path, Path]:
    files = {file.path: file for file in found.files}
    return {
        path: write_client(files[path], files[path].replaced(taken, client_entry(command)))
        for path, taken in found.replaced.items()
    }


def _started(taken: Sequence[Taken]) -> list[RenderableType]:
    rows = [(each.settings.name, _place(each)) for each in taken]
    return [heading("What the client uses"), Listing(("server", "what is started or dialled"), rows, empty="")]


def _place(taken: Taken) -> str:
    return shlex.join(taken.settings.command) if taken.settings.command else taken.settings.url


def _report(found: _Found, made: _Made, command: list[str], backups: dict[Path, Path]) -> Report:
    folder, seen, person, key = made.folder, made.seen, made.person, made.key
    silent = [each for each in seen if each.why]
    document: dict[str, Any] = {
        "folder": str(folder.resolve()), "mode": "evaluate_only", "person": person.id, "key": key,
        "servers": [
            {"name": each.settings.name, "why": each.why, "tools": [
                {"name": tool.name, "effect": tool.guess.effect.value, "why": tool.guess.why, "sure": tool.guess.sure,
                 "outward": tool.guess.outward} for tool in each.tools]}
            for each in seen
        ],
        "left": [{"name": each.name, "why": why} for each, why in found.left],
        "client": {"mcpServers": {"interlock": client_entry(command)}},
        "replaced": {str(file): str(backup) for file, backup in backups.items()},
    }  # fmt: skip
    view: list[RenderableType] = [Sheet(f"a deployment in {folder.resolve()}", _table(seen))]
    view += [told(f"{each.settings.name} did not answer: {each.why}", "bad") for each in silent]
    if found.left:
        view += [heading("Left with the client, ungoverned"), fields((each.name, why) for each, why in found.left)]
    view += [
        heading(f"The key of {person.id} ({', '.join(sorted(person.roles))}), shown this once"),
        told(f"  {key}", "strong"), *_client(found, command, backups), heading("Next"),
        fields(
            (
                (f"review {FILE}", "effects with their reasons; nothing is held or denied yet (evaluate_only)"),
                ("interlock login", "keeps the key for the commands that you type"),
                ("interlock calls list", "what the client did, and what would have become of it"),
                ("interlock policy suggest", "rules from what was seen"),
                (f"review {PROFILES}/", "drafts of what arguments are for; they raise nothing until `reviewed = true`"),
                ("interlock doctor", "what is left to do, and what is still ungoverned"),
            )
        ),
    ]  # fmt: skip
    return Report(document, view, Exit.NO if silent else Exit.DONE)


def _client(found: _Found, command: list[str], backups: dict[Path, Path]) -> list[RenderableType]:
    if not backups:
        return [
            heading("For the client, in place of these servers (or run this command again elsewhere with --write)"),
            lines(one_line_entry(command)),
        ]
    ways = [(str(file), f"cp {shlex.quote(str(backup))} {shlex.quote(str(file))}") for file, backup in backups.items()]
    return [heading("The client's file is replaced; the way back"), fields(ways), note("Restart the client.")]


def _table(seen: Sequence[Seen]) -> Listing:
    rows: list[tuple[Cell, ...]] = [
        (
            each.settings.name, tool.name, told(tool.guess.effect.value, _TIERS[tool.guess.effect.value]),
            tool.guess.why, "yes" if tool.guess.sure else told("no: look at it", "bad"),
        )
        for each in seen
        for tool in each.tools
    ]  # fmt: skip
    return Listing(("server", "tool", "effect", "why", "sure"), rows, empty="No server answered with tools.")
