"""`interlock eval`: golden cases held against what an agent does, or against what a ledger has."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.eval_view import view
from interlock.cli.output import Exit, Report
from interlock.core.canonical import canonical
from interlock.core.principal import ADMIN, OPERATOR
from interlock.core.times import local, moment
from interlock.errors import SettingsError
from interlock.evals.compare import compare, kept_trials, load_baseline
from interlock.evals.evaluate import Result, Told, evaluate, evaluate_recorded
from interlock.evals.evidence import evidence, fits_ledger, refusals
from interlock.evals.judge import Judge
from interlock.evals.junit import junit
from interlock.evals.open_judge import open_judge
from interlock.evals.page import page
from interlock.evals.play import Stage
from interlock.evals.recorded import recorded_runs
from interlock.evals.suite import Suite
from interlock.evals.suite_file import load_suite
from interlock.evals.trial import Trial
from interlock.ledger.evaluated import Evaluated, KeptEval, keep_eval

_FILE = click.Path(path_type=Path, dir_okay=False)

_EXAMPLE = (
    "interlock eval run evals/desk.yaml\n"
    "interlock eval run evals/desk.yaml --save evals/desk.baseline.json\n"
    "interlock eval run evals/desk.yaml --record\n"
    "interlock eval run evals/desk.yaml --baseline evals/desk.baseline.json --html desk.html --junit desk.xml"
)


@click.group()
def eval() -> None:  # the name by which the command is found
    """Golden cases over an agent or over recorded runs, and its judge."""


@command("run", eval, example=_EXAMPLE)
@click.argument("file", metavar="SUITE", type=_FILE)
@click.option("--baseline", metavar="FILE", type=_FILE, help="Hold it against this earlier result, case by case.")
@click.option("--save", metavar="FILE", type=_FILE, help="Keep the result there, as a later one's baseline.")
@click.option("--record", is_flag=True, help="Keep the result in the ledger, for operators and admins.")
@click.option("--html", "html_file", metavar="FILE", type=_FILE, help="Write the report as one page of HTML.")
@click.option("--junit", "junit_file", metavar="FILE", type=_FILE, help="Write it as JUnit XML.")
@click.option("--since", metavar="WHEN", default="", help="Of recorded runs, those since then: 7d, 2026-11-01.")
@click.option("--at-once", type=click.IntRange(1, 64), default=1, show_default=True, help="So many trials at a time.")
@click.option("--repeat", type=click.IntRange(1, 10_000), help="Play each case so often, whatever the suite says.")
def run(deployment: Deployment, file: Path, **given: Any) -> Report:
    """Hold an agent, or recorded runs, against a suite of golden cases.

    A suite is YAML, JSON or TOML. Where it names an agent, each case is played in a plane in memory, with the tools,
    policy and limits of the settings; no tool that does more than read reaches its far end, and the ledger is left
    alone. Where it says `runs`, the runs of the ledger are read, and nothing is played. With --record one event says
    in the ledger what passed, without words. Exit code 1 where less passed than the suite needs, or where cases were
    lost against the baseline, which are named.
    """
    settings = deployment.settings  # refused before the suite is read
    suite = _repeated(load_suite(file), given["repeat"])
    before = None if given["baseline"] is None else load_baseline(given["baseline"], suite.name)
    if given["record"]:
        _may_keep(deployment, suite)
    judge = None if suite.judge is None else open_judge(suite.judge, settings, deployment.world)
    typed = (given["since"] or suite.since) if suite.recorded else ""
    since_us = moment(typed, deployment.now_us) if typed else 0
    result = _evaluated(deployment, suite, judge, since_us, given["at_once"])
    kept = result.baseline()
    comparison = None if before is None else compare(before.cases, kept_trials(kept), suite.seed)
    _write(given["save"], canonical(kept).decode() + "\n")
    _write(given["html_file"], page(result, comparison, local(deployment.now_us)))
    _write(given["junit_file"], junit(result))
    in_ledger = _keep(deployment, evidence(result, comparison, since_us)) if given["record"] else None
    why = refusals(result, comparison)
    document = {
        **result.as_json(), "comparison": None if comparison is None else comparison.as_json(), "refusals": why,
        "passes": not why, "eval_id": None if in_ledger is None else in_ledger.eval_id,
    }  # fmt: skip
    return Report(document, view(result, comparison, why, in_ledger), Exit.NO if why else Exit.DONE)


def _may_keep(deployment: Deployment, suite: Suite) -> None:
    """Refuse, before anything is played, what could not be kept.

    Raises:
        NotEntitled: Whoever types is neither operator nor admin.
        BadInput: The suite has too many cases.
    """
    deployment.require(OPERATOR, ADMIN)
    fits_ledger(len(suite.cases))


def _keep(deployment: Deployment, evaluated: Evaluated) -> KeptEval:
    keep = partial(keep_eval, eval_id=deployment.world.ids()("eval"), person=deployment.person, evaluated=evaluated)
    return deployment.with_store(keep, writes=True)


def _repeated(suite: Suite, repeat: int | None) -> Suite:
    if repeat is None:
        return suite
    return replace(suite, cases=tuple(replace(case, repeat=repeat) for case in suite.cases))


def _evaluated(deployment: Deployment, suite: Suite, judge: Judge | None, since_us: int, at_once: int) -> Result:
    told = _progress(deployment, sum(case.repeat for case in suite.cases))
    if not suite.recorded:
        stage = Stage(settings=deployment.settings, world=deployment.world)
        return anyio.run(evaluate, suite, stage, judge, told, at_once)
    find = partial(recorded_runs, suite=suite, tenant=deployment.person.tenant, since_us=since_us)
    runs = deployment.with_store(find)
    return anyio.run(evaluate_recorded, suite, runs, judge, told)


def _progress(deployment: Deployment, whole: int) -> Told:
    """A line on the error output of a terminal, cleared at the end."""
    shown = sys.stderr.isatty() and not deployment.output.as_json
    counts = {True: 0, False: 0}

    async def told(trial: Trial) -> None:
        counts[trial.passed] += 1
        done = sum(counts.values())
        if shown:
            line = f"\r\x1b[K{done} of {whole}: {counts[True]} passed, {counts[False]} failed"
            click.echo("\r\x1b[K" if done >= whole else line, err=True, nl=False)

    return told


def _write(file: Path | None, text: str) -> None:
    if file is None:
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}", code="eval.write", remedy="Name another file.") from None
