"""The far end's door and life: tokens, framing, what survives a kill, when it ends."""

from __future__ import annotations

import http.client
import json
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.property_process import COMMAND, LEAK, ROOT, VISIT, Service


def test_without_the_right_token_nothing_is_said_or_done(service: Service) -> None:
    admin, caller = service.ready["admin_token"], service.ready["token"]
    for path in ("/v1/properties", "/v1/landlords", "/admin/effects"):
        reply = service.call("GET", path, token="wrong")
        assert reply.refusal == (401, "unauthorized")
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert service.call("GET", "/v1/properties", headers={"Authorization": caller}).status == 401
    assert service.call("GET", "/admin/effects", token=caller).refusal == (403, "forbidden")
    assert service.call("GET", "/v1/properties", token=admin).refusal == (403, "forbidden")
    with service.watched() as happened:
        assert service.call("POST", "/v1/maintenance-requests", LEAK, token=admin).status == 403
    assert happened == []


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (b"{", (400, "invalid_json")),
        (b"[]", (400, "invalid_json")),
        (b"", (400, "invalid_json")),
        (b'"\xff"', (400, "invalid_json")),
        (b'{"property_id": 1003, "property_id": 1004}', (400, "invalid_json")),
        (b'{"property_id": NaN}', (400, "invalid_json")),
        (b"[" * 60_000, (400, "invalid_json")),
        (b'{"property_id": 1003, "colour": "red"}', (400, "unknown_parameter")),
        (b" " * 65_536, (400, "invalid_json")),
        (b" " * 65_537, (413, "body_too_large")),
    ],
)
def test_a_body_that_is_not_one_plain_json_object_is_refused(
    service: Service, raw: bytes, refusal: tuple[int, str]
) -> None:
    with service.watched() as happened:
        assert service.call("POST", "/v1/maintenance-requests", raw=raw).refusal == refusal
    assert happened == []


def test_the_wrong_method_content_type_query_and_framing_are_refused(service: Service) -> None:
    wrong_method = service.call("DELETE", "/v1/properties/1003")
    assert wrong_method.refusal == (405, "method_not_allowed")
    assert wrong_method.headers["Allow"] == "GET"
    assert service.call("PUT", "/v1/properties/1003").refusal == (501, "bad_http")
    text = {"Content-Type": "text/plain"}
    assert service.call("POST", "/admin/faults", raw=b"{}", headers=text).status == 415
    assert service.get("/v1/properties?q=a&q=b").refusal == (400, "invalid_query")
    assert service.get("/v1/properties?colour=red").refusal == (400, "unknown_parameter")
    assert service.call("GET", "/v1/properties", raw=b"{}").refusal == (400, "body_not_expected")
    assert service.call("POST", "/v1/calendar-events?title=x", VISIT).refusal == (400, "unknown_parameter")
    chunked = {"Transfer-Encoding": "chunked"}
    assert service.call("POST", "/admin/faults", headers=chunked).refusal == (411, "length_required")


def test_one_connection_carries_many_requests_also_after_a_refusal(service: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.ready["port"], timeout=5)
    headers = {"Authorization": f"Bearer {service.ready['token']}", "Content-Type": "application/json"}
    connection.connect()
    sock = connection.sock
    for path, status in (("/v1/calendar-events", 400), ("/v1/landlords", 404)):
        connection.request("POST", path, b'{"title": 1}', headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock is sock
    connection.close()


def test_a_body_that_ends_early_does_nothing(service: Service) -> None:
    whole = json.dumps(LEAK).encode()
    head = (
        "POST /v1/maintenance-requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {service.ready['token']}\r\nContent-Length: {len(whole) + 1}\r\n\r\n"
    )
    address = ("127.0.0.1", service.ready["port"])
    with service.watched() as happened, socket.create_connection(address, 5) as sock:
        sock.sendall(head.encode() + whole)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert happened == []


# The process


def test_what_was_answered_survives_a_kill_and_its_key_still_holds(tmp_path: Path) -> None:
    db = tmp_path / "killed.db"
    first = Service(db)
    answer = first.post("/v1/maintenance-requests", LEAK, key="kept-1")
    first.process.kill()
    first.process.wait()
    assert first.end() != 0
    second = Service(db)
    again = second.post("/v1/maintenance-requests", LEAK, key="kept-1")
    effects = second.effects()
    assert second.end() == 0
    assert again.body == answer.body
    assert [effect["idempotency_key"] for effect in effects] == ["kept-1"]


def test_it_ends_when_its_parent_dies_though_its_standard_input_stays_open(tmp_path: Path) -> None:
    start = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", start, *COMMAND, "--db", str(tmp_path / "orphan.db")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin is not None and parent.stdout is not None
    with parent.stdin, parent.stdout:  # shared with the service: our end of its standard input stays open
        assert json.loads(parent.stdout.readline())["pid"] != parent.pid
        parent.kill()
        parent.wait(5)
        ended, _, _ = select.select([parent.stdout], [], [], 5)
        assert ended and parent.stdout.read() == b"", "the service still holds its standard output"


def test_a_file_of_another_program_is_left_alone_and_the_exit_status_says_so(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a database, but long enough to look like one" * 50)
    before = notes.read_bytes()
    for db in (notes, tmp_path / "no folder" / "a.db"):
        ended = subprocess.run(
            [*COMMAND, "--db", str(db)], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=10
        )
        assert (ended.returncode, ended.stdout) == (2, b"")
        assert db.name.encode() in ended.stderr
    assert notes.read_bytes() == before
