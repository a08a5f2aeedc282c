"""No call of a trial gets a tool with its own body, whatever is put in the registry's place while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from interlock import CallContext, Principal, Settings, World, foreign_tool, open_plane
from interlock.evals.chaos import Injector
from interlock.evals.far_ends import FarEnds, bodies
from interlock.ledger.store import MemoryStore
from interlock.registry.registry import Registry
from interlock.testing import CountedIds, FrozenClock
from tests.evals.makers import ORDER, Desk, suite

pytestmark = pytest.mark.anyio


async def no_pause(seconds: float) -> None:
    """No fault is injected here."""


def over(**said: Any) -> Any:
    made = suite(case={}, **said)
    return bodies(made, made.cases[0], Injector((), "", no_pause))


async def test_a_registry_that_is_replaced_while_a_run_goes_on_reaches_no_far_end_either() -> None:
    """A server that lists its tools again has the plane's registry replaced, beside the run."""
    far, ana = Desk(), Principal("ana", roles=frozenset({"support"}))
    world = World(clock=FrozenClock(), new_id=CountedIds())
    async with open_plane(Settings(ledger=None), tools=far.tools(), world=world, engine=False) as plane:
        first = plane.plane.registry
        plane.plane.definitions = FarEnds(plane.store, over(answers={"note": [{"value": "written"}]}))
        async with plane.run(ana) as run:
            assert (await run.call("note", {"order": 7})).value == "written"
            plane.plane.registry = first
            assert (await run.call("note", {"order": 8})).value == "written"
            plane.plane.registry = Registry(far.tools())
            assert (await run.call("note", {"order": 9})).value == "written"
    assert far.reached == []


async def test_the_same_registry_is_made_over_once() -> None:
    ends = FarEnds(MemoryStore(FrozenClock()), over())
    below = Registry(Desk().tools())
    made = await ends.current(below)
    assert made is await ends.current(below) is await ends.current(made)
    assert made is not below
    assert [tool.digest for tool in made.tools] == [tool.digest for tool in below.tools]


async def test_every_version_of_a_tool_is_over_another_body() -> None:
    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        raise AssertionError("a far end was reached")

    versions = [
        foreign_tool("note", "local", "Notes.", ORDER, body, effect="reversible", version=version)
        for version in ("1", "2")
    ]  # fmt: skip
    made = Registry(versions).with_bodies(over())
    assert [each.tool.version for each in made.versions("note")] == ["1", "2"]
    assert all(tool.body is not body for tool in made.tools)


async def test_reads_without_an_answer_are_real_only_where_the_suite_says_so_and_outward_ones_never() -> None:
    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return None

    read = foreign_tool("look", "local", "Looks.", ORDER, body, effect="read")
    outward = foreign_tool("fetch", "local", "Fetches.", ORDER, body, effect="read", outward=True)
    write = foreign_tool("note", "local", "Notes.", ORDER, body, effect="reversible")
    assert [over(far_end="reads")(tool).body is body for tool in (read, outward, write)] == [True, False, False]
    assert [over()(tool).body is body for tool in (read, outward, write)] == [False, False, False]
    assert over(far_end="reads", answers={"look": [{"value": 1}]})(read).body is not body


async def test_no_function_that_answers_several_reads_at_once_is_left_behind_another_body() -> None:
    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return None

    async def together(asked: Any) -> Any:
        raise AssertionError("a far end was reached")

    read = replace(foreign_tool("look", "local", "Looks.", ORDER, body, effect="read"), batch=together)
    assert over()(read).batch is None
    assert over(far_end="reads")(read).batch is together
