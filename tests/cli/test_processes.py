"""The whole way in processes of their own, as two people type it: held, approved by another, done, replayed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

INTERLOCK = Path(sys.executable).with_name("interlock")


def typed(folder: Path, *words: str, key: str = "", code: int = 0) -> Any:
    env = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")}
    done = subprocess.run(
        [INTERLOCK, *words, "--json"],
        cwd=folder,
        env=env | {"INTERLOCK_KEY": key, "XDG_CONFIG_HOME": str(folder / "config")},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, ""), done
    return json.loads(done.stdout)


def test_a_held_call_is_approved_by_a_second_person_runs_and_is_replayed(tmp_path: Path) -> None:
    first = typed(tmp_path, "init", "--name", "petra")["key"]
    second = typed(tmp_path, "keys", "add", "maria", "--role", "approver", key=first)["key"]
    refund = ("call", "refund", '{"order_id": 7, "amount_cents": 500}', "--name", "refund-7")
    held = typed(tmp_path, *refund, key=first, code=3)
    approve = ("approvals", "approve", held["approval_id"], "--yes")
    assert typed(tmp_path, *approve, key=first, code=5)["error"]["code"] == "approval.own_call"
    assert typed(tmp_path, *approve, key=second)["outcome"]["value"] == {"order_id": 7, "refunded_cents": 500}
    again = typed(tmp_path, *refund, "--run", held["run_id"], key=first)
    assert (again["outcome"], again["repeated"]) == ("done", True)
    assert typed(tmp_path, "runs", "replay", held["run_id"], key=first)["holds"] is True


def test_without_any_extra_every_command_is_listed(tmp_path: Path) -> None:
    code = """
import sys
for name in ("httpx2", "mcp", "uvicorn", "fastapi", "starlette", "jinja2", "prometheus_client", "yaml", "hvac",
             "opentelemetry", "pydantic_ai", "agentdojo", "presidio_analyzer", "jwt"):
    sys.modules[name] = None
from interlock.cli.main import main
main(["--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  notify " in done.stdout and "  profile " in done.stdout


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_command_whose_output_nobody_reads_does_its_work_and_ends_as_ever(
    as_json: tuple[str, ...], tmp_path: Path
) -> None:
    key = typed(tmp_path, "init")["key"]
    refund = [INTERLOCK, "call", "refund", '{"order_id": 7, "amount_cents": 500}', *as_json]
    env = os.environ | {"INTERLOCK_KEY": key}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(refund, cwd=tmp_path, env=env, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b""), "held, as it is"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_where_the_output_cannot_be_written_a_command_says_so_and_that_it_is_done(tmp_path: Path) -> None:
    key = typed(tmp_path, "init")["key"]
    call = [INTERLOCK, "call", "look_up_order", '{"order_id": 7}']
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            call,
            cwd=tmp_path,
            env=os.environ | {"INTERLOCK_KEY": key},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 9
    assert done.stderr.startswith(b"error: the output cannot be written: No space left on device.")
    assert done.stderr.count(b"\n") == 1, "no traceback, also none of Python's own at its end"
    assert typed(tmp_path, "calls", "list", key=key)["calls"][0]["status"] == "closed"


def test_a_page_goes_into_a_pipe_without_escapes_and_with_whole_rows(tmp_path: Path) -> None:
    typed(tmp_path, "init")
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(
        [INTERLOCK, "tools", "list"], cwd=tmp_path, capture_output=True, timeout=60, check=True, env=env
    )
    assert b"\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize(("columns", "colour"), [(120, True), (50, True), (120, False)])
def test_on_a_terminal_a_page_is_framed_fits_and_is_coloured_unless_that_is_not_wanted(
    tmp_path: Path, columns: int, colour: bool
) -> None:
    key = typed(tmp_path, "init")["key"]
    held = typed(tmp_path, "call", "refund", '{"order_id": 7, "amount_cents": 500}', key=key, code=3)
    out = seen(
        tmp_path, columns, {} if colour else {"NO_COLOR": "1"}, "approvals", "show", held["approval_id"], key=key
    )
    assert ("\x1b[35mpending" in out) is colour
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert plain.startswith("╭─ approval ─")
    assert max(map(len, plain.splitlines())) <= columns
    assert held["call_id"] in "".join(plain.replace("│", "").split())


def seen(folder: Path, columns: int, more: dict[str, str], *words: str, key: str) -> str:
    """What a person sees on a terminal of so many columns."""
    near, far = os.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {
        name: said for name, said in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")
    }
    env |= {"TERM": "xterm-256color", "INTERLOCK_KEY": key, "XDG_CONFIG_HOME": str(folder / "config")} | more
    process = subprocess.Popen([INTERLOCK, *words], cwd=folder, stdout=far, stderr=far, stdin=far, env=env)
    os.close(far)
    written = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody holds the other end any more
        while more_bytes := os.read(near, 65_536):
            written += more_bytes
    os.close(near)
    assert process.wait(60) == 0
    return written.decode()
