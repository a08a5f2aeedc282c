"""Keys: only their hashes are stored, in files that nobody else may read."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from interlock import Principal, key_ring
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound, SettingsError
from interlock.key_ring import KeyPeople, KeyRing
from interlock.keys import CONSOLE, READ, SCOPES, TOOLS, WORDS, WRITE, Key, Keys
from interlock.private_files import check_private, deployment_key, write_private
from interlock.testing import FrozenClock

BOB = Principal("bob", roles=frozenset({"approver", "staff"}))


def test_a_key_is_its_owners_until_it_is_revoked(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "state" / "keys.json")
    key = keys.add(BOB)
    robot = Principal("bob", "other", frozenset(), "service")
    assert keys.principal(key, 0) == BOB
    assert keys.principal(keys.add(robot), 0) == robot
    assert set(keys.list()) == {BOB, robot}
    keys.revoke("bob", "default")
    with pytest.raises(NotEntitled):
        keys.principal(key, 0)
    with pytest.raises(NotFound):
        keys.revoke("bob", "default")
    assert keys.list() == [robot], "the other tenant's is another"


def test_somebody_has_several_keys_and_one_is_revoked_without_the_others(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    console, agent = keys.add(BOB, (CONSOLE,), 7), keys.add(BOB, (TOOLS,), 8)
    one, other = keys.find(console, 9), keys.find(agent, 9)
    assert (one.scopes, one.made_us, other.scopes, other.made_us) == ({CONSOLE}, 7, {TOOLS}, 8)
    assert one.id != other.id
    assert one.id.startswith("key:")
    assert keys.list() == [BOB], "they are one person"
    assert [gone.id for gone in keys.revoke(other.id, "default")] == [other.id]
    with pytest.raises(NotEntitled):
        keys.find(agent, 9)
    assert keys.find(console, 9) == one
    with pytest.raises(NotFound):
        keys.revoke(one.id, "another tenant")


def test_a_person_has_the_same_roles_by_every_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    keys.add(BOB)
    for other in (Principal("bob", roles=frozenset({"admin"})), Principal("bob", roles=BOB.roles, kind="service")):
        with pytest.raises(Conflict) as refused:
            keys.add(other)
        assert refused.value.code == "keys.other_roles"


@pytest.mark.parametrize("agents", [(TOOLS,), (WORDS,), (TOOLS, WORDS)])
def test_no_key_both_opens_tools_and_decides(agents: tuple[str, ...], tmp_path: Path) -> None:
    """T24: whoever has an agent's key in hand must not be able to approve its calls."""
    keys = Keys(tmp_path / "keys.json")
    for scopes in (*itertools.permutations((*agents, CONSOLE)), (*agents, CONSOLE, READ, WRITE)):
        with pytest.raises(BadInput) as refused:
            keys.add(BOB, scopes)
        assert refused.value.code == "keys.scopes"
    assert keys.list() == [], "nothing is kept of what is refused"


def test_a_service_has_no_key_of_the_console_and_nobody_one_of_a_scope_that_is_none(tmp_path: Path) -> None:
    """T24: a program decides about nothing."""
    keys = Keys(tmp_path / "keys.json")
    with pytest.raises(BadInput, match="people"):
        keys.add(Principal("robot", kind="service"), (CONSOLE,))
    with pytest.raises(BadInput) as refused:
        keys.add(BOB, ("everything",))
    assert refused.value.code == "keys.scope"
    keys.add(BOB, SCOPES - {TOOLS, WORDS})


def test_a_key_that_is_past_opens_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    key = keys.add(BOB, made_us=1, expires_us=100)
    assert keys.principal(key, 99) == BOB
    with pytest.raises(NotEntitled) as refused:
        keys.principal(key, 100)
    assert refused.value.code == "keys.expired"


def test_a_key_that_is_replaced_holds_for_a_while_more_and_its_follower_opens_the_same(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    first = keys.add(BOB, (CONSOLE,), 10, 1_000_010)
    old, second = keys.rotate("bob", "default", 500_000, 0.1)
    new = keys.find(second, 500_000)
    assert (new.scopes, new.made_us, new.replaces) == ({CONSOLE}, 500_000, old.id)
    assert new.expires_us == 1_500_000, "it is made for as long as the one before"
    assert keys.find(first, 599_999).id == old.id
    with pytest.raises(NotEntitled):
        keys.find(first, 600_000)
    _, third = keys.rotate("bob", "default", 550_000, 0)
    with pytest.raises(NotEntitled):
        keys.find(second, 550_000)
    assert keys.find(third, 550_000).replaces == new.id
    with pytest.raises(NotFound):
        keys.rotate("bob", "default", 10**9, 0)


def test_an_old_key_lasts_no_longer_for_being_replaced_and_which_of_several_has_to_be_said(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    short = keys.add(BOB, (CONSOLE,), 0, 100)
    keys.add(BOB, (TOOLS,))
    with pytest.raises(Conflict) as refused:
        keys.rotate("bob", "default", 50, 3600)
    assert refused.value.code == "keys.several"
    old, _ = keys.rotate(keys.find(short, 50).id, "default", 50, 3600)
    assert old.expires_us == 100
    with pytest.raises(NotFound):
        keys.rotate(old.id, "another tenant", 50, 0)


def test_processes_that_add_keys_together_lose_none(tmp_path: Path) -> None:
    """A key that is revoked while another is added must not come back."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.workers"])
    keys = Keys(tmp_path / "keys.json")
    people = [Principal(f"p{number}") for number in range(40)]
    with context.Pool(4) as pool:
        made = pool.map(keys.add, people, chunksize=1)
    assert [keys.principal(key, 0) for key in made] == people


def _damaged(text: str) -> Iterator[str]:
    """The file with one value of another type, or without one."""

    def each(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for name in value:
                yield {key: other for key, other in value.items() if key != name}
                yield from ({**value, name: other} for other in each(value[name]))
        elif isinstance(value, list):
            yield from ([*value[:at], other, *value[at + 1 :]] for at, one in enumerate(value) for other in each(one))
        yield from (None if value is not None else True, 7.5, {"x": 1}, [""])

    yield from map(json.dumps, each(json.loads(text)))


def test_a_damaged_file_of_keys_lets_nobody_in_or_is_as_good_as_before(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    key = keys.add(BOB, (CONSOLE,), 7, 100)
    found = keys.find(key, 8)
    damaged = list(_damaged((tmp_path / "keys.json").read_text()))
    assert len(damaged) > 40
    for text in damaged:
        write_private(tmp_path / "keys.json", text.encode())
        with pytest.raises((BadInput, NotEntitled)):
            assert keys.find(key, 8) != found
            raise NotEntitled("other roles or scopes", code="keys.unknown")


@pytest.mark.anyio
async def test_people_are_who_has_a_key_that_is_not_past(tmp_path: Path) -> None:
    file, clock = Keys(tmp_path / "keys.json"), FrozenClock()
    ring = KeyRing(tmp_path / "keys.json", clock)
    people, now_us = KeyPeople(ring), clock.wall_us()
    assert await people.now(BOB) == BOB, "while there is no file, whoever embeds Interlock knows people"
    key = await to_thread.run_sync(lambda: file.add(BOB, (CONSOLE,), now_us, now_us + 1_000_000))
    assert await people.now(Principal("bob", roles=frozenset({"admin"}))) == BOB
    assert await people.now(Principal("bob", "other")) is None, "T35: the same id of another tenant is another"
    assert (await ring.find(key)).principal == BOB
    clock.advance(1)
    assert await people.now(BOB) is None
    with pytest.raises(NotEntitled):
        await ring.find(key)


@pytest.mark.anyio
async def test_a_key_that_was_revoked_is_not_brought_back_by_a_slow_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread has read the old file, another reads the new one meanwhile, and the first is done in between."""
    file, clock = tmp_path / "keys.json", FrozenClock()
    keys, ring = Keys(file), KeyRing(file, clock)
    key = await to_thread.run_sync(keys.add, BOB)
    read, go, done = threading.Event(), threading.Event(), threading.Event()
    sort = key_ring.by_principal

    class Slow(Keys):
        def all(self) -> dict[str, Key]:
            found = super().all()
            if not read.is_set():
                read.set()
                go.wait(5)
            return found

    def sorted_later(found: Iterable[Key]) -> Any:
        if not go.is_set():
            go.set()
            done.wait(5)
        return sort(found)

    def first() -> None:
        ring._look()
        done.set()

    monkeypatch.setattr(key_ring, "Keys", Slow)
    slow = threading.Thread(target=first)
    slow.start()
    await to_thread.run_sync(read.wait, 5)
    await to_thread.run_sync(keys.revoke, "bob", "default")
    monkeypatch.setattr(key_ring, "by_principal", sorted_later)
    await ring.all()
    await to_thread.run_sync(slow.join, 5)
    with pytest.raises(NotEntitled):
        await ring.find(key)
    assert await ring.of("bob", "default") == ()


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
        keys.principal(key, 0)


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


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"a":1}', '{"format":2,"people":[{"id":"x"}]}', '{"format":1,"people":[]}', "\xff"]
)
def test_a_key_file_that_is_none_lets_nobody_in(text: str, tmp_path: Path) -> None:
    write_private(tmp_path / "keys.json", text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"keys\.json"):
        Keys(tmp_path / "keys.json").principal("ilk_x", 0)


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
