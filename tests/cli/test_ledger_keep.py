from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import apsw

from interlock.ledger.audit import VIEWS
from tests.cli.shell import Shell


def called(shell: Shell) -> str:
    """A run that is over; its id."""
    return str(shell.json("call", "look", '{"order_id": 7}')["run_id"])


def test_an_exported_run_is_checked_by_the_file_beside_it(shell: Shell) -> None:
    run_id = called(shell)
    said = shell.json("ledger", "export", run_id, "--to", "b.jsonl", "--with-verifier", who="olga")
    command = [sys.executable, "-I", said["verifier"], said["file"], "--key", said["key"]]
    done = subprocess.run(command, cwd=shell.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED.\n")
    assert run_id in done.stdout
    page = shell.run("ledger", "export", "--since", "1d", "--to", "c.jsonl", who="olga").out
    assert page.startswith("Exported: ")
    assert said["key"] in page


def test_an_export_names_runs_or_a_time(shell: Shell) -> None:
    called(shell)
    for words in ((), ("run_1", "--since", "1d")):
        error = shell.json("ledger", "export", *words, "--to", "b", who="olga", code=2)["error"]
        assert error["code"] == "cli.export"
    assert not (shell.folder / "b").exists()


def test_runs_are_archived_and_their_words_leave_the_ledger(shell: Shell) -> None:
    run_id = called(shell)
    said = shell.json("ledger", "archive", "--before", "2099-01-01", "--to", "old.jsonl", who="olga")
    assert said["runs"] == [run_id]
    steps = shell.json("runs", "replay", run_id)["steps"]
    assert steps[-1]["text"].startswith("olga has the content of event")
    assert "The content of this event was erased." in {step["text"] for step in steps}
    error = shell.json("ledger", "archive", "--before", "2099-01-01", "--to", "new.jsonl", who="olga", code=2)["error"]
    assert error["code"] == "archive.nothing"
    assert shell.json("calls", "list")["calls"][0]["outcome"] == "done"
    assert shell.run("calls", "list").code == 0
    call_id = shell.json("calls", "list")["calls"][0]["call_id"]
    assert "What was told has been erased." in shell.run("calls", "show", call_id).out


def test_events_of_a_run_are_erased_for_good(shell: Shell) -> None:
    run_id = called(shell)
    said = shell.json("ledger", "redact", run_id, "--reason", "request 1", "--yes", who="olga")
    assert said["by"] == "olga"
    assert len(said["erased"]) > 1
    again = shell.json("ledger", "redact", run_id, "2", "--reason", "request 1", "--yes", who="olga", code=1)
    assert again["error"]["code"] == "redact.erased"
    assert shell.json("ledger", "rebuild")["count"] == 0


def test_every_page_goes_on_when_a_run_says_nothing_any_more(shell: Shell) -> None:
    held = shell.held()
    shell.run("approvals", "reject", held, "--words", "no", who="maria")
    shell.run("runs", "advance", who="olga")
    call_id = shell.json("calls", "list")["calls"][0]["call_id"]
    said = shell.run("ledger", "redact", "run_1", "--reason", "request 1", "--yes", who="olga")
    assert said.code == 0, said
    for words in (
        ("runs", "list"), ("runs", "show", "run_1"), ("runs", "replay", "run_1"), ("calls", "list"),
        ("calls", "show", call_id), ("approvals", "list", "--status", "all"), ("approvals", "show", held),
        ("calls", "unknown"), *(("audit", view) for view in VIEWS),
    ):  # fmt: skip
        for more in ((), ("--json",)):
            ran = shell.run(*words, *more)
            assert ran.code in (0, 1, 2), (words, ran)


def test_nothing_is_erased_before_somebody_says_yes(shell: Shell) -> None:
    run_id = called(shell)
    for words in (("redact", run_id), ("erase", "ana")):
        error = shell.json("ledger", *words, "--reason", "request 1", who="olga", code=2)["error"]
        assert error["code"] == "cli.confirm"
    assert not any("erased" in step["text"] for step in shell.json("runs", "replay", run_id)["steps"])


def test_what_is_about_a_person_is_erased_and_what_is_needed_still_is_named(shell: Shell) -> None:
    called(shell)
    shell.held()
    said = shell.json("ledger", "erase", "ana", "--reason", "request 2", "--yes", who="olga", code=1)
    assert said["runs"] == 1
    assert {kept["why"] for kept in said["kept"]} == {"its call is held", "its run is open"}
    assert "Needed still" in shell.run("ledger", "erase", "ana", "--reason", "request 2", "--yes", who="olga").out


def test_only_an_operator_or_admin_exports_or_erases(shell: Shell) -> None:
    run_id = called(shell)
    for words in (
        ("export", run_id, "--to", "b"),
        ("archive", "--before", "1d", "--to", "b"),
        ("redact", run_id, "--reason", "x", "--yes"),
        ("erase", "ana", "--reason", "x", "--yes"),
        ("rebuild", "--write"),
    ):
        assert shell.json("ledger", *words, code=5)["error"]["code"] == "cli.role"


def test_a_table_that_was_changed_is_named_and_written_anew(shell: Shell) -> None:
    """D1: the projections are rebuilt from the events and compared."""
    called(shell)
    database = apsw.Connection(str(shell.folder / ".interlock" / "ledger.db"))
    database.execute("UPDATE tool_call SET outcome = 'failed'")
    database.close()
    ran = shell.run("ledger", "rebuild")
    assert ran.code == 1
    assert "outcome is 'failed', and the events say 'done'" in ran.out
    assert "1 differences; every table was written anew." in shell.run("ledger", "rebuild", "--write", who="olga").out
    assert shell.run("ledger", "rebuild").out == "Every table says what the events say.\n"


def test_a_verifier_that_cannot_be_written_is_told(shell: Shell) -> None:
    run_id = called(shell)
    (shell.folder / "offline.py").mkdir()
    error = shell.json("ledger", "export", run_id, "--to", "b", "--with-verifier", who="olga", code=2)["error"]
    assert error["code"] == "archive.file"
    assert Path(shell.folder / "b").exists()
