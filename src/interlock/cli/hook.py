"""`interlock hook`: the hooks of coding agents, so that what they do by themselves passes the path."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import NoReturn

import anyio
import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.core.visible import one_line
from interlock.errors import BadInput, InterlockError, SettingsError
from interlock.private_files import read_secret
from interlock.wrapping.hook import Hook, plane_without_servers
from interlock.wrapping.hooked import Heard, Moment, answer, configuration, read_heard

TIME_S = 20.0
"""Seconds that one hook may take: less than an agent waits, because one that it cuts off blocks nothing."""

BLOCK = 2
"""The exit code by which an agent knows that it may not go on, whatever was written."""


@command(
    "hook", example="interlock hook --print claude-code\ninterlock hook --key-file .interlock/hook.key < event.json"
)
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="File of mode 0600 with the key of whose calls these are."
)
@click.option(
    "--print", "agent", type=click.Choice(["claude-code", "cursor"]), help="Print what the agent's file of hooks needs."
)
def hook(deployment: Deployment, key_file: Path | None, agent: str | None) -> NoReturn:
    """Serve one hook of a coding agent.

    Its event on the standard input, the answer on the standard output. Before a tool of the agent (shell, edits, the
    web), the use is a governed call; what the policy refuses or holds, the agent is told to leave. After it, what came
    of it is recorded. What the user says becomes the run's words, where the key may attest them. Whatever goes
    wrong before a tool ends with exit code 2: the agent does not go on.

    The settings need `tools = ["interlock.toolkit.coding"]`. Servers behind are not started.
    """
    context = click.get_current_context()
    _ = deployment.settings  # what is wrong with them is said first, with exit code 2
    if agent is not None:
        click.echo(json.dumps(configuration(agent, _command(deployment, key_file)), indent=2))
        context.exit(0)
    heard = None
    try:
        heard = read_heard(sys.stdin.buffer.read())
        refusal = anyio.run(_in_time, deployment, key_file, heard)
    except Exception as error:  # whatever it is: an agent takes any other exit code for leave to go on
        said = str(error) if isinstance(error, InterlockError) else f"{type(error).__name__}: {error}"
        click.echo(f"interlock: {one_line(said)}", err=True)
        context.exit(1 if heard is not None and heard.moment is not Moment.BEFORE else BLOCK)
    click.echo(json.dumps(answer(heard, refusal)))
    context.exit(0)


async def _in_time(deployment: Deployment, key_file: Path | None, heard: Heard) -> str:
    with anyio.fail_after(TIME_S):
        return await _hear(deployment, key_file, heard)


async def _hear(deployment: Deployment, key_file: Path | None, heard: Heard) -> str:
    settings = deployment.settings
    key = deployment.agents(
        deployment.typed if key_file is None else deployment.keys.find(read_secret(key_file), deployment.now_us)
    )
    if "interlock.toolkit.coding" not in settings.tools:
        raise SettingsError(
            "tools: the agent's own tools are not there", code="hook.tools",
            remedy='Add "interlock.toolkit.coding" to `tools`.',
        )  # fmt: skip
    if settings.ledger is None:
        raise BadInput("nothing is kept", code="hook.ledger", remedy="Name a file as `ledger`.")
    async with plane_without_servers(settings, deployment.world) as plane:
        return await Hook(plane, settings.state_folder / "sessions", key).hear(heard)


def _command(deployment: Deployment, key_file: Path | None) -> str:
    beside = Path(sys.executable).with_name("interlock")
    words = [str(beside) if beside.exists() else "interlock", "hook"]
    if deployment.file is not None:
        words += ["--settings", str(deployment.file.resolve())]
    if key_file is not None:
        words += ["--key-file", str(key_file.resolve())]
    return shlex.join(words)
