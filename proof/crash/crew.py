"""Workers: forks of this process, each with an oracle of its own, that try combinations and say what they found."""

from __future__ import annotations

import json
import os
import selectors
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from interlock.testing import EffectOracle
from interlock.testing.crash import end_of, fork
from proof.crash.combination import Combination
from proof.crash.judge import Finding, judge
from proof.crash.plan import Extent, Unit
from proof.crash.process import compile_once
from proof.crash.trial import Trial, attempt, warm

_HOURS_S = 6 * 3600


class Found(NamedTuple):
    """What is kept of a trial.

    Attributes:
        tried: The combination, as text.
        kills: How many processes SIGKILL ended.
        findings: What did not hold.
        ended: How each call with an effect stood in the end, before a person's word.
    """

    tried: str
    kills: int
    findings: list[Finding]
    ended: list[str]


def found(trial: Trial) -> Found:
    """What is kept of it."""
    calls = trial.report.get("calls", [])
    ended = [row["outcome"] or row["status"] for row in calls if row["effect"] != "read"]
    return Found(str(trial.tried), trial.kills, judge(trial), ended)


def try_all(work: Sequence[Unit], extent: Extent, folder: Path, workers: int) -> Iterator[Found]:
    """Do all units with so many workers; what each trial found, as it comes.

    Raises:
        RuntimeError: A worker failed; not all was tried.
    """
    children, pipes = [], selectors.DefaultSelector()
    for number in range(workers):
        ours, theirs = os.pipe()
        place = folder / str(number)
        children.append(fork(lambda: _worker(work[number::workers], extent, place, theirs), _HOURS_S))  # noqa: B023  # it runs now
        os.close(theirs)
        pipes.register(os.fdopen(ours), selectors.EVENT_READ)
    while pipes.get_map():
        for key, _ in pipes.select():
            lines: TextIO = key.fileobj  # type: ignore[assignment]  # it is what was registered
            if line := lines.readline():
                tried, kills, findings, ended = json.loads(line)
                yield Found(tried, kills, [Finding(*each) for each in findings], ended)
            else:
                pipes.unregister(lines)
                lines.close()
    if any([end_of(child) for child in children]):
        raise RuntimeError("a worker failed; not all was tried")


def _worker(work: Sequence[Unit], extent: Extent, folder: Path, pipe: int) -> None:
    folder.mkdir()
    with os.fdopen(pipe, "w", buffering=1) as out, EffectOracle(folder / "effects.jsonl") as oracle:
        compile_once(oracle.port)
        warm(oracle, folder / "warm")

        def tried(combination: Combination) -> Trial:
            trial = attempt(combination, oracle, folder / "trial")
            out.write(json.dumps(found(trial)) + "\n")
            return trial

        for unit in work:
            unit.run(extent, tried)
