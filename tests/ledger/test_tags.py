"""Cache tags: a write puts what was read before it out of date, for every process on the ledger. T35, T43, T38."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.core.call_state import CallState
from interlock.core.event import Fact, GuardChange, Kind
from interlock.core.run import RunState
from interlock.errors import StoreUnavailable
from interlock.ledger.store import Append, MemoryStore, Store
from interlock.ledger.tags import Tags, outdated, raises
from interlock.testing import FrozenClock
from tests.ledger.makers import opened

pytestmark = pytest.mark.anyio


async def raise_(store: Store, tenant: str, *tags: str) -> None:
    """What another process's write does."""
    fact = Fact(Kind.CONFIG, {})
    await store.append(Append(f"tenant/{tenant}", tenant, [fact], guards=raises(tenant, tags)))


async def test_nothing_is_read_again_until_somebody_else_has_written(tmp_path: Path) -> None:
    ours, theirs = [await opened(tmp_path / "ledger.db", FrozenClock()) for _ in range(2)]
    tags = Tags(ours)
    await raise_(ours, "acme", "other")  # finds that the other process has opened the file
    first = await tags.reading("acme", ("flats", "owners"))
    assert first == (0, 0)
    reads = 0
    asked = ours.guards

    async def counted(prefix: str = "") -> dict[str, int]:
        nonlocal reads
        reads += 1
        return await asked(prefix)

    ours.guards = counted  # type: ignore[method-assign]
    assert await tags.reading("acme", ("flats", "owners")) == first
    await raise_(ours, "acme", "other")
    assert await tags.reading("acme", ("flats", "owners")) == first
    assert reads == 0
    await raise_(theirs, "acme", "flats")
    flats, owners = await tags.reading("acme", ("flats", "owners")) or ()
    assert (flats != first[0], owners) == (True, first[1])
    assert reads == 1
    await ours.close()
    await theirs.close()


async def test_a_reading_never_comes_back_whoever_raised_and_in_whatever_order_it_was_seen(tmp_path: Path) -> None:
    """Two counts of one row that meet again would make an old result current."""
    ours, theirs = [await opened(tmp_path / "ledger.db", FrozenClock()) for _ in range(2)]
    tags = Tags(ours)
    seen = [await tags.reading("acme", ("flats",))]
    for who in (ours, theirs, ours, ours, theirs, theirs, ours, theirs):
        await raise_(who, "acme", "flats")
        if who is ours:
            tags.raised("acme", ("flats",))
        seen.append(await tags.reading("acme", ("flats",)))
    assert None not in seen
    assert len(set(seen)) == len(seen)
    await ours.close()
    await theirs.close()


async def test_a_row_that_goes_back_counts_as_raised() -> None:
    """A ledger that was restored to an earlier state makes nothing current that was not."""
    store = MemoryStore(FrozenClock())
    tags = Tags(store)
    store.changes = iter(range(9)).__next__  # type: ignore[method-assign]
    await raise_(store, "acme", "flats", "owners")
    before = await tags.reading("acme", ("flats",))
    back = (GuardChange("acme/cache/flats", -1),)
    await store.append(Append("tenant/acme", "acme", [Fact(Kind.CONFIG, {})], guards=back))
    assert await tags.reading("acme", ("flats",)) != before


@pytest.mark.parametrize("other", ["acm", "acme/cache", "acme/cache/flats", "b"])
async def test_no_tenants_write_touches_another_tenants_tags(other: str) -> None:
    """T35: and names with slashes cannot be made to meet."""
    store = MemoryStore(FrozenClock())
    store.changes = iter(range(9)).__next__  # type: ignore[method-assign]
    tags = Tags(store)
    before = await tags.reading("acme", ("flats",))
    await raise_(store, other, "flats", "cache", "flats.x")
    assert await tags.reading("acme", ("flats",)) == before


async def test_where_the_ledger_cannot_be_read_nothing_is_known() -> None:
    """Fail closed: whoever cannot know whether somebody wrote must not answer from memory."""
    store = MemoryStore(FrozenClock())
    tags = Tags(store)
    await tags.reading("acme", ("flats",))
    await store.close()

    def broken() -> int:
        raise StoreUnavailable("gone", code="ledger.unreadable")

    store.changes = broken  # type: ignore[method-assign]
    assert await tags.reading("acme", ("flats",)) is None
    assert await tags.reading("acme", ()) == (), "what no write puts out of date needs no ledger"


def test_an_intent_and_every_outcome_of_its_call_put_its_tags_out_of_date() -> None:
    """Whoever ends it: its worker, a recovery, a person."""
    run = RunState("run_1", "acme")
    intent = Fact(Kind.CALL_INTENT, {"invalidates": ["b", "a"]}, "call_1")
    assert outdated([intent], run) == ("a", "b")
    assert outdated([Fact(Kind.CALL_INTENT, {}, "call_2")], run) == ()
    run.calls["call_1"] = CallState("call_1", "put", "", 1, invalidates=("a", "b"))
    for kind in (Kind.CALL_RESULT, Kind.CALL_UNKNOWN, Kind.CALL_RECONCILED):
        assert outdated([Fact(kind, {}, "call_1", outcome="failed")], run) == ("a", "b")
        assert outdated([Fact(kind, {}, "call_9", outcome="done")], run) == ()
    assert outdated([Fact(Kind.CALL_DECIDED, {}, "call_1")], run) == ()
