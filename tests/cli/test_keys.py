from __future__ import annotations

import errno
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


def test_a_key_is_kept_for_each_deployment_and_a_second_login_takes_the_firsts_place(shell: Shell) -> None:
    kept = shell.folder / "config" / "interlock" / "key"
    shell.run("login", typed=shell.keys["maria"] + "\n", key="")
    other = shell.folder / "other"
    far = shell.json("init", str(other), "--name", "petra")["key"]
    shell.run("login", "--settings", str(other / "interlock.toml"), typed=far + "\n", key="")
    assert kept.read_text().split() == [far, shell.keys["maria"]]
    assert shell.run("approvals", "list", key="").code == 0, "each opens its own"
    assert shell.run("keys", "list", "--settings", str(other / "interlock.toml"), key="").code == 0
    shell.run("login", typed=shell.keys["root"] + "\n", key="")
    assert kept.read_text().split() == [shell.keys["root"], far]


def test_a_file_of_keys_that_cannot_be_written_is_named_and_stays(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted((shell.folder / ".interlock").iterdir())
    monkeypatch.setattr("interlock.private_files.os.fsync", full)
    ran = shell.run("keys", "add", "nina", "--role", "approver", who="root")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(
        "keys.json cannot be written: No space left on device. Make room, or let its owner write there.\n"
    )
    assert sorted((shell.folder / ".interlock").iterdir()) == before, "nothing of it stays behind"


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


def test_a_persons_key_is_for_the_console_and_a_services_for_tools_where_nothing_else_is_said(shell: Shell) -> None:
    assert shell.json("keys", "add", "nina", "--role", "approver", who="root")["scopes"] == ["console"]
    assert shell.json("keys", "add", "nightly", "--service", who="root")["scopes"] == ["tools"]
    said = shell.json("keys", "add", "nina", "--scope", "tools", who="root")
    assert (said["scopes"], said["roles"]) == (["tools"], ["approver"]), "whoever has a key keeps their roles"
    said = shell.json("keys", "add", "nina", "--role", "admin", who="root", code=1)
    assert said["error"]["code"] == "keys.other_roles"


def test_no_key_both_calls_tools_and_decides(shell: Shell) -> None:
    """T24."""
    said = shell.json("keys", "add", "nina", "--scope", "tools", "--scope", "console", who="root", code=2)
    assert said["error"]["code"] == "keys.scopes"


def test_a_list_of_keys_says_what_each_opens_and_until_when(shell: Shell) -> None:
    made = shell.json("keys", "add", "nina", "--expires", "90d", who="root")
    [listed] = [key for key in shell.json("keys", "list", who="root")["keys"] if key["name"] == "nina"]
    assert {**made, "key": None} == {**listed, "key": None}
    assert listed["expires_at"] > listed["made_at"]
    out = shell.run("keys", "list", who="root").out
    assert all(text in out for text in (made["id"], "console", "in 90 days", "now"))
    assert made["key"] not in out


def test_one_of_several_keys_is_revoked_by_its_id(shell: Shell) -> None:
    one = shell.json("keys", "add", "ana", "--scope", "read", who="root")
    assert shell.run("keys", "revoke", one["id"], who="root").out == "The key of ana is forgotten.\n"
    assert shell.run("calls", "list", who="ana").code == 0
    shell.json("keys", "add", "ana", "--scope", "read", who="root")
    assert shell.run("keys", "revoke", "ana", who="root").out == "2 keys of ana are forgotten.\n"


def test_an_old_key_holds_until_the_overlap_is_over(shell: Shell) -> None:
    said = shell.json("keys", "rotate", "maria", "--overlap", "2h", who="root")
    assert said["replaces"] == said["old"]["id"]
    assert shell.run("approvals", "list", who="maria").code == 0
    assert shell.run("approvals", "list", key=said["key"]).code == 0
    shell.clock.advance(2 * 3600)
    assert shell.json("approvals", "list", who="maria", code=5)["error"]["code"] == "keys.expired"
    assert shell.run("approvals", "list", key=said["key"]).code == 0
    assert shell.run("keys", "rotate", "maria", key=said["key"]).code == 0, "everybody rotates their own"
    assert shell.json("keys", "rotate", "root", who="olga", code=5)["error"]["code"] == "cli.role"
    assert "in 1 day" in shell.run("keys", "rotate", "root", who="root").out


def test_an_admin_whose_key_is_past_is_no_other_administrator(shell: Shell) -> None:
    shell.run("keys", "add", "second", "--role", "admin", "--expires", "1h", who="root")
    shell.clock.advance(3600)
    assert shell.json("keys", "revoke", "root", who="root", code=1)["error"]["code"] == "keys.last_admin"
    assert shell.run("keys", "list", who="root").code == 0


def test_a_gateway_for_one_client_does_not_act_by_a_persons_own_key(shell: Shell) -> None:
    """T24: the key that decides about calls is not the one that they are made with."""
    person = shell.json("keys", "add", "nina", "--role", "approver", who="root")["key"]
    for typed in (("gateway", "stdio"), ("hook",)):
        ran = shell.run(*typed, key=person, typed='{"hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/"}')
        assert ran.code == 2 or "opens no tools" in ran.err, ran
        assert "opens no tools" in ran.err
