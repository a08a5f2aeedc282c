"""Calls that wait for a person: what the client is told, how it comes back, and what its answers are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client

from tests.gateway.served import NEW, OLD, Served, body, served
from tests.planes import BOB, Far, saying

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("mode", [OLD, NEW])
NAME = {"interlock/idempotency-key": "order-7"}


async def accepts(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={})


async def asked(client: Client, **more: Any) -> Any:
    """One request for the held call, without what the SDK's client does about it by itself."""
    return await client.session.call_tool("pay", {"n": 1}, allow_input_required=True, **more)


async def approved(gateway: Served) -> None:
    [row] = await gateway.plane.store.rows("approval")
    await gateway.approve(row["approval_id"])


@both
async def test_by_its_own_name_of_the_call_a_client_comes_back_as_often_as_it_likes(tmp_path: Path, mode: str) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("pay", "irreversible")]) as gateway, gateway.client(mode=mode) as client:
        assert body(await asked(client, meta=NAME))["outcome"] == "held"
        await approved(gateway)
        for _ in range(3):
            assert (await asked(client, meta=NAME)).structured_content == {"n": 1}
        other = await client.session.call_tool("pay", {"n": 2}, meta=NAME)
        assert body(other)["code"] == "recall.name_reused"
        assert far.ran == [("pay", {"n": 1})]


@both
async def test_by_what_it_was_given_a_client_comes_back_once_and_for_this_call_alone(tmp_path: Path, mode: str) -> None:
    """T15: another principal, other arguments, a changed bit and a second use are refused, and nothing runs."""
    far = Far()
    async with (
        served(tmp_path, [far.tool("pay", "irreversible")], wait_s=0) as gateway,
        gateway.client(mode=mode) as client,
        gateway.client("cay", mode) as other,
    ):
        held = await asked(client)
        given = held.meta["interlock/continuation"]
        back = {"interlock/continuation": given}
        flipped = {"interlock/continuation": ("B" if given[0] == "A" else "A") + given[1:]}
        assert body(await asked(other, meta=back))["code"] == "gateway.continuation"
        assert body(await asked(client, meta=flipped))["code"] == "gateway.continuation"
        changed = await client.session.call_tool("pay", {"n": 2}, meta=back)
        assert body(changed)["code"] == "gateway.continuation"
        again = await asked(client, meta=back)
        assert body(again)["outcome"] == "held", "its rightful bearer may come back before the person's word"
        assert body(await asked(client, meta=back))["code"] == "gateway.continuation"
        await approved(gateway)
        assert far.ran == [] or far.names == ["pay"]
        assert len([row for row in await gateway.calls() if row["tool"] == "pay"]) == 1


async def test_in_the_revision_of_2026_a_held_call_is_a_question_with_sealed_state(tmp_path: Path) -> None:
    far = Far()
    async with (
        served(tmp_path, [far.tool("pay", "irreversible")], wait_s=0) as gateway,
        gateway.client(elicitation_callback=accepts) as client,
    ):
        held = await asked(client)
        assert isinstance(held, types.InputRequiredResult)
        assert held.input_requests is not None
        params = held.input_requests["approval"].params
        assert "Nothing that you answer here approves it" in params.message  # type: ignore[union-attr]
        for action in ("accept", "decline", "cancel"):  # T44: whatever the client answers, it is held still
            answer = {"approval": types.ElicitResult(action=action, content={"approved": True})}
            held = await asked(client, request_state=held.request_state, input_responses=answer)
            assert isinstance(held, types.InputRequiredResult)
        assert far.ran == []
        await approved(gateway)
        gateway.door.wait_s = 5
        done = await asked(client, request_state=held.request_state)
        assert done.structured_content == {"n": 1}
        assert far.names == ["pay"]


@both
async def test_a_client_with_a_person_before_it_waits_by_itself_until_another_one_approved(
    tmp_path: Path, mode: str
) -> None:
    """The SDK's own client, untouched: its person is told, and gets the result in the end; T44: after the approval."""
    far = Far()
    async with served(tmp_path, [far.tool("pay", "irreversible")]) as gateway:

        async def told(context: Any, params: Any) -> types.ElicitResult:
            assert far.ran == []
            await approved(gateway)
            return types.ElicitResult(action="accept", content={})

        async with gateway.client(mode=mode, elicitation_callback=told) as client:
            done = await client.call_tool("pay", {"n": 1})
            assert (done.is_error, done.structured_content) == (False, {"n": 1})
            assert far.names == ["pay"]


@both
async def test_once_its_client_was_told_an_equal_call_is_a_new_one(tmp_path: Path, mode: str) -> None:
    """Whichever way it came back by: a second payment is not answered with the first one's receipt."""
    far = Far()
    async with served(tmp_path, [far.tool("pay", "irreversible")]) as gateway, gateway.client(mode=mode) as client:
        for way in ("again", "continuation"):
            held = await asked(client)
            await gateway.approve(body(held)["approval_id"])
            back = {"interlock/continuation": held.meta["interlock/continuation"]} if way == "continuation" else {}
            done = await asked(client, meta=back)
            assert done.structured_content == {"n": 1}
        assert body(await asked(client))["outcome"] == "held"
        assert far.names == ["pay", "pay"]


@both
async def test_a_client_that_says_yes_without_an_approval_gets_nothing(tmp_path: Path, mode: str) -> None:
    """T44, as an agent would try it."""
    far = Far()
    async with (
        served(tmp_path, [far.tool("pay", "irreversible")], wait_s=1) as gateway,
        gateway.client(mode=mode, elicitation_callback=accepts) as client,
    ):
        if mode == OLD:
            assert body(await asked(client))["outcome"] == "held"
        else:
            first = await asked(client)
            again = await asked(client, request_state=first.request_state)
            assert isinstance(again, types.InputRequiredResult)
        assert far.ran == []


@both
async def test_what_a_person_did_to_the_call_is_what_its_client_is_told(tmp_path: Path, mode: str) -> None:
    """Rejected, or changed: the outcome is that of the person's word."""
    far = Far()
    async with served(tmp_path, [far.tool("pay", "irreversible")]) as gateway, gateway.client(mode=mode) as client:
        for number, decision, more in ((1, "reject", {"words": "no"}), (2, "respond", {"value": {"n": 0}})):
            held = body(await client.call_tool("pay", {"n": number}))
            request = (await gateway.plane.approval(held["approval_id"])).request
            await gateway.plane.answer(held["approval_id"], saying(request, decision, **more), BOB)  # type: ignore[arg-type]
            told = await client.call_tool("pay", {"n": number})
            if decision == "reject":
                assert body(told)["code"] == "approve.rejected"
            else:
                assert told.structured_content == {"n": 0}
        assert far.ran == []
