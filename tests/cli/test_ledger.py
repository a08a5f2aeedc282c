"""`interlock ledger`: sealed, proved, rotated, held against its sinks."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import apsw
import pytest

from interlock.ledger.merkle import consistent, included
from interlock.ledger.note import read_note
from interlock.ledger.signing import Signer
from tests.cli.shell import Shell

LOOK = ("call", "look", '{"order_id": 7}')


def ledger(shell: Shell) -> Path:
    return shell.folder / ".interlock" / "ledger.db"


def test_every_command_leaves_a_sealed_ledger(shell: Shell) -> None:
    shell.run(*LOOK)
    said = shell.json("ledger", "status", who="olga")
    assert said["events"] == said["sealed"] > 4
    assert [sink["standing"] for sink in said["sinks"]] == ["current"]
    assert said["key"]["problem"] == ""
    shell.run("stop", "--tool", "look", "--reason", "drill", who="olga")
    again = shell.json("ledger", "status", who="olga")
    assert again["sealed"] == again["events"] == said["events"] + 1
    assert "current" in shell.run("ledger", "status", who="olga").out


def test_a_proof_holds_against_the_checkpoint_that_is_shown_with_it(shell: Shell) -> None:
    shell.run(*LOOK)
    before = read_note(shell.json("ledger", "status", who="olga")["newest"]["note"]).checkpoint
    called = shell.json(*LOOK)
    [run] = [row["run_id"] for row in shell.json("runs", "list")["runs"][-1:]]
    said = shell.json("ledger", "prove", run, "2", who="olga")
    head = read_note(said["checkpoint"]).checkpoint
    proof = [base64.b64decode(part) for part in said["proof"]]
    assert included(base64.b64decode(said["leaf"]), said["index"], head.size, proof, head.root)
    said = shell.json("ledger", "prove", "--from", str(before.size), who="olga")
    proof = [base64.b64decode(part) for part in said["proof"]]
    assert consistent(before.size, before.root, head.size, head.root, proof)
    assert "The proof" in shell.run("ledger", "prove", run, "1", who="olga").out
    assert called["outcome"] == "done"


@pytest.mark.parametrize(
    ("typed", "code", "exit_code"),
    [
        ((), "cli.prove", 2),
        (("run_x", "1", "--from", "2"), "cli.prove", 2),
        (("run_x", "1"), "prove.no_event", 2),
        (("--from", "1", "--to", "999999"), "prove.no_checkpoint", 2),
        (("--from", "999999"), "prove.order", 2),
    ],
)
def test_what_cannot_be_proved_is_said(shell: Shell, typed: tuple[str, ...], code: str, exit_code: int) -> None:
    shell.run(*LOOK)
    assert shell.json("ledger", "prove", *typed, who="olga", code=exit_code)["error"]["code"] == code


def test_an_event_after_the_checkpoint_is_not_proved_by_it(shell: Shell) -> None:
    shell.run(*LOOK)
    size = shell.json("ledger", "status", who="olga")["sealed"]
    shell.run("stop", "--everything", "--reason", "drill", who="olga")
    said = shell.json("ledger", "prove", "deployment", "2", "--to", str(size), who="olga", code=2)
    assert said["error"]["code"] == "prove.later"


def test_an_older_ledger_is_refused_until_an_admin_accepts_it(shell: Shell) -> None:
    """Fault K12, as an operator meets it."""
    shell.run(*LOOK)
    shutil.copy(ledger(shell), shell.folder / "backup.db")
    shell.run(*LOOK)
    ledger(shell).unlink()
    shutil.copy(shell.folder / "backup.db", ledger(shell))
    for typed in (LOOK, ("stop", "--everything", "--reason", "drill")):
        assert shell.json(*typed, who="root", code=6)["error"]["code"] == "ledger.rollback"
    assert shell.json("runs", "list")["runs"], "reading goes on"
    said = shell.json("ledger", "status", who="olga", code=1)
    assert (said["refused"], said["sinks"][0]["standing"]) == ("ledger.rollback", "rollback")
    assert "until an operator decides" in shell.run("ledger", "status", who="olga").out
    accept = ("ledger", "accept-restore", "--reason", "the disk broke")
    assert shell.json(*accept, who="olga", code=5)["error"]["code"] == "cli.role"
    said = shell.json(*accept, who="root")
    assert (said["by"], said["sinks"][0]["standing"]) == ("root", "rollback")
    assert shell.json(*LOOK)["outcome"] == "done"
    assert shell.json(*accept, who="root", code=1)["error"]["code"] == "ledger.no_restore"


def test_a_rotated_key_goes_on_signing(shell: Shell) -> None:
    shell.run(*LOOK)
    before = shell.json("ledger", "status", who="olga")["key"]["public"]
    after = shell.json("ledger", "rotate-key", who="root")["key"]
    assert before != after == shell.json("ledger", "status", who="olga")["key"]["public"]
    assert shell.json(*LOOK)["outcome"] == "done"
    assert shell.json("ledger", "rotate-key", who="olga", code=5)["error"]["code"] == "cli.role"


def test_without_its_key_nothing_is_written_and_status_says_so(shell: Shell) -> None:
    """Fault K44."""
    shell.run(*LOOK)
    (shell.folder / ".interlock" / "signing.key").unlink()
    assert shell.json(*LOOK, code=6)["error"]["code"] == "ledger.signing_key"
    said = shell.json("ledger", "status", who="olga", code=1)
    assert "missing" in said["key"]["problem"]
    with (shell.folder / "interlock.toml").open("a") as file:
        file.write("[seal]\nunsigned = true\n")
    assert shell.json(*LOOK)["outcome"] == "done"
    said = shell.json("ledger", "status", who="olga", code=1)
    assert said["sealed"] < said["events"]
    assert shell.json("ledger", "seal", who="olga", code=1)["problems"]["key"]


def test_a_sink_that_cannot_be_reached_is_shown_and_stops_nothing(shell: Shell) -> None:
    with (shell.folder / "interlock.toml").open("a") as file:
        file.write('[seal]\nsinks = ["gone/log.jsonl", "witness.db"]\n')
    assert shell.json(*LOOK)["outcome"] == "done"
    said = shell.json("ledger", "seal", who="olga", code=1)
    assert list(said["problems"]) == [str(shell.folder / "gone/log.jsonl")]
    (shell.folder / "gone").mkdir()
    assert shell.json("ledger", "seal", who="olga")["problems"] == {}
    assert {sink["standing"] for sink in shell.json("ledger", "status", who="olga")["sinks"]} == {"current"}
    assert shell.run("ledger", "seal", who="olga").out.startswith("Sealed: ")


def test_where_there_is_no_ledger_or_no_sealing_that_is_said(shell: Shell) -> None:
    assert shell.json("ledger", "status", who="olga", code=2)["error"]["code"] == "settings.no_ledger"
    with (shell.folder / "interlock.toml").open("a") as file:
        file.write("[seal]\non = false\n")
    assert shell.json(*LOOK)["outcome"] == "done"
    assert shell.json("ledger", "status", who="olga", code=2)["error"]["code"] == "settings.unsealed"
    assert not (shell.folder / ".interlock" / "signing.key").exists()


def test_only_operators_and_admins_look_at_the_seal(shell: Shell) -> None:
    for typed in (("status",), ("seal",), ("prove", "run_x", "1")):
        assert shell.json("ledger", *typed, who="ana", code=5)["error"]["code"] == "cli.role"


def test_a_ledger_that_is_as_it_was_written_verifies(shell: Shell) -> None:
    shell.run(*LOOK)
    said = shell.json("ledger", "verify", who="olga")
    assert (said["ok"], said["finding"], said["unanchored_tail"], said["vouched"]) == (True, None, 0, True)
    assert said["events"] == said["anchored"] == said["sealed"] > 4
    ran = shell.run("ledger", "verify", who="olga")
    assert ran.out.startswith("Nothing is wrong: the ledger is what was written.")
    assert "unanchored tail  0 events" in ran.out


def test_a_ledger_that_was_changed_does_not_and_says_what_and_where(shell: Shell) -> None:
    """Threat T27, with an exit code of its own."""
    shell.run(*LOOK)
    raw = apsw.Connection(str(ledger(shell)))
    raw.execute("DELETE FROM payload WHERE pos = 3")
    raw.close()
    said = shell.json("ledger", "verify", who="olga", code=8)
    assert (said["ok"], said["finding"], said["first_bad"]["position"]) == (False, "unrecorded erasure", 3)
    ran = shell.run("ledger", "verify", who="olga")
    assert ran.code == 8
    assert "The ledger is not what was written: unrecorded erasure, first at position 3 (run" in ran.out
    assert "no event says who erased it and why" in ran.out


def test_a_checkpoint_and_a_key_that_an_auditor_kept_are_held_against_it(shell: Shell) -> None:
    shell.run(*LOOK)
    status = shell.json("ledger", "status", who="olga")
    (shell.folder / "kept.txt").write_text(status["newest"]["note"])
    shell.run(*LOOK)
    kept = ("ledger", "verify", "--anchor", "kept.txt", "--key", status["key"]["public"])
    assert shell.json(*kept, who="olga")["ok"]
    other = Signer("interlock/other", bytes(32)).public.text
    assert shell.json("ledger", "verify", "--key", other, who="olga", code=8)["finding"] == "signature"
    assert shell.json("ledger", "verify", "--key", "x", who="olga", code=2)["error"]["code"] == "ledger.key"
    (shell.folder / "kept.txt").write_text("no checkpoint")
    assert shell.json(*kept, who="olga", code=2)["error"]["code"] == "ledger.note"
    gone = shell.json("ledger", "verify", "--anchor", "gone.txt", who="olga", code=2)
    assert gone["error"]["code"] == "cli.anchor"


def test_a_part_of_a_ledger_is_verified_by_itself(shell: Shell) -> None:
    shell.run(*LOOK)
    shell.run(*LOOK)
    said = shell.json("ledger", "verify", "--from", "3", "--to", "6", "--no-tables", who="olga")
    assert (said["ok"], said["verified"]) == (True, [3, 6])


def test_a_verification_without_the_signing_key_says_so(shell: Shell) -> None:
    """Fault K44."""
    shell.run(*LOOK)
    key = shell.folder / ".interlock" / "signing.key"
    key.chmod(0o644)
    assert "cannot be used" in shell.run("ledger", "verify", who="olga").out
    key.unlink()
    said = shell.json("ledger", "verify", who="olga")
    assert (said["ok"], said["vouched"]) == (True, False)
    assert "missing" in said["notes"][0]
    assert "Nobody outside the ledger vouches" in shell.run("ledger", "verify", who="olga").out
