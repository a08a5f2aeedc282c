"""How a command is declared: its options, its example, and what every command has in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import click

from interlock.cli.deployment import Deployment
from interlock.cli.output import Exit, Output, Report, exit_of
from interlock.compose import World
from interlock.errors import InterlockError

Work = Callable[..., Report]
"""A command: the deployment and its own options in, a report out. Prints nothing, unless it asks a person."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a process gives every command; click hands it on as its `obj`.

    Attributes:
        world: Clocks, ids and randomness.
        width: Columns of a page; the terminal's where None.
    """

    world: World = field(default_factory=World)
    width: int | None = None


def command(name: str, group: click.Group | None = None, *, example: str) -> Callable[[Work], click.Command]:
    """Make a function a command. Its docstring is the help; `--json` and `--settings` come with it.

    Args:
        group: Where it belongs; None for a command of the root, which adds it itself.
        example: Lines as they are typed.
    """

    def declare(work: Work) -> click.Command:
        @functools.wraps(work)
        def run(settings_file: Path | None, as_json: bool, **given: Any) -> NoReturn:
            context = click.get_current_context()
            around = context.find_object(Surroundings) or Surroundings()
            output = Output(as_json=as_json, width=around.width)
            try:
                report = work(Deployment(file=settings_file, world=around.world, output=output), **given)
            except InterlockError as error:
                output.error(error.code, str(error.args[0]), error.remedy)
                context.exit(exit_of(error))
            output.report(report)
            context.exit(Exit.UNTOLD if output.untold else report.exit)

        wrapped = _SETTINGS(_JSON(run))
        lines = "\n".join(f"  {line}" for line in example.splitlines())
        declared = click.command(name, epilog=f"\b\nExample:\n{lines}")(wrapped)
        if group is not None:
            group.add_command(declared)
        return declared

    return declare


def usage_error(output: Output, error: click.ClickException) -> Exit:
    """Say what is wrong with a command line, as any other error is said."""
    context = getattr(error, "ctx", None)
    remedy = f"See `{context.command_path} --help`." if context is not None else ""
    output.error("cli.usage", error.format_message(), remedy)
    return Exit.USAGE


_JSON = click.option("--json", "as_json", is_flag=True, help="Write one JSON document and nothing else.")

_SETTINGS = click.option(
    "--settings", "settings_file", metavar="FILE", type=click.Path(path_type=Path),
    help="Settings file; else INTERLOCK_CONFIG, else the nearest interlock.toml, else the defaults.",
)  # fmt: skip
