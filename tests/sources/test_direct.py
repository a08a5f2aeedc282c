"""A call that is sent beside the SDK becomes what it becomes through the SDK, whatever is answered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server.lowlevel import Server as SdkServer
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher

from interlock.core.call import Outcome
from interlock.sources.mcp_direct import Direct
from tests.sources.far_server import called as far_called
from tests.sources.far_server import listed as far_listed
from tests.sources.test_http import behind, called
from tests.sources.web import DONE, Hostile, answer, event, head, serving

pytestmark = pytest.mark.anyio

JSON, EVENTS = {"content-type": "application/json"}, {"content-type": "text/event-stream"}
Answers = Callable[[Any, dict[str, Any]], Awaitable[None]]


def whole(status: int = 200, media: dict[str, str] | None = None, **said: Any) -> Answers:
    async def answers(send: Any, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **said}).encode()
        await answer(send, status, body, JSON if media is None else media)

    return answers


async def streamed(send: Any, message: dict[str, Any]) -> None:
    token = message["params"]["_meta"]["progressToken"]
    await head(send, 200, EVENTS)
    await event(send, {"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
    await event(send, {"method": "notifications/tools/list_changed"})
    await event(send, {"id": message["id"], "result": DONE})
    await send({"type": "http.response.body", "body": b""})


async def broken_off(send: Any, message: dict[str, Any]) -> None:
    await head(send, 200, EVENTS)
    await send({"type": "http.response.body", "body": b""})


ANSWERS: dict[str, Answers] = {
    "a result": whole(result=DONE),
    "a result in a media type with more": whole(result=DONE, media={"content-type": "application/json; charset=utf-8"}),
    "what failed": whole(result={**DONE, "isError": True}),
    "with more beside": whole(result={**DONE, "_meta": {"a": 1}, "structuredContent": {"n": 1.5, "é": None}, "x": [1]}),
    "no result of this kind": whole(result={"content": 1}),
    "no result at all": whole(result=[1]),
    "an error": whole(error={"code": -32602, "message": "no", "data": {"a": 1}}),
    "an error by status": whole(400, error={"code": -32602, "message": "no"}),
    "an error of nobody": whole(400, id=None, error={"code": -32600, "message": "no"}),
    "a lost connection, it says": whole(error={"code": -32000, "message": "Connection closed"}),
    "nothing": lambda send, _: answer(send, 200, b"", JSON),
    "no JSON": lambda send, _: answer(send, 200, b"{", JSON),
    "taken": lambda send, _: answer(send, 202),
    "a page": lambda send, _: answer(send, 200, b"<html>", {"content-type": "text/html"}),
    "a stream": streamed,
    "a stream without an answer": broken_off,
}  # fmt: skip


class Answering(Hostile):
    def __init__(self, answers: Answers) -> None:
        super().__init__("plain")
        self.answers = answers

    async def call(self, message: dict[str, Any], send: Any) -> None:
        await self.answers(send, message)


def bare(outcome: Outcome) -> tuple[Any, ...]:
    return outcome.kind, outcome.code, outcome.value, outcome.message, outcome.next_step


async def test_whatever_is_answered_becomes_the_same_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Answering(whole(result=DONE))
    async with serving(app) as served:
        became: list[dict[str, Any]] = []
        for direct in (True, False):
            if not direct:
                monkeypatch.setattr(Direct, "send_raw_request", JSONRPCDispatcher.send_raw_request)
            told: dict[str, Any] = {}
            for what, app.answers in ANSWERS.items():
                app.seen.clear()
                async with behind(tmp_path, served, effects={"one": "privileged"}) as plane:
                    told[what] = bare(await called(plane))
                [sent] = app.calls
                assert str(sent["id"]).startswith("call-") is direct, what
            became.append(told)
        assert became[0] == became[1]


@pytest.mark.parametrize("as_json", [True, False])
async def test_the_sdks_server_gives_either_way_the_same_in_the_newest_revision(
    tmp_path: Path, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SdkServer("far", on_list_tools=far_listed, on_call_tool=far_called)
    async with serving(server.streamable_http_app(json_response=as_json)) as served, behind(tmp_path, served) as plane:
        assert plane.fleet.server("far").revision == "2026-07-28"
        calls: tuple[tuple[str, dict[str, Any]], ...] = (("far__add", {"n": 1}), ("far__fail", {}))
        direct = [bare(await called(plane, tool, **arguments)) for tool, arguments in calls]
        monkeypatch.setattr(Direct, "send_raw_request", JSONRPCDispatcher.send_raw_request)
        assert direct == [bare(await called(plane, tool, **arguments)) for tool, arguments in calls]


async def test_an_answer_to_something_else_is_none(tmp_path: Path) -> None:
    async with serving(Answering(whole(id="call-99", result=DONE))) as served, behind(tmp_path, served) as plane:
        outcome = await called(plane)
        assert (outcome.kind.value, outcome.code) == ("unknown", "execute.unknown")


async def test_a_server_is_told_of_a_call_that_is_not_wanted_any_more(tmp_path: Path) -> None:
    begun = anyio.Event()

    async def never(send: Any, message: dict[str, Any]) -> None:
        begun.set()
        await anyio.sleep_forever()

    app = Answering(never)
    async with serving(app) as served, behind(tmp_path, served) as plane, anyio.create_task_group() as tasks:
        tasks.start_soon(called, plane)
        await begun.wait()
        tasks.cancel_scope.cancel()
    said = map(json.loads, filter(None, app.seen))
    [told] = [each for each in said if each.get("method") == "notifications/cancelled"]
    assert told["params"]["requestId"] == app.calls[0]["id"]


async def test_what_is_sent_is_the_sessions(tmp_path: Path) -> None:
    app = Hostile("plain")
    async with serving(app) as served, behind(tmp_path, served, headers={"x-mine": "1"}) as plane:
        assert (await called(plane)).done
    [sent] = [said for said, body in zip(app.headers, app.seen, strict=True) if b"tools/call" in body]
    [listed] = [said for said, body in zip(app.headers, app.seen, strict=True) if b"tools/list" in body]
    differ = {"content-length", "connection"}  # to be kept is what a connection of HTTP/1.1 is without a word
    assert {k: v for k, v in sent.items() if k not in differ} == {k: v for k, v in listed.items() if k not in differ}
    assert sent["mcp-session-id"] == "s1"
