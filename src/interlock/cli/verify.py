"""`interlock verify`: how good the verifier is that the settings name."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import RenderableType
from rich.text import Text

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.labels import read_labels
from interlock.cli.layout import Listing, fields, heading, note, told
from interlock.cli.output import Report
from interlock.compose import open_verification
from interlock.errors import BadInput, SettingsError
from interlock.models.metered import Sum
from interlock.verification.calibrate import Labelled, Row, Share, at_each_threshold, read_labelled
from interlock.verification.question import Verifier
from interlock.verification.verdict import Verdict, Word

_WIDTH, _HEIGHT = 41, 11
"""Columns and lines of the curve: a step of 2.5 and of 10 hundredths."""

_WHY_MAX = 5
"""Reasons for uncertain verdicts that a page shows."""

_EXAMPLE = "interlock verify calibrate labelled.jsonl\ninterlock verify calibrate labelled.jsonl --json"


@click.group()
def verify() -> None:
    """The second reader of calls: how good it is."""


@command("calibrate", verify, example=_EXAMPLE)
@click.argument("file", metavar="LABELLED.jsonl", type=click.Path(path_type=Path))
def calibrate(deployment: Deployment, file: Path) -> Report:
    """Ask the verifier of the settings about calls that you have labelled, and count.

    A line of the file is an object with tool, effect, arguments, words (or null), earlier (a list of tool, arguments,
    outcome and value) and label: right or wrong. Prints how many of the wrong and of the right calls it would stop at
    each threshold of confidence, with 95 % intervals. A model is asked, and paid for, once a line; nothing else is run.
    """
    verifier = open_verification(deployment.settings, deployment.world).verifier
    if verifier is None:
        raise SettingsError(
            "no verifier is set up", code="verify.none", remedy="Name rules or a model under [verify]."
        )  # fmt: skip
    calls = _read(file)
    meter = Sum()
    progress = _progress(deployment, len(calls))
    read = anyio.run(partial(_ask, verifier, calls, meter, progress))
    rows = at_each_threshold(read)
    words = {word.value: sum(verdict.verdict is word for _, verdict in read) for word in Word}
    document: dict[str, Any] = {
        "verifier": verifier.identity,
        "calls": len(calls),
        "wrong": sum(not right for right, _ in read),
        "right": sum(right for right, _ in read),
        "verdicts": words,
        "uncertain": dict(
            Counter(verdict.why for _, verdict in read if verdict.verdict is Word.UNCERTAIN).most_common()
        ),
        "tokens": meter.spent.tokens,
        "micro_usd": meter.spent.micro_usd,
        "thresholds": [
            {
                "threshold": row.threshold,
                "recall": row.recall.as_json(),
                "precision": row.precision.as_json(),
                "cost": row.cost.as_json(),
            }
            for row in rows
        ],
    }
    return Report(document, _page(document, rows))


async def _ask(
    verifier: Verifier, calls: Sequence[Labelled], meter: Sum, progress: Callable[[int], None]
) -> list[tuple[bool, Verdict]]:  # fmt: skip
    read = []
    for number, call in enumerate(calls, 1):
        read.append((call.right, await verifier(call.question(meter))))
        progress(number)
    return read


def _read(file: Path) -> list[Labelled]:
    """The calls of the file.

    Raises:
        BadInput: It cannot be read, is empty, or a line is not acceptable.
    """
    try:
        calls = read_labels(file, read_labelled)
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", code="calibrate.file") from None
    if not calls:
        raise BadInput(f"{file}: no call in it", code="calibrate.file", remedy="Write one object a line.")
    return calls


def _progress(deployment: Deployment, whole: int) -> Callable[[int], None]:
    """A line on the error output of a terminal, cleared at the end."""
    shown = sys.stderr.isatty() and not deployment.output.as_json

    def say(done: int) -> None:
        if shown:
            click.echo("\r\x1b[K" if done == whole else f"\r{done} of {whole} calls", err=True, nl=False)

    return say


def _page(document: dict[str, Any], rows: Sequence[Row]) -> list[RenderableType]:
    verdicts, why = document["verdicts"], list(document["uncertain"].items())[:_WHY_MAX]
    spent = f"{document['tokens']:,} tokens, {document['micro_usd'] / 1e6:.4f} USD"
    view: list[RenderableType] = [
        fields(
            [
                ("verifier", document["verifier"]),
                ("calls", f"{document['calls']}: {document['wrong']} wrong, {document['right']} right"),
                ("verdicts", ", ".join(f"{count} {word}" for word, count in verdicts.items())),
                *(("uncertain", f"{count}: {reason}") for reason, count in why),
                ("cost", spent if document["tokens"] else "nothing: no model was asked"),
            ]
        ),
        told(""),
        Listing(
            ("threshold", "wrong stopped (recall)", "right stopped (cost)", "of the stopped, wrong (precision)"),
            [
                (str(row.threshold) if row.threshold else "none", *map(_share, (row.recall, row.cost, row.precision)))
                for row in rows
            ],
            empty="",
        ),
        heading("Wrong calls stopped, over right calls stopped; in per cent"),
        *map(Text, curve(rows)),
        told(""),
        note("Intervals are Wilson's, 95 %. A verifier with the figures of chance lies on the dotted line."),
    ]
    return view


def _share(share: Share) -> str:
    low, high = share.interval
    if share.value is None:
        return "none"
    return f"{share.part} of {share.whole}  {100 * share.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def curve(rows: Sequence[Row]) -> list[str]:
    """The rows as points of a plane: how many right calls are stopped goes right, how many wrong ones goes up."""
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for column in range(0, _WIDTH, 2):
        grid[_HEIGHT - 1 - round(column * (_HEIGHT - 1) / (_WIDTH - 1))][column] = "·"
    for row in rows:
        across, up = row.cost.value or 0.0, row.recall.value or 0.0
        grid[_HEIGHT - 1 - round(up * (_HEIGHT - 1))][round(across * (_WIDTH - 1))] = "●"
    lines = [f"{100 - 10 * number:>4} │{''.join(line).rstrip()}" for number, line in enumerate(grid)]
    return [*lines, "     └" + "─" * _WIDTH, "      0" + "100".rjust(_WIDTH - 1)]
