"""Live events over HTTP and WebSocket, from a server that listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from interlock.keys import Keys
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
