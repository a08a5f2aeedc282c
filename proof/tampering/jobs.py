"""What one process does at a time: makes a ledger and tampers with copies of it, or looks at ledgers that are whole."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anyio

from proof.tampering.bundles import exported, try_bundle
from proof.tampering.ledgers import staged
from proof.tampering.trial import ALL, BUNDLE, Trial, other_events, try_one
from proof.tampering.verdict import examine


class Tamper(NamedTuple):
    """Mutations of one ledger.

    Attributes:
        base: Seed of the ledger.
        first, count: Numbers of the mutations; each number is the seed of one.
        folder: Where copies are made; a memory file system is best.
        only: One kind; empty for all of them in turn.
    """

    base: int
    first: int
    count: int
    folder: Path
    only: str = ""


class Look(NamedTuple):
    """Ledgers that nobody tampered with.

    Attributes:
        seeds: Theirs.
        folder: Where they are made.
    """

    seeds: range
    folder: Path


class Tampered(NamedTuple):
    """What came of the mutations of one ledger; `number` of each trial is its seed."""

    base: int
    trials: list[tuple[int, Trial]]


class Alarm(NamedTuple):
    """A clean ledger in which something was found."""

    seed: int
    findings: tuple[str, ...]
    tail: int


def quiet() -> None:
    """The clock of these ledgers jumps, and whoever watches the event loop would say so."""
    logging.disable(logging.CRITICAL)


def tamper(job: Tamper) -> Tampered:
    """Make the mutations of one ledger."""
    return anyio.run(_tamper, job)


def look(job: Look) -> tuple[int, list[Alarm]]:
    """Look at clean ledgers; how many, and those in which something was found."""
    return anyio.run(_look, job)


async def _tamper(job: Tamper) -> Tampered:
    with _folder(job.folder) as folder:
        async with staged() as stage:
            made = await stage.write(folder / "one", job.base)
            other = other_events(await stage.write(folder / "other", job.base + 1_000_000))
        bundle = await exported(made, folder / "bundle")
        trials = []
        for number in range(job.first, job.first + job.count):
            kind = job.only or ALL[number % len(ALL)]
            if kind == BUNDLE:
                trials.append((number, try_bundle(made, *bundle, number)))
            else:
                trials.append((number, await try_one(made, other, kind, number, folder / "copy")))
        return Tampered(job.base, trials)


async def _look(job: Look) -> tuple[int, list[Alarm]]:
    alarms = []
    with _folder(job.folder) as folder:
        async with staged() as stage:
            for seed in job.seeds:
                made = await stage.write(folder / "one", seed, copies=False)
                seen = await examine(made.folder)
                if seen.findings or seen.tail != made.events - made.anchored or seen.events != made.events:
                    alarms.append(Alarm(seed, seen.findings, seen.tail))
                shutil.rmtree(made.folder)
    return len(job.seeds), alarms


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="interlock-tamper-", dir=parent) as folder:
        yield Path(folder)
