"""What `verify` says of a ledger in a folder, with the sinks and the key that stand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from interlock.ledger.verify import verify
from proof.tampering.ledgers import LEDGER, sinks_of


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        findings: Kinds of findings, each once; empty where nothing is wrong.
        first: Position of the first bad event; 0 for none.
        tail: Length of the unanchored tail.
        events: Events that the ledger has now.
    """

    findings: tuple[str, ...]
    first: int
    tail: int
    events: int


async def examine(folder: Path) -> Verdict:
    """Verify the ledger of a folder against its sinks; nothing else is known of it."""
    report = await anyio.to_thread.run_sync(lambda: verify(folder / LEDGER, sinks_of(folder)))
    first = report.first_bad
    found = tuple(str(finding) for finding in report.findings)
    return Verdict(found, first.pos if first is not None else 0, report.unanchored_tail, report.events)
