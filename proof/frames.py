"""Frames that no honest client sends: valid ones of both revisions, changed by what they mean and byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

NEW = "2026-07-28"
_META = {"io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {}}
_CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
_ODD: list[Any] = [
    None, True, False, 0, -1, 2**53, 2**63, 2**64, 10**30, 1e308, -0.0, 1.5, "", "\0", "\ud800", "﻿", "‮x", "x" * 5000,
    "=?base64?bm90ZQ==?=", "../../etc/passwd", "$ref", [], {}, [[]], {"": ""}, {"$ref": "#"},
    {"__proto__": 1}, "note", "tools/call",
]  # fmt: skip
_TEXTS = [
    b"NaN", b"Infinity", b"1e999", b"-", b"01", b"1" * 500, b"\xff\xfe", b"\xed\xa0\x80", b'"\\ud800"', b'"\\u0000"',
    b"[" * 200,
    b"{" * 200, b"[" * 100 + b"]" * 100, b"\x00", b"/**/", b"'x'", b'{"a":1,"a":2}', b"\r\n", b"\n\n", b"data: x\n\n",
]  # fmt: skip
_METHODS = [
    "tools/list", "ping", "resources/list", "resources/read", "prompts/get", "completion/complete", "logging/setLevel",
    "server/discover", "notifications/initialized", "notifications/cancelled", "notifications/progress", "tools/call",
    "initialize", "roots/list", "sampling/createMessage", "elicitation/create", "tasks/get", "x", "",
]  # fmt: skip


class Frame(NamedTuple):
    """What is sent.

    Attributes:
        body: The message, perhaps none any more.
        head: Headers that it has beside the usual ones.
        raw: What is done to the request's bytes once it is whole; None for nothing.
        session: Whether it names a session of the older revisions.
    """

    body: bytes
    head: dict[str, str]
    raw: int | None
    session: bool

    @property
    def waits(self) -> bool:
        """Whether an answer may rightly not come, or not end."""
        return self.raw is not None or b"subscriptions" in self.body or b"listen" in self.body


def frames(seed: int) -> Iterator[Frame]:
    """Frames without end, the same for the same seed."""
    random = Random(seed)
    number = 0
    while True:
        number += 1
        new = random.random() < 0.5
        said = _valid(random, number, new=new)
        head = _head(said) if new else {}
        kind = random.random()
        if kind < 0.55:
            for _ in range(random.randint(1, 3)):
                said = _bent(random, said)
            if random.random() < 0.7:
                head = _head(said) if new else {}
        body = json.dumps(said, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
        if 0.55 <= kind < 0.9:
            body = _spoilt(random, body)
        if random.random() < 0.1:
            head = _odd_head(random, head)
        raw = random.randrange(2**32) if random.random() < 0.02 else None
        yield Frame(body, head, raw, not new and random.random() < 0.9)


def spoilt_request(request: bytes, seed: int) -> bytes:
    """A whole request, changed byte by byte anywhere."""
    return _spoilt(Random(seed), request)


def numbers_in(text: bytes) -> set[int]:
    """Every number that a frame, as it is sent, may validly ask to note."""
    head, _, body = text.partition(b"\r\n\r\n")
    lengths = [int(word) for word in head.split() if word.isdigit() and len(word) < 9]
    bodies = [text, body, *text.split(b"\n"), *(body[:length] for length in lengths)]
    return {number for one in bodies if (number := _number_in(one)) is not None}


def _number_in(body: bytes) -> int | None:
    """The number that a body asks to note, where it is one valid call; by a reading that knows nothing of ours."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        said = json.loads(body.decode(), object_pairs_hook=once)
        params = said["params"]
        n = params["arguments"]["n"]
        plain = isinstance(n, int | float) and not isinstance(n, bool) and n == int(n)
        if said["jsonrpc"] == "2.0" and said["method"] == "tools/call" and params["name"] == "note" and plain:
            return int(n)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        pass
    return None


def _valid(random: Random, number: int, *, new: bool) -> dict[str, Any]:
    method = "tools/call"
    params: dict[str, Any] = {"name": "note", "arguments": {"n": number}}
    if random.random() > 0.5:
        method, params = random.choice(_METHODS), random.choice([{}, _CLIENT, {"requestId": 1}, {"uri": "a:b"}, params])
        if random.random() < 0.02:
            method = "subscriptions/listen"
    params = dict(params) | ({"_meta": _META} if new else {})
    said: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        said["id"] = random.choice([number, str(number), 1, "1"])
    if random.random() < 0.05:
        return {"jsonrpc": "2.0", "id": 1, random.choice(["result", "error"]): random.choice(_ODD)}
    return said


def _head(said: Any) -> dict[str, str]:
    params = said.get("params") if isinstance(said, dict) else None
    head = {"mcp_protocol_version": NEW, "mcp_method": str(said.get("method", "")) if isinstance(said, dict) else "x"}
    if isinstance(params, dict) and isinstance(params.get("name", params.get("uri")), str):
        head["mcp_name"] = str(params.get("name", params.get("uri")))
    return {name: "".join(sign for sign in value if " " <= sign <= "~")[:2000] for name, value in head.items()}


def _bent(random: Random, said: Any) -> Any:
    """One part of it made another."""
    if isinstance(said, dict) and said and random.random() < 0.8:
        key = random.choice(list(said))
        changed = dict(said)
        what = random.random()
        if what < 0.15:
            del changed[key]
        elif what < 0.3:
            changed[str(random.choice(_ODD))] = changed.pop(key)
        else:
            changed[key] = _bent(random, changed[key])
        return changed
    if isinstance(said, list) and said and random.random() < 0.8:
        return [*said, _bent(random, random.choice(said))]
    if random.random() < 0.03:
        deep: Any = said
        for _ in range(random.choice([10, 60, 63, 64, 65, 150])):
            deep = [deep]
        return deep
    return random.choice([*_ODD, [said], {"x": said}])


def _spoilt(random: Random, text: bytes) -> bytes:
    """Some bytes of it made others."""
    found = bytearray(text)
    for _ in range(random.choice([1, 1, 1, 2, 4, 16])):
        at = random.randrange(len(found) + 1)
        what = random.randrange(5)
        if what == 0 and found:
            found[at % len(found)] = random.randrange(256)
        elif what == 1:
            found[at:at] = random.choice(_TEXTS)
        elif what == 2:
            del found[at : at + random.randint(1, 20)]
        elif what == 3:
            found[at:at] = found[: random.randint(1, 60)]
        else:
            del found[at:]
    return bytes(found)


def _odd_head(random: Random, head: dict[str, str]) -> dict[str, str]:
    name = random.choice(
        ["mcp_name", "mcp_method", "mcp_protocol_version", "mcp_session_id", "accept", "content_type", "origin", "host",
         "authorization", "content_encoding", "content_length", "last_event_id", "transfer_encoding", "x"]
    )  # fmt: skip
    value = random.choice(
        ["", "x", "note", "=?base64?bm90ZQ==?=", "=?base64?!?=", NEW, "2025-11-25", "1", "0", "99999999", "chunked",
         "gzip",
         "text/html", "null", "a" * 40_000, "\xe9", "\t", "Bearer a.b.c", "*/*"]
    )  # fmt: skip
    return {**head, name: value}
