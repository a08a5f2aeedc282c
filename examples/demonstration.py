"""How a demonstration is played: options, a deployment, the service, and what stands on the page at the end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import anyio

import interlock
from examples.account import Account
from examples.console import Console, can_be_served
from examples.deployment import FINANCE, OPERATOR, key_file
from examples.far_end import FarEnd
from examples.page import Page
from examples.scene import Teller
from examples.service.endpoint import Endpoint
from examples.service.faults import DROP_BEFORE, MODES
from interlock import InterlockError
from interlock.settings import FILE

FAULT_TIMES = 100


class Story(NamedTuple):
    """One demonstration.

    Attributes:
        module: As it is started.
        keep: Where the deployment stays by default: out of git's sight, replaced by the next run.
        policy: Its policy's folder, with `cases.json`.
        endpoints: What its service can be asked.
        deploy, serving, play: Make the deployment; run the service on a file; play it.
    """

    module: str
    keep: Path
    policy: Path
    endpoints: Sequence[Endpoint]
    deploy: Callable[[Path], interlock.Settings]
    serving: Callable[[Path], AbstractContextManager[FarEnd]]
    play: Callable[[interlock.Settings, FarEnd, Teller], Awaitable[Account]]


def demonstrate(story: Story, about: str | None) -> int:
    """Play it; the exit code: 0 only if all was as expected, 1 if something was not, 2 if it could not begin."""
    options = _options(story, about)
    page = Page()
    with TemporaryDirectory(prefix="interlock-demo-") as temporary:
        folder = Path(temporary) / "deployment" if options.no_keep else options.keep
        try:
            settings = story.deploy(folder)
        except InterlockError as error:
            print(error, file=sys.stderr)
            return 2
        with story.serving(Path(temporary) / "service.db") as far_end:
            for endpoint, mode in options.fault:
                far_end.arm(endpoint, mode, FAULT_TIMES)
            console = None if options.no_keep or not can_be_served() else Console(folder)
            try:
                if console is not None:
                    page.opening(console.url, f"{OPERATOR.id}, the operator", console.link(OPERATOR))
                account = anyio.run(partial(story.play, settings, far_end, page))
            finally:
                if console is not None:
                    console.end()
            page.account(account)
            if options.no_keep:
                page.footer("Nothing is kept; leave out --no-keep to look at the ledger afterwards.", [])
            else:
                page.footer(*_next(story, folder, account))
            if options.serve and console is not None:
                _serve(folder, console.port, page)
    return 1 if account.wrong else 0


def _serve(folder: Path, port: int, page: Page) -> None:
    """Leave the console running over what the story did, and do what people say there."""
    console = Console(folder, port=port, works=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job in the background is ended so, and not by Ctrl-C
    try:
        people = ((FINANCE, "who decides about money"), (OPERATOR, "who operates"))
        page.footer(
            "The console stays until Ctrl-C. Each link signs one person in, once:",
            [(f"{person.id}, {what}", console.link(person)) for person, what in people],
        )
        console.wait()
    except KeyboardInterrupt:
        pass  # that is how it is ended
    finally:
        console.end()


def _options(story: Story, about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {story.module}", description=about)
    changes = [endpoint for endpoint in story.endpoints if endpoint.method == "POST"]
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--keep",
        type=Path,
        default=story.keep,
        metavar="FOLDER",
        help=f"keep the deployment there and not in {story.keep}",
    )
    where.add_argument("--no-keep", action="store_true", help="leave nothing behind")
    parser.add_argument("--serve", action="store_true", help="leave the console running at the end, until Ctrl-C")
    parser.add_argument(
        "--fault", nargs=2, action="append", default=[], metavar=("ENDPOINT", "MODE"),
        help="let an endpoint of the service go wrong all the time and see what differs, such as "
        f"`--fault {changes[-1].name} {DROP_BEFORE}`; modes are {', '.join(MODES)}",
    )  # fmt: skip
    options = parser.parse_args()
    if options.serve and options.no_keep:
        parser.error("--serve needs the deployment: leave out --no-keep")
    endpoints = [endpoint.name for endpoint in story.endpoints]
    for endpoint, mode in options.fault:
        if endpoint not in endpoints or mode not in MODES:
            parser.error(
                f"--fault {endpoint} {mode}: endpoints are {', '.join(endpoints)}; modes are {', '.join(MODES)}"
            )
    return options


def _next(story: Story, folder: Path, account: Account) -> tuple[str, list[tuple[str, str]]]:
    """Commands that work as they stand, in the folder in which the demonstration was started."""
    interlock = _near(Path(sys.executable).parent / "interlock")
    return (
        f"Where to look next. The deployment is kept in {folder}/ until the next run replaces it.",
        [
            ("which deployment", f"export INTERLOCK_CONFIG={folder / FILE}"),
            (f"who types: {OPERATOR.id}, the operator", f"export INTERLOCK_KEY=$(cat {key_file(folder, OPERATOR)})"),
            ("every call of the session: decided by what, approved by whom", f"{interlock} runs show {account.run_id}"),
            ("whether the ledger is what was written, all of it", f"{interlock} ledger verify"),
            (
                "what the policy says about each kind of call",
                f"{interlock} policy test {_near(story.policy / 'cases.json')}",
            ),
            ("what is still to be said of the tools", f"{interlock} tools lint"),
        ],
    )


def _near(path: Path) -> Path:
    """The path as somebody in the working directory would type it."""
    here = Path(os.path.relpath(path))
    return path if here.parts[0] == ".." else here
