"""Erasing: gone from the file, recorded, and everything else goes on (spec: Erasure)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.errors import BadInput, Conflict, LedgerError, NotEntitled, NotFound
from interlock.ledger.chain import first_bad
from interlock.ledger.rebuild import differences
from interlock.ledger.redact import erase_subject, recorded, redact, redactable
from interlock.ledger.replay import replay
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Claim, Store
from tests.ledger.makers import (
    RUN,
    TENANT,
    decided,
    intent,
    moved,
    proposed,
    requested,
    result,
    started,
    to,
    voice,
)
from tests.planes import ANA, Far, staged

OPA = Principal("opa", TENANT, frozenset({"operator"}))
WORDS = "the words of Zoe Quintanilla"


async def told(store: Store, *, over: bool = True) -> None:
    """A run with a call that a person approved and one that is rejected; every payload has the words."""
    await store.append(to(RUN, started(words=WORDS), claim=Claim("w", 9)))
    for call, verdict in (("call_1", "approve"), ("call_2", "reject")):
        asked = f"appr_{call}"
        held = decided(call, verdict="require_approval", outcome="held")
        await store.append(to(RUN, proposed(call, note=WORDS), held, requested(asked, call, 9, groups=("leads",))))
        said = voice(asked, call, "bob", "leads", decision=verdict)
        await store.append(to(RUN, said._replace(decision=verdict, body=said.body | {"words": WORDS})))
    consumed = moved(Kind.APPROVAL_CONSUMED, "appr_call_1", "call_1")
    await store.append(to(RUN, decided("call_1"), consumed, intent("call_1")))
    if over:
        await store.append(to(RUN, result("call_1"), decided("call_2", verdict="deny", outcome="refused")))
        await store.append(to(RUN, Fact(Kind.RUN_FINISHED, {"reason": "left"})))


async def seqs_of(store: Store, kind: Kind) -> list[int]:
    return [event.seq for event in await store.read(RUN) if event.fact.kind is kind]


@pytest.mark.anyio
async def test_an_erased_event_keeps_its_header_and_its_place_and_says_nothing(store: Store) -> None:
    await told(store)
    before = await store.read(RUN)
    [first] = await seqs_of(store, Kind.RUN_STARTED)
    assert await redact(store, RUN, [first], "asked for it", OPA) == [first]
    events = await store.read(RUN)
    assert [event.header for event in events[:-1]] == [event.header for event in before]
    assert (events[first - 1].salt, events[first - 1].payload, events[first - 1].fact.body) == (b"", b"", {})
    assert events[-1].fact.kind is Kind.REDACT
    assert events[-1].fact.body == {"events": [[first, first]], "reason": "asked for it", "approver": "opa"}
    assert recorded(events) == {first}
    assert first_bad(events) == 0


@pytest.mark.anyio
async def test_after_an_erasure_replay_folds_and_tables_go_on(store: Store) -> None:
    await told(store)
    everything = [event.seq for event in await store.read(RUN)]
    gone = await redact(store, RUN, everything, "asked for it", OPA)
    steps = [step for step in replay(await store.read(RUN)) if step.seq in gone]
    assert {step.text for step in steps} == {"The content of this event was erased."}
    run = RunState(RUN, TENANT)
    run.absorb(await store.read(RUN))
    assert run.status == "finished"
    assert {call.status for call in run.calls.values()} == {"closed"}
    assert [asked.status for asked in run.approvals.values()] == ["consumed", "rejected"]
    assert await differences(store) == []
    assert [row["status"] for row in await store.rows("approval")] == ["consumed", "rejected"]
    assert [row["outcome"] for row in await store.rows("tool_call")] == ["done", "refused"]
    assert await store.rows("due") == []


@pytest.mark.anyio
async def test_any_single_event_of_a_run_that_is_over_can_be_erased_and_the_folds_still_hold(store: Store) -> None:
    await told(store)
    run = RunState(RUN, TENANT)
    run.absorb(await store.read(RUN))
    calls = {call.call_id: call.status for call in run.calls.values()}
    for event in list(await store.read(RUN)):
        if event.fact.kind in (Kind.RUN_CLAIMED, Kind.APPROVAL_CONSUMED):
            continue
        await redact(store, RUN, [event.seq], "one after the other", OPA)
        again = RunState(RUN, TENANT)
        again.absorb(await store.read(RUN))
        assert {call.call_id: call.status for call in again.calls.values()} == calls
        assert await differences(store) == []


@pytest.mark.anyio
async def test_what_was_erased_stands_in_no_table_and_nowhere_in_the_files(sqlite: SqliteStore, tmp_path: Path) -> None:
    """Not in a page that was freed, and not in the log of older pages."""
    for number in range(40):  # more than one page
        await sqlite.append(to(f"run_x{number}", started(words="x" * 300)))
    await told(sqlite)
    assert any(WORDS.encode() in file.read_bytes() for file in tmp_path.iterdir())
    await redact(sqlite, RUN, [event.seq for event in await sqlite.read(RUN)], "asked for it", OPA)
    for file in tmp_path.iterdir():
        assert b"Quintanilla" not in file.read_bytes(), file


@pytest.mark.anyio
async def test_what_an_open_call_or_run_needs_is_not_erased(store: Store) -> None:
    """An open call is recovered from its arguments: nothing of the request is done."""
    await told(store, over=False)
    [first] = await seqs_of(store, Kind.RUN_STARTED)
    for seq, why in ((first, "its run is open"), (first + 1, "its call is intent")):
        with pytest.raises(Conflict, match=why) as refused:
            await redact(store, RUN, [seq], "asked for it", OPA)
        assert refused.value.code == "redact.needed"
    assert all(event.payload for event in await store.read(RUN))


@pytest.mark.anyio
async def test_a_closed_call_of_an_open_run_can_be_erased(store: Store) -> None:
    await told(store, over=False)
    await store.append(to(RUN, result("call_1")))
    seqs = [event.seq for event in await store.read(RUN) if event.fact.call_id == "call_1"]
    assert await redact(store, RUN, seqs, "asked for it", OPA)
    assert await differences(store) == []


@pytest.mark.anyio
async def test_an_erasure_needs_a_role_a_reason_and_something_to_erase(store: Store) -> None:
    await told(store)
    with pytest.raises(NotEntitled):
        await redact(store, RUN, [2], "because", Principal("ana", TENANT))
    with pytest.raises(NotFound):
        await redact(store, RUN, [2], "because", Principal("eve", "other", frozenset({"admin"})))
    with pytest.raises(NotFound):
        await redact(store, RUN, [99], "because", OPA)
    with pytest.raises(BadInput):
        await redact(store, RUN, [2], "", OPA)
    await redact(store, RUN, [2], "because", OPA)
    with pytest.raises(Conflict) as refused:
        await redact(store, RUN, [2], "because", OPA)
    assert refused.value.code == "redact.erased"


@pytest.mark.anyio
async def test_what_an_erasure_would_come_to_is_told_before_and_what_it_came_to_after(store: Store) -> None:
    await told(store)
    found = await redactable(store, RUN, None, OPA)
    assert not found.kept
    assert not found.said("asked for it", OPA)
    assert all(event.payload for event in await store.read(RUN))
    assert await redact(store, RUN, None, "asked for it", OPA) == found.gone
    after = await redactable(store, RUN, None, OPA)
    assert not after.gone
    assert after.said("asked for it", OPA) == found.gone
    others = after.said("another reason", OPA), after.said("asked for it", replace(OPA, id="olga"))
    assert others == ([], [])
    assert not (await redactable(store, RUN, found.gone[:1], OPA)).said("asked for it", OPA), "that one erased more"


@pytest.mark.anyio
async def test_what_is_needed_still_is_told_before(store: Store) -> None:
    await told(store, over=False)
    found = await redactable(store, RUN, None, OPA)
    assert found.kept
    with pytest.raises(Conflict):
        await redact(store, RUN, None, "asked for it", OPA)


@pytest.mark.anyio
async def test_what_is_about_a_person_goes_from_their_runs_and_from_those_where_they_spoke(store: Store) -> None:
    await told(store)
    await store.append(to("run_2", started(words=WORDS)._replace(principal_id="zoe"), claim=Claim("w", 9)))
    found = await erase_subject(store, "bob", "left the company", OPA)
    assert (found.events, found.runs, found.kept) == (2, 1, [])
    left = [event for event in await store.read(RUN) if event.fact.principal_id == "bob"]
    assert len(left) == 2 and not any(event.payload for event in left)
    assert await differences(store) == []
    assert {kept.why for kept in (await erase_subject(store, "bob", "left", OPA)).kept} == set()
    with pytest.raises(NotFound):
        await erase_subject(store, "nobody", "left", OPA)


@pytest.mark.anyio
async def test_what_is_needed_of_a_persons_open_run_is_told_with_its_reason(store: Store) -> None:
    await told(store, over=False)
    await store.append(to("run_2", started(words=WORDS)._replace(principal_id="zoe"), claim=Claim("w", 9)))
    found = await erase_subject(store, "zoe", "left", OPA)
    assert found.events == 0
    assert [(kept.chain, kept.why) for kept in found.kept] == [("run_2", "its run is open")]


@pytest.mark.anyio
async def test_tables_that_somebody_changed_are_named_and_written_anew(sqlite: SqliteStore, tmp_path: Path) -> None:
    """Every difference by table, key and column; `rebuild` mends them."""
    await told(sqlite)
    file = apsw.Connection(str(tmp_path / "ledger.db"))
    file.execute("UPDATE tool_call SET outcome = 'refused' WHERE call_id = 'call_1'")
    file.execute("DELETE FROM approval WHERE approval_id = 'appr_call_2'")
    file.execute("INSERT INTO due VALUES (3, 'run_1', 'acme', 1, 'why', 'ref')")
    file.close()
    found = [str(each) for each in await differences(sqlite)]
    assert "tool_call run_1/call_1: outcome is 'refused', and the events say 'done'" in found
    assert "approval run_1/appr_call_2: the row is missing" in found
    assert "due run_1/ref: the events know of no such row" in found
    await sqlite.rebuild()
    assert await differences(sqlite) == []


@pytest.mark.anyio
async def test_an_erased_call_that_is_asked_for_again_runs_nothing_and_says_so() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        async with stage.run() as run:
            assert (await run.call("put", {"n": 1}, name="a")).done
            events = await stage.events(run.run_id)
            person = Principal("opa", roles=frozenset({"operator"}))
            seqs = [event.seq for event in events if event.fact.call_id]
            await redact(stage.plane.store, run.run_id, seqs, "asked for it", person)
            stage.store_in(stage.plane.store)  # a process that has not seen it before
        async with stage.plane.run(ANA, run_id=run.run_id) as again:
            assert (await again.call("put", {"n": 1}, name="a")).code == "recall.erased"
        assert far.names == ["put"]


@pytest.mark.anyio
async def test_what_no_table_can_show_is_said_and_leaves_the_tables_as_they_were(
    sqlite: SqliteStore, tmp_path: Path
) -> None:
    """A damaged payload: `rebuild` writes every table anew, or none; appends go on."""
    await told(sqlite)
    [decision, *_] = await seqs_of(sqlite, Kind.CALL_DECIDED)
    before = await sqlite.rows("tool_call")
    file = apsw.Connection(str(tmp_path / "ledger.db"))
    file.execute("DROP TRIGGER payload_is_never_changed")
    file.execute("UPDATE payload SET body = ? WHERE pos = ?", (b'{"tool":{"name":"put"}}', decision))
    file.close()
    with pytest.raises(LedgerError, match=f"position {decision}") as caught:
        await sqlite.rebuild()
    assert "ledger verify" in caught.value.remedy
    assert await sqlite.rows("tool_call") == before
    await sqlite.append(to("run_2", started(), claim=Claim("w", 9)))
