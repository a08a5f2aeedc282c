"""What a candidate is: a way to make calls, opened inside a worker process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a candidate is opened with.

    Attributes:
        size: One of its `sizes`; what it counts is the suite's business (lanes, tools, events).
        folder: An empty folder on a real disk, its own; removed after the run.
    """

    size: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A candidate, ready to be measured.

    Attributes:
        batch: Make n calls. Owns its loop, so that a cheap candidate pays for no closure of ours.
        once: Make one call with these arguments, for the checks that the body runs and that bad input is
            refused before it; None where no tool is called (imports, plain appends).
        prepare: What must be done before each batch and is not measured; None for nothing.
        validates: Whether bad input must be refused.
        lanes: How many calls are under way together; a batch is at least four times that.
        bytes_each: Bytes on disk for each of the things that `size` counts; None where that is not asked.
        cpu_ns: CPU time so far of what is measured, where that is another process; None for this one.
        figures: What else the last batch came to, by the names of the suite's columns; raises where a call of it did
            not do what it claims.
    """

    batch: Callable[[int], Awaitable[None]]
    once: Callable[[dict[str, object]], Awaitable[object]] | None = None
    prepare: Callable[[], Awaitable[None]] | None = None
    validates: bool = True
    lanes: int = 1
    bytes_each: float | None = None
    cpu_ns: Callable[[], int] | None = None
    figures: Callable[[], Mapping[str, float]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One row of a suite, or one for each size.

    Attributes:
        name: Unique in its suite.
        suite: A name of `suites.SUITES`.
        what: What a call is, for the README and the JSON.
        open: Imports what it needs and yields it ready.
        distributions: Packages without which the candidate is absent; with them, whatever it raises is a failure.
        sizes: Sizes to measure.
        program: What must stand below the root besides, or the candidate is absent; empty for nothing.
        loopback: It talks to processes of its own on this machine.
        floor: Candidate that its ratio is to, at the same size; empty for itself at its first size.
    """

    name: str
    suite: str
    what: str
    open: Callable[[Setting], AbstractAsyncContextManager[Opened]]
    distributions: tuple[str, ...] = ()
    sizes: tuple[int, ...] = (1,)
    program: str = ""
    loopback: bool = False
    floor: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One candidate at one size: what has a worker, a series of times and a line in a table."""

    name: str
    size: int
