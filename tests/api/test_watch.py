"""Live events over HTTP and WebSocket, from a server that listens."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from interlock.api.live import STILL_S
from interlock.api.paging import place_of
from interlock.gateway.wire_socket import SENT_MAX
from interlock.keys import Keys
from tests.api.stand import opened
from tests.console.conftest import tools
from tests.console.stand import ADA, EVE, VERA, Stand, stand
from tests.planes import ANA


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Stand, dict[str, str]]]:
    """A server, and keys to read by name."""
    keys = {who.id: Keys(tmp_path / "keys.json").add(who, ("read",)) for who in (VERA, EVE)}
    keys["agent"] = Keys(tmp_path / "keys.json").add(ADA, ("tools",))
    with stand(tmp_path, tools) as opened:
        yield opened, {name: f"Bearer {key}" for name, key in keys.items()}


def sent(lines: Iterator[str], count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in lines:
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
        if len(found) == count:
            return found
    raise AssertionError("the stream ended")


def listen(at: Stand, key: str, count: int, **more: Any) -> list[dict[str, Any]]:
    head = {"authorization": key} | more.pop("headers", {})
    with httpx2.stream("GET", f"{at.url}/api/v1/events", headers=head, params=more, timeout=10) as answer:
        assert answer.status_code == 200
        return sent(answer.iter_lines(), count)


def test_a_stream_goes_on_behind_what_was_seen_and_repeats_nothing(served: tuple[Stand, dict[str, str]]) -> None:
    at, keys = served
    before = at.site.store.position()
    at.call(ANA, "look_up", n=1)
    first = listen(at, keys["vera"], 3, after=before)
    assert [each["kind"] for each in first] == ["run.claimed", "run.started", "call.decided"]
    rest = listen(at, keys["vera"], 1, headers={"last-event-id": str(first[-1]["position"])})
    assert rest[0]["kind"] == "call.result"
    assert rest[0]["position"] > first[-1]["position"]


def test_a_socket_tells_the_same_and_nothing_of_another_tenant(served: tuple[Stand, dict[str, str]]) -> None:
    """T35."""
    at, keys = served
    before = at.site.store.position()
    at.call(EVE, "look_up", n=1)
    run_id, _ = at.call(ANA, "look_up", n=2)
    url = at.url.replace("http", "ws") + f"/api/v1/events/socket?after={before}"
    with connect(url, additional_headers={"authorization": keys["vera"]}) as socket:
        seen = [json.loads(socket.recv(timeout=10)) for _ in range(4)]
    assert {each["run_id"] for each in seen} == {run_id}


def test_one_run_alone_can_be_watched(served: tuple[Stand, dict[str, str]]) -> None:
    at, keys = served
    at.call(ANA, "look_up", n=1)
    run_id, _ = at.call(ANA, "look_up", n=2)
    assert {each["run_id"] for each in listen(at, keys["vera"], 3, after=0, run_id=run_id)} == {run_id}


@pytest.mark.parametrize(("name", "status"), [("", 401), ("agent", 403)])
def test_neither_nobody_nor_an_agent_listens(served: tuple[Stand, dict[str, str]], name: str, status: int) -> None:
    """T20, T24."""
    at, keys = served
    head = {"authorization": keys[name]} if name else {}
    assert httpx2.get(f"{at.url}/api/v1/events", headers=head).status_code == status
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(at.url.replace("http", "ws") + "/api/v1/events/socket", additional_headers=head),
    ):
        raise AssertionError("it was let in")
    assert refused.value.response.status_code == (401 if not name else 403)


def test_a_page_of_another_site_opens_no_socket(served: tuple[Stand, dict[str, str]]) -> None:
    """T16: a browser lets every page try."""
    at, keys = served
    with pytest.raises(InvalidStatus) as refused, connect(
        at.url.replace("http", "ws") + "/api/v1/events/socket", origin="http://evil.example",  # type: ignore[arg-type]
        additional_headers={"authorization": keys["vera"]},
    ):  # fmt: skip
        raise AssertionError("it was let in")
    assert refused.value.response.status_code == 403


def test_a_position_that_is_none_is_refused(served: tuple[Stand, dict[str, str]]) -> None:
    at, keys = served
    answer = httpx2.get(f"{at.url}/api/v1/events", headers={"authorization": keys["vera"], "last-event-id": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "live.position")


def revoked(at: Stand, tmp_path: Path) -> None:
    """Whoever may look may no more, and the time at which streams ask that has come."""
    Keys(tmp_path / "keys.json").revoke("vera", "default")
    at.site.admission._people.pop("vera")  # type: ignore[attr-defined]  # of the stand
    at.clock.ahead_s += STILL_S + 1


@pytest.mark.parametrize("path", ["/api/v1/events", "/live"])
def test_a_stream_that_is_open_ends_for_whoever_is_nobody_any_more(
    served: tuple[Stand, dict[str, str]], tmp_path: Path, path: str
) -> None:
    """T24: a key that is revoked, or a session that was ended, shows nothing more, also where it was listening."""
    at, keys = served
    head = {"authorization": keys["vera"], "cookie": "__Host-interlock=vera"}
    with httpx2.stream("GET", at.url + path, headers=head, timeout=10) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        at.call(ANA, "look_up", n=1)
        first = next(lines)
        revoked(at, tmp_path)
        run_id, _ = at.call(ANA, "look_up", n=2)
        rest = list(lines)
    assert first and not [line for line in rest if run_id in line]


def test_a_socket_that_is_open_ends_for_whoever_is_nobody_any_more(
    served: tuple[Stand, dict[str, str]], tmp_path: Path
) -> None:
    """T24."""
    at, keys = served
    url = at.url.replace("http", "ws") + "/api/v1/events/socket"
    with connect(url, additional_headers={"authorization": keys["vera"]}) as socket_:
        at.call(ANA, "look_up", n=1)
        seen = [socket_.recv(timeout=10)]
        revoked(at, tmp_path)
        run_id, _ = at.call(ANA, "look_up", n=2)
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                seen.append(socket_.recv(timeout=10))
    assert ended.value.rcvd is not None and ended.value.rcvd.code == 1008
    assert not [each for each in seen if run_id in str(each)]


def handshake(at: Stand, key: str) -> socket.socket:
    """A connection on which a WebSocket was asked for, byte by byte."""
    place = urlsplit(at.url)
    made = socket.create_connection((place.hostname, place.port), timeout=10)
    head = {"Host": place.netloc, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(b"k" * 16).decode(), "Authorization": key}  # fmt: skip
    lines = [f"{name}: {value}" for name, value in head.items() if value]
    made.sendall("\r\n".join(["GET /api/v1/events/socket HTTP/1.1", *lines, "", ""]).encode())
    return made


def frame(opcode: int, data: bytes, *, last: bool = True) -> bytes:
    """A frame as a client sends it, of at most 125 bytes."""
    return bytes([opcode | (0x80 if last else 0), 0x80 | len(data), 0, 0, 0, 0]) + data


FLOODS = {
    "pings, whose answers nobody reads": frame(9, b"x" * 125),
    "parts of a message without an end": frame(0, b"", last=False),
    "small messages": frame(1, b"x"),
    "bytes": frame(2, b"x" * 125),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_whoever_sends_more_than_a_client_has_to_say_is_cut_off(
    served: tuple[Stand, dict[str, str]], flood: str
) -> None:
    """T30, T37: nothing that a client sends is read, so that much of it only keeps everybody else waiting."""
    at, keys = served
    with closing(handshake(at, keys["vera"])) as made:
        assert made.recv(12) == b"HTTP/1.1 101"
        begun = frame(1, b"", last=False) if flood.startswith("parts") else b""
        made.sendall(begun + FLOODS[flood] * (SENT_MAX // len(FLOODS[flood]) + 1))
        with pytest.raises(ConnectionResetError):
            while made.recv(4096):
                pass
            raise ConnectionResetError  # an end is one, however the system says it
    assert listen(at, keys["vera"], 0, after=0) == []


def test_a_client_that_says_little_stays(served: tuple[Stand, dict[str, str]]) -> None:
    at, keys = served
    with connect(
        at.url.replace("http", "ws") + "/api/v1/events/socket", additional_headers={"authorization": keys["vera"]}
    ) as socket_:
        for said in ("{", b"\xff\x00", "x" * 500):
            socket_.send(said)
        socket_.ping().wait(10)
        at.call(ANA, "look_up", n=1)
        assert json.loads(socket_.recv(timeout=10))["kind"] == "run.claimed"


def test_whatever_is_no_position_is_refused_and_never_a_defect(tmp_path: Path) -> None:
    """T35, Q9: whatever somebody makes up is none, and nothing of it is told."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(opened(tmp_path)) as api:

        def ask(headers: dict[str, bytes], params: dict[str, str]) -> tuple[int, str]:
            head = {"authorization": f"Bearer {api.keys['vera']}".encode(), **headers}
            found = portal.call(partial(api.client.get, "/api/v1/events", headers=head, params=params))
            return found.status_code, found.json()["code"]

        letters = st.characters(codec="latin-1", exclude_characters="\r\n\0")

        @settings(max_examples=25, deadline=None)
        @given(said=st.text(letters, max_size=40) | st.integers().map(str))
        def refused(said: str) -> None:
            if said.strip(" \t") and place_of(said.strip(" \t")) is None:
                assert ask({"last-event-id": said.encode("latin-1")}, {}) == (400, "live.position")
            for wrong in ({"after": f"{said}x"}, {"after": f"-1{said}"}, {"run_id": said + "r" * 129}):
                assert ask({}, wrong) == (422, "http.value")

        refused()
