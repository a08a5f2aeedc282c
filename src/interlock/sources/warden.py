"""A process that stands between us and a server that we started, so that the server never outlives us.

Run as a script, with nothing but the standard library: `python -I -S warden.py LIFELINE -- PROGRAM ARGUMENT…`. The
server is its child and has its standard streams. When the lifeline, a pipe whose other end only we hold, comes to its
end, because we closed it or were killed, the server and everything that it started are ended: asked first, killed
after `GRACE_S`. When the server ends by itself, what it left behind is killed, and its exit code is the warden's.

On Linux what the server started and then abandoned becomes a child of the warden, which finds it; and the server is
killed when the warden is. Elsewhere only the server's process group is.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

GRACE_S = 1.0
"""Seconds between asking a server to end and killing it."""

_PDEATHSIG, _SUBREAPER = 1, 36
_ROUNDS_MAX = 100


def main(arguments: list[str]) -> int:
    """Start the server, wait for its end or for ours, leave nothing behind."""
    lifeline, command = int(arguments[0]), arguments[2:]
    prctl = _prctl()
    prctl(_SUBREAPER, 1)
    told, tell = os.pipe()  # closed by a successful exec, else has the error
    child = os.fork()
    if child == 0:
        _become(command, prctl, tell, lifeline)
    os.close(tell)
    failed = os.read(told, 4096)
    if failed:
        os.waitpid(child, 0)
        os.write(2, failed)
        return 127
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # the server's alone from here on: their ends are its end
        os.dup2(nothing, stream)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    code = None
    while code is None:
        code = _reap(child)
        if code is None and lifeline in select.select([lifeline, woken], [], [], 1.0)[0]:
            _signal(child, signal.SIGTERM)
            code = _wait(child, GRACE_S)
            break
        if code is None and select.select([woken], [], [], 0)[0]:
            os.read(woken, 4096)
    _kill_all(child)
    return code if code is not None else 137


def _become(command: list[str], prctl: Callable[[int, int], int], tell: int, lifeline: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        prctl(_PDEATHSIG, signal.SIGKILL)
        os.close(lifeline)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(tell, f"{command[0]}: {error.strerror}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(127)


def _prctl() -> Callable[[int, int], int]:
    if not sys.platform.startswith("linux"):
        return lambda option, value: 0
    libc = ctypes.CDLL(None)
    return lambda option, value: libc.prctl(option, value, 0, 0, 0)


def _reap(child: int) -> int | None:
    """The server's exit code; None while it runs. Others that ended are reaped too."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == child:
            return _code(status)
        if pid == 0:
            return None


def _wait(child: int, seconds: float) -> int | None:
    for _ in range(int(seconds * 50)):
        code = _reap(child)
        if code is not None:
            return code
        select.select([], [], [], 0.02)
    return None


def _kill_all(child: int) -> None:
    """Kill the server's group and, on Linux, every child that is left to us, until there is none."""
    _signal(child, signal.SIGKILL)
    for _ in range(_ROUNDS_MAX):
        for pid in _children():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        select.select([], [], [], 0.01)


def _signal(child: int, number: int) -> None:
    with suppress(OSError):
        os.killpg(child, number)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
