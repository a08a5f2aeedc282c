from __future__ import annotations

import stat

import pytest

from tests.cli.shell import PEOPLE, Shell


def test_an_admin_hands_out_a_key_that_works_at_once(shell: Shell) -> None:
    said = shell.json("keys", "add", "nina", "--role", "approver", "--role", "eu", who="root")
    assert (said["roles"], said["kind"]) == (["approver", "eu"], "user")
    shell.keys["nina"] = said["key"]
    assert shell.json("approvals", "approve", shell.held(), "--yes", who="nina")["status"] != "pending"


def test_a_key_is_shown_once_and_to_nobody_else(shell: Shell) -> None:
    ran = shell.run("keys", "add", "nina", "--role", "approver", who="root")
    assert ran.out.count("ilk_") == 1
    assert "ilk_" not in shell.run("keys", "list", who="root").out
    assert "ilk_" not in (shell.folder / ".interlock" / "keys.json").read_text()


def test_a_service_gets_a_key_too(shell: Shell) -> None:
    assert shell.json("keys", "add", "nightly", "--service", "--role", "bot", who="root")["kind"] == "service"


def test_keys_are_listed_with_kind_and_roles(shell: Shell) -> None:
    assert {key["name"]: frozenset(key["roles"]) for key in shell.json("keys", "list", who="root")["keys"]} == PEOPLE
    assert "approver" in shell.run("keys", "list", who="root").out


def test_a_revoked_key_is_nobodys(shell: Shell) -> None:
    assert shell.run("keys", "revoke", "ana", who="root").out == "The key of ana is forgotten.\n"
    assert shell.json("call", "look", '{"order_id": 7}', code=5)["error"]["code"] == "keys.unknown"
    assert shell.json("keys", "revoke", "ana", who="root", code=2)["error"]["code"] == "keys.none"


def test_the_last_admin_cannot_lock_everybody_out(shell: Shell) -> None:
    assert shell.json("keys", "revoke", "root", who="root", code=1)["error"]["code"] == "keys.last_admin"
    shell.run("keys", "add", "second", "--role", "admin", who="root")
    assert shell.run("keys", "revoke", "root", who="root").code == 0


@pytest.mark.parametrize("typed", [("list",), ("add", "x"), ("revoke", "ana")])
def test_only_an_admin_manages_keys(shell: Shell, typed: tuple[str, ...]) -> None:
    assert shell.json("keys", *typed, who="maria", code=5)["error"]["code"] == "cli.role"
    assert shell.run("keys", *typed, key="").code == 5


def test_the_very_first_key_needs_no_other_and_is_an_admins(empty: Shell) -> None:
    for useless in (("--role", "approver"), ("--role", "admin", "--service")):
        assert empty.json("keys", "add", "root", *useless, code=2)["error"]["code"] == "keys.first"
    empty.keys["root"] = empty.json("keys", "add", "root", "--role", "admin")["key"]
    assert empty.run("keys", "add", "second").code == 5
    assert empty.run("keys", "add", "second", who="root").code == 0


def test_where_nobody_has_a_key_the_way_to_the_first_one_is_said(empty: Shell) -> None:
    ran = empty.run("runs", "list")
    assert ran.code == 5
    assert "interlock init" in ran.err


@pytest.mark.parametrize("typed", [("a b",), ("",), ("../x",), ("x\u202ey",), ("x", "--role", "two words")])
def test_a_name_or_role_that_may_not_stand_in_the_ledger_is_refused(shell: Shell, typed: tuple[str, ...]) -> None:
    ran = shell.run("keys", "add", *typed, who="root")
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert "\u202e" not in ran.err
    assert len(shell.json("keys", "list", who="root")["keys"]) == len(PEOPLE)


def test_nobody_has_two_keys(shell: Shell) -> None:
    assert shell.json("keys", "add", "ana", who="root", code=1)["error"]["code"] == "keys.exists"


def test_login_keeps_a_key_that_was_typed_and_shows_none_of_it(shell: Shell) -> None:
    ran = shell.run("login", typed=shell.keys["maria"] + "\n", key="")
    assert ran.code == 0
    assert ran.out.startswith("You are maria (approver).\n")
    assert "ilk_" not in ran.out + ran.err
    kept = shell.folder / "config" / "interlock" / "key"
    assert kept.read_text().strip() == shell.keys["maria"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert shell.run("approvals", "list", key="").code == 0, "from now on it is typed by itself"


def test_login_reads_a_key_from_a_pipe(shell: Shell) -> None:
    assert shell.run("login", "--key-stdin", typed=shell.keys["maria"], key="").code == 0
    assert shell.json("login", typed=shell.keys["maria"])["name"] == "maria"


@pytest.mark.parametrize("typed", ["ilk_wrong\n", "\n", ""])
def test_a_wrong_key_is_not_kept(shell: Shell, typed: str) -> None:
    assert shell.run("login", typed=typed, key="").code in (2, 5)
    assert not (shell.folder / "config").exists()


def test_a_key_in_the_environment_wins_over_the_kept_one(shell: Shell) -> None:
    shell.run("login", typed=shell.keys["maria"] + "\n", key="")
    assert shell.run("keys", "list", key=shell.keys["root"]).code == 0
    assert shell.run("keys", "list", key="").code == 5


def test_a_file_of_keys_that_others_may_read_is_refused(shell: Shell) -> None:
    (shell.folder / ".interlock" / "keys.json").chmod(0o644)
    ran = shell.run("keys", "list", who="root")
    assert ran.code == 2
    assert "chmod 600" in ran.err
