"""What stands before the API and the console, without a network: each gate is asked what is let through without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest

from interlock.api.admission import Admission
from interlock.api.gate import FORM, STREAMS_MAX, WHO, Gate, Open, Protection
from interlock.api.who import Who
from interlock.core.principal import Principal
from interlock.errors import InterlockError, NotEntitled, SettingsError
from interlock.gateway.address import Addresses
from interlock.gateway.asgi import Receive, Scope, Send
from interlock.gateway.crowd import AT_ONCE_MAX
from interlock.testing import CountedIds, FrozenClock

HOST = "127.0.0.1:8722"
ANA = Who(principal=Principal("ana"), scopes=frozenset({"console"}), by="session", session_id="s1")

pytestmark = pytest.mark.anyio


class Known:
    """One key, one session."""

    async def bearer(self, authorization: str) -> Who:
        if authorization != "Bearer good":
            raise NotEntitled("nobody's", code="keys.unknown")
        return ANA

    async def session(self, cookie: str) -> Who:
        if cookie != "__Host-interlock=good":
            raise NotEntitled("nobody is signed in", code="session.missing")
        return ANA

    def csrf(self, who: Who) -> str:
        return "right"


def protected() -> Protection:
    """What the gate is told: one open route, one folder, one stream."""

    async def shown(scope: Scope, receive: Receive, send: Send, error: InterlockError, status: int) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": error.code.encode()})

    said = Open({("GET", "/healthz"), ("POST", "/sign-in/key")}, "/static/")
    return Protection(addresses=Addresses(), open=said, shown=shown, streams={"/live"})


async def asked(
    method: str = "GET", path: str = "/", headers: Mapping[str, str] | None = None, body: bytes = b"",
    admission: Admission | None = None,
) -> tuple[int, dict[str, str], list[Scope]]:  # fmt: skip
    """The status and headers of one answer, and what reached the routes."""
    reached: list[Scope] = []
    sent: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)
        if path == "/defect":
            raise ZeroDivisionError
        own = [(b"set-cookie", b"__Host-interlock=; Max-Age=0")] if path == "/sign-out" else []
        await send({"type": "http.response.start", "status": 200, "headers": own})
        if path == "/defect/late":
            raise ZeroDivisionError
        await send({"type": "http.response.body", "body": b"in"})

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = Gate(inner, admission or Known(), protected(), FrozenClock(), CountedIds())
    given = {"host": HOST} | dict(headers or {})
    await gate(
        {"type": "http", "method": method, "path": path, "query_string": b"", "server": ("127.0.0.1", 8722),
         "client": ("127.0.0.1", 1), "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()]},
        receive, send,
    )  # fmt: skip
    assert [message["type"] for message in sent].count("http.response.start") == 1, "an answer begins once"
    assert len({name for name, _ in sent[0]["headers"]}) == len(sent[0]["headers"]), "no header says two things"
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, reached


COOKIE = {"cookie": "__Host-interlock=good"}
POSTED = COOKIE | {"origin": f"http://{HOST}", "content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "path", ["/", "/stop", "/api/v1/runs", "/metrics", "/nowhere", "/healthz/", "/static", "/HEALTHZ"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_whatever_is_not_on_the_list_answers_401_to_nobody(method: str, path: str) -> None:
    """T20: a route that nobody thought of."""
    status, _, reached = await asked(method, path, {"origin": f"http://{HOST}"})
    assert (status, reached) == (401, [])


@pytest.mark.parametrize(("method", "path"), [("GET", "/healthz"), ("GET", "/static/console.css")])
async def test_what_is_open_is_open_and_knows_nobody(method: str, path: str) -> None:
    status, _, reached = await asked(method, path)
    assert status == 200
    assert WHO not in reached[0]


async def test_a_session_opens_pages_and_a_key_the_api_and_never_the_other() -> None:
    """T24, T25: no page can use the API with somebody's cookie, and no program the pages with a key."""
    key = {"authorization": "Bearer good"}
    assert [(await asked(path="/", headers=COOKIE))[0], (await asked(path="/api/v1/runs", headers=key))[0]] == [
        200,
        200,
    ]
    assert [(await asked(path="/", headers=key))[0], (await asked(path="/api/v1/runs", headers=COOKIE))[0]] == [
        401,
        401,
    ]


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("host", "evil.example", 421),
        ("host", "127.0.0.1:8722/a?", 421),
        ("host", "", 421),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
    ],
)
async def test_another_name_or_another_page_is_refused_before_anybody_is_asked_for(
    header: str, value: str, status: int
) -> None:
    """T16."""
    for path in ("/", "/api/v1/runs", "/healthz"):
        found, _, reached = await asked(path=path, headers=COOKIE | {"authorization": "Bearer good", header: value})
        assert (found, reached) == (status, [])


@pytest.mark.parametrize(
    ("what", "headers", "body"),
    [
        ("no token", POSTED, {"a": "1"}),
        ("another's token", POSTED, {"a": "1", "csrf": "wrong"}),
        ("two tokens", POSTED, [("csrf", "right"), ("csrf", "right")]),
        ("no origin", {key: value for key, value in POSTED.items() if key != "origin"}, {"csrf": "right"}),
        ("another site's page", POSTED | {"sec-fetch-site": "cross-site"}, {"csrf": "right"}),
        ("no form", POSTED | {"content-type": "text/plain"}, {"csrf": "right"}),
        ("a file", POSTED | {"content-type": "multipart/form-data; boundary=x"}, {"csrf": "right"}),
    ],
)
async def test_a_form_that_is_not_one_of_ours_changes_nothing(what: str, headers: dict[str, str], body: Any) -> None:
    """T25: cross-site requests."""
    status, _, reached = await asked("POST", "/stop", headers, urlencode(body).encode())
    assert status in (403, 415), what
    assert not reached


@pytest.mark.parametrize("name", ["authorization", "content-type", "origin"])
async def test_a_header_that_hides_another_line_reaches_nobody(name: str) -> None:
    """T16: of what two readers would each read another way, nothing is read."""
    status, _, reached = await asked(headers=COOKIE | {name: f"http://{HOST}\r\nx: y"})
    assert (status, reached) == (400, [])


@pytest.mark.parametrize("more", [b"a=\xff", b"a=%ff", b"a", b"a=1&" * 200 + b"a=1"])
async def test_a_form_that_two_would_read_otherwise_or_that_never_ends_is_read_by_nobody(more: bytes) -> None:
    """T30."""
    status, _, reached = await asked("POST", "/stop", POSTED, b"csrf=right&" + more)
    assert (status, reached) == (403, [])


async def test_a_value_between_blanks_is_read_as_every_server_reads_it() -> None:
    assert (await asked(path="/healthz", headers={"host": f" {HOST}\t"}))[0] == 200


async def test_a_program_that_is_nobody_is_told_by_what_it_would_be_somebody() -> None:
    assert (await asked(path="/api/v1/runs"))[1]["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in (await asked(path="/"))[1], "a browser would ask its user for a password"


async def test_what_cannot_be_found_out_lets_nobody_in_and_says_no_word_of_why() -> None:
    class Unreadable(Known):
        async def bearer(self, authorization: str) -> Who:
            raise SettingsError("/srv/interlock/keys.json: others may read it", code="settings.mode")

    key = {"authorization": "Bearer good"}
    status, _, reached = await asked(path="/api/v1/runs", headers=key, admission=Unreadable())
    assert (status, reached) == (503, [])


async def test_a_session_that_goes_on_does_not_bring_back_the_one_that_was_just_ended() -> None:
    class Renewing(Known):
        async def session(self, cookie: str) -> Who:
            return replace(await super().session(cookie), renewed="__Host-interlock=renewed")

    assert (await asked(headers=COOKIE, admission=Renewing()))[1]["set-cookie"] == "__Host-interlock=renewed"
    _, head, _ = await asked(path="/sign-out", headers=COOKIE, admission=Renewing())
    assert head["set-cookie"] == "__Host-interlock=; Max-Age=0"


async def test_a_form_of_ours_arrives_as_its_fields_without_the_token() -> None:
    _, _, reached = await asked("POST", "/stop", POSTED, urlencode([("a", "1"), ("csrf", "right"), ("b", "")]).encode())
    assert reached[0][FORM] == [("a", "1"), ("b", "")]


async def test_every_answer_forbids_scripts_frames_and_keeping() -> None:
    """T25: whatever a page holds by mistake, a browser runs none of it."""
    for path, headers in (("/", COOKIE), ("/", {}), ("/healthz", {}), ("/api/v1/runs", {})):
        _, head, _ = await asked(path=path, headers=headers)
        assert set(head["content-security-policy"].split("; ")) == {
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
            "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
        }  # fmt: skip
        assert head["referrer-policy"] == "same-origin"
        assert {"camera=()", "geolocation=()", "microphone=()"} <= set(head["permissions-policy"].split(", "))
        assert head["x-content-type-options"] == "nosniff"
        assert head["x-frame-options"] == "DENY"
        assert (head["cross-origin-opener-policy"], head["cross-origin-resource-policy"]) == (("same-origin",) * 2)
        assert head["cache-control"] == "no-store"


async def test_a_defect_is_told_as_a_number_and_no_word_of_it() -> None:
    status, _, _ = await asked(path="/defect", headers=COOKIE)
    assert status == 500
    assert (await asked(path="/defect/late", headers=COOKIE))[0] == 200, "what has begun cannot begin again"


async def test_a_body_that_is_too_large_reaches_no_route() -> None:
    """T30."""
    status, _, reached = await asked("POST", "/api/v1/runs", {"authorization": "Bearer good"}, b"x" * (2 << 20))
    assert (status, reached) == (413, [])


@pytest.mark.parametrize("path", ["/healthz", "/static/console.js", "/nowhere", "/api/v1/events/socket"])
async def test_no_socket_is_open_to_nobody_and_none_is_a_defect(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """T20: what everybody may fetch, nobody may open a WebSocket to; and asking for it fills no log."""
    reached: list[Scope] = []
    sent: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = Gate(inner, Known(), protected(), FrozenClock(), CountedIds())
    await gate(
        {"type": "websocket", "path": path, "query_string": b"", "server": ("127.0.0.1", 8722),
         "client": ("127.0.0.1", 1), "headers": [(b"host", HOST.encode())],
         "extensions": {"websocket.http.response": {}}},
        receive, send,
    )  # fmt: skip
    assert (sent[0]["status"], reached, caplog.records) == (401, [], [])


async def test_a_request_that_calls_itself_a_stream_is_counted_as_what_it_is() -> None:
    """T30: one person has 32 requests at the same time, and more only of what goes on by itself."""
    held, go = anyio.Event(), anyio.Event()
    entered: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(scope["path"])
        if len(entered) == 2 * AT_ONCE_MAX:
            held.set()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    statuses: list[tuple[str, int]] = []
    gate = Gate(inner, Known(), protected(), FrozenClock(), CountedIds())

    async def ask(path: str) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append((path, message["status"]))

        headers = [(b"host", HOST.encode()), (b"accept", b"text/event-stream"), (b"cookie", b"__Host-interlock=good")]
        await gate({"type": "http", "method": "GET", "path": path, "query_string": b"", "server": ("127.0.0.1", 8722),
                    "client": ("127.0.0.1", 1), "headers": headers}, receive, send)  # fmt: skip

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE_MAX):
                tasks.start_soon(ask, "/runs")
                tasks.start_soon(ask, "/live")
            await held.wait()
            await ask("/runs")
            assert statuses == [("/runs", 429)]
            tasks.start_soon(ask, "/live")
            go.set()
    assert sorted(statuses).count(("/live", 200)) == AT_ONCE_MAX + 1


async def test_nobody_tries_keys_for_long_without_being_told_to_wait() -> None:
    """T30: and whoever is somebody is not counted among them."""
    found = [0]

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    gate = Gate(inner, Known(), protected(), FrozenClock(), CountedIds())

    async def ask(key: bytes, address: str = "127.0.0.1") -> int:
        headers = [(b"host", HOST.encode()), (b"authorization", b"Bearer " + key)]
        await gate({"type": "http", "method": "GET", "path": "/api/v1/runs", "query_string": b"",
                    "server": ("127.0.0.1", 8722), "client": (address, 1), "headers": headers},
                   receive, send)  # fmt: skip
        return found[-1]

    statuses = [await ask(b"bad%d" % attempt) for attempt in range(30)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert await ask(b"good") == 200
    assert await ask(b"bad", "127.0.0.2") == 401, "whoever comes from elsewhere does not pay for it"


async def test_one_person_has_so_many_streams_and_sockets_together_and_no_more() -> None:
    """T30: each of them holds memory for as long as it is open."""
    full, go = anyio.Event(), anyio.Event()
    entered: list[str] = []
    statuses: list[int] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(scope["type"])
        if len(entered) == STREAMS_MAX:
            full.set()
        await go.wait()

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        if message["type"].endswith("response.start"):
            statuses.append(message["status"])

    gate = Gate(inner, Known(), protected(), FrozenClock(), CountedIds())

    async def ask(kind: str) -> None:
        path = "/live" if kind == "http" else "/api/v1/events/socket"
        headers = [(b"host", HOST.encode()), (b"authorization", b"Bearer good"), (b"cookie", COOKIE["cookie"].encode())]
        await gate({"type": kind, "method": "GET", "path": path, "query_string": b"", "server": ("127.0.0.1", 8722),
                    "client": ("127.0.0.1", 1), "headers": headers, "extensions": {"websocket.http.response": {}}},
                   receive, send)  # fmt: skip

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for at in range(STREAMS_MAX):
                tasks.start_soon(ask, ("http", "websocket")[at % 2])
            await full.wait()
            await ask("http")
            await ask("websocket")
            go.set()
    assert (statuses, len(entered)) == ([429, 429], STREAMS_MAX)


async def test_nobody_has_as_much_room_as_somebody_for_a_body() -> None:
    """T30: a thousand connections of strangers that each keep a megabyte are a gigabyte."""
    headers = {key: value for key, value in POSTED.items() if key != "cookie"}
    statuses = [(await asked("POST", "/sign-in/key", headers, b"key=" + b"x" * size))[0] for size in (4_000, 40_000)]
    assert statuses == [200, 413]


async def test_a_body_that_is_still_coming_counts_among_what_somebody_has_under_way() -> None:
    """T30: bodies that come slowly take no more room than requests that are answered slowly."""
    statuses: list[int] = []
    waiting = [0]
    full, go = anyio.Event(), anyio.Event()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        waiting[0] += 1
        if waiting[0] == AT_ONCE_MAX:
            full.set()
        await go.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    gate = Gate(inner, Known(), protected(), FrozenClock(), CountedIds())

    async def ask() -> None:
        headers = [(b"host", HOST.encode()), (b"authorization", b"Bearer good")]
        await gate({"type": "http", "method": "POST", "path": "/api/v1/runs", "query_string": b"",
                    "server": ("127.0.0.1", 8722), "client": ("127.0.0.1", 1), "headers": headers},
                   receive, send)  # fmt: skip

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE_MAX):
                tasks.start_soon(ask)
            await full.wait()
            await ask()
            assert statuses == [429]
            go.set()
    assert statuses.count(200) == AT_ONCE_MAX
