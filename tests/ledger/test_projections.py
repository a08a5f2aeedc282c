"""Rows are what the events say: rebuilt they are the same, in every store, whatever happened in between."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.event import Event, Fact, Kind
from interlock.core.run import RunState
from interlock.core.transcript import turn_call_id
from interlock.ledger.chain import read_event, tail_event
from interlock.ledger.migrations import MIGRATIONS
from interlock.ledger.projections import Tables
from interlock.ledger.rebuild import differences
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_file import LedgerFile
from interlock.ledger.store import Claim, MemoryStore, Store
from interlock.ledger.tables import TABLES
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import (
    RUN,
    chained,
    decided,
    intent,
    moved,
    proposed,
    read_call,
    requested,
    result,
    started,
    to,
    voice,
)

FOLLOWING = {
    "": ["propose"],
    "proposed": ["read", "deny", "hold", "write"],
    "held": ["approve", "reject", "expire", "withdraw", "supersede"],
    "approved": ["write", "deny"],
    "over": ["deny"],
    "intent": ["result", "unknown"],
    "unknown": ["settle"],
}
"""What may happen to a call that stands so."""

THEN = {
    "propose": "proposed", "read": "closed", "deny": "closed", "hold": "held", "write": "intent",
    "approve": "approved", "reject": "over", "expire": "over", "withdraw": "over",
    "supersede": "held", "result": "closed", "unknown": "unknown", "settle": "closed",
}  # fmt: skip


class Story:
    """A plausible run, told by drawn choices: what happens next, and to which call."""

    def __init__(self) -> None:
        self.standing: dict[str, str] = {}
        self.asked: dict[str, str] = {}

    def happens(self, choice: int) -> list[Fact]:
        """The facts of one append."""
        open_calls = [""] + [call for call, status in self.standing.items() if status != "closed"]
        call_id = open_calls[choice % len(open_calls)]
        acts = FOLLOWING[self.standing.get(call_id, "")]
        act = acts[choice // len(open_calls) % len(acts)]
        if act == "propose":
            call_id = f"call_{len(self.standing) + 1}"
        step = int(call_id.removeprefix("call_"))
        facts = self._facts(act, call_id, step)
        self.standing[call_id] = THEN[act]
        return facts

    def _facts(self, act: str, call_id: str, step: int) -> list[Fact]:
        ref = self.asked.get(call_id, "")
        match act:
            case "propose":
                return [proposed(call_id, step)]
            case "read":
                return [decided(call_id, step, effect="read"), result(call_id, step=step)]
            case "deny":
                return [decided(call_id, step, verdict="deny", outcome="refused")]
            case "hold":
                return [decided(call_id, step, "require_approval", outcome="held"), self._ask(call_id, step)]
            case "supersede":
                return [moved(Kind.APPROVAL_SUPERSEDED, ref, call_id), self._ask(call_id, step)]
            case "approve":
                return [voice(ref, call_id, "bob", "leads"), voice(ref, call_id, "cleo", "leads", "finance")]
            case "reject":
                return [
                    voice(ref, call_id, "bob", decision="reject"),
                    voice(ref, call_id, "cleo", "leads", "finance"),
                ]
            case "expire" | "withdraw":
                kind = Kind.APPROVAL_EXPIRED if act == "expire" else Kind.APPROVAL_WITHDRAWN
                return [moved(kind, ref, call_id)]
            case "write":
                consumed = [moved(Kind.APPROVAL_CONSUMED, ref, call_id)] if ref else []
                return [decided(call_id, step), *consumed, intent(call_id, step)]
            case "result":
                return [result(call_id, ("done", "failed", "withheld")[step % 3], step)]
            case "unknown":
                return [result(call_id, "unknown", step, Kind.CALL_UNKNOWN)]
            case "settle":
                return [result(call_id, "failed", step, Kind.CALL_RECONCILED)]
        return []

    def _ask(self, call_id: str, step: int) -> Fact:
        self.asked[call_id] = ref = f"appr_{call_id}_{len(self.asked)}_{step}_{self.asked.get(call_id, '')}"
        return requested(ref, call_id, 5 + step, groups=("finance", "leads"), quorum=1 + step % 2)


def stories(choices: Sequence[int]) -> list[list[Fact]]:
    story = Story()
    return [[started()], *(story.happens(choice) for choice in choices), [Fact(Kind.RUN_FINISHED, {"reason": "over"})]]


CHOICES = st.lists(st.integers(0, 200), max_size=40)


@settings(max_examples=100)
@given(CHOICES)
def test_an_approval_and_a_call_stand_in_their_rows_as_in_the_runs_fold(choices: list[int]) -> None:
    events = chained(fact for append in stories(choices) for fact in append)
    run = RunState(RUN, "acme")
    tables = Tables()
    for end in range(1, len(events) + 1):
        run.absorb(events[:end])
        tables.absorb(events[:end])
        assert {row["call_id"]: row["status"] for row in tables.rows("tool_call")} == {
            call.call_id: call.status for call in run.calls.values()
        }
        assert {row["approval_id"]: row["status"] for row in tables.rows("approval")} == {
            asked.approval_id: asked.status for asked in run.approvals.values()
        }
        [row] = tables.rows("run")
        assert row["status"] == run.status


@settings(max_examples=100)
@given(CHOICES)
def test_a_tail_folds_to_what_the_whole_events_fold_to(choices: list[int]) -> None:
    """What `Store.tail` leaves out, nothing of a fold asks for; what was erased is erased for it too."""
    events = chained(fact for append in stories(choices) for fact in append)
    events += chained([started(), Fact(Kind.CALL_DECIDED, {}, 'odd "id"\\', 1, 0, "ana")], "run_2")
    whole, tail = RunState(RUN, "acme"), RunState(RUN, "acme")
    whole.absorb(event for event in events if event.chain == RUN)
    tail.absorb(tail_event(event.seq, event.header, event.payload) for event in events if event.chain == RUN)
    assert tail == whole
    for event in events:
        read, short = read_event(event.header, event.salt, event.payload), tail_event(event.seq, event.header, None)
        assert short.fact == read.fact._replace(body={})
        assert (short.tenant, short.chain, short.seq, short.at_us) == (read.tenant, read.chain, read.seq, read.at_us)
        assert not short.payload
        assert tail_event(event.seq, event.header, event.payload).fact.call_id == read.fact.call_id


def test_a_tail_folds_what_an_agent_said_as_the_whole_events_do() -> None:
    call = {"tool": "refund", "id": "1", "arguments_text": '{"id":"ß \\"'}
    other = {"tool": "refund", "arguments": {"kind": "call.result"}, "confidence": 7}
    said = {"role": "model", "text": "Eins", "calls": [call, other], "usage": {"input_tokens": 7, "output_tokens": 1}}
    call_id = turn_call_id(RUN, 1, 1)
    events = chained([
        started(driver="agent", agent="desk"), Fact(Kind.MESSAGE, said, principal_id="ana"), *read_call(call_id),
        Fact(Kind.MESSAGE, {"role": "model", "text": "", "finish": "truncated"}),
    ])  # fmt: skip
    events.append(events.pop()._replace(payload=b"", fact=Fact(Kind.MESSAGE, {})))  # the last one was erased
    whole, tail = RunState(RUN, "acme"), RunState(RUN, "acme")
    whole.absorb(events)
    tail.absorb(tail_event(event.seq, event.header, event.payload or None) for event in events)
    assert tail == whole
    assert tail.transcript is not None and tail.transcript.turns[0].told == (events[-2].payload, b"")


@settings(max_examples=100)
@given(CHOICES, st.data())
def test_rows_absorbed_in_pieces_are_the_rows_absorbed_at_once(choices: list[int], data: st.DataObject) -> None:
    events = chained(fact for append in stories(choices) for fact in append)
    cut = data.draw(st.integers(0, len(events)))
    at_once, in_pieces = Tables(), Tables()
    at_once.absorb(events)
    in_pieces.absorb(events[:cut])
    in_pieces.absorb(events)
    in_pieces.absorb(events)
    assert all(at_once.rows(table) == in_pieces.rows(table) for table in TABLES)


@settings(max_examples=100)
@given(CHOICES)
def test_a_request_is_due_exactly_while_it_waits_or_is_settled_and_unused(choices: list[int]) -> None:
    events = chained(fact for append in stories(choices) for fact in append)
    run, tables = RunState(RUN, "acme"), Tables()
    for end in range(1, len(events) + 1):
        run.absorb(events[:end])
        tables.absorb(events[:end])
        due = {row["ref"]: row["why"] for row in tables.rows("due")}
        waits = {"pending": "approval.expires", "approved": "approval.decided", "rejected": "approval.decided"}
        told = ("expired", "withdrawn")  # the call waits to be told so, under the reason that it waited for before
        assert due == {
            asked.approval_id: waits.get(asked.status, due.get(asked.approval_id))
            for asked in run.approvals.values()
            if asked.status in (*waits, *told) and run.calls[asked.call_id].status != "closed"
        }


@settings(max_examples=25)
@given(st.lists(CHOICES, min_size=1, max_size=3), st.integers(1, 9), st.booleans())
def test_a_stores_tables_are_what_its_events_rebuild(runs: list[list[int]], together: int, reopened: bool) -> None:
    """D1: the projections are rebuilt from the events and compared, in both stores.

    In SQLite some appends share a transaction, and what the writer knows is forgotten in between.
    """
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(_rebuilt_and_compared, Path(folder), runs, together, reopened)


async def _rebuilt_and_compared(folder: Path, runs: list[list[int]], together: int, reopened: bool) -> None:
    clock = FrozenClock()
    memory, sqlite = MemoryStore(clock), SqliteStore(folder / "ledger.db", clock)
    told = [to(f"run_{number}", *facts) for number, choices in enumerate(runs) for facts in stories(choices)]
    told[0] = told[0]._replace(claim=Claim("w", 9))
    try:
        for begin in range(0, len(told), together):
            async with anyio.create_task_group() as tasks:
                for append in told[begin : begin + together]:
                    await memory.append(append)
                    tasks.start_soon(sqlite.append, append)
            if reopened:
                await sqlite.close()
                sqlite = SqliteStore(folder / "ledger.db", clock)
            clock.advance(1)
        for store in (memory, sqlite):
            await _same_rows(store)
        for table in TABLES:
            assert await memory.rows(table) == await sqlite.rows(table), table
    finally:
        await sqlite.close()


async def _same_rows(store: Store) -> None:
    assert await differences(store) == []
    rebuilt = Tables()
    rebuilt.absorb([event for _, event in await store.follow(limit=100_000)])
    for table in TABLES:
        rows = rebuilt.rows(table)
        assert await store.rows(table) == rows, table
        for run_id in {row["run_id"] for row in rows if "run_id" in row}:
            its_own = [row for row in rows if row["run_id"] == run_id]
            assert await store.rows(table, {"run_id": run_id}) == its_own, table


def test_erased_payloads_leave_rows_that_say_less_and_never_an_error() -> None:
    choices = [0, 3, 1, 9, 4, 17, 5, 60, 2, 33, 8]
    events = chained(fact for append in stories(choices) for fact in append)
    erased = [event._replace(fact=event.fact._replace(body={}), salt=b"", payload=b"") for event in events]
    whole, less = Tables(), Tables()
    whole.absorb(events)
    less.absorb(erased)
    for table in TABLES:
        assert len(less.rows(table)) == len(whole.rows(table)) or table == "due"
        assert all(tuple(row) == TABLES[table].columns for row in less.rows(table))


def test_rows_hold_no_arguments_results_or_words() -> None:
    secret = "zz-secret-zz"
    held = decided("call_1", verdict="require_approval", outcome="held")
    facts = [
        started(words=secret),
        proposed("call_1", arguments={"iban": secret}),
        held._replace(body=held.body | {"arguments": {"iban": secret}, "facts": {"iban": secret}}),
        requested("appr_1", "call_1", 5)._replace(
            body=requested("appr_1", "call_1", 5).body | {"arguments": {"iban": secret}, "text": secret}
        ),
        voice("appr_1", "call_1", "bob", "leads")._replace(body={"decision": "reject", "roles": [], "words": secret}),
        *read_call("call_2"),
    ]
    facts[-1].body["outcome"]["value"] = secret
    tables = Tables()
    tables.absorb(chained(facts))
    assert secret not in repr([tables.rows(table) for table in TABLES])


def test_the_files_tables_have_the_public_columns_in_order_with_numbers_as_numbers(tmp_path: Path) -> None:
    database = LedgerFile(tmp_path / "ledger.db", 1).connect()
    for name, table in TABLES.items():
        columns = [(row[1], row[2]) for row in database.execute(f'PRAGMA table_info("{name}")')]
        assert tuple(column for column, _ in columns) == ("pos", *table.columns)
    database.close()
    assert len(MIGRATIONS) == 9, "a released step is never changed: add the next one"


def test_folding_takes_no_notice_of_events_about_what_is_not_there() -> None:
    """An event of a call or approval that no event introduced changes no row of another."""
    strangers: list[Any] = [
        intent("call_9"),
        voice("appr_9", "call_9", "bob", "leads"),
        moved(Kind.APPROVAL_EXPIRED, "appr_9", "call_9"),
        Fact(Kind.RUN_FINISHED, {"reason": ""}),
    ]
    tables = Tables()
    tables.absorb(chained(strangers))
    assert all(tables.rows(table) == [] for table in TABLES)


def test_compensations_and_dead_letters_have_rows() -> None:
    undone = Fact(Kind.CALL_COMPENSATED, {}, "call_2", 2, outcome="done")
    given_up = Fact(Kind.CALL_DEAD_LETTERED, {"code": "execute.busy"}, "call_1", 1, 3)
    events: list[Event] = chained([started(), proposed("call_1", 1), proposed("call_2", 2), undone, given_up])
    tables = Tables()
    tables.absorb(events)
    [action] = tables.rows("compensation_action")
    [letter] = tables.rows("dead_letter")
    assert (action["call_id"], action["tool"], action["outcome"], action["seq"]) == ("call_2", "refund", "done", 4)
    assert (letter["call_id"], letter["tool"], letter["outcome"], letter["seq"]) == ("call_1", "refund", None, 5)
    assert (letter["code"], letter["attempts"]) == ("execute.busy", 3)
