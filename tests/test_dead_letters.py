"""Calls that were given up on: proposed again by an operator, once, through every gate."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import CallContext, NotSent, OutcomeKind
from interlock.core.event import Fact, Kind
from interlock.errors import Conflict, NotEntitled, NotFound
from tests.planes import ANA, OPA, PERMIT, Far, Stage, WatchedStore, staged

pytestmark = pytest.mark.anyio


class Door:
    """A far end that is closed until it is opened."""

    def __init__(self) -> None:
        self.open = False
        self.done: list[dict[str, Any]] = []

    async def knock(self, arguments: dict[str, Any], context: CallContext) -> object:
        if not self.open:
            raise NotSent("nobody there")
        self.done.append(arguments)
        return {"n": arguments["n"]}


async def given_up(stage: Stage) -> tuple[str, str]:
    """A write that was never sent; its run and its id."""
    async with stage.run(words="put it there") as run:
        failed = await run.call("put", {"n": 7})
    assert failed.code == "execute.unavailable"
    return run.run_id, failed.call_id


async def test_what_was_given_up_on_is_proposed_again_on_behalf_of_the_same_principal() -> None:
    door = Door()
    async with staged(Far().tool("put", "reversible", door.knock)) as stage:
        run_id, call_id = await given_up(stage)
        [letter] = await stage.plane.store.rows("dead_letter")
        assert (letter["call_id"], letter["code"], letter["attempts"]) == (call_id, "execute.unavailable", 3)
        door.open = True
        again = await stage.plane.retry(call_id, OPA, reason="it is open again")
        assert again.done
        assert door.done == [{"n": 7}]
        [row] = await stage.plane.store.rows("tool_call", {"call_id": again.call_id})
        assert (row["principal_id"], row["parent_id"]) == (ANA.id, call_id)
        assert row["run_id"] != run_id
        assert (await stage.state(row["run_id"])).words == "put it there"
        [said] = [event.fact for event in await stage.events(run_id) if event.fact.kind is Kind.OPERATOR]
        assert (said.principal_id, said.body["reason"]) == (OPA.id, "it is open again")


async def test_asking_twice_is_asking_once_and_one_that_failed_again_may_be_asked_for_again() -> None:
    door = Door()
    async with staged(Far().tool("put", "reversible", door.knock)) as stage:
        _, call_id = await given_up(stage)
        first = await stage.plane.retry(call_id, OPA, reason="perhaps")
        assert first.code == "execute.unavailable"
        door.open = True
        second = await stage.plane.retry(call_id, OPA, reason="now")
        assert second.done
        third = await stage.plane.retry(call_id, OPA, reason="and again")
        assert (third.call_id, third.repeated) == (second.call_id, True)
        assert len(door.done) == 1


async def test_what_policy_says_today_holds_for_it() -> None:
    door = Door()
    door.open = True
    async with staged(Far().tool("put", "reversible", door.knock)) as stage:
        door.open = False
        _, call_id = await given_up(stage)
        door.open = True
        stage.obey("forbid (principal, action, resource);")
        assert (await stage.plane.retry(call_id, OPA, reason="please")).kind is OutcomeKind.REFUSED
        stage.obey(PERMIT + '\n@approvers("approver") forbid (principal, action, resource);')
        assert (await stage.plane.retry(call_id, OPA, reason="please")).kind is OutcomeKind.HELD
        assert door.done == []


async def test_a_retry_that_its_process_did_not_live_to_make_is_made_by_the_next_ask() -> None:
    door = Door()
    async with staged(Far().tool("put", "reversible", door.knock)) as stage:
        stage.store_in(store := WatchedStore(stage.clock))
        run_id, call_id = await given_up(stage)
        door.open = True
        store.fail_at = {len(store.appends) + 3, len(store.appends) + 4}  # the start, the person's word, then the call
        with pytest.raises(Exception, match="disk"):
            await stage.plane.retry(call_id, OPA, reason="once")
        assert "operator" in await stage.said(run_id)
        assert (await stage.plane.retry(call_id, OPA, reason="twice")).done
        assert len(door.done) == 1
        assert (await stage.said(run_id)).count("operator") == 1


async def test_only_an_operator_may_and_only_for_what_is_dead_and_took_no_effect() -> None:
    door = Door()

    async def lose(arguments: dict[str, Any], context: CallContext) -> object:
        raise TimeoutError

    async with staged(
        Far().tool("put", "reversible", door.knock), Far().tool("lost", "reversible", lose)
    ) as stage:  # fmt: skip
        _, call_id = await given_up(stage)
        with pytest.raises(NotEntitled):
            await stage.plane.retry(call_id, ANA, reason="mine")
        with pytest.raises(NotFound):
            await stage.plane.retry("call_none", OPA, reason="what")
        async with stage.run() as run:
            unknown = await run.call("lost", {"n": 1})
        conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        await conversation.append_outside([Fact(Kind.CALL_DEAD_LETTERED, {"code": "x"}, unknown.call_id)])
        with pytest.raises(Conflict) as maybe:
            await stage.plane.retry(unknown.call_id, OPA, reason="again")
        assert maybe.value.code == "retry.maybe_done"
        assert door.done == []


async def test_what_is_proposed_again_may_cost_no_more_than_its_run_had_left() -> None:
    """T29: no budget is passed by giving a call up and having it tried again."""
    door, far = Door(), Far()
    async with staged(far.tool("put", "reversible", door.knock), far.tool("look")) as stage:
        stage.obey(PERMIT)
        async with stage.plane.run(ANA, budget={"calls": 1}) as run:
            failed = await run.call("put", {"n": 7})
            assert (await run.call("look", {"n": 1})).done
        door.open = True
        again = await stage.plane.retry(failed.call_id, OPA, reason="it is open again")
        assert (again.code, door.done) == ("limit.budget", [])
