"""The demonstration: `python -m examples.property_management`, from the root of the checkout.

Starts the service, plays one session against it, and prints what came of every call. Exit code 0 only if all
of it was as expected, 1 if something was not, 2 if it could not begin.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from examples.account import Account
from examples.deployment import OPERATOR, key_file
from examples.page import Page
from examples.property_management.deployment import POLICY, deploy
from examples.property_management.far_end import serving
from examples.property_management.service.routes import PUBLIC
from examples.property_management.session import play
from examples.service.faults import DROP_BEFORE, MODES
from interlock import InterlockError
from interlock.settings import FILE

KEEP = Path(".interlock-demo")
"""Where the deployment stays by default: in the working directory, out of git's sight, replaced by the next run."""

FAULT_TIMES = 100

ENDPOINTS = [endpoint.name for endpoint in PUBLIC]


def main() -> int:
    """Play it; the exit code."""
    options = _options()
    page = Page()
    with TemporaryDirectory(prefix="interlock-demo-") as temporary:
        folder = Path(temporary) / "deployment" if options.no_keep else options.keep
        try:
            settings = deploy(folder)
        except InterlockError as error:
            print(error, file=sys.stderr)
            return 2
        with serving(Path(temporary) / "property.db") as far_end:
            for endpoint, mode in options.fault:
                far_end.arm(endpoint, mode, FAULT_TIMES)
            account = anyio.run(partial(play, settings, far_end, page))
    page.account(account)
    if options.no_keep:
        page.footer("Nothing is kept; leave out --no-keep to look at the ledger afterwards.", [])
    else:
        page.footer(*_next(folder, account))
    return 1 if account.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.property_management", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--keep", type=Path, default=KEEP, metavar="FOLDER", help=f"keep the deployment there and not in {KEEP}"
    )
    where.add_argument("--no-keep", action="store_true", help="leave nothing behind")
    parser.add_argument(
        "--fault", nargs=2, action="append", default=[], metavar=("ENDPOINT", "MODE"),
        help="let an endpoint of the service go wrong all the time and see what differs, such as "
        f"`--fault refund_payment {DROP_BEFORE}`; modes are {', '.join(MODES)}",
    )  # fmt: skip
    options = parser.parse_args()
    for endpoint, mode in options.fault:
        if endpoint not in ENDPOINTS or mode not in MODES:
            parser.error(
                f"--fault {endpoint} {mode}: endpoints are {', '.join(ENDPOINTS)}; modes are {', '.join(MODES)}"
            )
    return options


def _next(folder: Path, account: Account) -> tuple[str, list[tuple[str, str]]]:
    """Commands that work as they stand, in the folder in which the demonstration was started."""
    interlock = _near(Path(sys.executable).parent / "interlock")
    return (
        f"Where to look next. The deployment is kept in {folder}/ until the next run replaces it.",
        [
            ("which deployment", f"export INTERLOCK_CONFIG={folder / FILE}"),
            (f"who types: {OPERATOR.id}, the operator", f"export INTERLOCK_KEY=$(cat {key_file(folder, OPERATOR)})"),
            ("every call of the session: decided by what, approved by whom", f"{interlock} runs show {account.run_id}"),
            ("whether the ledger is what was written, all of it", f"{interlock} ledger verify"),
            ("what the policy says about each kind of call", f"{interlock} policy test {_near(POLICY / 'cases.json')}"),
            ("what is still to be said of the tools", f"{interlock} tools lint"),
        ],
    )


def _near(path: Path) -> Path:
    """The path as somebody in the working directory would type it."""
    here = Path(os.path.relpath(path))
    return path if here.parts[0] == ".." else here


if __name__ == "__main__":
    sys.exit(main())
