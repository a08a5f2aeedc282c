"""One combination, tried: forked, killed, recovered, and what was found afterwards."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interlock.testing import EffectOracle
from interlock.testing.crash import end_of, fork
from proof.crash.combination import CLASSES, Combination, Kill
from proof.crash.process import Process, read_lines, tools_of, work


@dataclass
class Trial:
    """What became of one combination.

    Attributes:
        tried: The combination.
        kills: Processes that SIGKILL ended; one that never came by its point lives.
        points: What the process after the last kill passed while it did its part, in order.
        took_s: Seconds that this process took, from its fork to its end.
        effects: What the far end did, in order.
        told: What callers were told.
        report: The last process's, see `process._report`; empty where it did not come so far.
        trouble: How a process ended that should not have; empty for none.
    """

    tried: Combination
    kills: int = 0
    points: list[str] = field(default_factory=list)
    took_s: float = 0.0
    effects: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""


def attempt(tried: Combination, oracle: EffectOracle, folder: Path) -> Trial:
    """Try a combination in an empty folder, which is gone afterwards; the calling process has no event loop."""
    trial = Trial(tried)
    folder.mkdir()
    oracle.new_effects()  # whatever came before is another trial's
    try:
        for number in range(max(2, len(tried.kills) + 1)):
            started_s = time.perf_counter()
            ended = _run(Process(tried, number, folder, oracle.port))
            if number == len(tried.kills):
                trial.took_s = time.perf_counter() - started_s
            oracle.quiet()
            if ended == -signal.SIGKILL and number < len(tried.kills):
                trial.kills += 1
            elif ended:
                said = (folder / "stderr").read_text()[-2000:] if (folder / "stderr").exists() else ""
                trial.trouble = f"process {number} ended with {ended}: {said}"
                break
        trial.effects = oracle.new_effects()
        trial.told = read_lines(folder / "told.jsonl")
        trial.points = _read(folder / f"points.{len(tried.kills)}", [])
        trial.report = _read(folder / "report.json", {})
    finally:
        shutil.rmtree(folder)
    return trial


def _run(process: Process) -> int:
    """Fork, kill where that is a matter of time, and the end of it."""

    def main() -> None:
        errors = os.open(process.folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(errors, 2)
        work(process)

    child = fork(main)
    kill: Kill | None = process.killed_at
    if kill is not None and not kill.point:
        time.sleep(kill.after_s)
        os.kill(child, signal.SIGKILL)  # it is ours until it is waited for, dead or alive
    return end_of(child)


def _read(file: Path, otherwise: Any) -> Any:
    return json.loads(file.read_text()) if file.exists() else otherwise


def warm(oracle: EffectOracle, folder: Path) -> None:
    """Go once through everything in this process, so that its forks import, compile and build nothing anew."""
    folder.mkdir()
    for tool_class in CLASSES:
        tools_of(tool_class, oracle.port)
    for number in (0, 1):
        work(Process(Combination("keyed", "approval"), number, folder, oracle.port))
    oracle.quiet()
    oracle.new_effects()
    shutil.rmtree(folder)
    gc.collect()
    gc.freeze()  # what is never looked at by the collector is never copied by a fork
