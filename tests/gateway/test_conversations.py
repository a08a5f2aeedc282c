"""Which run a call is made in, and that nobody gets into another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from interlock import World
from interlock.core.event import Kind
from interlock.core.ids import CountedIds
from interlock.errors import NotFound
from interlock.gateway.caller import Asked, Caller
from interlock.provenance_settings import ProvenanceSettings
from interlock.testing import FrozenClock
from tests.gateway.served import NEW, OLD, Served, body, served
from tests.planes import ANA, BOB, CAY, Far

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("mode", [OLD, NEW])


def run_of(result: Any) -> str:
    assert result.meta is not None
    run_id: str = result.meta["interlock/run"]
    return run_id


async def test_a_session_is_a_run_and_without_one_a_principals_client_has_one(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        runs = []
        for mode in (OLD, OLD, NEW, NEW):
            async with gateway.client(mode=mode) as client:
                made = [run_of(await client.call_tool("get", {"n": number})) for number in (1, 2)]
                assert made[0] == made[1]
                runs.append(made[0])
        assert len({*runs[:3]}) == 3, "each session of the older revision is one of its own"
        assert runs[2] == runs[3], "and requests that stand alone are one conversation"
        async with gateway.client("cay", NEW) as client:
            assert run_of(await client.call_tool("get", {"n": 1})) not in runs


@both
async def test_a_handle_names_ones_own_run_and_nobody_elses(tmp_path: Path, mode: str) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        async with gateway.client(mode=mode) as client, gateway.client(mode=mode) as second:
            first = run_of(await client.call_tool("get", {"n": 1}))
            meta: Any = {"interlock/run": first}
            assert run_of(await second.call_tool("get", {"n": 2}, meta=meta)) == first
            with pytest.raises(NotFound):  # the door itself, before the path says so once more
                async with gateway.door.conversations.talk(Caller(principal=CAY), Asked(tool="get", run=first)):
                    pass
        async with gateway.client("cay", mode) as other:
            for handle in (first, "run_0", "../run", "x" * 129):
                said = body(await other.call_tool("get", {"n": 3}, meta={"interlock/run": handle}))
                assert said["code"] in ("run.not_found", "gateway.meta")
        assert [arguments["n"] for _, arguments in far.ran] == [1, 2]


async def test_a_conversation_that_stood_idle_is_over_and_the_next_call_begins_another(tmp_path: Path) -> None:
    clock = FrozenClock()
    world = World(clock=clock, new_id=CountedIds())
    async with (
        served(tmp_path, [Far().tool("get")], world=world, idle_minutes=30) as gateway,
        gateway.client() as client,
    ):
        first = run_of(await client.call_tool("get", {"n": 1}))
        clock.advance(29 * 60)
        assert await gateway.door.conversations.close_idle() == 0
        assert run_of(await client.call_tool("get", {"n": 2})) == first
        clock.advance(30 * 60)
        assert await gateway.door.conversations.close_idle() == 1
        assert run_of(await client.call_tool("get", {"n": 3})) != first
        rows = await gateway.plane.store.rows("run", {"run_id": first})
        assert [row["status"] for row in rows] == ["finished"]


async def test_a_session_that_its_client_ended_is_a_finished_run(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        async with gateway.client(mode=OLD) as client:
            run_id = run_of(await client.call_tool("get", {"n": 1}))
        with anyio.fail_after(30):
            while (await gateway.plane.store.rows("run", {"run_id": run_id}))[0]["status"] != "finished":
                await anyio.sleep(0.01)


@both
async def test_the_users_words_are_believed_of_a_key_that_was_made_for_it_alone(tmp_path: Path, mode: str) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        meta: Any = {"interlock/words": "please get it"}
        for who, words in (("ana", None), ("host", "please get it")):
            async with gateway.client(who, mode) as client:
                run_id = run_of(await client.call_tool("get", {"n": 1}, meta=meta))
                conversation = await gateway.plane.plane.ledger.conversation(run_id, "default")
                assert conversation.state.words == words


@both
async def test_what_the_user_says_later_counts_too_once_for_all_calls_that_it_is_said_with(
    tmp_path: Path, mode: str
) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway, gateway.client("host", mode) as client:
        for number, words in enumerate(("first", "first", "then", "then", "first", None)):
            meta: Any = {} if words is None else {"interlock/words": words}
            run_id = run_of(await client.call_tool("get", {"n": number}, meta=meta))
        state = (await gateway.plane.plane.ledger.conversation(run_id, "default")).state
        assert state.words == "first\n\nthen\n\nfirst"
        assert state.under_way.calls_before == 4, "the limit of calls counts anew from what the user says"


async def test_conversations_of_one_principal_are_bounded_and_one_that_stands_idle_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.gateway.conversations.TALKS_MAX", 2)
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        talks = gateway.door.conversations
        held = [Caller(principal=who, client=name) for who, name in ((ANA, "a"), (BOB, "b"))]
        async with talks.talk(held[0], Asked(tool="get")) as busy, talks.talk(held[1], Asked(tool="get")) as other:
            for name in "cde":
                async with talks.talk(Caller(principal=ANA, client=name), Asked(tool="get")):
                    pass
            known = [talk for talk in talks._talks.values() if talk.run.principal.id == ANA.id]
            assert len(known) == 2 and busy in known, "what is in use is nobody's room"
            assert talks.known(other.run.run_id) is other, "nor is another principal's"


async def test_sixty_four_clients_with_the_same_ids_get_their_own_answers(tmp_path: Path) -> None:
    """T14: the same JSON-RPC ids at the same time, over sessions and without; each answer is the asker's."""

    async def slow(arguments: dict[str, Any], _: object) -> object:
        await anyio.sleep(0)
        return {"n": arguments["n"]}

    wrong: list[object] = []
    async with served(tmp_path, [Far().tool("get", does=slow)]) as gateway:

        async def ask(number: int) -> None:
            headers = MODERN | plain(gateway, "ana" if number % 2 else "cay")
            for request_id in (1, 2):
                n = number * 10 + request_id
                said = (await http.post(gateway.url, headers=headers, json=request(request_id, n))).json()
                if (said["id"], said["result"]["structuredContent"]) != (request_id, {"n": n}):
                    wrong.append((number, said))

        many = httpx2.Limits(max_connections=64)
        async with httpx2.AsyncClient(timeout=30, limits=many) as http, anyio.create_task_group() as tasks:
            for number in range(64):
                tasks.start_soon(ask, number)
        assert wrong == []
        assert len(await gateway.calls()) == 128


MODERN = {"MCP-Protocol-Version": NEW, "Mcp-Method": "tools/call", "Mcp-Name": "get"}


def plain(gateway: Served, who: str) -> dict[str, str]:
    accepts = "application/json, text/event-stream"
    return {"Authorization": f"Bearer {gateway.keys[who]}", "Accept": accepts}


def request(request_id: int, n: int) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": f"client-{n // 10}", "version": "1"},
    }  # fmt: skip
    params = {"name": "get", "arguments": {"n": n}, "_meta": meta}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


async def test_a_session_is_nobody_elses_whatever_key_they_have(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway, httpx2.AsyncClient(timeout=30) as http:
        who = {"clientInfo": {"name": "c", "version": "1"}, "capabilities": {}}
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", **who}}
        opened = await http.post(gateway.url, headers=plain(gateway, "ana"), json=hello)
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get", "arguments": {"n": 1}}}
        stolen = await http.post(gateway.url, headers={**plain(gateway, "cay"), **session}, json=call)
        assert stolen.status_code == 404
        ended = await http.delete(gateway.url, headers={**plain(gateway, "cay"), **session})
        assert ended.status_code == 404
        own = await http.post(gateway.url, headers={**plain(gateway, "ana"), **session}, json=call)
        assert own.status_code == 200 and far.names == ["get"]


@both
async def test_what_the_operator_says_that_a_key_asks_for_is_recorded_with_its_runs_and_with_no_others(
    tmp_path: Path, mode: str
) -> None:
    """A tool that is not here is asked for by nobody, and keeps nobody from calling the others."""
    said = ProvenanceSettings(mandates={"ana": ("get", "not_here")})
    async with served(tmp_path, [Far().tool("get")], provenance=said) as gateway:
        for who, found in (("ana", ["get"]), ("cay", None)):
            async with gateway.client(who, mode) as client:
                run_id = run_of(await client.call_tool("get", {"n": 1}))
            [started] = [e for e in await gateway.plane.store.read(run_id) if e.fact.kind is Kind.RUN_STARTED]
            assert started.fact.body.get("mandates") == found
