"""What a call is about in one line: money and recipients first, cut, and nothing in it hides. REQUIREMENTS E5, E10."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from interlock.core.event import Kind
from interlock.gist import NAME_MAX, PARTS_MAX, VALUE_MAX, gist, gists
from interlock.ledger.redact import redact
from tests.planes import OPA, Far, Stage, staged
from tests.test_inbox import POLICY, tools

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(*tools(Far()), ledger=tmp_path / "ledger.db" if request.param == "sqlite" else None) as made:
        made.obey(POLICY)
        yield made


def test_money_comes_first_then_recipients_then_the_others_in_their_order() -> None:
    arguments = {"order_id": 7, "note": "late", "to": "ana@shop.example", "amount_cents": 12_900, "currency": "EUR"}
    line = gist(arguments, {})
    assert [part.name for part in line.parts] == ["amount_cents", "currency", "to", "order_id", "note"]
    assert [part.weighs for part in line.parts] == [True, True, True, False, False]
    assert str(line) == ('amount_cents=12900 (129.00), currency="EUR", to="ana@shop.example", order_id=7, note="late"')


def test_a_target_by_its_role_is_a_recipient() -> None:
    assert [part.name for part in gist({"a": "x", "b": "y"}, {"/b": {"role": "target"}}).parts] == ["b", "a"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, ""),
        ({"items": [{"sku": "A"}], "none": [], "yes": True}, 'items/0/sku="A", none=[], yes=true'),
        ({str(n): n for n in range(PARTS_MAX + 2)}, "0=0, 1=1, 2=2, 3=3, 4=4, 2 more"),
        ({"text": "x" * (VALUE_MAX + 1)}, f'text="{"x" * VALUE_MAX}"…'),
        ({"k" * (NAME_MAX + 1): 1, "a\u200bb": 2}, f"{'k' * NAME_MAX}…=1, a\\u200bb=2"),
        ({"to": "\u202egro.live\u202c", "then": "a\nb\x1b"}, 'to="\\u202egro.live\\u202c", then="a\\nb\\u001b"'),
    ],
)
def test_a_line_is_cut_and_shows_what_hides(arguments: dict[str, Any], line: str) -> None:
    """T25: as every other text of others."""
    assert str(gist(arguments, {})) == line


async def test_each_item_of_one_call_has_its_line_and_a_flood_has_none(stage: Stage) -> None:
    async with stage.run() as run:
        ids = [(await run.call(tool, {"n": 1})).call_id for tool in ("lost", "dead")]
        for n in range(21):
            await run.call("pay", {"n": n})
    async with stage.run() as other:
        await other.call("pay", {"n": 70})
    for _ in range(2):
        async with stage.run() as alike:
            await alike.call("pay", {"n": 80})
    items = await stage.plane.inbox()
    found = await gists(stage.plane.store, "default", items)
    lines = {(item.kind, item.why): str(found.get((item.run_id, item.ids[0]), "")) for item in items}
    assert lines == {
        ("held", "flood"): "", ("held", ""): "n=70", ("held", "equal"): "n=80", ("unknown", ""): "n=1",
        ("dead_letter", ""): "n=1",
    }  # fmt: skip
    assert {item.ids[0] for item in items} >= set(ids)


async def test_another_tenant_has_no_line_of_it(stage: Stage) -> None:
    async with stage.run() as run:
        await run.call("pay", {"n": 1})
    assert await gists(stage.plane.store, "other", await stage.plane.inbox()) == {}


async def test_what_was_erased_has_no_line(stage: Stage) -> None:
    store = stage.plane.store
    async with stage.run() as run:
        await run.call("dead", {"n": 1})
    decided = [event.seq for event in await store.read(run.run_id) if event.fact.kind is Kind.CALL_DECIDED]
    items = await stage.plane.inbox()
    assert len(await gists(store, "default", items)) == 1
    await redact(store, run.run_id, decided, "asked for it", OPA)
    assert await gists(store, "default", items) == {}
