"""Pages of tables: what fits, newest first, and nothing lost or doubled between two pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.event import Fact, Kind
from interlock.errors import LedgerError
from interlock.ledger.pages import COUNT_MAX, LIMIT_MAX, VALUES_MAX, Between, Contains, Page, Prefix, WithCall, during
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_select import count, select
from interlock.ledger.store import Append, MemoryStore, Store
from interlock.ledger.tables import TABLES, TIMES
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import (
    TENANT,
    decided,
    first,
    intent,
    opened,
    proposed,
    read_call,
    requested,
    result,
    started,
    to,
    voice,
)

pytestmark = pytest.mark.anyio

START_US = FrozenClock().wall_us()


async def whole(store: Store, table: str, where: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """All pages, one after the other."""
    found: list[dict[str, Any]] = []
    page = Page([], None, [])
    while True:
        page = await store.page(table, where, limit=limit, before=page.before)
        assert len(page.rows) == limit or page.before is None
        found += page.rows
        if page.before is None:
            return found


async def three_runs(store: Store, clock: FrozenClock) -> None:
    """Runs of five calls each, a second apart."""
    for run in ("run_a", "run_b", "run_c"):
        await store.append(to(run, started(title=f"Erstattung {run.upper()}")))
        for step in range(1, 6):
            clock.advance(1)
            await store.append(to(run, *read_call(f"call_{run}_{step}", step)))


async def test_pages_go_from_the_newest_to_the_oldest_and_say_where_to_go_on(store: Store, clock: FrozenClock) -> None:
    await three_runs(store, clock)
    one = await store.page("tool_call", limit=7)
    two = await store.page("tool_call", limit=7, before=one.before)
    three = await store.page("tool_call", limit=7, before=two.before)
    assert [len(page.rows) for page in (one, two, three)] == [7, 7, 1]
    assert three.before is None
    rows = await store.rows("tool_call")
    assert [*one.rows, *two.rows, *three.rows] == rows[::-1]


async def test_a_last_page_that_is_full_says_that_it_is_the_last(store: Store, clock: FrozenClock) -> None:
    await three_runs(store, clock)
    assert (await store.page("run", limit=3)).before is None
    assert (await store.page("run", limit=2)).before is not None


async def test_what_is_added_or_changed_between_two_pages_shifts_nothing(store: Store, clock: FrozenClock) -> None:
    await three_runs(store, clock)
    one = await store.page("run", limit=1)
    await store.append(to("run_d", started()))
    await store.append(to("run_b", Fact(Kind.RUN_FINISHED, {"reason": "done"})))
    two = await store.page("run", limit=9, before=one.before)
    assert [row["run_id"] for row in [*one.rows, *two.rows]] == ["run_c", "run_b", "run_a"]
    assert two.rows[0]["status"] == "finished"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"run_id": "run_b"}, ["run_b"]),
        ({"run_id": ("run_a", "run_c", "run_x")}, ["run_c", "run_a"]),
        ({"run_id": ()}, []),
        ({"run_id": Prefix("run_")}, ["run_c", "run_b", "run_a"]),
        ({"run_id": Prefix("RUN_")}, []),
        ({"run_id": Prefix("un_")}, []),
        ({"run_id": Prefix("run%")}, []),
        ({"title": Contains("erstattung run_b")}, ["run_b"]),
        ({"title": Contains("ERSTATTUNG RUN_B")}, ["run_b"]),
        ({"title": Contains("")}, ["run_c", "run_b", "run_a"]),
        ({"reason": Contains("")}, []),
        ({"reason": None}, ["run_c", "run_b", "run_a"]),
        ({"reason": (None, "x")}, ["run_c", "run_b", "run_a"]),
        ({"reason": ("x",)}, []),
        ({"started_us": Between(START_US + 1)}, ["run_c", "run_b"]),
        ({"started_us": Between(None, START_US + 1)}, ["run_a"]),
        ({"started_us": Between(START_US + 5_000_000, START_US + 10_000_000)}, ["run_b"]),
        ({"started_us": Between()}, ["run_c", "run_b", "run_a"]),
        ({"ended_us": Between()}, []),
        ({"started_us": Between(-(1 << 80), 1 << 80)}, ["run_c", "run_b", "run_a"]),
        ({"started_us": 1 << 80}, []),
        ({"run_id": "\ud800"}, []),
        ({"title": Contains("\ud800")}, []),
        ({"title": Contains("a\0b")}, []),
        ({"run_id": ("\ud800", "run_a")}, ["run_a"]),
        ({"run_id": "run_b", "status": "open"}, ["run_b"]),
        ({"run_id": "run_b", "status": "finished"}, []),
        ({"run_id": WithCall({"call_id": Prefix("call_run_b"), "tool": "refund"})}, ["run_b"]),
        ({"run_id": WithCall({"call_id": ("call_run_a_1", "call_run_c_5")})}, ["run_c", "run_a"]),
        ({"run_id": WithCall({"tool": "other"})}, []),
    ],
)
async def test_every_way_to_ask_for_a_column(
    store: Store, clock: FrozenClock, where: dict[str, Any], found: list[str]
) -> None:
    await three_runs(store, clock)
    assert [row["run_id"] for row in (await store.page("run", where)).rows] == found
    assert await store.count("run", where) == len(found)


async def test_a_window_takes_its_beginning_and_leaves_its_end(store: Store, clock: FrozenClock) -> None:
    await three_runs(store, clock)
    window = during("tool_call", START_US + 2_000_000, START_US + 4_000_000)
    assert [row["call_id"] for row in (await store.page("tool_call", window)).rows] == ["call_run_a_3", "call_run_a_2"]
    assert during("tool_call", None, None) == {}


async def test_counting_ends_where_it_was_told_to(store: Store, clock: FrozenClock) -> None:
    await three_runs(store, clock)
    assert [await store.count("tool_call", upto=upto) for upto in (10, 14, 15, COUNT_MAX)] == [11, 15, 15, 15]
    assert await store.count("tool_call", {"status": ("held", "unknown")}) == 0


@pytest.mark.parametrize(
    "asked",
    [
        lambda store: store.page("due; DROP TABLE run"),
        lambda store: store.page("run", {"tol": 1}),
        lambda store: store.page("run", {'status" IS ? OR "status': "open"}),
        lambda store: store.page("run", limit=0),
        lambda store: store.page("run", limit=LIMIT_MAX + 1),
        lambda store: store.page("run", {"status": tuple(map(str, range(VALUES_MAX + 1)))}),
        lambda store: store.page("budget"),
        lambda store: store.page("run", {"title": WithCall({})}),
        lambda store: store.page("run", {"run_id": WithCall({"tol": 1})}),
        lambda store: store.page("run", {"run_id": WithCall({"run_id": WithCall({})})}),
        lambda store: store.count("run", {"tol": 1}),
        lambda store: store.rows("run", {"tol": 1}),
    ],
)
async def test_what_cannot_be_asked_is_a_bug_of_who_asks(store: Store, asked: Callable[[Store], Any]) -> None:
    with pytest.raises(AssertionError):
        await asked(store)


def test_every_table_with_positions_of_its_own_says_which_column_is_its_time() -> None:
    assert TIMES.keys() == TABLES.keys() - {"budget"}
    assert all(when in TABLES[table].columns for table, when in TIMES.items())


@pytest.mark.parametrize(
    ("table", "where", "index"),
    [
        ("approval", {"status": "pending", "tenant": TENANT}, "approval_pending"),
        ("tool_call", {"status": ("held", "unknown"), "tenant": TENANT}, "tool_call_open"),
        ("tool_call", {"call_id": ("call_1", "call_2")}, "tool_call_key"),
        ("approval", {"approval_id": "appr_1", "tenant": TENANT}, "approval_key"),
        ("run", {"run_id": ("run_a", "run_b")}, "run_key"),
        ("tool_call", {"run_id": "run_a"}, "USING PRIMARY KEY"),
    ],
)
async def test_what_is_asked_for_often_is_found_through_an_index(
    sqlite: SqliteStore, table: str, where: dict[str, Any], index: str
) -> None:
    database = apsw.Connection(str(sqlite.path))
    for sql, values in (select(table, where, 1000), count(table, where)):
        explained = database.execute(f"EXPLAIN QUERY PLAN {sql}", (*values, 9))
        assert index in " ".join(str(row[3]) for row in explained)
    database.close()


# The two stores agree: whatever was appended, and whatever is asked.

RUNS = ("run_a", "run_b", "run_ab")
CALLS = ("call_1", "call_2", "Call_Ü")
APPROVALS = ("appr_1", "appr_2")
TEXTS = ("", "open", "run_", "run_a", "CALL", "call_2", "ü", "Ü", "ana", "a\0", "\ud800", "closed", "held", "pending")

facts = st.one_of(
    st.builds(lambda title: started(title=title), st.sampled_from(["", "Refund", "refund ü", "a\0b"])),
    st.builds(lambda call, said: proposed(call, **said), st.sampled_from(CALLS), st.just({})),
    st.builds(
        lambda call, verdict, outcome: first(decided(call, verdict=verdict, outcome=outcome)),
        st.sampled_from(CALLS),
        st.sampled_from(["allow", "deny", "require_approval"]),
        st.sampled_from(["", "refused", "held"]),
    ),
    st.builds(lambda call: Fact(Kind.RUN_FINISHED, {"reason": call}), st.sampled_from(CALLS)),
    st.builds(intent, st.sampled_from(CALLS)),
    st.builds(
        lambda call, came: result(call, came[0], kind=came[1]),
        st.sampled_from(CALLS),
        st.sampled_from([("done", Kind.CALL_RESULT), ("failed", Kind.CALL_RESULT), ("unknown", Kind.CALL_UNKNOWN)]),
    ),
    st.builds(
        lambda approval, call, end: requested(approval, call, end),
        st.sampled_from(APPROVALS), st.sampled_from(CALLS), st.integers(0, 9),
    ),
    st.builds(lambda approval: voice(approval, CALLS[0], "bob", "leads"), st.sampled_from(APPROVALS)),
)  # fmt: skip


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, dict[str, Any], int]:
    table = draw(st.sampled_from(sorted(TIMES)))
    text = st.sampled_from(TEXTS)
    number = st.one_of(st.integers(-1, 12), st.integers(START_US - 2, START_US + 12_000_000), st.just(1 << 70))
    value = st.one_of(text, number, st.none())
    bound = st.one_of(st.none(), number)
    plain = st.one_of(value, st.lists(value, max_size=3).map(tuple), st.frozensets(value, max_size=3))
    spans, words_like = st.builds(Between, bound, bound), st.builds(Prefix, text) | st.builds(Contains, text)
    words = {column: plain | (spans if _number(table, column) else words_like) for column in TABLES[table].columns}
    where = draw(st.fixed_dictionaries({}, optional=words))
    kept = draw(st.sets(st.sampled_from(sorted(words)), max_size=2))
    if "run_id" in words and draw(st.booleans()):
        calls = {"status": ("held", "unknown")} if draw(st.booleans()) else {"call_id": draw(text)}
        return table, {"run_id": WithCall(calls)}, draw(st.integers(1, 4))
    return table, {column: asked for column, asked in where.items() if column in kept}, draw(st.integers(1, 4))


def _number(table: str, column: str) -> bool:
    return column.endswith("_us") or column in {
        "step",
        "seq",
        "epoch",
        "attempts",
        "quorum",
        "dry_run",
        "waits",
        "uses",
    }


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(RUNS), st.lists(facts, min_size=1, max_size=4)), max_size=12),
    st.lists(questions(), min_size=1, max_size=25),
)
def test_both_stores_give_the_same_pages_and_counts(
    appends: list[tuple[str, list[Fact]]], asked: list[tuple[str, dict[str, Any], int]]
) -> None:
    async def main() -> None:
        clock = FrozenClock()
        with TemporaryDirectory() as folder:
            memory, sqlite = MemoryStore(clock), await opened(Path(folder) / "ledger.db", clock)
            for chain, said in appends:
                clock.advance(0.5)
                once = list({fact.unique or str(number): fact for number, fact in enumerate(said)}.values())
                refused = [await refusal(store, to(chain, *once)) for store in (memory, sqlite)]
                assert refused[0] == refused[1]
            for table, where, limit in asked:
                assert await whole(memory, table, where, limit) == await whole(sqlite, table, where, limit)
                plain = await memory.rows(table, where, LIMIT_MAX)
                assert plain == await sqlite.rows(table, where, LIMIT_MAX)
                assert plain[::-1] == await whole(sqlite, table, where, limit)
                assert await memory.count(table, where, limit) == await sqlite.count(table, where, limit)
            await sqlite.close()

    anyio.run(main)


async def refusal(store: Store, append: Append) -> str:
    try:
        await store.append(append)
    except LedgerError as error:
        return error.code
    return ""
