"""`interlock`: the command line's root and its door."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

import click

from interlock.cli.audit import audit
from interlock.cli.call import call
from interlock.cli.calls import calls
from interlock.cli.command import Surroundings, usage_error
from interlock.cli.delegations import approvals
from interlock.cli.demo import demo
from interlock.cli.doctor import doctor
from interlock.cli.drift import tools
from interlock.cli.gateway import gateway, serve
from interlock.cli.grants import grants
from interlock.cli.hook import hook
from interlock.cli.inbox import inbox
from interlock.cli.init import init
from interlock.cli.keys import keys, login
from interlock.cli.ledger_keep import ledger
from interlock.cli.limits import limits
from interlock.cli.notify import notify
from interlock.cli.output import EXITS, Exit, Output
from interlock.cli.policy_suggest import policy
from interlock.cli.report import report
from interlock.cli.runs import runs
from interlock.cli.saga import saga
from interlock.cli.servers_login import servers
from interlock.cli.stop import resume, stop
from interlock.cli.verify import verify
from interlock.cli.work import work

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code.value}  {meaning}" for code, meaning in EXITS.items())


class _Root(click.Group):
    """Lists its commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)


@click.group(
    cls=_Root, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(version("interlock"), message="%(version)s")
def interlock() -> None:
    """Decide, run and account for the tool calls that a model proposes.

    Begin with `interlock init`. Every command takes --json and --settings; `interlock COMMAND --help` has an example.
    """


for _command in (
    init,
    login,
    keys,
    call,
    calls,
    inbox,
    approvals,
    grants,
    limits,
    runs,
    saga,
    work,
    serve,
    gateway,
    hook,
    notify,
    audit,
    ledger,
    tools,
    servers,
    doctor,
    report,
    policy,
    verify,
    stop,
    resume,
    demo,
):
    interlock.add_command(_command)


def main(arguments: Sequence[str] | None = None, around: Surroundings | None = None) -> None:
    """Run one command line and exit with its code."""
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
