"""How well `interlock init` guesses what tools do: `python -m proof.effects`.

Tools of the data folder with labels: `risk_labels` (tau2-bench, MCP annotations of reference and LiveMCPBench servers,
ASB, DRIFT) and `openapi_ops` (GitHub, Stripe), these with the method hidden, also where the operation's name begins
with it. What ASB labels an attack counts as a write; `normal` says nothing and is left out. Issue 6, shown by 5.
Intervals are Wilson's, 95 %.

The words of `registry/effects.py` were chosen having seen these labels. Exits 0 only where at most 2 % of the writes
are called reads and at most 15 % of the reads writes, in each set.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from interlock.core.tool import Effect
from interlock.registry.effects import guess
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER

WRITES_MISSED_MAX, READS_MISSED_MAX = 0.02, 0.15


class Labelled(NamedTuple):
    """A tool of which somebody said whether it reads.

    Attributes:
        source: Where it is from.
        name, description, parameters: What it says of itself.
        reads: The label.
    """

    source: str
    name: str
    description: str
    parameters: tuple[str, ...]
    reads: bool

    @property
    def called_read(self) -> bool:
        """Whether it is guessed to be a read."""
        schema = {"properties": {name: {} for name in self.parameters}}
        return guess(self.name, self.description, schema).effect is Effect.READ


def labelled() -> dict[str, list[Labelled]]:
    """The sets, whole."""
    risk = [
        Labelled(said["source"], said["name"], said["description"] or "", tuple(said.get("args") or ()),
                 said["label"] == "read")
        for said in _lines("risk_labels", "tools") if said["label"] != "normal"
    ]  # fmt: skip
    operations = [
        Labelled(said["api"], re.sub(r"^(Get|Post|Put|Patch|Delete)(?=[A-Z])", "", said["name"]),
                 said["summary"] or said["description"] or "", (), said["label"] == "read")
        for said in _lines("openapi_ops", "ops")
    ]  # fmt: skip
    return {"risk_labels": risk, "openapi_ops, method hidden": operations}


def missed(tools: list[Labelled]) -> tuple[Share, Share]:
    """Of the writes, those called reads; of the reads, those called writes."""
    writes, reads = ([tool for tool in tools if tool.reads is reading] for reading in (False, True))
    return (
        Share(sum(tool.called_read for tool in writes), len(writes)),
        Share(sum(not tool.called_read for tool in reads), len(reads)),
    )


def main() -> int:
    """Print the table; 0 where both aims are met in each set."""
    failed = False
    print(f"{'':<30}{'writes called reads':<36}reads called writes")
    for name, tools in labelled().items():
        writes, reads = missed(tools)
        print(f"{name:<30}{_said(writes):<36}{_said(reads)}")
        failed |= (writes.value or 0) > WRITES_MISSED_MAX or (reads.value or 0) > READS_MISSED_MAX
        if "--show" in sys.argv:
            for tool in tools:
                if tool.called_read is not tool.reads:
                    print(
                        f"  {'read' if tool.reads else 'write'}: {tool.source}: {tool.name}: {tool.description[:80]!r}"
                    )
    return failed


def _said(share: Share) -> str:
    low, high = share.interval
    return f"{share.part} of {share.whole} ({share.value or 0:.1%}; {low:.1%} to {high:.1%})"


def _lines(folder: str, name: str) -> Iterator[dict[str, str]]:
    with gzip.open(FOLDER / folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    sys.exit(main())
