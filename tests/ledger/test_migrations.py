"""Files of earlier releases: opened, they say what their events say."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from interlock.core.event import Fact, Kind
from interlock.ledger.migrations import APPLICATION_ID, MIGRATIONS
from interlock.ledger.rebuild import differences
from interlock.ledger.store import Store
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import TENANT, decided, first, opened, read_call, requested, started, to, voice

pytestmark = pytest.mark.anyio

KEPT = ("mark", "chain", "event", "payload", "extent", "once", "guard", "claim", "run", "tool_call", "authz_decision",
        "tool_result", "approval", "dead_letter", "due")  # fmt: skip
"""Tables of the seventh schema with rows in what `told` writes."""


async def told(store: Store) -> None:
    """Requests of two runs, one of them erased, and two dead letters, one of which was proposed again, twice."""
    for run in ("run_a", "run_b"):
        held = first(decided("call_1", verdict="require_approval", outcome="held"))
        await store.append(to(run, started(), held, requested("appr_1", "call_1", 9)))
    await store.append(to("run_a", voice("appr_1", "call_1", "bob", "leads")))
    await store.erase(to("run_b", Fact(Kind.REDACT, {"seqs": [3]})), [3])
    letters = [Fact(Kind.CALL_DEAD_LETTERED, {"code": "x"}, f"call_{number}", 0, 3, "ana") for number in (2, 3)]
    await store.append(to("run_a", *read_call("call_2"), *read_call("call_3"), *letters))
    for attempt in (1, 2):
        body = {"act": "retry", "by": "olga", "reason": "again", "run_id": "run_c"}
        await store.append(to("run_a", Fact(Kind.OPERATOR, body, "call_3", 0, attempt, "olga")))
    await store.append(to("run_b", Fact(Kind.OPERATOR, {"act": "saga.cancel"}, principal_id="olga")))


def seventh(path: Path, of: Path) -> None:
    """The same ledger as the seventh schema had it."""
    database = apsw.Connection(str(path))
    for step in MIGRATIONS[:7]:
        database.execute(step)
    database.execute("DELETE FROM mark")
    database.execute("ATTACH ? AS newer", (str(of),))
    for table in KEPT:
        columns = ", ".join(f'"{row[1]}"' for row in database.execute(f'PRAGMA main.table_info("{table}")'))
        database.execute(f'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM newer."{table}"')
    database.execute(f"PRAGMA user_version = 7; PRAGMA application_id = {APPLICATION_ID}")
    database.close()


@pytest.fixture
async def older(tmp_path: Path, clock: FrozenClock) -> Path:
    made = await opened(tmp_path / "newer.db", clock)
    await told(made)
    await made.close()
    seventh(tmp_path / "older.db", tmp_path / "newer.db")
    return tmp_path / "older.db"


async def test_a_file_of_the_seventh_schema_says_what_requests_ask_for_and_what_was_tried_again(
    older: Path, clock: FrozenClock
) -> None:
    store = await opened(older, clock)
    [asked, erased] = await store.rows("approval")
    assert (asked["digest"], erased["digest"]) == ("ab" * 32, None)
    [one, two] = await store.rows("retry")
    assert one == {
        "run_id": "run_a", "tenant": TENANT, "seq": 11, "call_id": "call_3", "step": 0, "at_us": clock.wall_us(),
        "principal_id": "olga",
    }  # fmt: skip
    assert two["seq"] == 12
    assert await differences(store) == []
    await store.close()


async def test_a_damaged_request_does_not_keep_an_older_file_from_opening(older: Path, clock: FrozenClock) -> None:
    """That it is damaged is for `verify` to say."""
    database = apsw.Connection(str(older))
    database.execute("DROP TRIGGER payload_is_never_changed")
    database.execute("UPDATE payload SET body = X'7B227B' WHERE pos = (SELECT min(pos) FROM approval)")
    database.close()
    store = await opened(older, clock)
    assert [row["digest"] for row in await store.rows("approval")] == [None, None]
    await store.close()
