"""One mutation: made on a copy of a ledger, and judged by what `verify` says of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from proof.tampering import forge
from proof.tampering.files import FILES, events_of
from proof.tampering.forge import Raw
from proof.tampering.ledgers import LEDGER, Made
from proof.tampering.mutations import CARES, KINDS, Work, allowed
from proof.tampering.verdict import Verdict, examine

BUNDLE = "change a bundle"

ALL = (*KINDS, *FILES, BUNDLE)
"""Every kind of mutation."""


class Trial(NamedTuple):
    """What became of one mutation.

    Attributes:
        kind: Which.
        care: How careful its forger was.
        result: `found`, `tail` (it came after the last anchored head, and was reported as part of the unanchored tail),
            `nothing` (it could not be made of this ledger, or changed nothing), or `missed`.
        found: The findings.
        position: The first position that was no longer as it was.
    """

    kind: str
    care: str
    result: str
    found: tuple[str, ...] = ()
    position: int = 0


async def try_one(made: Made, other: Sequence[Raw], kind: str, seed: int, folder: Path) -> Trial:
    """Make one mutation of a kind on a copy in the folder, and look at it. The seed says all the rest."""
    drawn = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made.folder, folder)
    care = drawn.choice(CARES) if kind in KINDS else "raw"
    if kind in KINDS:
        with forge.opened(folder / LEDGER) as database:
            work = Work(made, other, drawn, database, forge.raws(database), care)
            position = KINDS[kind].make(work)
            care = work.care
        names = allowed(KINDS[kind], care)
    else:
        make, names = FILES[kind]
        position = make(folder, made, other, drawn)
    if position is None:
        return Trial(kind, care, "nothing")
    return _judged(Trial(kind, care, "missed", position=position), made, names, await examine(folder))


def _judged(trial: Trial, made: Made, names: frozenset[str], seen: Verdict) -> Trial:
    trial = trial._replace(found=seen.findings)
    if seen.findings and (not names or names.intersection(seen.findings)):
        return trial._replace(result="found")
    if trial.position > made.anchored and seen.tail == max(0, seen.events - made.anchored):
        return trial._replace(result="tail")  # nobody outside can tell; the tables often say it all the same
    return trial


def other_events(made: Made) -> list[Raw]:
    """The events of a ledger, for another one to be given."""
    return events_of(made.folder / LEDGER)
