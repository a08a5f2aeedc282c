"""Keys: only their hashes are stored, in files that nobody else may read."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from interlock import Principal
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound, SettingsError
from interlock.keys import Keys, check_private, deployment_key, write_private

BOB = Principal("bob", roles=frozenset({"approver", "staff"}))


def test_a_key_is_its_owners_until_it_is_revoked(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "state" / "keys.json")
    key = keys.add(BOB)
    robot = Principal("bob", "other", frozenset(), "service")
    assert keys.principal(key) == BOB
    assert keys.principal(keys.add(robot)) == robot
    assert set(keys.list()) == {BOB, robot}
    with pytest.raises(Conflict):
        keys.add(BOB)
    keys.revoke("bob", "default")
    with pytest.raises(NotEntitled):
        keys.principal(key)
    with pytest.raises(NotFound):
        keys.revoke("bob", "default")
    assert keys.list() == [robot], "the other tenant's is another"


def test_a_key_stands_in_no_file(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    key = keys.add(BOB)
    assert all(key.removeprefix("ilk_") not in file.read_text() for file in tmp_path.iterdir())
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", ["", "ilk_", "ilk_" + "0" * 40, "x", "\udcff", "é" * 1000])
def test_what_is_nobodys_key_is_nobodys(key: str, tmp_path: Path) -> None:
    """A variable of the environment may hold any bytes."""
    keys = Keys(tmp_path / "keys.json")
    keys.add(BOB)
    with pytest.raises(NotEntitled):
        keys.principal(key)


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    made = {keys.add(Principal(f"p{number}")) for number in range(20)}
    assert len(made) == 20
    assert all(len(key) == 44 for key in made)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o601])
def test_a_secret_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    for file, read in ((tmp_path / "keys.json", lambda: Keys(tmp_path / "keys.json").list()),
                       (tmp_path / "key", lambda: deployment_key(tmp_path / "key"))):  # fmt: skip
        write_private(file, b"{}" if file.suffix else b"x" * 32)
        file.chmod(mode)
        with pytest.raises(SettingsError, match="chmod 600"):
            read()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a":1}', '{"a":{"id":"x"}}', "\xff"])
def test_a_key_file_that_is_none_lets_nobody_in(text: str, tmp_path: Path) -> None:
    write_private(tmp_path / "keys.json", text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"keys\.json"):
        Keys(tmp_path / "keys.json").principal("ilk_x")


def test_the_deployments_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """Defect 34: the same key after a restart, so that idempotency keys stay what they were."""
    key = deployment_key(tmp_path / "state" / "deployment.key")
    assert len(key) == 32
    assert deployment_key(tmp_path / "state" / "deployment.key") == key
    assert deployment_key(tmp_path / "another.key") != key
    check_private(tmp_path / "state" / "deployment.key")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_deployments_key_of_another_size_is_refused(size: int, tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"x" * size)
    with pytest.raises(SettingsError, match="32"):
        deployment_key(tmp_path / "key")


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    """Defect 34: a key that only one of them knows would make keys of effects that nobody can make again."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.workers"])
    with context.Pool(4) as pool:
        for number in range(20):
            made = pool.map(deployment_key, [tmp_path / str(number) / "deployment.key"] * 8, chunksize=1)
            assert set(made) == {(tmp_path / str(number) / "deployment.key").read_bytes()}
    assert not [file for file in tmp_path.rglob("*") if file.name != "deployment.key" and file.is_file()]


def test_a_private_file_is_private_from_its_first_byte_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "secret"
    write_private(file, b"one")
    write_private(file, b"two")
    assert file.read_bytes() == b"two"
    assert [found.name for found in file.parent.iterdir()] == ["secret"]
