"""`interlock serve` and `interlock gateway`: the door for clients of the Model Context Protocol."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import anyio
import click
from anyio.abc import TaskStatus

from interlock.api.links import link_url
from interlock.app import Interlock
from interlock.cli.command import command
from interlock.cli.console import console_url
from interlock.cli.deployment import Deployment
from interlock.cli.heap import settled
from interlock.cli.layout import Listing, heading, lines, note, told
from interlock.cli.output import Report
from interlock.core.tool import Tool
from interlock.gateway.admission import check_reach, local_key
from interlock.gateway.door import open_door
from interlock.gateway_settings import is_loopback
from interlock.keys import Key
from interlock.private_files import read_secret


@command("serve", example="interlock serve\ninterlock serve --port 8080")
@click.option("--host", help="Address to listen on; else `host` under [gateway].")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on, 0 for a free one.")
@click.option("--no-work", is_flag=True, help="Serve only: what is due is done by `interlock work` elsewhere.")
def serve(deployment: Deployment, host: str | None, port: int | None, no_work: bool) -> Report:
    """Serve the tools over HTTP to MCP clients, and the console to people.

    Until SIGTERM or Ctrl-C. Each call passes the path on behalf of the principal whose key the client sends. What is
    held goes on once somebody has approved it, whether or not its client is still there. Asked to end, it takes nothing
    new, and what runs has `drain_s` to end by itself.
    """
    said = deployment.settings.gateway
    host, port = host or said.host, said.port if port is None else port
    people = deployment.settings.console
    others = said.oauth is not None or (people.on and people.oidc is not None)
    check_reach(said, host, keys=deployment.keys_file.exists() or others)
    deployment.output.by_lines()

    async def run(plane: Interlock) -> None:
        from interlock.api.links import admin_link
        from interlock.api.site import open_site  # bring the SDK and the console
        from interlock.console.application import application, beside
        from interlock.gateway.front import http_door
        from interlock.gateway.http import bind, serve_door

        listening = bind(host, port)
        where = _Where(host, listening.getsockname()[1], said.path)
        _tell(deployment, plane, where)
        settings, world, keys = deployment.settings, deployment.world, deployment.keys_file
        async with open_door(settings, plane, world) as door, AsyncExitStack() as opened:
            http = await http_door(door, settings, keys, world.clock)
            both = http.application
            if people.on:
                site = await opened.enter_async_context(open_site(settings, plane, world, keys))
                both = beside(both, said.path, application(site))
                link = await admin_link(site.identity.links, site.ring, site.now_us) if is_loopback(host) else None
                _tell_console(deployment, where, link)
            async with anyio.create_task_group() as tasks:
                stop = await tasks.start(_signalled)
                settled()
                await serve_door(http, both, listening, stop, settings.drain_s)
                tasks.cancel_scope.cancel()

    deployment.with_plane(run, engine=not no_work)
    return Report({"ended": True}, [told("Ended.", "strong")])


@click.group()
def gateway() -> None:
    """The door for one client on this machine."""


@command("stdio", gateway, example="interlock gateway stdio\ninterlock gateway stdio --key-file .interlock/client.key")
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="File of mode 0600 with the key of whom the calls are made for."
)
def stdio(deployment: Deployment, key_file: Path | None) -> NoReturn:
    """Serve the tools to the client that started this process.

    Over its standard streams. Acts as the principal of the key in --key-file, which `interlock init` made, else of
    INTERLOCK_KEY, else of the key that `interlock login` kept; it must have the scope tools. The standard output
    carries nothing but the protocol.
    """
    key = _typed(deployment) if key_file is None else deployment.keys.find(read_secret(key_file), deployment.now_us)
    deployment.agents(key)

    async def run(plane: Interlock) -> None:
        from interlock.gateway.stdio import serve_stdio  # brings the SDK

        async with open_door(deployment.settings, plane, deployment.world) as door, anyio.create_task_group() as tasks:
            stop = await tasks.start(_signalled)
            settled()
            await serve_stdio(door, key, stop, deployment.settings.drain_s)
            tasks.cancel_scope.cancel()

    deployment.with_plane(run, engine=True)
    if threading.active_count() > 1:  # one may read the input until its other end is closed, and keep the process
        sys.stderr.flush()
        os._exit(0)
    click.get_current_context().exit()  # with no report: the standard output is the protocol's


@dataclass(frozen=True, slots=True)
class _Where:
    """Where the door is."""

    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}{self.path}"


def _typed(deployment: Deployment) -> Key:
    """Who the client's calls are made for."""
    local = local_key(deployment.settings.gateway)
    if local is None or deployment.typed_text:
        return deployment.typed
    _warn(deployment, local)
    return local


def _warn(deployment: Deployment, local: Key) -> None:
    message = f"warning: whoever can reach this is {local.principal.id!r}, without a key ([gateway.local])"
    click.echo(message, err=True)


def _tell(deployment: Deployment, plane: Interlock, where: _Where) -> None:
    """Where it listens, what it serves and how a client is set up; a warning where keys are not asked for."""
    local = local_key(deployment.settings.gateway)
    if local is not None:
        _warn(deployment, local)
    headers = {} if local is not None else {"headers": {"Authorization": "Bearer YOUR-KEY"}}
    client = {"mcpServers": {"interlock": {"type": "http", "url": where.url, **headers}}}
    document: dict[str, Any] = {
        "url": where.url, "client": client, "tools": [_row(tool) for tool in plane.tools],
        "withheld": dict(plane.plane.registry.withheld),
    }  # fmt: skip
    deployment.output.line(document, told(f"Listening on {where.url}; Ctrl-C ends it.", "strong"))
    if not is_loopback(where.host):
        deployment.output.show(note("Keys travel in clear over this address: put a server with TLS before it."))
        if deployment.settings.gateway.hosts is None:
            deployment.output.show(note("It answers to no name, only to its address: set gateway.hosts for names."))
    rows = [(tool.name, tool.server, tool.effect.value, tool.description.partition("\n")[0]) for tool in plane.tools]
    deployment.output.show(
        Listing(("tool", "server", "effect", "description"), rows, empty="No tools: see `tools` in the settings."),
        *[told(f"withheld: {name}: {why}", "bad") for name, why in plane.plane.registry.withheld.items()],
        heading("For the client:"),
        lines(_pretty(client)),
        *([] if local is not None else [note("A key: `interlock keys add NAME --service --role ROLE`.")]),
    )


def _tell_console(deployment: Deployment, where: _Where, link: str | None) -> None:
    """Where people go; on a machine that nobody else reaches, with a link that signs its administrator in once."""
    url = console_url(deployment.settings, where.host, where.port)
    said = {"console": url} if link is None else {"console": url, "sign_in": link_url(url, link)}
    deployment.output.line(said, told(f"The console: {said.get('sign_in', url)}", "strong"))
    if link is not None:
        deployment.output.show(note("The link signs an administrator in once; `interlock console link` makes another."))


def _row(tool: Tool) -> dict[str, str]:
    return {"name": tool.name, "server": tool.server, "effect": tool.effect.value}


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2)


async def _signalled(task_status: TaskStatus[anyio.Event]) -> None:
    """Gives an event that the first signal sets; a second one finds no receiver and ends the process."""
    stop = anyio.Event()
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started(stop)
        async for _ in signals:
            stop.set()
            return
