"""What we started ends with us, however we end (fault K5)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WARDEN = ROOT / "src" / "interlock" / "sources" / "warden.py"

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(os.getpid(), started.pid, flush=True)
time.sleep(600)
"""
"""A server that does not end when it is asked, and has started something in a session of its own."""


def gone(pid: int) -> bool:
    """Whether a process ended: what nobody has waited for yet counts as ended too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the second: it ended between the opening and the reading
        return True
    return state == "Z"


def ends(pid: int) -> bool:
    for _ in range(1000):
        if gone(pid):
            return True
        time.sleep(0.01)
    return False


def test_a_server_ends_when_we_are_killed() -> None:
    """SIGKILL: nothing of ours runs any more that could end it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(HERE / "owner.py")], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not gone(pid)
        owner.send_signal(signal.SIGKILL)
        assert ends(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere what leaves the group is not found")
@pytest.mark.parametrize("how", ["lifeline", "server"])
def test_what_a_server_started_ends_with_it_though_it_left_its_group(how: str) -> None:
    reading, lifeline = os.pipe()
    command = [sys.executable, "-I", "-S", str(WARDEN), str(reading), "--", sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[reading]) as warden:
        os.close(reading)
        assert warden.stdout is not None
        server, started = map(int, warden.stdout.readline().split())
        if how == "lifeline":
            os.close(lifeline)
        else:
            os.kill(server, signal.SIGKILL)
        assert ends(server) and ends(started)
        warden.wait(10)
    if how == "server":
        os.close(lifeline)


def test_the_exit_code_of_a_server_is_the_wardens() -> None:
    reading, lifeline = os.pipe()
    for code in (0, 3):
        command = [str(WARDEN), str(reading), "--", sys.executable, "-c", f"raise SystemExit({code})"]
        assert subprocess.run([sys.executable, *command], pass_fds=[reading], check=False).returncode == code
    missing = [str(WARDEN), str(reading), "--", "/no/such/program"]
    ran = subprocess.run([sys.executable, *missing], pass_fds=[reading], check=False, capture_output=True, text=True)
    assert ran.returncode == 127 and "/no/such/program: No such file" in ran.stderr
    os.close(reading)
    os.close(lifeline)
