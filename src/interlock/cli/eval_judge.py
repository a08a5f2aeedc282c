"""`interlock eval judge`: how far the judge of a suite agrees with people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.eval import eval as eval  # told again: with it come the commands of both files
from interlock.cli.eval_view import share_text
from interlock.cli.labels import read_labels
from interlock.cli.layout import Listing, fields, note, told
from interlock.cli.output import Report
from interlock.errors import BadInput
from interlock.evals.agreement import Agreement, Labelled, agreement, read_labelled
from interlock.evals.judge import Judge, Word
from interlock.evals.open_judge import open_judge
from interlock.evals.suite_file import load_suite


@command("judge", eval, example="interlock eval judge labels.jsonl --suite evals/desk.yaml")
@click.argument("file", metavar="LABELS.jsonl", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--suite", "suite_file", metavar="SUITE", required=True, type=click.Path(path_type=Path, dir_okay=False),
    help="The suite whose judge it is.",
)  # fmt: skip
def judge(deployment: Deployment, file: Path, suite_file: Path) -> Report:
    """Ask a suite's judge about answers that people graded: how far it agrees.

    A line of the file is an object with question, answer, rubric and label: pass or fail. Prints agreement, Cohen's
    kappa with its interval, and what was said of what. No verdict that can be read is no agreement. The model is asked,
    and paid for, once a line, as far as the suite's budget for it goes.
    """
    settings = deployment.settings  # refused before the suite is read
    said = load_suite(suite_file).judge
    if said is None:
        raise BadInput(f"{suite_file}: the suite has no judge", code="eval.no_judge", remedy="Name a model in it.")
    asked = open_judge(said, settings, deployment.world)
    labelled = _read(file)
    found = agreement(anyio.run(_ask, asked, labelled))
    document: dict[str, Any] = {"judge": said.model, **found.as_json(), "judging": asked.spent._asdict()}
    return Report(document, _page(document, found))


async def _ask(asked: Judge, labelled: Sequence[Labelled]) -> list[tuple[Word, Word]]:
    return [(each.label, (await asked(each.question, each.answer, each.rubric)).word) for each in labelled]


def _read(file: Path) -> list[Labelled]:
    """The labelled answers of the file.

    Raises:
        BadInput: It cannot be read, is empty, or a line is not acceptable.
    """
    try:
        found = read_labels(file, read_labelled)
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", code="eval.label", remedy="Name a file of labels.") from None
    if not found:
        raise BadInput(f"{file}: no answer in it", code="eval.label", remedy="Write one object a line.")
    return found


def _page(document: dict[str, Any], found: Agreement) -> list[RenderableType]:
    kappa, interval = found.kappa, found.kappa_interval
    said = "none: chance alone explains it"
    if kappa is not None and interval is not None:
        said = f"{kappa:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"
    cells = [
        (label.value, *(str(found.counts.get((label, word), 0)) for word in Word)) for label in (Word.PASS, Word.FAIL)
    ]
    spent = document["judging"]
    return [
        fields(
            [
                ("judge", document["judge"]),
                ("agreement", share_text(found.same)),
                ("Cohen's kappa", said),
                ("no verdict", share_text(found.none)),
                ("failed by people, passed by it", share_text(found.wrongly_passed)),
                ("cost", f"{spent['tokens']:,} tokens, {spent['micro_usd'] / 1e6:.4f} USD"),
            ]
        ),
        told(""),
        Listing(("people said", "it said pass", "fail", "no verdict"), cells, empty=""),
        note("Intervals are of 95 %: Wilson's of shares, Fleiss, Cohen and Everitt's of kappa."),
    ]
