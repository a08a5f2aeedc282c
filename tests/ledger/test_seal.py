"""Sealing: what is committed is signed and sent out, one sealer at a time, and the ledger is held against its sinks."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import Conflict, LedgerError, StoreUnavailable
from interlock.ledger.checkpoint import Standing, compare
from interlock.ledger.merkle import EMPTY_ROOT, consistent, included, leaf_hash
from interlock.ledger.note import read_note
from interlock.ledger.seal import Sealer, read_history
from interlock.ledger.signing import is_signed, read_signer
from interlock.ledger.sinks import FileSink
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import DEPLOYMENT
from interlock.private_files import SigningKeyFile
from tests.ledger.makers import RUN, proposed, started, to
from tests.ledger.sealing import OPERATOR, Deployment, newest, notes, sealed, write
from tests.ledger.test_merkle import naive_root

pytestmark = pytest.mark.anyio


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


async def roots(store: SqliteStore) -> list[bytes]:
    """The naive root over the first n events, for each n."""
    leaves = [leaf_hash(event.hash) for _, event in await store.follow(limit=1_000_000)]
    return [naive_root(leaves[:size]) if size else EMPTY_ROOT for size in range(len(leaves) + 1)]


async def test_what_is_committed_is_sealed_signed_and_in_every_sink(deployment: Deployment) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    for number in range(3):
        await write(store, f"run_{number}", 40)
        stored = await sealed(sealer)
        note = read_note(stored.note)
        truth = await roots(store)
        assert note.checkpoint.size == stored.size == len(truth) - 1
        assert note.checkpoint.root == truth[-1]
        assert is_signed(note, read_signer(deployment.key.read_text()).public)
        for sink in deployment.sinks:
            assert await newest(sink) == stored.note
    assert deployment.key.stat().st_mode & 0o777 == 0o600
    assert sealer.problems == {}
    assert await sealed(sealer) == stored, "where nothing is new, nothing is signed"
    assert [len(await notes(sink)) for sink in deployment.sinks] == [3, 3]
    await store.close()


async def test_an_event_is_proved_to_be_in_every_later_head_and_each_head_to_go_on_from_the_one_before(
    deployment: Deployment,
) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    events = []
    for number in range(4):
        events += await store.append(to(f"run_{number}", started(), proposed("call_1")))
        await sealer.seal()
    truth = await roots(store)
    size, tree = await store.log(lambda log: (log.sealed, log.tree()))
    for event in events:
        at = await store.log(lambda log, event=event: log.position(event.chain, event.seq))  # type: ignore[misc]
        assert at is not None
        proof = await store.log(lambda log, at=at: log.tree().prove_inclusion(at - 1, size))  # type: ignore[misc]
        assert included(leaf_hash(event.hash), at - 1, size, proof, truth[size])
    heads = [stored.size for stored in await store.log(lambda log: log.checkpoints())]
    for older, newer in pairwise(heads):
        proof = await store.log(lambda log, m=older, n=newer: log.tree().prove_consistency(m, n))  # type: ignore[misc]
        assert consistent(older, truth[older], newer, truth[newer], proof)
    assert tree.size == size
    await store.close()


async def test_two_sealers_on_one_ledger_make_one_log(deployment: Deployment) -> None:
    """One wins each time; the other reads again and signs what is left."""
    stores = [await deployment.store() for _ in range(2)]
    sealers = [deployment.sealer(store) for store in stores]
    async with anyio.create_task_group() as tasks:
        for sealer in sealers:
            tasks.start_soon(sealer.open)

    async def work(number: int) -> None:
        for turn in range(10):
            await write(stores[number], f"run_{number}_{turn}", 3)
            await sealers[number].seal()

    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(work, number)
    truth = await roots(stores[0])
    found = await stores[0].log(lambda log: log.checkpoints())
    assert found[-1].size == len(truth) - 1
    assert all(read_note(stored.note).checkpoint.root == truth[stored.size] for stored in found)
    for sink in deployment.sinks:
        assert await notes(sink) == [stored.note for stored in found]
    first = await stores[0].log(lambda log: len(list(log.said(Kind.KEY_ROTATED))))
    assert first == 1, "both made a key, and one of them counts"
    for store in stores:
        await store.close()


async def test_a_sink_that_fails_is_told_and_gets_what_waits_later(deployment: Deployment) -> None:
    store = await deployment.store()
    gone = deployment.folder / "gone"
    sealer = Sealer(store, SigningKeyFile(deployment.key), [deployment.second, FileSink(gone / "sink.jsonl")])
    await sealer.open()
    for number in range(3):
        await write(store, f"run_{number}", 1)
        await sealer.seal()
    assert "cannot be used" in sealer.problems[str(gone / "sink.jsonl")]
    assert await newest(deployment.second) is not None, "the other sink has it all the same"
    gone.mkdir()
    await sealer.seal()
    assert sealer.problems == {}
    assert len(await notes(FileSink(gone / "sink.jsonl"))) == 3
    await store.close()


async def test_a_checkpoint_that_was_committed_and_not_sent_is_sent_after_the_next_start(
    deployment: Deployment,
) -> None:
    """Killed between the commit of a checkpoint and its sink."""
    store = await deployment.store()
    silent = Sealer(store, SigningKeyFile(deployment.key), [])
    await silent.open()
    await write(store, RUN, 2)
    stored = await sealed(silent)
    await store.close()
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    await sealer.seal()
    assert [await newest(sink) for sink in deployment.sinks] == [stored.note] * 2
    await store.close()


async def test_a_line_that_a_crash_cut_off_is_sent_again(deployment: Deployment) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    first = await sealed(sealer)
    await write(store, RUN, 1)
    await sealer.seal()
    path = deployment.folder / "sink.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert await newest(deployment.file) == first.note
    second = await sealed(sealer)
    assert await newest(deployment.file) == second.note
    assert json.loads(path.read_text().splitlines()[-1])["note"] == second.note
    await store.close()


# Rollback and fork: fault K12.


async def grown(deployment: Deployment, *runs: str) -> None:
    """Write these runs, sealing after each."""
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    for run_id in runs:
        await write(store, run_id, 2)
        await sealer.seal()
    await store.close()


async def refused(deployment: Deployment) -> str:
    store = await deployment.store()
    with pytest.raises(StoreUnavailable) as found:
        await deployment.sealer(store).open()
    await store.close()
    assert "accept-restore" in found.value.remedy
    return found.value.code


async def test_an_older_copy_of_the_ledger_is_refused_until_an_operator_accepts_it(deployment: Deployment) -> None:
    """Fault K12, and an id that is used again after a restore."""
    await grown(deployment, "run_1")
    shutil.copy(deployment.path, deployment.folder / "backup")
    await grown(deployment, "run_2", "run_3")
    given_up = await newest(deployment.file)
    deployment.path.unlink()
    shutil.copy(deployment.folder / "backup", deployment.path)
    assert await refused(deployment) == "ledger.rollback"

    store = await deployment.store()
    states = await deployment.sealer(store).accept_restore(OPERATOR, "the disk broke")
    assert [state.standing for state in states] == [Standing.ROLLBACK] * 2
    [said] = [event for event in await store.read(DEPLOYMENT) if event.fact.kind is Kind.OPERATOR]
    head = read_note(str(given_up)).checkpoint
    assert said.fact.body["given_up"] == [{"size": head.size, "root": head.root.hex()}]
    assert (said.fact.body["by"], said.fact.body["reason"]) == ("olga", "the disk broke")
    await store.close()
    await grown(deployment, "run_2", "run_4")
    store = await deployment.store()
    states = await store.log(lambda log: compare(log, deployment.sinks))
    assert {state.standing for state in states} == {Standing.CURRENT}
    with pytest.raises(Conflict):
        await deployment.sealer(store).accept_restore(OPERATOR, "again")
    await store.close()


async def test_a_word_that_a_restore_was_accepted_counts_only_once_it_is_sealed(deployment: Deployment) -> None:
    """Whoever can write to the file can write that word; without the key nobody can seal it."""
    await grown(deployment, "run_1")
    shutil.copy(deployment.path, deployment.folder / "backup")
    await grown(deployment, "run_2")
    head = read_note(str(await newest(deployment.file))).checkpoint
    deployment.path.unlink()
    shutil.copy(deployment.folder / "backup", deployment.path)
    store = await deployment.store()
    body = {"act": "accept-restore", "size": 1, "given_up": [{"size": head.size, "root": head.root.hex()}]}
    await store.append(to(DEPLOYMENT, Fact(Kind.OPERATOR, body)))
    await store.close()
    assert await refused(deployment) == "ledger.rollback"


async def test_a_ledger_that_went_on_otherwise_than_its_sinks_say_is_a_fork(deployment: Deployment) -> None:
    """A copy went on with the same key, and is as long as what the sinks have, or longer."""
    await grown(deployment, "run_1")
    for copy in ("backup.db", "kept.jsonl"):
        shutil.copy(
            deployment.path if copy.endswith("db") else deployment.folder / "sink.jsonl", deployment.folder / copy
        )
    await grown(deployment, "run_2")
    theirs = (deployment.folder / "sink.jsonl").read_bytes()
    deployment.path.unlink()
    shutil.copy(deployment.folder / "backup.db", deployment.path)
    shutil.copy(deployment.folder / "kept.jsonl", deployment.folder / "sink.jsonl")
    (deployment.folder / "sink.db").unlink()
    await grown(deployment, "run_3", "run_4")
    (deployment.folder / "sink.jsonl").write_bytes(theirs)
    assert await refused(deployment) == "ledger.fork"


async def test_a_ledger_that_is_rolled_back_while_it_is_open_takes_nothing_more(deployment: Deployment) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    await sealer.seal()
    later = json.loads((deployment.folder / "sink.jsonl").read_text())["note"]
    key = read_signer(deployment.key.read_text())
    head = read_note(later).checkpoint
    with (deployment.folder / "sink.jsonl").open("a") as file:
        file.write(json.dumps({"note": key.note(head._replace(size=head.size + 50)).text}) + "\n")
    await sealer.seal()
    with pytest.raises(StoreUnavailable) as found:
        await write(store, RUN, 1)
    assert found.value.code == "ledger.rollback"
    assert await store.read(DEPLOYMENT), "reading goes on"
    await store.close()


@pytest.mark.parametrize("damage", ["note", "tile", "none"])
async def test_a_newest_checkpoint_that_the_key_did_not_sign_is_refused(deployment: Deployment, damage: str) -> None:
    await grown(deployment, "run_1")
    raw = apsw.Connection(str(deployment.path))
    [(size, note)] = raw.execute("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchall()
    if damage == "tile":
        raw.execute("UPDATE tile SET hashes = zeroblob(length(hashes))")
    else:
        forged = str(note).replace("— ", "— x") if damage == "note" else "nothing"
        raw.execute("DROP TRIGGER checkpoint_is_never_changed")
        raw.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (forged, size))
    raw.close()
    store = await deployment.store()
    with pytest.raises(StoreUnavailable) as found:
        await Sealer(store, SigningKeyFile(deployment.key), []).open()
    assert found.value.code == "ledger.signature"
    await store.close()


# The key: fault K44.


async def test_a_key_that_was_moved_away_ends_all_writing_until_it_is_back(deployment: Deployment) -> None:
    """Fault K44, the safe default."""
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    away = deployment.key.rename(deployment.folder / "away")
    await write(store, "run_1", 1)
    with pytest.raises(StoreUnavailable) as found:
        await sealer.seal()
    assert found.value.code == "ledger.signing_key"
    with pytest.raises(StoreUnavailable) as found:
        await write(store, "run_2", 1)
    assert found.value.code == "ledger.signing_key"
    assert "missing" in sealer.problems["key"]
    away.rename(deployment.key)
    await sealer.seal()
    await write(store, "run_2", 1)
    assert sealer.problems == {}
    await store.close()


async def test_without_its_key_a_ledger_goes_on_unsealed_only_where_that_was_chosen(deployment: Deployment) -> None:
    """Fault K44: `unsigned`."""
    await grown(deployment, "run_1")
    deployment.key.unlink()
    store = await deployment.store()
    with pytest.raises(StoreUnavailable) as found:
        await deployment.sealer(store).open()
    assert found.value.code == "ledger.signing_key"
    await store.close()
    store = await deployment.store()
    sealer = deployment.sealer(store, unsigned=True)
    await sealer.open()
    before = await sealed(sealer)
    await write(store, "run_2", 1)
    assert await sealed(sealer) == before
    assert "missing" in sealer.problems["key"]
    assert not deployment.key.exists(), "no new key is made in silence"
    await store.close()


@pytest.mark.parametrize("wrong", ["another key", "no key", "readable by others"])
async def test_a_key_file_that_is_not_the_ledgers_is_as_good_as_none(deployment: Deployment, wrong: str) -> None:
    await grown(deployment, "run_1")
    if wrong == "another key":
        other = Deployment(deployment.folder / "other")
        other.folder.mkdir()
        await grown(other, "run_1")
        shutil.copy(other.key, deployment.key)
    elif wrong == "no key":
        deployment.key.write_text("no key")
    else:
        deployment.key.chmod(0o644)
    store = await deployment.store()
    with pytest.raises(StoreUnavailable) as found:
        await deployment.sealer(store).open()
    assert found.value.code == "ledger.signing_key"
    await store.close()


async def test_a_rotated_key_is_handed_over_to_and_signs_from_its_own_event_on(deployment: Deployment) -> None:
    """Fault K44: the rotation is an event, chained, and the old key says so."""
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    await write(store, "run_1", 1)
    old = read_signer(deployment.key.read_text()).public
    new = await sealer.rotate(OPERATOR)
    assert read_signer(deployment.key.read_text()).public.text == new != old.text
    await write(store, "run_2", 1)
    await sealer.seal()
    history = await store.log(read_history)
    assert [key for _, key in history.eras] == [old, read_signer(deployment.key.read_text()).public]
    found = await store.log(lambda log: log.checkpoints())
    assert len(found) == 3
    for stored in found:
        key = history.at(stored.size)
        assert key is not None and is_signed(read_note(stored.note), key)
    assert {path.name for path in deployment.folder.iterdir() if "key" in path.name} == {"signing.key"}
    await store.close()


async def test_a_rotation_that_a_crash_cut_off_is_brought_to_its_end(deployment: Deployment) -> None:
    """The event stands and the key file is the old one still."""
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    await sealer.seal()
    old = deployment.key.read_text()
    new = await sealer.rotate(OPERATOR)
    deployment.key.rename(deployment.folder / f"signing.key.{new.split('+')[1]}")
    deployment.key.write_text(old)
    deployment.key.chmod(0o600)
    await store.close()
    await grown(deployment, "run_1")
    assert read_signer(deployment.key.read_text()).public.text == new


async def test_of_two_rotations_at_once_one_counts(deployment: Deployment) -> None:
    stores = [await deployment.store() for _ in range(2)]
    sealers = [deployment.sealer(store) for store in stores]
    for sealer in sealers:
        await sealer.open()
    outcomes: list[str] = []

    async def rotate(sealer: Sealer, person: Principal) -> None:
        try:
            outcomes.append(await sealer.rotate(person))
        except Conflict as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as tasks:
        for sealer in sealers:
            tasks.start_soon(rotate, sealer, OPERATOR)
    history = await stores[0].log(read_history)
    assert len(history.eras) == 1 + sum(outcome != "ledger.rotated" for outcome in outcomes)
    assert history.newest == read_signer(deployment.key.read_text()).public
    for sealer in sealers:
        await sealer.seal()
    for store in stores:
        await store.close()


class Between(SigningKeyFile):
    """Read once between another process's event of a rotation and its taking the new key."""

    def __init__(self, file: Path, old: str) -> None:
        super().__init__(file)
        self._old = [old]

    def read(self) -> str:
        return self._old.pop() if self._old else super().read()


async def test_a_rotation_that_another_process_is_in_the_middle_of_is_no_missing_key(deployment: Deployment) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    old = deployment.key.read_text()
    await sealer.rotate(OPERATOR)
    await write(store, RUN, 1)
    other = Sealer(store, Between(deployment.key, old), deployment.sinks)
    assert (await sealed(other)).size == await store.log(lambda log: log.events)
    assert other.problems == {}
    await store.close()


async def test_a_backup_from_before_a_rotation_goes_on_with_the_key_that_is_there(deployment: Deployment) -> None:
    await grown(deployment, "run_1")
    shutil.copy(deployment.path, deployment.folder / "backup")
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    await sealer.rotate(OPERATOR)
    await store.close()
    deployment.path.unlink()
    shutil.copy(deployment.folder / "backup", deployment.path)
    store = await deployment.store()
    await deployment.sealer(store).accept_restore(OPERATOR, "restored")
    await store.close()
    await grown(deployment, "run_2")


# In the background.


async def test_the_sealer_seals_when_enough_was_written_and_when_time_has_passed(deployment: Deployment) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store, every_events=14, every_s=3600)
    await sealer.open()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sealer.run)
        with anyio.fail_after(30):
            await anyio.wait_all_tasks_blocked()
            assert await write(store, "run_1", 3) == 7
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert await store.log(lambda log: log.sealed) == 0, "too few, and it is not time"
            await write(store, "run_2", 3)
            await reaches(store, 15)
        tasks.cancel_scope.cancel()
    sealer = deployment.sealer(store, every_s=0.01)
    await write(store, "run_3", 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sealer.run)
        with anyio.fail_after(30):
            await reaches(store, 18)
            await write(store, "run_4", 1)
            await reaches(store, 21)
        tasks.cancel_scope.cancel()
    await store.close()


async def test_under_load_one_sealing_is_one_checkpoint(deployment: Deployment) -> None:
    """What is committed while a checkpoint is made is for the next one, or sealing would never end."""
    store = await deployment.store()
    sealer = deployment.sealer(store)
    await sealer.open()
    done = anyio.Event()

    async def load() -> None:
        number = 0
        while not done.is_set():
            number += 1
            await write(store, f"run_{number}", 1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(load)
        for _ in range(5):
            await sealer.seal()
        done.set()
    assert await store.log(lambda log: log.count) <= 5
    await store.close()


async def reaches(store: SqliteStore, size: int) -> None:
    while await store.log(lambda log: log.sealed) != size:
        await anyio.lowlevel.checkpoint()


async def test_a_ledger_that_cannot_be_sealed_now_is_sealed_later_and_says_so(deployment: Deployment) -> None:
    store = await deployment.store()
    sealer = deployment.sealer(store, every_s=0.01)
    await sealer.open()
    deployment.key.rename(deployment.folder / "away")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sealer.run)
        with anyio.fail_after(30):
            while "key" not in sealer.problems:
                await anyio.lowlevel.checkpoint()
            (deployment.folder / "away").rename(deployment.key)
            await reaches(store, 1)
            while sealer.problems:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await store.close()


async def test_a_damaged_tile_stops_sealing_with_a_sentence(deployment: Deployment) -> None:
    await grown(deployment, "run_1")
    raw = apsw.Connection(str(deployment.path))
    raw.execute("UPDATE tile SET hashes = x'00'")
    raw.close()
    store = await deployment.store()
    await write(store, "run_2", 1)
    with pytest.raises(LedgerError) as found:
        await Sealer(store, SigningKeyFile(deployment.key), []).seal()
    assert found.value.code == "ledger.damaged"
    await store.close()


def test_a_sink_that_is_something_else_is_not_written_to(deployment: Deployment) -> None:
    raw: Any = apsw.Connection(str(deployment.folder / "sink.db"))
    raw.execute("CREATE TABLE other (x)")
    raw.close()
    with pytest.raises(LedgerError) as found:
        deployment.second.send(["x"], None)
    assert found.value.code == "ledger.sink"
    (deployment.folder / "folder").mkdir()
    for method in (
        FileSink(deployment.folder / "folder").newest,
        lambda: list(FileSink(deployment.folder / "folder").notes()),
    ):
        with pytest.raises(LedgerError):
            method()
