"""One live candidate: `python -m bench.worker SUITE NAME SIZE FOLDER`, driven over stdin and stdout.

One JSON object a line each way. The worker answers once when it is ready, then each request:
`{"do": "calibrate", "seconds": s}` with `{"n": calls}`, `{"do": "batch", "n": calls}` with
`{"wall_us": …, "cpu_us": …, "figures": {…}}` per call, `{"do": "count", "n": calls}` with `{"calls": …}` per
call. The end of stdin ends it. Every answer of a worker that cannot go on is `{"error": …}` or `{"absent": …}`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import json
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from bench import ROOT, catalogue, weather
from bench.candidate import Candidate, Opened, Setting
from bench.offline import DIALS, close_the_network


class Defect(Exception):
    """The candidate did not do what its row claims, so its time means nothing."""


def main() -> None:
    suite, name, size, folder = sys.argv[1:]
    # what a peer prints must not be read as an answer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    candidate = catalogue.named(suite, name)
    close_the_network(loopback=candidate.loopback)
    try:
        versions = {wanted: importlib.metadata.version(wanted) for wanted in candidate.distributions}
    except importlib.metadata.PackageNotFoundError as missing:
        _answer(answers, {"absent": f"{missing.name} is not installed"})
        return
    if candidate.program and not (ROOT / candidate.program).exists():
        _answer(answers, {"absent": f"there is no {candidate.program}; see bench/README.md"})
        return
    try:
        asyncio.run(_serve(candidate, Setting(size=int(size), folder=Path(folder)), answers, versions))
    except Exception as problem:
        _answer(answers, {"error": _said(problem)})
        raise


async def _serve(candidate: Candidate, setting: Setting, answers: TextIO, versions: dict[str, str]) -> None:
    async with candidate.open(setting) as opened:
        await _check(opened)
        _answer(answers, {"ready": True, "versions": versions, "bytes_each": opened.bytes_each})
        # Reading blocks the loop on purpose: a worker that is not being measured does nothing.
        for line in sys.stdin:
            _answer(answers, await _obey(opened, json.loads(line)))


async def _obey(opened: Opened, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "calibrate":
            return {"n": await _calibrate(opened, request["seconds"])}
        case "batch":
            wall_ns, cpu_ns = await _timed(opened, request["n"])
            figures = {} if opened.figures is None else dict(opened.figures())
            return {"wall_us": wall_ns / request["n"] / 1e3, "cpu_us": cpu_ns / request["n"] / 1e3, "figures": figures}
        case "count":
            return {"calls": await _python_calls(opened, request["n"])}
        case unknown:
            raise Defect(f"no such request: {unknown!r}")


async def _check(opened: Opened) -> None:
    """The body runs, its result comes back, and bad input stops before it."""
    if opened.once is None:
        return
    weather.RAN.clear()
    result = await opened.once(weather.GOOD)
    if len(weather.RAN) != 1 or "Oslo" not in str(result) or "rain" not in str(result):
        raise Defect(f"one call ran the body {len(weather.RAN)} times and returned {result!r}")
    weather.RAN.clear()
    refused = False
    try:
        result = await opened.once(weather.BAD)
    except Exception:
        refused = True
    if opened.validates and (weather.RAN or not (refused or "rain" not in str(result))):
        raise Defect(f"bad input was not refused: {result!r}")


async def _calibrate(opened: Opened, seconds: float) -> int:
    """How many calls take about that long, warming up meanwhile."""
    n = 1 if opened.lanes == 1 else 4 * opened.lanes
    if not seconds:
        await _timed(opened, n)
        return n
    while True:
        wall_ns, _ = await _timed(opened, n)
        if wall_ns >= seconds * 0.6e9:
            return n
        n = max(n + 1, int(n * min(8.0, seconds * 1e9 / wall_ns)))


async def _timed(opened: Opened, n: int) -> tuple[int, int]:
    """Wall and CPU time of one batch in nanoseconds, its threads and child processes included."""
    if opened.prepare is not None:
        await opened.prepare()
    weather.RAN.clear()
    gc.collect()
    spent_ns = opened.cpu_ns or _cpu_ns
    cpu_ns = spent_ns()
    wall_ns = time.perf_counter_ns()
    await opened.batch(n)
    wall_ns = time.perf_counter_ns() - wall_ns
    cpu_ns = spent_ns() - cpu_ns
    if opened.once is not None and len(weather.RAN) != n:
        raise Defect(f"{n} calls ran the body {len(weather.RAN)} times")
    if DIALS:
        raise Defect(f"the candidate dialled out: {', '.join(DIALS)}")
    return wall_ns, cpu_ns


async def _python_calls(opened: Opened, n: int) -> float:
    """Python-level calls and resumptions per call, of this thread."""
    calls = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        await opened.batch(n)
    finally:
        sys.setprofile(None)
    return calls / n


def _said(problem: BaseException) -> str:
    while isinstance(problem, BaseExceptionGroup):  # a task group's wrapping says nothing
        problem = problem.exceptions[0]
    return f"{type(problem).__name__}: {problem}"


def _cpu_ns() -> int:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + int((children.ru_utime + children.ru_stime) * 1e9)


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # the runner is gone: nobody to tell
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
