"""`verify`: what it finds of each kind, where, and that it never falls over. The long list of mutations is proof's."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio.to_thread
import apsw
import pytest

from interlock.core.canonical import canonical, keyed
from interlock.core.event import Fact, Kind
from interlock.errors import StoreUnavailable
from interlock.ledger.findings import FOUND_MAX, MEANINGS, Finding, Found, Report
from interlock.ledger.note import read_note
from interlock.ledger.redact import redact
from interlock.ledger.signing import Signer, read_signer
from interlock.ledger.store import DEPLOYMENT
from interlock.ledger.verify import Scope, verify
from tests.ledger.makers import TENANT, proposed, to
from tests.ledger.sealing import OPERATOR, Deployment, write

pytestmark = pytest.mark.anyio

Change = Callable[[apsw.Connection], object]


@pytest.fixture
async def deployment(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    """Six runs, sealed one after the other, and a seventh that is not."""
    found = Deployment(tmp_path)
    store = await found.store()
    sealer = found.sealer(store)
    await sealer.open()
    for number in range(6):
        await write(store, f"run_{number}", 4)
        await sealer.seal()
    await write(store, "run_tail", 2)
    await store.close()
    yield found


def edited(old: str, new: str, pos: int = 14) -> str:
    return f"UPDATE event SET header = CAST(replace(header, '{old}', '{new}') AS BLOB) WHERE pos = {pos}"


async def verified(deployment: Deployment, **scope: object) -> Report:
    return await anyio.to_thread.run_sync(
        lambda: verify(deployment.path, deployment.sinks, Scope(**scope))  # type: ignore[arg-type]
    )


def changed(deployment: Deployment, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Do to the file what its triggers refuse, and put the triggers back."""
    database = apsw.Connection(str(deployment.path))
    triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        sql, values = (statement, ()) if isinstance(statement, str) else statement
        database.execute(sql, values)  # type: ignore[arg-type]
    for _, sql in triggers:
        database.execute(str(sql))
    database.close()


def headers(deployment: Deployment) -> dict[int, bytes]:
    database = apsw.Connection(str(deployment.path))
    found = {int(pos): bytes(header) for pos, header in database.execute("SELECT pos, header FROM event")}  # type: ignore[arg-type]
    database.close()
    return found


async def test_a_ledger_that_nobody_touched_is_sound(deployment: Deployment) -> None:
    report = await verified(deployment, keys=[read_signer(deployment.key.read_text()).public])
    assert (report.ok, report.found, report.first_bad, report.finding) == (True, [], None, None)
    assert (report.events, report.sealed, report.anchored, report.unanchored_tail) == (60, 55, 55, 5)
    assert (report.verified, report.vouched) == ((1, 60), True)
    assert report.checkpoints == 3 * 6
    assert report.key == read_signer(deployment.key.read_text()).public.text


@pytest.mark.parametrize(
    ("statements", "finding", "pos"),
    [
        ([edited("ana", "bea")], "header", 14),
        (
            ["UPDATE event SET header = CAST(replace(header, '\"v\":1', '\"v\": 1') AS BLOB) WHERE pos = 14"],
            "header",
            14,
        ),
        (
            ["UPDATE event SET header = CAST(replace(header, '\"v\":1', '\"v\":true') AS BLOB) WHERE pos = 14"],
            "header",
            14,
        ),
        (["UPDATE event SET header = x'00ff' WHERE pos = 14"], "header", 14),
        (["UPDATE payload SET body = x'7b7d' WHERE pos = 14"], "payload", 14),
        (["UPDATE payload SET salt = zeroblob(32) WHERE pos = 14"], "payload", 14),
        (["UPDATE payload SET salt = zeroblob(99) WHERE pos = 14"], "payload", 14),
        (["DELETE FROM payload WHERE pos = 14"], "unrecorded erasure", 14),
        (["DELETE FROM event WHERE pos = 14"], "missing", 14),
        (["DELETE FROM event WHERE pos = 14", "UPDATE event SET pos = pos - 1 WHERE pos > 14"], "missing", 14),
        (["DELETE FROM event WHERE pos = 1"], "missing", 1),
        (["DELETE FROM event WHERE pos = 1", "UPDATE event SET pos = pos - 1"], "missing", 1),
        (["DELETE FROM event WHERE pos > 50", "DELETE FROM payload WHERE pos > 50"], "truncated", 51),
        (["DELETE FROM event WHERE pos = 58", "DELETE FROM payload WHERE pos = 58"], "missing", 58),
        (["INSERT INTO payload VALUES (99, zeroblob(32), x'7b7d')"], "extra", 99),
        (["DELETE FROM checkpoint WHERE size > 20"], "fork or rollback", 0),
        (["UPDATE checkpoint SET note = 'x' WHERE size = (SELECT max(size) FROM checkpoint)"], "signature", 0),
        (["UPDATE checkpoint SET size = 60 WHERE size = 55"], "fork or rollback", 0),
        (["UPDATE run SET status = 'finished' WHERE run_id = 'run_3'"], "projection", 0),
        (["DELETE FROM tool_call WHERE call_id = 'run_3_call_1'"], "projection", 0),
        (["DELETE FROM once WHERE key = 'closed/run_3_call_1'"], "projection", 0),
        (["DELETE FROM extent WHERE pos = 11"], "projection", 0),
        (["UPDATE extent SET pos = pos + 1 WHERE pos = 11"], "projection", 0),
        (["UPDATE chain SET name = 'another' WHERE name = 'run_3'"], "projection", 0),
        (["UPDATE chain SET tenant = 'another' WHERE name = 'run_3'"], "projection", 0),
        (["INSERT INTO chain VALUES (99, 'ghost', 'acme')"], "projection", 0),
        (["UPDATE tile SET hashes = zeroblob(length(hashes))"], "projection", 0),
        (["UPDATE tile SET hashes = CAST(hashes || x'00' AS BLOB)"], "projection", 0),
        (["INSERT INTO tile VALUES (1, 0, zeroblob(32))"], "projection", 0),
        (["DROP INDEX due_at"], "schema", 0),
        (["CREATE TABLE mine (x)"], "schema", 0),
        (["PRAGMA user_version = 1"], "schema", 0),
    ],
)
async def test_each_change_is_found_as_what_it_is_and_where(
    deployment: Deployment, statements: list[str], finding: str, pos: int
) -> None:
    """Threat T27, goal Q5."""
    changed(deployment, *statements)
    report = await verified(deployment)
    assert not report.ok
    assert finding in report.findings
    if pos:
        assert report.first_bad is not None
        assert (report.finding, report.first_bad.pos) == (finding, pos)


async def test_two_events_in_each_others_place_are_found_as_that(deployment: Deployment) -> None:
    changed(
        deployment, "UPDATE event SET pos = 999 WHERE pos = 14", "UPDATE event SET pos = 14 WHERE pos = 15",
        "UPDATE event SET pos = 15 WHERE pos = 999", "UPDATE payload SET pos = 999 WHERE pos = 14",
        "UPDATE payload SET pos = 14 WHERE pos = 15", "UPDATE payload SET pos = 15 WHERE pos = 999",
    )  # fmt: skip
    assert (await verified(deployment)).finding == "order"


async def test_a_trigger_that_is_not_put_back_is_found(deployment: Deployment) -> None:
    database = apsw.Connection(str(deployment.path))
    database.execute("DROP TRIGGER event_is_never_changed")
    database.execute("CREATE TRIGGER event_is_never_deleted2 BEFORE DELETE ON event BEGIN SELECT 1; END")
    database.close()
    report = await verified(deployment)
    assert report.findings == (Finding.SCHEMA,)
    assert report.counts[Finding.SCHEMA] == 2


async def test_an_index_that_is_not_what_its_table_says_is_found(deployment: Deployment) -> None:
    """Mutation: edit a page and leave the index stale."""
    database = apsw.Connection(str(deployment.path))
    database.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    database.execute("PRAGMA writable_schema = ON")
    database.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, 'run (run_id)', 'run (tenant)') WHERE name = 'run_key'"
    )
    database.close()
    assert not (await verified(deployment)).ok


async def test_a_tail_that_nobody_sealed_is_held_by_its_chains_alone(deployment: Deployment) -> None:
    changed(deployment, edited("ana", "bea", 57))
    report = await verified(deployment)
    assert (report.finding, report.first_bad and report.first_bad.pos) == (Finding.HEADER, 57)
    changed(deployment, edited("bea", "ana", 57))
    changed(
        deployment, "DELETE FROM event WHERE pos > 55", "DELETE FROM payload WHERE pos > 55",
        "DELETE FROM extent WHERE pos > 55", "DELETE FROM chain WHERE name = 'run_tail'",
        *(f"DELETE FROM {table} WHERE pos > 55" for table in ("run", "tool_call", "authz_decision", "tool_result")),
        "DELETE FROM once WHERE chain NOT IN (SELECT no FROM chain)",
    )  # fmt: skip
    report = await verified(deployment)
    assert (report.ok, report.unanchored_tail) == (True, 0), "what came after the newest head can be cut off unseen"


async def test_an_event_of_another_run_and_a_number_twice_are_found_in_the_tail(deployment: Deployment) -> None:
    """Mutations: splice from another run, duplicate a seq."""
    header = json.loads(headers(deployment)[60])
    changed(
        deployment,
        ("INSERT INTO event VALUES (61, ?)", (canonical(header | {"run_id": "run_2"}),)),
        "INSERT INTO payload SELECT 61, salt, body FROM payload WHERE pos = 60",
        ("INSERT INTO event VALUES (62, ?)", (canonical(header),)),
        "INSERT INTO payload SELECT 62, salt, body FROM payload WHERE pos = 60",
    )
    report = await verified(deployment)
    assert {Finding.EXTRA, Finding.PROJECTION} <= set(report.findings)
    assert [found.pos for found in report.found if found.finding is Finding.EXTRA] == [61, 62]


async def test_a_key_that_came_in_by_itself_signs_nothing(deployment: Deployment) -> None:
    """Mutation: substitute a key."""
    store = await deployment.store()
    thief = Signer("interlock/thief", bytes(32))
    await store.append(to(DEPLOYMENT, Fact(Kind.KEY_ROTATED, {"key": thief.public.text, "word": ""}, step=2)))
    await store.close()
    report = await verified(deployment)
    assert (report.finding, report.first_bad and report.first_bad.pos) == (Finding.SIGNATURE, 61)


async def test_a_log_whose_keys_nobody_knows_is_found_by_whoever_knows_one(deployment: Deployment) -> None:
    other = Signer("interlock/other", bytes(32)).public
    assert Finding.SIGNATURE in (await verified(deployment, keys=[other])).findings


async def test_a_sink_that_was_edited_or_went_backwards_is_found(deployment: Deployment) -> None:
    """Mutations: a checkpoint of the past, and of another log."""
    path = deployment.folder / "sink.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    assert (await verified(deployment)).finding is Finding.FORK
    thief = Signer(read_signer(deployment.key.read_text()).public.name, bytes(32))
    head = read_note(json.loads(lines[-1])["note"]).checkpoint
    path.write_text("\n".join([*lines[:-1], json.dumps({"note": thief.note(head).text})]) + "\n")
    assert (await verified(deployment)).finding is Finding.SIGNATURE
    path.write_text("\n".join([*lines, "garbage"]) + "\n")
    assert (await verified(deployment)).finding is Finding.SIGNATURE
    path.write_text("\n".join([lines[0], lines[0], *lines[1:]]) + "\n")
    assert (await verified(deployment)).ok, "one that was sent twice is no harm"


async def test_another_root_over_the_same_events_is_a_fork(deployment: Deployment) -> None:
    """Mutation: show two auditors different logs."""
    key = read_signer(deployment.key.read_text())
    head = read_note(json.loads((deployment.folder / "sink.jsonl").read_text().splitlines()[2])["note"]).checkpoint
    theirs = key.note(head._replace(root=bytes(32))).text
    assert (await verified(deployment, anchor=theirs)).finding is Finding.FORK
    later = key.note(head._replace(size=1000)).text
    assert set((await verified(deployment, anchor=later)).findings) == {Finding.FORK, Finding.TRUNCATED}
    ours = key.note(head).text
    assert (await verified(deployment, anchor=ours)).ok
    assert (await verified(deployment, anchor="no note")).finding is Finding.SIGNATURE


async def test_an_erasure_that_is_recorded_is_none_of_the_findings(deployment: Deployment) -> None:
    store = await deployment.store()
    tenants = OPERATOR.__class__(OPERATOR.id, TENANT, OPERATOR.roles)
    await store.append(to("run_2", Fact(Kind.RUN_FINISHED, {"reason": "left"})))
    gone = await redact(store, "run_2", [2, 3, 4], "they asked for it", tenants)
    await deployment.sealer(store).seal()
    await store.close()
    assert gone == [2, 3, 4]
    assert (await verified(deployment)).ok
    assert (await verified(deployment, start=20, end=30)).ok, "it is recorded beyond what is looked at"
    changed(deployment, "DELETE FROM payload WHERE pos = (SELECT max(pos) FROM event)")
    report = await verified(deployment)
    assert report.counts[Finding.ERASURE] == 4, "the record is gone, and with it the excuse"


async def test_a_restore_that_was_accepted_explains_what_the_sinks_have(deployment: Deployment) -> None:
    """Fault K12, an id used again after a restore, and a fork that nobody accepted."""
    shutil.copy(deployment.path, deployment.folder / "backup")
    store = await deployment.store()
    await write(store, "run_later", 2)
    await deployment.sealer(store).seal()
    await store.close()
    shutil.copy(deployment.folder / "backup", deployment.path)
    report = await verified(deployment)
    assert set(report.findings) == {Finding.FORK, Finding.TRUNCATED}
    store = await deployment.store()
    await deployment.sealer(store).accept_restore(OPERATOR, "the disk broke")
    await write(store, "run_later", 3)
    await deployment.sealer(store).seal()
    await store.close()
    report = await verified(deployment)
    assert (report.found, report.restores, report.unanchored_tail) == ([], 1, 0)


async def test_a_part_is_verified_by_itself_and_finds_what_is_in_it(deployment: Deployment) -> None:
    assert (await verified(deployment, start=12, end=40)).ok
    assert (await verified(deployment, start=12)).ok
    changed(deployment, edited("ana", "bea", 21))
    for start, end, found in ((12, 40, 21), (30, 40, 0), (1, 20, 0), (21, 21, 21)):
        report = await verified(deployment, start=start, end=end)
        assert (report.first_bad.pos if report.first_bad else 0) == found, (start, end)


async def test_a_sink_that_cannot_be_read_is_a_note_and_no_finding(deployment: Deployment) -> None:
    (deployment.folder / "sink.jsonl").unlink()
    (deployment.folder / "sink.jsonl").mkdir()
    report = await verified(deployment)
    assert (report.ok, report.anchored) == (True, 55), "the other sink anchors it"
    assert "sink.jsonl" in report.notes[0]


async def test_whatever_is_done_to_the_file_is_a_finding_and_no_failure(deployment: Deployment) -> None:
    """Fault K13, for whole pages: zeros, noise, and the end cut off."""
    whole = deployment.path.read_bytes()
    drawn = random.Random(1)
    for number in range(30):
        page = drawn.randrange(0, len(whole) // 4096)
        noise = bytes(4096) if number % 2 else drawn.randbytes(4096)
        deployment.path.write_bytes(whole[: page * 4096] + noise + whole[(page + 1) * 4096 :])
        await verified(deployment)
    for kept in (0, 50, 4096, len(whole) // 2, len(whole) - 4096):
        deployment.path.write_bytes(whole[:kept])
        assert not (await verified(deployment)).ok
    deployment.path.unlink()
    with pytest.raises(StoreUnavailable):
        await verified(deployment)


async def test_an_event_that_no_table_can_show_is_told(deployment: Deployment) -> None:
    store = await deployment.store()
    await store.close()
    header = json.loads(headers(deployment)[60])
    body = canonical({"principal": "no object"})
    forged = header | {
        "run_id": "run_x", "seq": 1, "prev_hash": "", "kind": "run.started",
        "payload_commit": keyed(bytes(32), body).hex(),
    }  # fmt: skip
    for name in ("outcome", "call_id", "attempt", "step"):
        forged.pop(name, None)
    changed(
        deployment, ("INSERT INTO event VALUES (61, ?)", (canonical(forged),)),
        ("INSERT INTO payload VALUES (61, zeroblob(32), ?)", (body,)),
    )  # fmt: skip
    report = await verified(deployment)
    assert any("no table can show" in found.what for found in report.found)


def test_every_finding_is_explained_and_a_report_lists_so_many() -> None:
    assert MEANINGS.keys() == set(Finding)
    report = Report()
    for number in range(FOUND_MAX + 5):
        report.add(Found(Finding.HEADER, "changed", FOUND_MAX - number))
    assert (len(report.found), report.counts[Finding.HEADER]) == (FOUND_MAX, FOUND_MAX + 5)


async def test_progress_is_told_and_tables_can_be_left_out(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.ledger.verify._TELL_EVERY", 20)
    told: list[tuple[int, int]] = []
    changed(deployment, "UPDATE run SET status = 'finished' WHERE run_id = 'run_3'")
    report = await verified(deployment, tables=False, progress=lambda done, whole: told.append((done, whole)))
    assert report.ok
    assert told == [(20, 60), (40, 60), (60, 60), (60, 60)]


async def test_more_chains_than_are_remembered_are_looked_up(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger of any number of runs is verified in bounded memory."""
    monkeypatch.setattr("interlock.ledger.links._ENDS_MAX", 2)
    store = await deployment.store()
    for number in range(6):
        await store.append(to(f"run_{number}", proposed("call_more")))
    await store.close()
    assert (await verified(deployment)).ok


async def test_a_clock_that_was_set_back_changes_no_order_and_is_no_finding(deployment: Deployment) -> None:
    """Threat T38: order is by numbers, and a time is only what the clock said."""
    deployment.clock.jump_wall(-3600)
    store = await deployment.store()
    await write(store, "run_early", 2)
    await deployment.sealer(store).seal()
    await store.close()
    times = [json.loads(header)["at"] for _, header in sorted(headers(deployment).items())]
    assert times != sorted(times)
    assert (await verified(deployment)).ok
