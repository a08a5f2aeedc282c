"""The hot path and the SDK answer the same requests alike, and what is unusual is left to the SDK."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from interlock.core.tool import CallContext
from interlock.errors import Rejected
from interlock.gateway import hot_path
from tests.gateway.served import Served, served
from tests.gateway.test_behind import SERVER
from tests.planes import Far

pytestmark = pytest.mark.anyio

REVISIONS = ("2025-03-26", "2025-11-25")
HOT, SDK = "application/json, text/event-stream", "*/*"
"""What a client accepts: as all of them say it, and in a form that the hot path leaves to the SDK."""


def call(name: object, arguments: object = None, **more: Any) -> bytes:
    params = {"name": name, "arguments": {} if arguments is None else arguments, **more}
    return message("tools/call", params)


def message(method: object, params: object = None, **more: Any) -> bytes:
    said = {"jsonrpc": "2.0", "id": 7, "method": method, **more}
    return json.dumps(said if params is None else {**said, "params": params}).encode()


USUAL = {
    "list": message("tools/list"),
    "list, empty parameters": message("tools/list", {"cursor": None}),
    "list, no such cursor": message("tools/list", {"cursor": "bm9wZQ=="}),
    "list, no cursor at all": message("tools/list", {"cursor": "?"}),
    "more beside": message("tools/list", more=1),
    "an object": call("get", {"n": 7}),
    "text id": message("tools/call", {"name": "get", "arguments": {"n": 7}}, id="seven"),
    "a text": call("text", {"n": 1}),
    "a list": call("list", {"n": 1}),
    "nothing": call("nothing", {"n": 1}),
    "a failure": call("break", {"n": 1}),
    "no such argument": call("get", {"n": "seven"}),
    "no arguments": message("tools/call", {"name": "get"}),
    "no such tool": call("nix"),
    "an empty name": call(""),
    "an image of a server's": call("picture"),
    "a server's own error": call("fail"),
    "a server's text": call("count"),
    "a name of its own": call("get", {"n": 3}, _meta={"interlock/idempotency-key": "k"}),
    "the same once more": call("get", {"n": 3}, _meta={"interlock/idempotency-key": "k"}),
    "the same name for another": call("get", {"n": 4}, _meta={"interlock/idempotency-key": "k"}),
    "a name that is too long": call("get", {"n": 3}, _meta={"interlock/idempotency-key": "k" * 999}),
    "a name that is none": call("get", {"n": 3}, _meta={"interlock/idempotency-key": 3}),
    "somebody else's entry": call("get", {"n": 5}, _meta={"claudecode/toolUseId": "x"}),
    "no such run": call("get", {"n": 3}, _meta={"interlock/run": "run_nix"}),
    "no such continuation": call("get", {"n": 3}, _meta={"interlock/continuation": "AAAA"}),
    "letters of everybody": call("text", {"n": 1, "note": "žluťoučký 🐎 \u2028"}),
    "a number that is long": call("get", {"n": 12345678901234567890}),
}  # fmt: skip
"""What is answered here."""

UNUSUAL = {
    "held": call("pay", {"n": 1}),
    "held once more": call("pay", {"n": 1}),
    "progress": call("get", {"n": 1}, _meta={"progressToken": 1}),
    "the protocol's own entry": call("get", {"n": 1}, _meta={"io.modelcontextprotocol/x": 1}),
    "entries that are none": call("get", {"n": 1}, _meta=[1]),
    "null entries": call("get", {"n": 1}, _meta=None),
    "null arguments": message("tools/call", {"name": "get", "arguments": None}),
    "arguments that are none": call("get", [1]),
    "a name that is a number": call(1),
    "no name": message("tools/call", {}),
    "more parameters": call("get", {"n": 1}, task={"ttl": 1}),
    "parameters that are none": message("tools/call", [1]),
    "a cursor that is none": message("tools/list", {"cursor": 1}),
    "another method": message("ping"),
    "no such method": message("tools/nix"),
    "a method that is none": message(1),
    "half an id": message("tools/list", id=1.5),
    "a true id": message("tools/list", id=True),
    "a null id": message("tools/list", id=None),
    "another version": message("tools/list", jsonrpc="1.0"),
    "a key twice": b'{"jsonrpc":"2.0","id":7,"method":"tools/call","method":"ping"}',
    "no number": b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":NaN}}',
    "several": b"[" + message("ping") + b"]",
    "no JSON": b"{",
    "no text": b"\xff",
    "an answer": b'{"jsonrpc":"2.0","id":7,"result":{}}',
    "a notification": b'{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}',
    "a call that wants no answer": b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get"}}',
    "a cancelled stranger": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}',
    "a cancelled list": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}',
}
"""What is the SDK's, whatever is accepted."""


@dataclass
class Line:
    """One client of the older revisions, by hand."""

    http: httpx2.AsyncClient
    url: str
    accept: str
    head: dict[str, str] = field(default_factory=dict)

    async def post(self, body: bytes, **more: str) -> httpx2.Response:
        head = {"accept": self.accept, "content-type": "application/json", **self.head, **more}
        return await self.http.post(self.url, content=body, headers=head)

    async def shake(self, revision: str, **capabilities: Any) -> None:
        hello = {
            "protocolVersion": revision, "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}
        }  # fmt: skip
        opened = await self.post(message("initialize", hello))
        self.head = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": revision}
        await self.post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')


@asynccontextmanager
async def line(
    gateway: Served, accept: str = HOT, who: str = "ana", revision: str = REVISIONS[-1]
) -> AsyncIterator[Line]:
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {gateway.keys[who]}"}, timeout=20) as http:
        opened = Line(http, gateway.url, accept)
        await opened.shake(revision)
        with anyio.fail_after(30):
            while opened.head["mcp-session-id"] not in gateway.http.protocol.talkers:
                await anyio.sleep(0.01)
        yield opened


def told(answer: httpx2.Response) -> Any:
    """The message in an answer, and what differs from one call to another as one word."""
    text = answer.text
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        [text] = [each.removeprefix("data: ") for each in re.split(r"[\r\n]+", text) if each.startswith("data: {")]
    text = re.sub(r"\b(run|call|appr)_[0-9a-f]{8,}", r"\1_1", text)
    said = json.loads(text) if text else None
    meta = said.get("result", {}).get("_meta", {}) if isinstance(said, dict) else {}
    if "interlock/continuation" in meta:
        meta["interlock/continuation"] = "sealed"
    return answer.status_code, said


def is_hot(answer: httpx2.Response) -> bool:
    """Whether it is the hot path's: the SDK gives an event stream or says nothing of caches, the guard no session."""
    head = answer.headers
    return head.get("cache-control") == "no-store" and "mcp-session-id" in head


def tools(far: Far) -> list[Any]:
    async def text(arguments: dict[str, Any], _: CallContext) -> object:
        return "say " + arguments.get("note", "")

    async def several(_: dict[str, Any], __: CallContext) -> object:
        return [1, None, {"a": "b"}]

    async def nothing(_: dict[str, Any], __: CallContext) -> object:
        return None

    async def broken(_: dict[str, Any], __: CallContext) -> object:
        raise Rejected("no")

    made = {"text": text, "list": several, "nothing": nothing, "break": broken}
    own = [far.tool(name, does=does) for name, does in made.items()]
    return [far.tool("get"), far.tool("pay", "irreversible"), *own]


async def test_both_answer_the_same_requests_alike(tmp_path: Path) -> None:
    async with served(tmp_path, tools(Far()), servers=(SERVER,), wait_s=0.02) as gateway:
        for revision in REVISIONS:
            async with line(gateway, HOT, revision=revision) as hot, line(gateway, SDK, revision=revision) as sdk:
                for what, body in (USUAL | UNUSUAL).items():
                    here, there = await hot.post(body), await sdk.post(body)
                    assert told(here) == told(there), (revision, what)
                    assert (is_hot(here), is_hot(there)) == (what in USUAL, False), (revision, what)


async def test_a_held_call_is_made_once_whoever_tells_of_it(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, tools(far), wait_s=0.1) as gateway, line(gateway) as hot:
        _, held = told(await hot.post(call("pay", {"n": 1})))
        assert held["result"]["structuredContent"]["outcome"] == "held"
        [row] = await gateway.calls()
        await gateway.approve(row["approval_id"])
        done = await hot.post(call("pay", {"n": 1}))
        assert (told(done)[1]["result"]["structuredContent"], is_hot(done)) == ({"n": 1}, True)
        assert far.names == ["pay"]


async def test_a_call_is_cancelled_by_its_client_and_by_no_other(tmp_path: Path) -> None:
    running = anyio.Event()

    async def endless(_: dict[str, Any], __: CallContext) -> object:
        running.set()
        await anyio.sleep_forever()
        return None

    cancel = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}'
    async with served(tmp_path, [Far().tool("go", does=endless)]) as gateway, line(gateway) as hot:
        async with line(gateway) as other, anyio.create_task_group() as tasks:
            answers: list[httpx2.Response] = []

            async def go() -> None:
                answers.append(await hot.post(call("go", {"n": 1})))

            tasks.start_soon(go)
            await running.wait()
            assert (await other.post(cancel)).status_code == 202
            await other.post(message("ping"))  # whatever that did is done by now
            assert not answers
            cancelled = await hot.post(cancel)
            assert (cancelled.status_code, cancelled.content) == (202, b"")
        assert told(answers[0]) == (
            200, {"jsonrpc": "2.0", "id": 7, "error": {"code": -32800, "message": "Request cancelled"}}
        )  # fmt: skip
        assert [(row["outcome"], row["code"]) for row in await gateway.calls()] == [("failed", "call.cancelled")]


async def test_somebody_elses_session_opens_nothing(tmp_path: Path) -> None:
    """T14: the handle of a session is not enough."""
    far = Far()
    async with (
        served(tmp_path, tools(far)) as gateway,
        line(gateway) as hers,
        line(gateway, who="bob") as his,
    ):  # fmt: skip
        stolen = await his.post(call("get", {"n": 1}), **{"mcp-session-id": hers.head["mcp-session-id"]})
        assert (stolen.status_code, far.ran) == (404, [])
        assert is_hot(await hers.post(call("get", {"n": 1})))


async def test_a_session_that_is_over_is_over_for_both(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, tools(far)) as gateway, line(gateway) as hot:
        ended = await hot.http.delete(gateway.url, headers=hot.head)
        assert ended.status_code == 200
        assert ((await hot.post(call("get", {"n": 1}))).status_code, far.ran) == (404, [])


async def test_the_sdk_hears_of_a_session_now_and_then_so_that_it_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, tools(Far())) as gateway, line(gateway) as hot:
        assert is_hot(await hot.post(call("get", {"n": 1})))
        monkeypatch.setattr(hot_path, "SEEN_S", -1.0)
        assert not is_hot(await hot.post(call("get", {"n": 2})))
        monkeypatch.undo()
        assert is_hot(await hot.post(call("get", {"n": 3})))


@pytest.mark.parametrize(
    "head",
    [
        {"mcp-protocol-version": REVISIONS[0]}, {"content-type": "application/json; charset=utf-8"},
        {"accept": "application/json, */*"},
    ],
)  # fmt: skip
async def test_what_has_another_head_is_the_sdks(tmp_path: Path, head: dict[str, str]) -> None:
    async with served(tmp_path, tools(Far())) as gateway, line(gateway) as hot:
        answer = await hot.post(call("get", {"n": 1}), **head)
        assert (told(answer)[1]["result"]["structuredContent"], is_hot(answer)) == ({"n": 1}, False)


async def test_a_server_that_may_ask_its_client_has_the_sdk_between(tmp_path: Path) -> None:
    asking = {**SERVER, "allow": ["elicitation"]}
    async with served(tmp_path, tools(Far()), servers=(asking,)) as gateway, line(gateway) as hot:
        assert not is_hot(await hot.post(call("picture")))
        assert is_hot(await hot.post(call("get", {"n": 1})))


async def test_a_list_is_each_principals_own(tmp_path: Path) -> None:
    """T43: what is kept of one is not shown to another."""
    async with served(tmp_path, [Far().tool("get"), Far().tool("wipe", "privileged")]) as gateway:
        gateway.obey(
            'permit (principal, action == Action::"get", resource);\n'
            'permit (principal in Role::"admin", action == Action::"wipe", resource);'
        )
        for who, names in (("cay", ["get", "wipe"]), ("ana", ["get"]), ("mute", []), ("cay", ["get", "wipe"])):
            async with line(gateway, who=who) as hot:
                answer = await hot.post(message("tools/list"))
                assert is_hot(answer)
                assert [tool["name"] for tool in told(answer)[1]["result"]["tools"]] == names
