"""Questions to the ledger: D2. What is asked wrongly is refused with what there is; no tenant sees another."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.core.event import NOTICES, Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.ledger.audit import VIEWS, Question, audit
from interlock.ledger.evaluated import keep_eval
from interlock.ledger.pages import LIMIT_MAX
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Append, Store
from interlock.ledger.tables import TABLES
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import EVALUATED, RUN, TENANT, decided, proposed, read_call, requested, started, to

pytestmark = pytest.mark.anyio


async def told(store: Store, clock: FrozenClock) -> int:
    """Ten calls, a second apart, in one run; one held, one of another tenant. When the first was proposed."""
    begin_us = clock.wall_us()
    await store.append(to(RUN, started()))
    for step in range(1, 11):
        await store.append(to(RUN, *read_call(f"call_{step}", step)))
        clock.advance(1)
    held = decided("call_11", 11, verdict="require_approval", outcome="held")
    await store.append(to(RUN, proposed("call_11", 11), held, requested("appr_1", "call_11", begin_us)))
    await store.append(Append("run_9", "globex", [started(), *read_call("call_x")]))
    for tenant in (TENANT, "globex"):
        body = {"id": f"ntc_{tenant}", "channel": "hook", "kind": "approval.requested", "tenant": tenant}
        reached = Fact(
            Kind.NOTICE_DELIVERED, body | {"about": RUN, "ref": "appr_1", "attempts": 1, "why": "answered 200"}
        )
        await store.append(Append(NOTICES, "default", [reached]))
        await keep_eval(store, f"eval_{tenant}", Principal("opa", tenant), EVALUATED)
    return begin_us


@pytest.mark.parametrize("view", list(VIEWS))
async def test_every_view_answers_with_its_own_tenants_rows_only(store: Store, clock: FrozenClock, view: str) -> None:
    await told(store, clock)
    rows = await audit(store, TENANT, Question(view=view))
    assert {row["tenant"] for row in rows} <= {TENANT}
    assert bool(rows) == (view != "compensation_action")
    assert await audit(store, "nobody", Question(view=view)) == []


async def test_conditions_are_all_met_and_text_is_read_as_a_number_where_numbers_stand(
    store: Store, clock: FrozenClock
) -> None:
    await told(store, clock)
    [row] = await audit(store, TENANT, Question(view="authz_decision", where={"step": "3", "decision": "allow"}))
    assert row["call_id"] == "call_3"
    [row] = await audit(store, TENANT, Question(view="tool_call", where={"status": "held"}))
    assert (row["call_id"], row["approval_id"]) == ("call_11", "appr_1")


async def test_a_time_window_takes_its_beginning_and_leaves_its_end(store: Store, clock: FrozenClock) -> None:
    begin_us = await told(store, clock)
    window = Question(view="tool_result", since_us=begin_us + 2_000_000, until_us=begin_us + 5_000_000)
    assert [row["call_id"] for row in await audit(store, TENANT, window)] == ["call_3", "call_4", "call_5"]


async def test_the_newest_within_the_window_are_kept_however_much_is_newer(store: Store, clock: FrozenClock) -> None:
    begin_us = await told(store, clock)
    window = Question(view="tool_result", until_us=begin_us + 3_000_000, limit=2)
    assert [row["call_id"] for row in await audit(store, TENANT, window)] == ["call_2", "call_3"]


@pytest.mark.parametrize(
    ("question", "code", "closest"),
    [
        (Question(view="tool_cal"), "audit.view", "'tool_call'"),
        (Question(view="due"), "audit.view", "authz_decision"),
        (Question(view="event; DROP TABLE event"), "audit.view", "There are"),
        (Question(view="tool_call", where={"tol": "x"}), "audit.column", "'tool'"),
        (Question(view="tool_call", where={"pos": 1}), "audit.column", "There are"),
        (Question(view="tool_call", where={"tenant": "globex"}), "audit.column", "There are"),
        (Question(view="tool_call", where={'tool" IS ? OR "tool': "x"}), "audit.column", "There are"),
        (Question(view="tool_call", where={"step": "three"}), "audit.value", "whole number"),
        (Question(view="tool_call", limit=0), "audit.limit", str(LIMIT_MAX)),
        (Question(view="tool_call", limit=LIMIT_MAX + 1), "audit.limit", str(LIMIT_MAX)),
    ],
)
async def test_a_question_that_cannot_be_asked_is_refused_with_what_can(
    store: Store, question: Question, code: str, closest: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await audit(store, TENANT, question)
    assert refused.value.code == code
    assert closest in refused.value.remedy


async def test_a_value_is_data_and_never_a_part_of_the_query(sqlite: SqliteStore) -> None:
    await sqlite.append(to(RUN, started(), *read_call("call_1")))
    for value in ("x' OR '1'='1", "'; DROP TABLE run; --", None):
        assert await audit(sqlite, TENANT, Question(view="tool_call", where={"tool": value})) == []
    assert len(await audit(sqlite, TENANT, Question(view="tool_call"))) == 1


def test_the_columns_that_hold_numbers_are_those_of_the_file() -> None:
    from interlock.ledger.audit import _is_number
    from interlock.ledger.migrations import MIGRATIONS

    script = " ".join(MIGRATIONS).replace('"', "")
    for view in VIEWS:
        columns: list[Any] = [name for name in TABLES[view].columns if _is_number(name)]
        assert columns
        assert all(f" {name} INTEGER" in script or name == "started_us" for name in columns)
        assert not any(f" {name} INTEGER" in script for name in TABLES[view].columns if not _is_number(name))
