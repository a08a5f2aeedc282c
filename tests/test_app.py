"""The composition root: what is opened, by what, and how it ends."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import Answer, CallContext, Interlock, OutcomeKind, Principal, Settings, World, open_plane
from interlock.core.ids import CountedIds
from interlock.engine.engine import Pace
from interlock.errors import DefinitionError, InterlockError, NotEntitled, PolicyError, SettingsError, StoreUnavailable
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import MemoryStore
from interlock.policy.flags import Scope
from interlock.testing import FrozenClock
from tests.planes import ANA, BOB, Far, saying

pytestmark = pytest.mark.anyio


async def yes(plane: Interlock, approval_id: str) -> Answer:
    return saying((await plane.approval(approval_id, "default")).request)


async def test_without_a_ledger_nothing_is_kept_and_with_one_everything(tmp_path: Path) -> None:
    far, kept = Far(), Settings(ledger=tmp_path / "l.db", folder=tmp_path)
    for settings, store in ((Settings(ledger=None), MemoryStore), (kept, SqliteStore)):
        async with open_plane(settings, tools=[far.tool("get")], engine=False) as plane:
            assert isinstance(plane.store, store)
            async with plane.run(ANA) as run:
                assert (await run.call("get", {"n": 1})).done
    async with open_plane(kept, engine=False) as plane:
        assert [row["status"] for row in await plane.store.rows("run")] == ["finished"]
        assert len(await plane.store.rows("tool_call")) == 1


async def test_the_idempotency_key_survives_the_process(tmp_path: Path) -> None:
    """Defect 34: another open of the same deployment makes the same key for the same call."""
    far, keys = Far(), []
    for _ in range(2):
        world = World(clock=FrozenClock(), new_id=CountedIds())
        settings = Settings(ledger=tmp_path / "l.db", folder=tmp_path)
        async with open_plane(settings, tools=[far.tool("get")], world=world, engine=False) as plane:
            keys.append(plane.plane.executor.deployment_key)
    assert keys[0] == keys[1]


async def test_an_engine_runs_what_was_approved_by_itself() -> None:
    far = Far()
    tools = [far.tool("pay", "irreversible")]
    async with open_plane(Settings(ledger=None), tools=tools) as plane, plane.run(ANA) as run:
        held = await run.call("pay", {"n": 1})
        assert held.kind is OutcomeKind.HELD
        answer = await yes(plane, held.approval_id)
        await plane.answer(held.approval_id, answer, BOB)
        assert (await run.wait(held, timeout_s=5)).done
    assert far.names == ["pay"]


async def test_an_approval_that_is_answered_here_is_acted_on_without_waiting_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interlock.app.Pace", partial(Pace, every_s=3600))
    far = Far()
    tools = [far.tool("pay", "irreversible")]
    async with open_plane(Settings(ledger=None), tools=tools) as plane, plane.run(ANA) as run:
        held = await run.call("pay", {"n": 1})
        answer = await yes(plane, held.approval_id)
        await plane.answer(held.approval_id, answer, BOB)
        assert (await run.wait(held, timeout_s=5)).done


@pytest.mark.parametrize("drain_s", [5, 0])
async def test_leaving_lets_what_the_engine_began_end_in_its_time_and_cuts_the_rest_off(
    tmp_path: Path, drain_s: float
) -> None:
    """K8: cut off, it is unknown, because it may have left; what nobody answered is held as before."""
    begun, go_on = anyio.Event(), anyio.Event()

    async def slow(arguments: dict[str, Any], context: CallContext) -> object:
        begun.set()
        await go_on.wait()
        return None

    far, settings = Far(), Settings(ledger=tmp_path / "l.db", folder=tmp_path, drain_s=drain_s)
    tools = [far.tool("pay", "irreversible", slow)]
    async with open_plane(settings, tools=tools) as plane:
        async with plane.run(ANA) as run:
            held, waits = await run.call("pay", {"n": 1}), await run.call("pay", {"n": 2})
        answer = await yes(plane, held.approval_id)
        await plane.answer(held.approval_id, answer, BOB)
        with anyio.fail_after(30):
            await begun.wait()
        if drain_s:
            asyncio.get_running_loop().call_later(0.05, go_on.set)  # after the block is left
    async with open_plane(settings, tools=tools, engine=False) as plane:
        rows = {row["call_id"]: row for row in await plane.store.rows("tool_call")}
        assert rows[held.call_id]["status"] == ("closed" if drain_s else "unknown")
        assert rows[waits.call_id]["status"] == "held"
        assert await plane.advance(run.run_id), "its claim was given back"


async def test_an_engine_ends_what_nobody_answered() -> None:
    far, clock = Far(), FrozenClock()
    tools = [far.tool("pay", "irreversible")]
    async with open_plane(Settings(ledger=None), tools=tools, world=World(clock=clock)) as plane, plane.run(ANA) as run:
        held = await run.call("pay", {"n": 1})
        clock.advance(86_400)
        assert (await run.wait(held, timeout_s=5)).code == "approve.expired"
        assert far.ran == []


async def test_an_error_of_the_block_comes_out_as_itself_and_closes_the_store() -> None:
    for engine in (True, False):
        with pytest.raises(ZeroDivisionError):
            async with open_plane(Settings(ledger=None), engine=engine) as plane:
                raise ZeroDivisionError
        with pytest.raises(StoreUnavailable):
            async with plane.run(ANA):
                pass


async def test_leaving_while_something_is_approved_waits_for_no_engine(tmp_path: Path) -> None:
    """It is run by whoever opens the ledger next."""
    far = Far()
    settings = Settings(ledger=tmp_path / "l.db", folder=tmp_path)
    tools = [far.tool("pay", "irreversible")]
    async with open_plane(settings, tools=tools, engine=False) as plane:
        async with plane.run(ANA) as run:
            held = await run.call("pay", {"n": 1})
        await plane.answer(held.approval_id, await yes(plane, held.approval_id), BOB)
    async with open_plane(settings, tools=tools) as plane:
        with anyio.fail_after(30):
            while not far.ran:
                await anyio.sleep(0.01)
    assert far.names == ["pay"]


BAD: list[tuple[dict[str, Any], type[InterlockError]]] = [
    ({"policy": Path("none")}, PolicyError),
    ({"policy": Path("bad")}, PolicyError),
    ({"shadow": Path("bad")}, PolicyError),
    ({"pins": Path("bad/p.cedar")}, InterlockError),
    ({"tools": ("no_such_module_anywhere",)}, SettingsError),
    ({"tools": ("json",)}, SettingsError),
]


@pytest.mark.parametrize(("options", "error"), BAD, ids=str)
async def test_what_is_not_acceptable_opens_nothing(
    options: dict[str, Any], error: type[InterlockError], tmp_path: Path
) -> None:
    """T34: refuse to start, rather than start with less."""
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "p.cedar").write_text("permit (principal, action, resource) when { context.nothing };")
    with pytest.raises(error):
        async with open_plane(Settings(ledger=Path("l.db"), folder=tmp_path, **options)):
            pass
    assert not (tmp_path / "l.db").exists()


async def test_two_tools_of_one_name_open_nothing() -> None:
    """Defect 15: shadowing is an error and not a replacement."""
    far = Far()
    with pytest.raises(DefinitionError):
        async with open_plane(Settings(ledger=None), tools=[far.tool("get"), far.tool("get", "reversible")]):
            pass


async def test_a_policy_that_does_not_load_leaves_the_one_in_force(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    rules = folder / "p.cedar"
    rules.write_text('@id("all") permit (principal, action, resource);')
    far = Far()
    settings = Settings(ledger=None, folder=tmp_path, policy=Path("policy"))
    async with open_plane(settings, tools=[far.tool("get")], engine=False) as plane, plane.run(Principal("x")) as run:
        before = plane.plane.policy.digest
        rules.write_text("permit (")
        with pytest.raises(PolicyError):
            await plane.reload_policy(Principal("olga"))
        assert plane.plane.policy.digest == before
        assert (await run.call("get", {"n": 1})).done
        rules.write_text('@id("none") forbid (principal, action, resource);')
        assert await plane.reload_policy(Principal("olga")) != before
        assert not (await run.call("get", {"n": 2})).done


async def test_a_candidate_policy_is_recorded_and_decides_nothing(tmp_path: Path) -> None:
    """Shadow mode."""
    for name, text in (
        ("now", "permit (principal, action, resource);"),
        ("next", "forbid (principal, action, resource);"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.cedar").write_text(f'@id("{name}") {text}')
    far = Far()
    settings = Settings(ledger=None, folder=tmp_path, policy=Path("now"), shadow=Path("next"))
    async with open_plane(settings, tools=[far.tool("get")], engine=False) as plane, plane.run(ANA) as run:
        outcome = await run.call("get", {"n": 1})
        assert outcome.done
        decided = next(event.fact for event in await plane.store.read(run.run_id) if event.fact.kind == "call.decided")
        assert decided.body["decision"]["verdict"] == "allow"
        assert decided.body["decision"]["shadow"]["verdict"] == "deny"


@pytest.mark.parametrize(
    ("scope", "target", "person", "may"),
    [
        (Scope.TOOL, "get", Principal("op", roles=frozenset({"operator"})), True),
        (Scope.ALL, "", Principal("ad", roles=frozenset({"admin"})), True),
        (Scope.TOOL, "get", ANA, False),
        (Scope.TENANT, "default", Principal("op", "evil", frozenset({"operator"})), False),
        (Scope.ALL, "", Principal("op", "evil", frozenset({"operator", "admin"})), False),
    ],
)
async def test_only_operators_and_admins_stop_and_another_tenants_stop_no_more_than_their_own(
    scope: Scope, target: str, person: Principal, may: bool
) -> None:
    """B19, T35."""
    far = Far()
    async with open_plane(Settings(ledger=None), tools=[far.tool("get")], engine=False) as plane, plane.run(ANA) as run:
        for throw in (plane.stop, plane.resume):
            if may:
                await throw(scope, target, person, reason="drill")
            else:
                with pytest.raises(NotEntitled):
                    await throw(scope, target, person, reason="x")
            assert (await run.call("get", {"n": 1})).done == (not may or throw == plane.resume)


async def test_stops_of_several_processes_all_count(tmp_path: Path) -> None:
    """Each has written what the others have not read yet; resuming one takes back that one alone."""
    far = Far()
    settings = Settings(ledger=tmp_path / "l.db", folder=tmp_path)
    tools = [far.tool(name) for name in ("one", "other", "third")]
    operator = Principal("op", roles=frozenset({"operator"}))
    async with (
        open_plane(settings, tools=tools, engine=False) as here,
        open_plane(settings, tools=tools, engine=False) as there,
        here.run(ANA) as run,
        there.run(ANA) as far_run,
    ):
        assert (await run.call("one", {"n": 1})).done
        await here.stop(Scope.TOOL, "one", operator, reason="x")
        await there.stop(Scope.TOOL, "other", operator, reason="y")
        await here.stop(Scope.TOOL, "third", operator, reason="z")
        await there.resume(Scope.TOOL, "third", operator)
        for each in (run, far_run):
            stopped = [(await each.call(name, {"n": 2})).code for name in ("one", "other", "third")]
            assert stopped == ["authorize.stopped", "authorize.stopped", ""]
