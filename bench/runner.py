"""Drives one suite: a live worker for each row, asked in turn, in reversed order every other round."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import ROOT
from bench.candidate import Candidate, Row
from bench.offline import OPT_OUTS
from bench.suites import Suite

START_S = 600.0
"""Longest wait for a worker to be ready: it may have to write a ledger of a million events."""
ANSWER_S = 120.0
"""Longest wait for one answer."""
COUNTED = 256
"""Calls that Python-level calls are counted over: every entry of weather.ARGUMENTS once."""


@dataclass(slots=True, kw_only=True)
class Series:
    """What was measured of one row.

    Attributes:
        row, candidate: Which.
        n: Calls in a batch.
        wall_us, cpu_us: Microseconds per call, one entry a round.
        calls: Python-level calls per call; None where not counted.
        bytes_each: Bytes on disk for each of what the size counts; None where not asked.
        figures: What else each batch said of itself, by name, one entry a round.
        versions: Of the candidate's distributions.
        absent: Why it could not be measured here; empty where it was.
        error: What went wrong; empty where nothing did.
        noise: What was written to standard error while calls were measured: none is to be.
    """

    row: Row
    candidate: Candidate
    n: int = 0
    wall_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    calls: float | None = None
    bytes_each: float | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    absent: str = ""
    error: str = ""
    noise: str = ""

    @property
    def measured(self) -> bool:
        """Whether every round has a time."""
        return bool(self.wall_us) and not self.error


class WorkerFailed(Exception):
    """A worker said why it cannot go on, ended or did not answer in time."""


class Worker:
    """One live process of one row. It knows nothing of the user's environment but where programs are."""

    def __init__(self, suite: Suite, series: Series, folder: Path) -> None:
        self._series = series
        self._errors = folder / "stderr"
        self._heard = 0
        row = series.row
        folder.mkdir(parents=True)
        own = folder / "own"
        own.mkdir()
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.worker", suite.name, row.name, str(row.size), str(own)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                cwd=own,
                env=_environment(own),
            )
        try:
            ready = self._answer(START_S)
            self._series.versions, self._series.bytes_each = ready["versions"], ready.get("bytes_each")
        except WorkerFailed:
            self.stop()
            raise
        # start and checks may complain (bad input is one of them); measured calls may not
        self._heard = self._errors.stat().st_size

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            WorkerFailed: The worker failed; it is to be stopped.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerFailed(self._last_words("ended")) from None
        return self._answer(ANSWER_S)

    def stop(self) -> None:
        """End the process and note what it wrote to its standard error."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._series.noise = self._errors.read_bytes()[self._heard :].decode(errors="replace").strip()

    def _answer(self, deadline_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        late = threading.Timer(deadline_s, self._process.kill)
        late.start()
        try:
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        if not line:
            raise WorkerFailed(self._last_words(f"ended, or did not answer in {deadline_s:g} s"))
        answer: dict[str, Any] = json.loads(line)
        if "absent" in answer:
            self._series.absent = answer["absent"]
            raise WorkerFailed(answer["absent"])
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer

    def _last_words(self, otherwise: str) -> str:
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else otherwise


class Suites:
    """Runs suites in one work folder, and tells `say` what it is doing."""

    def __init__(self, folder: Path, quick: bool, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._quick = quick
        self._say = say

    def run(self, suite: Suite, candidates: list[Candidate]) -> list[Series]:
        """Measure every candidate at every size; a row that fails is noted and left out of later rounds."""
        results = [
            Series(row=Row(candidate.name, size), candidate=candidate)
            for candidate in candidates
            for size in candidate.sizes
        ]
        live: dict[Row, Worker] = {}
        try:
            for series in results:
                self._say(f"{suite.name}: starting {series.row.name} {series.row.size}")
                _guarded(series, live, lambda series=series: self._start(suite, series, live))
            rounds = max(3, suite.rounds // 5) if self._quick else suite.rounds
            for turn in range(rounds):
                self._say(f"{suite.name}: round {turn + 1} of {rounds}")
                for series in results if turn % 2 == 0 else reversed(results):
                    if series.row in live:
                        _guarded(series, live, lambda series=series: _measure(series, live[series.row]))
            for series in results:
                if suite.counts and series.row in live:
                    _guarded(series, live, lambda series=series: _count(series, live[series.row]))
        finally:
            for worker in live.values():
                worker.stop()
        return results

    def _start(self, suite: Suite, series: Series, live: dict[Row, Worker]) -> None:
        row = series.row
        folder = self._folder / suite.name / f"{re.sub(r'[^a-z0-9]+', '-', row.name.lower())}-{row.size}"
        live[row] = Worker(suite, series, folder)
        seconds = suite.seconds / 3 if self._quick else suite.seconds
        series.n = live[row].ask(do="calibrate", seconds=seconds)["n"]


def _guarded(series: Series, live: dict[Row, Worker], step: Callable[[], None]) -> None:
    try:
        step()
    except WorkerFailed as failure:
        if not series.absent:
            series.error = str(failure)
        if worker := live.pop(series.row, None):
            worker.stop()


def _measure(series: Series, worker: Worker) -> None:
    answer = worker.ask(do="batch", n=series.n)
    series.wall_us.append(answer["wall_us"])
    series.cpu_us.append(answer["cpu_us"])
    for name, value in answer["figures"].items():
        series.figures.setdefault(name, []).append(value)


def _count(series: Series, worker: Worker) -> None:
    series.calls = worker.ask(do="count", n=COUNTED)["calls"]


def _environment(home: Path) -> dict[str, str]:
    """No keys, no settings, no home of the user: a peer finds nothing to read and nobody to write to."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | OPT_OUTS | {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
