"""`interlock`: the command line's root and its door."""

from __future__ import annotations

import io
import sys
import traceback
from collections import UserDict
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import version

import click

from interlock.cli.command import Surroundings, usage_error
from interlock.cli.heap import patient
from interlock.cli.output import EXITS, Exit, Output

_WHERE = {
    "init": "init", "login": "keys", "keys": "keys", "call": "call", "calls": "calls", "inbox": "inbox",
    "alerts": "alerts", "approvals": "delegations", "grants": "grants", "limits": "limits", "runs": "runs_replay",
    "saga": "saga", "work": "work", "serve": "gateway", "console": "console", "gateway": "gateway", "hook": "hook",
    "notify": "notify", "audit": "audit", "ledger": "ledger_keep", "tools": "drift", "servers": "servers_login",
    "doctor": "doctor", "report": "report", "policy": "policy_coverage", "verify": "verify", "eval": "eval_judge",
    "redteam": "redteam", "stop": "stop", "resume": "stop", "demo": "demo", "profile": "profile",
}  # fmt: skip
"""Command to the file that has it, in the order in which a newcomer meets them. Of several files of one group it is the
last, which imports the others."""

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code.value}  {meaning}" for code, meaning in EXITS.items())


class _Commands(UserDict[str, click.Command]):
    """The commands of the root. A file is loaded when its command is asked for: a hook waits for no page of another."""

    def __getitem__(self, name: str) -> click.Command:
        found = getattr(import_module(f"interlock.cli.{_WHERE[name]}"), name)
        assert isinstance(found, click.Command), "a file has the commands that stand here"
        return found

    def __contains__(self, name: object) -> bool:
        return name in _WHERE

    def __iter__(self) -> Iterator[str]:
        return iter(_WHERE)

    def __len__(self) -> int:
        return len(_WHERE)


class _Root(click.Group):
    """Lists its commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self.commands)


@click.group(
    cls=_Root, commands=_Commands(), epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)  # fmt: skip
@click.version_option(version("interlock"), message="%(version)s")
def interlock() -> None:
    """Decide, run and account for the tool calls that a model proposes.

    Begin with `interlock init`. Every command takes --json and --settings; `interlock COMMAND --help` has an example.
    """


def main(arguments: Sequence[str] | None = None, around: Surroundings | None = None) -> None:
    """Run one command line and exit with its code."""
    patient()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that the terminal cannot show is no defect
    output = Output(as_json="--json" in arguments)
    try:
        code = interlock.main(arguments, "interlock", standalone_mode=False, obj=around or Surroundings())
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = Exit.USAGE
    except click.ClickException as error:
        code = usage_error(output, error)
    except (click.Abort, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    except Exception as error:
        output.error("internal", f"{type(error).__name__}: {error}", "This is a defect of Interlock; please report it.")
        click.echo(traceback.format_exc(), err=True)
        code = Exit.BUG
    sys.exit(int(code or 0))
