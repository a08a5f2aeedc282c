"""The whole way in processes of their own, as two people type it: held, approved by another, done, replayed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_a_page_goes_into_a_pipe_without_escapes_and_with_whole_rows(tmp_path: Path) -> None:
    typed(tmp_path, "init")
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(
        [INTERLOCK, "tools", "list"], cwd=tmp_path, capture_output=True, timeout=60, check=True, env=env
    )
    assert b"\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 4
