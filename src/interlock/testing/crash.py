"""Crash points, armed: end a process at the n-th point that it passes, or at each in turn."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from interlock.core.points import NAMES, Points


class CrashAt:
    """Kills this process, as `kill -9` would, when a point is passed.

    Args:
        point: Name of the point (`core.points.NAMES`), or None for any.
        nth: Which passing of it, from 1.
    """

    def __init__(self, point: str | None = None, nth: int = 1) -> None:
        assert point is None or point in NAMES, f"no crash point is called {point!r}; there are {', '.join(NAMES)}"
        self._point = point
        self._left = nth

    def __call__(self, point: str) -> None:
        """Pass by, or never return."""
        if self._point in (None, point):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Crash(NamedTuple):
    """One crash that has happened.

    Attributes:
        point, nth: Where: the n-th passing of that point, from 1. Empty and 0 for the process that was let live.
        folder: What the process left.
    """

    point: str
    nth: int
    folder: Path


def kill_at_every_point(work: Callable[[Path, Points], object], folder: Path) -> Iterator[Crash]:
    """Do work in a child process, once for each crash point that it passes, and kill it there as `kill -9` would.

    The first child lives, to learn which points there are; it is yielded too, as is any other that lives because it
    went another way. Every further one starts in a new, empty folder. Recover in it and look at the far end before you
    ask for the next. Each child is a fork of this process: call this from a plain function, where no event loop runs,
    and open the plane within the work.

    Args:
        work: Given its folder, and what to pass on as `World(reach=…)`.
        folder: Where the children's folders are made; the living one's is `lived`.

    Raises:
        AssertionError: The work failed by itself; its traceback is on standard error.
    """
    lived = folder / "lived"
    lived.mkdir(parents=True)
    passed = folder / "points"

    def learn() -> None:
        points: list[str] = []
        work(lived, points.append)
        passed.write_text("\n".join(points))

    assert end_of(fork(learn)) == 0, "the work failed without being killed"
    yield Crash("", 0, lived)
    for point, nth in passings(passed.read_text().split()):
        left = folder / f"{point}.{nth}"
        left.mkdir()
        ended = end_of(fork(partial(work, left, CrashAt(point, nth))))
        assert ended in (0, -signal.SIGKILL), f"the work failed before {point}, passing {nth}"
        # One that went another way than before, and never came by, lived: what it did counts all the same.
        yield Crash(point, nth, left) if ended else Crash("", 0, left)


def passings(points: Iterable[str]) -> list[tuple[str, int]]:
    """Points in the order in which they were passed, each with how often so far."""
    seen: Counter[str] = Counter()
    found = []
    for point in points:
        seen[point] += 1
        found.append((point, seen[point]))
    return found


def fork(work: Callable[[], object], timeout_s: int = 30) -> int:
    """Do work in a fork of this process, and return its id at once.

    Args:
        timeout_s: After that many seconds it is ended by SIGALRM.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(timeout_s)
        work()
        code = 0
    finally:  # nothing of what this process inherited may unwind in it
        if code:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def end_of(child: int) -> int:
    """Wait for a fork's end: 0, another exit code, or minus the number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
