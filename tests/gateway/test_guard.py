"""What stands before the door: each attack that it stops, beside the honest request that it lets through."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from interlock.core.clock import SystemClock
from interlock.core.ids import CountedIds
from interlock.errors import BadInput
from interlock.gateway import wire
from interlock.gateway.address import Addresses
from interlock.gateway.asgi import header
from interlock.gateway.crowd import Crowd
from interlock.gateway.guard import Guard, Protection
from interlock.keys import Key
from tests.gateway.served import NEW, OLD, served
from tests.gateway.wired import Came, answered, called, message, request, sent
from tests.planes import ANA, Far

pytestmark = pytest.mark.anyio

CALL = {"n": 7}


# ------------------------------------------------------------- names and pages


async def test_only_its_own_names_are_answered_and_only_its_own_pages(tmp_path: Path) -> None:
    """T16: a page that lets its name point here, a page from elsewhere, and a name that forges the path."""
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        netloc = urlsplit(gateway.url).netloc
        port = netloc.partition(":")[2]
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1",
            "a/x?",
            f"{netloc}.evil.example",
            f"{netloc}@x",
            "",
            None,
        ):
            came = await sent(gateway.url, called(gateway, "get", CALL, host=host))
            assert (came.status, far.ran) == (421, []) or (host is None and came.status == 400), host
        for origin in (
            "null",
            "https://evil.example",
            f"https://{netloc}",
            f"http://{netloc}.evil.example",
            "http://127.0.0.1",
            "",
        ):
            came = await sent(gateway.url, called(gateway, "get", CALL, origin=origin))
            assert (came.status, came.code, far.ran) == (403, "http.origin", []), origin
        for host in (netloc, f"localhost:{port}", f"LocalHost:{port}", f"[::1]:{port}"):
            assert (await sent(gateway.url, called(gateway, "get", CALL, host=host))).status == 200
        assert (await sent(gateway.url, called(gateway, "get", CALL, origin=f"http://localhost:{port}"))).status == 200


async def test_lists_of_names_and_pages_are_exact_and_an_empty_one_lets_nobody_in(tmp_path: Path) -> None:
    said = {"hosts": ("gateway.example",), "origins": ("https://app.example",)}
    async with served(tmp_path, [Far().tool("get")], **said) as gateway:
        good = {"host": "gateway.example", "origin": "https://app.example"}
        assert (await sent(gateway.url, called(gateway, "get", CALL, **good))).status == 200
        assert (await sent(gateway.url, called(gateway, "get", CALL))).status == 421
        assert (
            await sent(gateway.url, called(gateway, "get", CALL, **{**good, "host": "gateway.example:80"}))
        ).status == 421
        assert (
            await sent(gateway.url, called(gateway, "get", CALL, **{**good, "origin": "http://app.example"}))
        ).status == 403
    async with served(tmp_path / "none", [Far().tool("get")], hosts=(), origins=()) as gateway:
        assert (await sent(gateway.url, called(gateway, "get", CALL))).status == 421


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("127.0.0.1", {"127.0.0.1:1", "localhost:1", "[::1]:1"}), ("::1", {"127.0.0.1:1", "localhost:1", "[::1]:1"}),
        ("::ffff:127.0.0.1", {"127.0.0.1:1", "localhost:1", "[::1]:1"}), ("192.0.2.7", {"192.0.2.7:1"}),
        ("2001:db8::7", {"[2001:db8::7]:1"}), ("fe80::7%eth0", {"[fe80::7]:1"}),
    ],
)  # fmt: skip
def test_the_address_that_a_connection_came_to_is_its_name_and_no_other(address: str, names: set[str]) -> None:
    every = ["localhost", "127.0.0.1", "[::1]", "192.0.2.7", "[2001:db8::7]", "[fe80::7]", "0.0.0.0", "evil.example"]
    taken = set()
    for host in [f"{name}:{port}" for name in every for port in (1, 2)] + every:
        with suppress(BadInput):
            Addresses().check({"server": (address, 1), "headers": [(b"host", host.encode())]})
            taken.add(host)
    assert taken == names


# ---------------------------------------------------------------- who is let in


PATHS = (
    "/", "/mcp", "/mcp/", "/MCP", "//mcp", "/mcp/servers", "/servers", "/admin", "/health", "/metrics", "/docs",
    "/openapi.json", "/test", "/preview", "/sse", "/messages", "/.well-known/oauth-protected-resource", "/mcp?x=1",
    "/%6dcp", "/../mcp", "*",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND")


async def test_every_path_without_a_key_is_answered_the_same_whether_it_exists_or_not(tmp_path: Path) -> None:
    """T20: nothing is to be had beside the one door, and nobody learns which paths there are."""
    far = Far()
    async with served(tmp_path, [far.tool("get")], host="127.0.0.1") as gateway:
        gateway.http.application._strangers.note = lambda _: None  # type: ignore[attr-defined]  # another test's
        for path in PATHS:
            for method in METHODS:
                raw = called(gateway, "get", CALL, path=path, method=method, authorization=None, connection="close")
                came = await sent(gateway.url, raw)
                assert came.status in (401, 400, 0), (method, path, came)
                assert came.status != 0 or method not in ("GET", "POST")
        assert far.ran == []


async def test_whoever_has_a_key_finds_one_path_with_three_methods(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        for path in ("/", "/mcp/", "/MCP", "/admin", "/.well-known/oauth-protected-resource"):
            assert (await sent(gateway.url, called(gateway, "get", CALL, path=path))).status == 404
        for method in ("PUT", "PATCH", "OPTIONS", "TRACE"):
            assert (await sent(gateway.url, called(gateway, "get", CALL, method=method))).status == 405
        for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None):
            came = await sent(gateway.url, called(gateway, "get", CALL, content_type=media))
            assert (came.status, came.code) == (415, "http.media")
        assert (await sent(gateway.url, called(gateway, "get", CALL, content_encoding="gzip"))).status == 415
        assert (
            await sent(gateway.url, called(gateway, "get", CALL, content_type="application/json; charset=utf-8"))
        ).status == 200


async def test_requests_of_nobody_are_bounded_and_those_of_somebody_are_not(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        raw = called(gateway, "get", CALL, authorization="Bearer ilk_0")
        seen = [(await sent(gateway.url, raw)).status for _ in range(40)]
        assert seen[:10] == [401] * 10
        assert 429 in seen
        assert (await sent(gateway.url, called(gateway, "get", CALL))).status == 200


async def test_no_message_makes_this_process_start_another(tmp_path: Path) -> None:
    """T19: a command in a message, under any method that other gateways had, is a word and no more."""
    mark, children = tmp_path / "started", Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text() if children.exists() else ""  # of tests that ran in this process
    server = {"command": "touch", "args": [str(mark)], "env": {}}
    names = (
        "servers/add",
        "server/create",
        "config/set",
        "connect",
        "test_connection",
        "preview",
        "tools/install",
        "initialize",
    )
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        for name in names:
            body = message(name, mcpServers={"x": server}, server=server, **server)
            came = await sent(gateway.url, request(gateway, body, mcp_protocol_version=NEW, mcp_method=name))
            assert came.status in (400, 404), (name, came)
            for path in ("/servers", f"/{name}"):
                assert (await sent(gateway.url, request(gateway, body, path=path))).status == 404
        assert not mark.exists()
        assert not children.exists() or set(children.read_text().split()) <= set(before.split())


# ------------------------------------------------------------------------ head


async def test_a_head_says_each_thing_once_hides_nothing_and_is_bounded(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        good = called(gateway, "get", CALL)
        netloc = urlsplit(gateway.url).netloc
        twice = (
            f"host: {netloc}", f"authorization: Bearer {gateway.keys['ana']}",
            f"authorization: Bearer {gateway.keys['bob']}",
            "content-type: application/json", "mcp-name: get", "mcp-name: delete", "mcp-method: tools/call",
            f"mcp-protocol-version: {NEW}", "Mcp-Name: get",
        )  # fmt: skip
        for line in twice:
            came = await sent(gateway.url, good.replace(b"\r\n", f"\r\n{line}\r\n".encode(), 1))
            assert (came.status, came.code) == (400, "http.header"), line
        for odd in (
            b"x: a\rmcp-name: delete",
            b"x: a\0b",
            b"x : y",
            b"mcp-name\0: x",
            b" folded: y",
            b"x: a\n\nGET / HTTP/1.1",
        ):
            assert (await sent(gateway.url, good.replace(b"\r\n", b"\r\n" + odd + b"\r\n", 1))).status in (400, 0), odd
        assert far.ran == []
        long = await sent(gateway.url, good.replace(b"\r\n", b"\r\nx: " + b"y" * (33 << 10) + b"\r\n", 1))
        assert (long.status, long.code, long.head["connection"]) == (431, "http.head", "close")
        many = b"".join(b"x-%d: y\r\n" % number for number in range(3300))
        assert (await sent(gateway.url, good.replace(b"\r\n", b"\r\n" + many, 1))).status == 431
        near = good.replace(b"\r\n", b"\r\nx: " + b"y" * (30 << 10) + b"\r\n", 1)
        assert (await sent(gateway.url, near)).status == 200
        assert len(far.ran) == 1


async def test_a_head_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        where = urlsplit(gateway.url)
        for line in (b"x: ", b"x"):
            with anyio.fail_after(30):
                async with await anyio.connect_tcp(str(where.hostname), int(where.port or 0)) as stream:
                    await stream.send(b"POST /mcp HTTP/1.1\r\n" + line)
                    total = 0
                    with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
                        while total < 64 << 20:
                            await stream.send(b"y" * 65_536)
                            total += 65_536
                    assert total < 16 << 20


async def test_what_follows_a_body_is_no_header_of_the_request(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get"), far.tool("wipe")]) as gateway:
        body = message("tools/call", name="wipe", arguments=CALL)
        head = called(gateway, "wipe", CALL, b"x", content_length=None, transfer_encoding="chunked", mcp_name=None)
        head = head.removesuffix(b"x")
        chunk = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
        came = await sent(gateway.url, head + chunk + b"mcp-name: wipe\r\nauthorization: Bearer x\r\n\r\n")
        assert (came.status, came.error["code"], far.ran) == (400, -32020, [])
        whole = called(gateway, "wipe", CALL, b"x", content_length=None, transfer_encoding="chunked").removesuffix(b"x")
        assert (await sent(gateway.url, whole + chunk + b"\r\n")).status == 200


# ------------------------------------------------------- head and body agree


def sentinel(text: str) -> str:
    return f"=?base64?{b64encode(text.encode()).decode()}?="


OTHERWISE: list[dict[str, str | None]] = [
    {"mcp_name": "read"}, {"mcp_name": None}, {"mcp_name": sentinel("read")}, {"mcp_name": "=?base64?!!!?="},
    {"mcp_name": "Delete"}, {"mcp_method": "tools/list"},
    {"mcp_method": None}, {"mcp_protocol_version": OLD}, {"mcp_protocol_version": "2025-11-25"},
    {"mcp_protocol_version": None},
]  # fmt: skip


async def test_a_request_that_its_headers_describe_otherwise_is_not_run(tmp_path: Path) -> None:
    """T13."""
    far = Far()
    async with served(tmp_path, [far.tool("delete"), far.tool("read")]) as gateway:
        for changed in OTHERWISE:
            came = await sent(gateway.url, called(gateway, "delete", CALL, **changed))
            assert (came.status, came.error["code"], far.ran) == (400, -32020, []), changed
            assert json.loads(came.body)["id"] == 1


async def test_headers_that_agree_in_either_spelling_are_let_through(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("delete")]) as gateway:
        for at, name in enumerate(("delete", " delete \t", sentinel("delete"), sentinel("delete") + " ")):
            assert (await sent(gateway.url, called(gateway, "delete", {"n": at}, mcp_name=name))).status == 200
        assert len(far.ran) == 4


async def test_headers_of_the_new_revision_bind_requests_of_the_old_one_too(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("delete")]) as gateway:
        session = await opened(gateway)
        body = plain("tools/call", name="delete", arguments=CALL)
        came = await sent(gateway.url, request(gateway, body, mcp_session_id=session, mcp_name="read"))
        assert (came.status, came.error["code"], far.ran) == (400, -32020, [])


# ------------------------------------------------------------------------ body


def bent(arguments: bytes) -> bytes:
    return message("tools/call", name="get", arguments="HERE").replace(b'"HERE"', arguments)


TWOFOLD = (
    b'{"n": 1, "n": 2}', b'{"n": 1, "\\u006e": 2}', b'{"n": NaN}', b'{"n": Infinity}', b'{"n": 1e999}',
    b'{"n": "\\ud800"}', b'{"n": ' + b"9" * 400 + b"}", b'{"n": 1' + b"0" * 20 + b"}",
    b'{"n": ' + b"[" * 70 + b"]" * 70 + b"}", b'{"n": ' + b"[" * 100_000, b'{"n": "\xff"}', b'{"n": 1,}',
    b"{'n': 1}", b'{"n": 01}',
)  # fmt: skip


async def test_json_that_two_readers_could_take_for_two_things_is_read_by_nobody(tmp_path: Path) -> None:
    """T42."""
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        for arguments in TWOFOLD:
            came = await sent(gateway.url, called(gateway, "get", CALL, bent(arguments)))
            assert (came.status, came.error["code"], far.ran) == (400, -32700, []), arguments[:40]
            assert came.code.startswith("json.")


async def test_what_was_checked_is_what_is_run_in_whatever_spelling_it_came(tmp_path: Path) -> None:
    far = Far()
    schema = {"type": "object", "properties": {"n": {}, "a": {}}}
    async with served(tmp_path, [far.tool("get", input_schema=schema)]) as gateway:
        for written, value in ((b'{"n": 100}', 100), (b'{"\\u006e": 1e2}', 100.0), (b'{ "n" :\t"\\u0061" }', "a")):
            assert (await sent(gateway.url, called(gateway, "get", CALL, bent(written)))).status == 200
            assert far.ran[-1][1] == {"n": value}
            assert type(far.ran[-1][1]["n"]) is type(value)


async def test_behind_the_guard_stands_the_one_spelling_of_what_was_checked() -> None:
    """T42: not the bytes that came, which another reader might take for something else."""
    got: list[Any] = []

    async def inner(key: Key, scope: Any, receive: Any, send: Any) -> None:
        part = await receive()
        got.append((part["body"], part["more_body"], header(scope, b"content-length"), key.principal.id))

    async def receive() -> Any:
        return {"type": "http.request", "body": written, "more_body": False}

    async def send(said: Any) -> None:
        raise AssertionError(said)

    written = b'{ "method":"ping", "\\u006asonrpc":"2.0",\n"id": 1, "params": {"b": 1e2, "a": "\\u0061"} }'
    spelt = b'{"id":1,"jsonrpc":"2.0","method":"ping","params":{"a":"a","b":100.0}}'
    head = [
        (b"host", b"127.0.0.1:1"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(written)),
    ]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "server": ("127.0.0.1", 1), "headers": head}
    await Guard(inner, Everybody(), "/mcp", Protection(), SystemClock(), CountedIds())(scope, receive, send)
    assert got == [(spelt, False, str(len(spelt)), "ana")]


async def test_whoever_has_an_answer_may_send_the_next_request_though_the_last_is_still_being_cleared_away() -> None:
    """A client that always has as many under way as it may is never told that it has one more; a notification that has
    only been taken counts until it is dealt with."""
    clear, statuses = anyio.Event(), list[int]()

    async def inner(_key: Key, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        await clear.wait()

    async def post(guard: Guard, written: bytes) -> None:
        answered = anyio.Event()

        async def receive() -> Any:
            return {"type": "http.request", "body": written, "more_body": False}

        async def send(said: Any) -> None:
            if said["type"] == "http.response.start":
                statuses.append(said["status"])
            elif not said.get("more_body"):
                answered.set()

        length = b"%d" % len(written)
        head = [(b"host", b"127.0.0.1:1"), (b"content-type", b"application/json"), (b"content-length", length)]
        scope = {"type": "http", "method": "POST", "path": "/mcp", "server": ("127.0.0.1", 1), "headers": head}
        tasks.start_soon(guard, scope, receive, send)
        await answered.wait()

    def guard() -> Guard:
        made = Guard(inner, Everybody(), "/mcp", Protection(), SystemClock(), CountedIds())
        made._crowd = Crowd(1)
        return made

    async with anyio.create_task_group() as tasks:
        asking, telling = guard(), guard()
        for number in (1, 2, 3):
            await post(asking, b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % number)
        assert statuses == [202, 202, 202]
        for _ in (1, 2):
            await post(telling, b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        assert statuses[3:] == [202, 429]
        clear.set()


class Everybody:
    """Lets in everybody as Ana."""

    async def admit(self, authorization: str) -> Key:
        """See `Admission`."""
        return Key(ANA)


NO_MESSAGES = (
    "", "null", "[]", "1", '"x"', "{}", '{"jsonrpc":"1.0","id":1,"method":"x"}',
    '{"jsonrpc":"2.0","id":null,"method":"x"}', '{"jsonrpc":"2.0","id":true,"method":"x"}',
    '{"jsonrpc":"2.0","id":1.5,"method":"x"}', '{"jsonrpc":"2.0","id":[],"method":"x"}',
    '{"jsonrpc":"2.0","id":1,"method":7}', '{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
    '{"jsonrpc":"2.0","id":1}', '{"jsonrpc":"2.0","id":1,"method":"x","result":{}}',
    '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
    '{"jsonrpc":"2.0","result":{}}',
)  # fmt: skip


async def test_what_is_no_single_message_is_refused_with_a_code_and_nothing_of_ours(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        for body in NO_MESSAGES:
            came = await sent(gateway.url, request(gateway, body.encode()))
            assert came.status == 400, body
            assert came.code.startswith(("rpc.", "json."))
            assert b"Traceback" not in came.body and b"/" not in came.body and b"pydantic" not in came.body


async def test_a_body_without_end_is_cut_at_its_bound(tmp_path: Path) -> None:
    """T30."""
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        came = await sent(gateway.url, called(gateway, "get", CALL, b"x", content_length=str(1 << 30)))
        assert (came.status, came.code, came.head["connection"]) == (413, "http.too_large", "close")
        for length in ("-1", "1x", "9" * 500):
            assert (await sent(gateway.url, called(gateway, "get", CALL, b"x", content_length=length))).status in (
                400,
                413,
            )
        where = urlsplit(gateway.url)
        head = called(gateway, "get", CALL, b"x", content_length=None, transfer_encoding="chunked").removesuffix(b"x")
        over = await sent(gateway.url, head + (b"10000\r\n" + b"y" * 65_536 + b"\r\n") * 17)
        assert (over.status, over.code) == (413, "http.too_large"), "at its bound, and not at its end"
        with anyio.fail_after(30):
            async with await anyio.connect_tcp(str(where.hostname), int(where.port or 0)) as stream:
                await stream.send(head)
                total, chunk = 0, b"10000\r\n" + b"y" * 65_536 + b"\r\n"
                with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
                    while total < 1 << 30:
                        await stream.send(chunk)
                        total += 65_536
                assert total < 16 << 20
        assert far.ran == []
        big = json.dumps({"n": 7, "x": "y" * 900_000}).encode()
        assert (await sent(gateway.url, called(gateway, "get", CALL, bent(big)))).status == 200


async def test_a_head_that_comes_too_slowly_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_S", 0.1)
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        for raw in (b"", b"POST /mcp HTTP/1.1\r\nhost: x\r\n"):
            assert (await sent(gateway.url, raw)).status == 0
        assert (await sent(gateway.url, called(gateway, "get", CALL))).status == 200


async def test_a_body_that_comes_too_slowly_is_not_waited_for(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        gateway.guard(body_s=0.1)
        came = await sent(gateway.url, called(gateway, "get", CALL, b'{"a', content_length="100"))
        assert (came.status, came.code, came.head["connection"]) == (408, "http.slow", "close")
        assert far.ran == []


# --------------------------------------------------------- sessions and crowds


def plain(method: str, asked: int | str | None = 1, **params: Any) -> bytes:
    """A message of the older revisions."""
    said: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(said if asked is None else said | {"id": asked}).encode()


async def opened(gateway: Any, who: str = "ana") -> str:
    """The handle of a session of somebody's."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    came = await sent(gateway.url, request(gateway, plain("initialize", **client), authorization=bearer(gateway, who)))
    assert came.status == 200
    session = came.head["mcp-session-id"]
    told = request(
        gateway, plain("notifications/initialized", None), mcp_session_id=session, authorization=bearer(gateway, who)
    )
    assert (await sent(gateway.url, told)).status == 202
    return session


def bearer(gateway: Any, who: str) -> str:
    return f"Bearer {gateway.keys[who]}"


async def test_a_session_is_nobody_elses_and_its_handle_cannot_be_guessed(tmp_path: Path) -> None:
    """T15."""
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        handles = [await opened(gateway) for _ in range(4)]
        assert len({handle[at] for at in range(16) for handle in handles}) > 8 and len(set(handles)) == 4
        body = plain("tools/call", name="get", arguments=CALL)
        for who, handle in (("bob", handles[0]), ("ana", handles[0][:-1] + "g"), ("ana", "1"), ("ana", "x" * 5000)):
            for method in ("POST", "GET", "DELETE"):
                raw = request(gateway, body, method=method, mcp_session_id=handle, authorization=bearer(gateway, who))
                came = await sent(gateway.url, raw)
                assert (came.status, came.code) == (404, "http.session")
        assert far.ran == []
        assert (await sent(gateway.url, request(gateway, body, mcp_session_id=handles[0]))).status == 200
        ended = request(gateway, method="DELETE", mcp_session_id=handles[0])
        assert (await sent(gateway.url, ended)).status == 200
        assert (await sent(gateway.url, request(gateway, body, mcp_session_id=handles[0]))).status == 404


async def test_whoever_opens_too_many_sessions_ends_their_own_and_nobody_elses(tmp_path: Path) -> None:
    async with served(tmp_path, [Far().tool("get")]) as gateway:
        gateway.guard(sessions_of_one=3)
        other = await opened(gateway, "bob")
        first, second, third = [await opened(gateway) for _ in range(3)]
        body = plain("ping")
        assert (await sent(gateway.url, request(gateway, body, mcp_session_id=first))).status == 200
        await opened(gateway)
        states = [
            (await sent(gateway.url, request(gateway, body, mcp_session_id=each))).status
            for each in (first, second, third)
        ]
        assert states == [200, 404, 200]
        assert (
            await sent(gateway.url, request(gateway, body, mcp_session_id=other, authorization=bearer(gateway, "bob")))
        ).status == 200


async def test_one_principal_has_so_many_requests_under_way_and_others_have_their_own(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        gateway.guard(at_once=3)
        where = urlsplit(gateway.url)
        raw = called(gateway, "get", CALL, b"{", content_length="10")
        streams: list[anyio.abc.SocketStream] = []

        async def status(who: str) -> int:
            return (await sent(gateway.url, called(gateway, "get", CALL, authorization=bearer(gateway, who)))).status

        with anyio.fail_after(30):
            while await status("ana") != 429:  # which takes a place itself, so that one that waits may be refused
                streams.append(await anyio.connect_tcp(str(where.hostname), int(where.port or 0)))
                await streams[-1].send(raw)
        assert len(streams) >= 2, "one alone was refused"
        assert await status("cay") == 200
        for stream in streams:
            await stream.aclose()
        with anyio.fail_after(30):
            while await status("ana") != 200:
                await anyio.sleep(0.01)


async def test_a_client_that_floods_with_notifications_holds_up_nobody(tmp_path: Path) -> None:
    """T37, as far as a client can: each is taken or refused at once, and none is kept."""
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        session = await opened(gateway)
        where = urlsplit(gateway.url)
        one = request(gateway, plain("notifications/cancelled", None, requestId=99), mcp_session_id=session)
        other = request(gateway, plain("notifications/nonsense", None, x="y" * 1000), mcp_session_id=session)
        async with await anyio.connect_tcp(str(where.hostname), int(where.port or 0)) as stream:
            for _ in range(300):
                for raw in (one, other):
                    await stream.send(raw)
                    assert (await answered(stream)).status == 202
        assert (
            await sent(gateway.url, called(gateway, "get", CALL, authorization=bearer(gateway, "cay")))
        ).status == 200
        assert (await sent(gateway.url, request(gateway, plain("ping"), mcp_session_id=session))).status == 200


# ------------------------------------------------------------------- isolation


async def test_clients_with_equal_ids_get_each_their_own_answers(tmp_path: Path) -> None:
    """T14, Q14 in little: `make isolation` does it 100,000 times. Equal ids, both revisions, at the same time."""
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        crossed: list[tuple[int, Came]] = []

        async def client(number: int, old: bool) -> None:
            who = ("ana", "cay")[number % 2]
            session = await opened(gateway, who) if old else ""
            for turn in range(4):
                value = number * 1000 + turn
                if old:
                    body = plain("tools/call", turn, name="get", arguments={"n": value})
                    raw = request(gateway, body, mcp_session_id=session, authorization=bearer(gateway, who))
                else:
                    body = message("tools/call", turn, name="get", arguments={"n": value})
                    raw = called(gateway, "get", CALL, body, authorization=bearer(gateway, who))
                async with await anyio.connect_tcp(*urlsplit(gateway.url).netloc.split(":")) as stream:  # type: ignore[arg-type]
                    await stream.send(raw)
                    got = b""
                    while f'"n":{value}'.encode() not in got.replace(b'\\"', b'"').replace(b" ", b""):
                        got += await stream.receive()
                if str(value).encode() not in got or f'"id":{turn}'.encode() not in got.replace(b" ", b""):
                    crossed.append((value, Came(0, {}, got)))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for number in range(16):
                    tasks.start_soon(client, number + 1, bool(number % 4 < 2))
        assert crossed == []
        assert len(far.ran) == 64


async def test_a_session_has_no_two_requests_by_one_id_at_a_time(tmp_path: Path) -> None:
    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway:
        session = await opened(gateway)
        crowd = gateway.http.application._crowd  # type: ignore[attr-defined]
        raw = request(gateway, plain("tools/call", 7, name="get", arguments=CALL), mcp_session_id=session)
        with crowd.asking(session, "7"):
            came = await sent(gateway.url, raw)
            assert (came.status, came.code, far.ran) == (400, "rpc.id", [])
        assert (await sent(gateway.url, raw)).status == 200


# ------------------------------------------------------------------- approvals


async def test_no_answer_of_a_client_approves_a_held_call(tmp_path: Path) -> None:
    """T44 at the wire: the forms that a reply to a question may take, each with the words for yes."""
    far = Far()
    async with served(tmp_path, [far.tool("pay", "irreversible")], wait_s=0) as gateway:
        held = await sent(gateway.url, called(gateway, "pay", CALL))
        state = json.loads(held.body)["result"]["_meta"]["interlock/continuation"]
        yes = {"action": "accept", "content": {"approved": True, "decision": "approve"}}
        for extra in (
            {"inputResponses": {"approval": yes}}, {"inputResponses": {"approval": {"result": yes}}},
            {"requestState": state, "inputResponses": {"approval": yes}}, {"approved": True}, {"approval": "approve"},
        ):  # fmt: skip
            body = message("tools/call", name="pay", arguments=CALL, **extra)
            came = await sent(gateway.url, called(gateway, "pay", CALL, body))
            assert came.status in (200, 400)
            assert b'"outcome": "done"' not in came.body and far.ran == []
        session = await opened(gateway)
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": yes}).encode()
        assert (await sent(gateway.url, request(gateway, answer, mcp_session_id=session))).status == 202
        assert far.ran == []
