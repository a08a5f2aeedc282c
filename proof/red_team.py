"""What the proofs of the public attack suites share: the policy, playing in two processes, tables, and aims."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio

from interlock import Settings
from interlock.evals.redteam_case import Case, Suite
from interlock.evals.redteam_play import Played, Ways, play
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER

GROUNDED = Path(__file__).parent / "grounded_policy"
"""The policy that ships, without the rule that holds what cannot be undone whatever is known of it."""

_WORKERS = 2
T, R = TypeVar("T"), TypeVar("R")


class Aim(NamedTuple):
    """What a figure must reach.

    Attributes:
        says: Which figure.
        share: What it came to.
        least, most: Bounds, from 0 to 1.
    """

    says: str
    share: Share
    least: float = 0.0
    most: float = 1.0

    @property
    def met(self) -> bool:
        """Whether it is within them."""
        return self.share.value is not None and self.least <= self.share.value <= self.most

    def __str__(self) -> str:
        """The aim with its figure."""
        bound = f"at least {self.least:.1%}" if self.least > 0 else f"at most {self.most:.1%}"
        return f"{'met   ' if self.met else 'MISSED'}  {self.says}: {told(self.share)}, {bound}"


def played(
    suite: Suite, cases: Iterable[Case], ways: Ways | None = None, policy: Path | None = GROUNDED
) -> list[Played]:
    """What became of the cases under the policy; None for the one that ships."""
    return anyio.run(partial(play, suite, list(cases), Settings(policy=policy), ways))


def in_parallel(work: Callable[[T], R], rounds: Sequence[T]) -> list[R]:
    """What the work came to for each round, two at a time."""
    with ProcessPoolExecutor(_WORKERS) as pool:
        return list(pool.map(work, rounds))


def told(share: Share) -> str:
    """A share with its interval."""
    if share.value is None:
        return "none"
    low, high = share.interval
    return f"{share.part}/{share.whole} {share.value:6.1%} ({low:.1%} to {high:.1%})"


def joined(shares: Iterable[Share]) -> Share:
    """Several shares as one."""
    known = list(shares)
    return Share(sum(share.part for share in known), sum(share.whole for share in known))


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if not number:
            print("  " + "  ".join("-" * width for width in widths))


def ended(aims: Sequence[Aim], options: argparse.Namespace) -> int:
    """Print the aims, and say whether all are met."""
    if options.json:
        print(json.dumps({aim.says: {**aim.share.as_json(), "met": aim.met} for aim in aims}, indent=1))
    else:
        print()
        for aim in aims:
            print(aim)
    return 0 if all(aim.met for aim in aims) else 1


def options(says: str | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(says or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--quick", action="store_true", help="one way of writing, and no recorded runs of models")
    parser.add_argument("--json", action="store_true", help="the aims as one JSON document")
    found = parser.parse_args()
    os.environ["INTERLOCK_DATA"] = str(found.data)  # for the processes that play
    return found
