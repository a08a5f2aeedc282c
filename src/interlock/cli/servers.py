"""`interlock servers`: the servers behind, how they stand, and which commands are reviewed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import click
from rich.console import RenderableType

from interlock.app import Interlock
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Cell, Listing, Sheet, fields, heading, lines, note, told
from interlock.cli.output import Exit, Report
from interlock.core.principal import ADMIN, OPERATOR
from interlock.core.visible import one_line
from interlock.errors import BadInput, NotFound
from interlock.server_book import command_digest, objection, read_book, write_book
from interlock.server_settings import ServerSettings
from interlock.servers import Fleet, book_file
from interlock.sources.mcp_server import Server, State

_STATES = {
    State.READY: "good", State.STARTING: "quiet", State.DOWN: "bad", State.QUARANTINED: "bad", State.UNREVIEWED: "wait",
}  # fmt: skip

_DIGEST_SHOWN = 16


@click.group()
def servers() -> None:
    """The servers behind: how they stand, and which commands are reviewed."""


@command("list", servers, example="interlock servers list\ninterlock servers list --json | jq '.servers[].state'")
def list_(deployment: Deployment) -> Report:
    """Every server, started and listed by this command: its state and its tools.

    Exit code 1 where one is not ready.
    """
    found = _seen(deployment)
    rows = [
        (
            row["name"], row["kind"], told(row["state"], _STATES[State(row["state"])]), row["revision"],
            str(row["tools"]), str(row["withheld"]), str(row["restarts"]), row["last_error"],
        )
        for row in found
    ]  # fmt: skip
    columns = ("server", "kind", "state", "revision", "tools", "withheld", "restarts", "last error")
    ready = all(row["state"] == State.READY for row in found)
    listing = Listing(columns, rows, empty="No servers: put `[[servers]]` into the settings.")
    return Report({"servers": found}, [listing], Exit.DONE if ready else Exit.NO)


@command("show", servers, example="interlock servers show files\ninterlock servers show files --json")
@click.argument("name")
def show(deployment: Deployment, name: str) -> Report:
    """One server: what is started, what it lists, what it wrote to its standard error."""
    said = said_of(deployment, name)
    (row,) = _seen(deployment, name)
    about: list[tuple[str, Cell]] = [
        *_place(deployment, said), ("state", told(row["state"], _STATES[State(row["state"])])),
        ("revision", row["revision"] or "–"), ("last error", row["last_error"] or "–"),
    ]  # fmt: skip
    view: list[RenderableType] = [
        Sheet(name, fields(about)),
        heading("Tools"),
        Listing(
            ("tool", "effect", "withheld"),
            [(each["name"], each["effect"], each["withheld"]) for each in row["listed"]],
            empty="None.",
        ),
    ]
    if row["errors"]:
        view += [heading("Its standard error, the last of it"), lines(row["errors"])]
    return Report(row, view)


@command("accept", servers, example="interlock servers accept files\ninterlock servers accept files --digest 3f2a90c1")
@click.argument("name")
@click.option("--digest", metavar="HEX", help="The reviewed digest as it is shown, or at least its first 8 characters.")
def accept(deployment: Deployment, name: str, digest: str | None) -> Report:
    """Let the command of a server be started as it is now.

    Without --digest it says what would be started, and changes nothing. A command that is changed afterwards has to be
    accepted again. A process that runs notices within 2 s. Needs the role operator or admin.
    """
    deployment.require(OPERATOR, ADMIN)
    said = said_of(deployment, name)
    if not said.command:
        raise BadInput(f"server {name!r} has no command to accept", code="servers.no_command")
    now, file = command_digest(said), book_file(deployment.settings)
    document: dict[str, Any] = {"server": name, "command": list(said.command), "digest": now, "accepted": False}
    sheet = Sheet(name, fields(_place(deployment, said)))
    if digest is None:
        hint = f"To let exactly this be started: interlock servers accept {name} --digest {now[:_DIGEST_SHOWN]}"
        return Report(document, [sheet, note(hint)], Exit.NO)
    if len(digest) < 8 or not now.startswith(digest.lower()):
        raise BadInput(
            f"{digest!r} is not the digest of what would be started now, {now[:_DIGEST_SHOWN]}…", code="servers.digest",
            remedy=f"Review it again: `interlock servers accept {name}`.",
        )  # fmt: skip
    write_book(file, read_book(file).accept(name, now))
    return Report(document | {"accepted": True}, [sheet, told("Accepted.", "good")])


@command("restart", servers, example="interlock servers restart files")
@click.argument("name")
def restart(deployment: Deployment, name: str) -> Report:
    """Have every process that runs a server end it and start it again.

    Also one that was left alone. They notice within 2 s. Needs the role operator or admin.
    """
    deployment.require(OPERATOR, ADMIN)
    said_of(deployment, name)
    file = book_file(deployment.settings)
    write_book(file, read_book(file).restart(name))
    return Report({"server": name, "restart": True}, [told(f"{name} is started again by whoever runs it.")])


def said_of(deployment: Deployment, name: str) -> ServerSettings:
    """What the settings say of a server.

    Raises:
        NotFound: Nothing.
    """
    for said in deployment.settings.servers:
        if said.name == name:
            return said
    raise NotFound(f"no server {name!r}", code="server.absent", remedy="See `interlock servers list`.")


def _seen(deployment: Deployment, name: str = "") -> list[dict[str, Any]]:
    """What there is to say of the servers, or of one, once they were started and listed."""

    async def look(plane: Interlock) -> list[dict[str, Any]]:
        withheld = plane.plane.registry.withheld
        chosen = [said for said in deployment.settings.servers if not name or said.name == name]
        return [_row(plane.fleet, said, plane.fleet.server(said.name), withheld) for said in chosen]

    return deployment.with_plane(look)


def _row(fleet: Fleet, said: ServerSettings, server: Server, withheld: Mapping[str, str]) -> dict[str, Any]:
    refused = {key[1]: why for key, why in fleet.refused.items() if key[0] == said.name}
    reasons = {**withheld, **refused}
    listed = [
        {"name": tool.name, "effect": tool.effect.value, "withheld": reasons.get(tool.name, "")}
        for tool in server.tools
    ]
    listed += [{"name": name, "effect": "", "withheld": why} for name, why in server.refused.items()]
    return {
        "name": said.name, "kind": "process" if said.command else "address", "state": server.state.value,
        "revision": server.revision, "tools": len(server.tools),
        "withheld": sum(bool(each["withheld"]) for each in listed), "restarts": server.restarts,
        "last_error": server.why, "listed": listed,
        "errors": "\n".join(map(one_line, server.errors.decode(errors="replace").splitlines())),
    }  # fmt: skip


def _place(deployment: Deployment, said: ServerSettings) -> list[tuple[str, str]]:
    """What is started or dialled, for a person to review; values of variables are not shown."""
    if not said.command:
        return [("address", said.url)]
    why = objection(said, read_book(book_file(deployment.settings)))
    files = [f"{variable} from {file}" for variable, file in said.env_files.items()]
    given = ["PATH", "HOME", *(f"{variable}=…" for variable in said.env), *said.env_pass, *files]
    return [
        ("command", shlex.join(said.command)), ("variables", ", ".join(given)),
        ("folder", str(said.cwd or ".")), ("digest", command_digest(said)),
        ("reviewed", why or ("trusted by the settings" if said.trust else "yes")),
    ]  # fmt: skip
