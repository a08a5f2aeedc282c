"""One strike: the run under strace, the recovery, the verdict; each in a fork of one that has imported everything."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from interlock.testing import EffectOracle
from interlock.testing.crash import end_of, fork
from proof.syscalls import twenty
from proof.syscalls.judge import Finding, judge

WRITING = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat", "sendto", "connect")
"""The calls by which anything can reach a disk or another process."""

ERRORS = ("EIO", "ENOSPC")
_PATIENCE_S = 300
"""Seconds after which a process counts as stuck: many, because a crowded machine may leave it none for minutes."""

_ALLOW_ANY_TRACER = 0x59616D61
"""`prctl(PR_SET_PTRACER, -1)`: strace is no ancestor of the process that it watches."""

_LINE = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\(.*", re.MULTILINE)


class Strike(NamedTuple):
    """One system call to strike.

    Attributes:
        call: Its name.
        nth: Which one; strace counts in each thread by itself.
        how: `SIGKILL`, or the error that it fails with.
        threads: `all`, or `loop`: the event loop's alone.
    """

    call: str
    nth: int
    how: str
    threads: str = "all"

    def __str__(self) -> str:
        """What `--only` takes."""
        return f"{self.call}#{self.nth}/{self.how}/{self.threads}"


class Result(NamedTuple):
    """What came of a strike.

    Attributes:
        struck: Calls that it met: none where this time the run had fewer of them.
        killed: Whether the process ended by SIGKILL.
        findings: What does not hold.
    """

    struck: int
    killed: bool
    findings: list[Finding]


def count(template: Path, folder: Path, oracle: EffectOracle, threads: str) -> Counter[str]:
    """How many calls of each kind the thread with most of them makes in an undisturbed run."""
    shutil.copytree(template, folder)
    log = folder / "strace"
    code = traced(lambda: twenty.run(folder, oracle.port), [], log, threads)
    assert code == 0, f"the run itself ends with {code}"
    by_thread = Counter((line["thread"], line["call"]) for line in _LINE.finditer(log.read_text()))
    most: Counter[str] = Counter()
    for (_, call), times in by_thread.items():
        most[call] = max(most[call], times)
    return most


def strike(what: Strike, template: Path, folder: Path, oracle: EffectOracle) -> Result:
    """Strike one call of a run that begins where the template ends; recover; judge."""
    shutil.copytree(template, folder)
    log = folder / "strace"
    how = f"signal={what.how}" if what.how.startswith("SIG") else f"error={what.how}"
    oracle.new_effects()
    options = ["-e", f"inject={what.call}:{how}:when={what.nth}"]
    ended = traced(lambda: _noting(folder, lambda: twenty.run(folder, oracle.port)), options, log, what.threads)
    killed = ended == -signal.SIGKILL
    struck = log.read_text().count("(INJECTED)") or int(killed)
    oracle.quiet()
    first = bool(what.nth % 2)
    recovery = fork(
        lambda: _noting(folder, lambda: twenty.recover(folder, oracle.port, client_first=first)), _PATIENCE_S
    )
    recovered = end_of(recovery)
    findings = []
    if ended not in (0, -signal.SIGKILL):
        findings.append(Finding("untrue", f"the run ended with {ended}, and no error of ours: {_last_word(folder)}"))
    if recovered:
        findings.append(Finding("stuck", f"recovery ended with {recovered}: {_last_word(folder)}"))
    else:
        oracle.quiet()
        findings += judge(folder, oracle.new_effects())
    if not findings:
        shutil.rmtree(folder)
    return Result(struck, killed, findings)


def _noting(folder: Path, work: Callable[[], object]) -> None:
    """Do work with standard error in the strike's own file."""
    errors = os.open(folder / "stderr", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(errors, 2)
    work()


def _last_word(folder: Path) -> str:
    lines = (folder / "stderr").read_text().splitlines()
    return lines[-1] if lines else "it said nothing"


def traced(work: Callable[[], object], options: list[str], log: Path, threads: str) -> int:
    """Do work in a fork that strace watches from before its first step; how it ended."""

    def watched() -> None:
        ctypes.CDLL(None).prctl(_ALLOW_ANY_TRACER, ctypes.c_ulong(-1), 0, 0, 0)
        until = time.monotonic() + _PATIENCE_S
        while not _tracer():
            assert time.monotonic() < until, "strace does not come"
            time.sleep(0.001)
        work()

    child = fork(watched, _PATIENCE_S)
    follow = ["-f"] if threads == "all" else []
    calls = ",".join(f"?{call}" for call in WRITING)  # not every machine has each of them
    command = ["strace", *follow, "-qq", "-p", str(child), "-o", str(log), "-e", f"trace={calls}", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
        ended = end_of(child)
        _, said = tracer.communicate(timeout=_PATIENCE_S)
    assert log.exists(), said.decode()
    if follow:
        return ended
    log.write_text("".join(f"{child} {line}" for line in log.read_text().splitlines(keepends=True)))
    return ended


def _tracer() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("TracerPid:")[2].split()[0])
