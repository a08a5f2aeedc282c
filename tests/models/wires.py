"""Three formats of answers, whole and as a stream: what each provider says where a test says it once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from tests.models.provider import Provider, Stream


class Call(NamedTuple):
    """A call that a model proposes.

    Attributes:
        name: As on the wire.
        arguments: JSON text.
        id: Of the call.
    """

    name: str
    arguments: str
    id: str


@dataclass(frozen=True)
class Turn:
    """What a model says, in nobody's format. It took 21 tokens, 5 of them cached, and 7, 3 of them hidden."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    end: str = ""
    """`length`, `refusal` and `odd` are no whole turns."""


def cut(text: str) -> list[str]:
    """A text in pieces of one to four characters."""
    pieces, size = [], 1
    while text:
        pieces.append(text[:size])
        text, size = text[size:], size % 4 + 1
    return pieces


def sse(body: Any, event: str = "") -> bytes:
    """One server-sent event; a body that is text stays so."""
    data = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {data}\n\n".encode()


class OpenAI:
    """Chat completions, of OpenAI and of whoever imitates them."""

    path = "/v1"
    where = "/v1/chat/completions"
    usage: ClassVar = {
        "prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28,
        "prompt_tokens_details": {"cached_tokens": 5}, "completion_tokens_details": {"reasoning_tokens": 3},
    }  # fmt: skip
    hidden = 3

    def whole(self, turn: Turn) -> bytes:
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
        message = {"role": "assistant", "content": turn.text or None} | ({"tool_calls": calls} if calls else {})
        choice = {"index": 0, "finish_reason": self._end(turn), "message": message}
        return json.dumps(self._frame("chat.completion") | {"choices": [choice], "usage": self.usage}).encode()

    def stream(self, turn: Turn) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in cut(turn.text)]
        for place, call in enumerate(turn.calls):
            named = {"name": call.name, "arguments": ""}
            deltas.append({"tool_calls": [{"index": place, "id": call.id, "type": "function", "function": named}]})
        parts = [(place, piece) for place, call in enumerate(turn.calls) for piece in cut(call.arguments)]
        deltas += [{"tool_calls": [{"index": n, "function": {"arguments": piece}}]} for n, piece in parts]
        events = [self._chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
        events.append(self._chunk([{"index": 0, "delta": {}, "finish_reason": self._end(turn)}]))
        return [*events, self._chunk([], usage=self.usage), sse("[DONE]")]

    def error(self, status: int) -> dict[str, Any]:
        return {"error": {"message": "secret detail", "type": "x", "code": None}}

    def late(self) -> bytes:
        return sse({"error": {"message": "secret detail", "type": "server_error", "code": 503}})

    def key(self, asked: Provider) -> str:
        return asked.headers[0]["authorization"].removeprefix("Bearer ")

    def offered(self, body: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(tool["function"]["name"], tool["function"]["parameters"]) for tool in body["tools"]]

    def _end(self, turn: Turn) -> str:
        ends = {"length": "length", "refusal": "content_filter", "odd": "because"}
        return ends.get(turn.end, "tool_calls" if turn.calls else "stop")

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return sse(self._frame("chat.completion.chunk") | {"choices": choices} | more)

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": "test-model"}


class Anthropic:
    """Messages."""

    path = ""
    where = "/v1/messages"
    hidden = 0

    def whole(self, turn: Turn) -> bytes:
        blocks = [json.dumps({"type": "text", "text": turn.text})] if turn.text else []
        blocks += [
            f'{{"type":"tool_use","id":"{call.id}","name":"{call.name}","input":{call.arguments}}}'
            for call in turn.calls
        ]
        frame = self._message() | {"stop_reason": self._end(turn), "usage": self._used(7)}
        return json.dumps(frame | {"content": "HERE"}).replace('"HERE"', f"[{','.join(blocks)}]").encode()

    def stream(self, turn: Turn) -> list[bytes]:
        events = [self._event("message_start", message=self._message() | {"content": [], "usage": self._used(1)})]
        place = 0
        if turn.text:
            deltas = [{"type": "text_delta", "text": piece} for piece in cut(turn.text)]
            events += self._block(place, {"type": "text", "text": ""}, deltas)
            place += 1
        for call in turn.calls:
            block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            pieces = ["", *cut(call.arguments)]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            events += self._block(place, block, deltas)
            place += 1
        events.append(sse({"type": "ping"}, "ping"))
        delta = {"stop_reason": self._end(turn), "stop_sequence": None}
        events.append(self._event("message_delta", delta=delta, usage={"output_tokens": 7}))
        return [*events, self._event("message_stop")]

    def error(self, status: int) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "x", "message": "secret detail"}}

    def late(self) -> bytes:
        return self._event("error", error={"type": "overloaded_error", "message": "secret detail"})

    def key(self, asked: Provider) -> str:
        said = asked.headers[0]
        return said.get("x-api-key") or said["authorization"].removeprefix("Bearer ")

    def offered(self, body: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(tool["name"], tool["input_schema"]) for tool in body["tools"]]

    def _block(self, place: int, block: dict[str, Any], deltas: Sequence[dict[str, Any]]) -> list[bytes]:
        return [
            self._event("content_block_start", index=place, content_block=block),
            *(self._event("content_block_delta", index=place, delta=delta) for delta in deltas),
            self._event("content_block_stop", index=place),
        ]

    def _event(self, kind: str, **more: Any) -> bytes:
        return sse({"type": kind} | more, kind)

    def _message(self) -> dict[str, Any]:
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "test-model",
            "stop_reason": None, "stop_sequence": None,
        }  # fmt: skip

    def _used(self, output: int) -> dict[str, int]:
        return {"input_tokens": 16, "cache_read_input_tokens": 5, "output_tokens": output}

    def _end(self, turn: Turn) -> str:
        ends = {"length": "max_tokens", "refusal": "refusal", "odd": "because"}
        return ends.get(turn.end, "tool_use" if turn.calls else "end_turn")


class Google:
    """generateContent."""

    path = ""
    where = "/v1beta/models/test-model:generateContent"
    usage: ClassVar = {
        "promptTokenCount": 21, "cachedContentTokenCount": 5, "candidatesTokenCount": 4, "thoughtsTokenCount": 3,
        "totalTokenCount": 28,
    }  # fmt: skip
    hidden = 3
    _ends: ClassVar = {"length": "MAX_TOKENS", "refusal": "SAFETY", "odd": "MALFORMED_FUNCTION_CALL"}

    def whole(self, turn: Turn) -> bytes:
        parts = [json.dumps({"text": turn.text})] if turn.text else []
        return self._chunk([*parts, *map(self._call, turn.calls)], turn).encode()

    def stream(self, turn: Turn) -> list[bytes]:
        events = [sse(self._chunk([json.dumps({"text": piece})])) for piece in cut(turn.text)]
        events += [sse(self._chunk([self._call(call)])) for call in turn.calls]
        return [*events, sse(self._chunk([json.dumps({"text": ""})], turn))]

    def error(self, status: int) -> dict[str, Any]:
        again = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
        return {"error": {"code": status, "message": "secret detail", "status": "X", "details": [again]}}

    def late(self) -> bytes:
        return sse({"error": {"code": 503, "message": "secret detail", "status": "UNAVAILABLE"}})

    def key(self, asked: Provider) -> str:
        return asked.headers[0]["x-goog-api-key"]

    def offered(self, body: dict[str, Any]) -> list[tuple[str, Any]]:
        declared = [each for tool in body["tools"] for each in tool["functionDeclarations"]]
        return [(each["name"], each.get("parametersJsonSchema") or each["parameters_json_schema"]) for each in declared]

    def _call(self, call: Call) -> str:
        return f'{{"functionCall":{{"id":"{call.id}","name":"{call.name}","args":{call.arguments}}}}}'

    def _chunk(self, parts: Sequence[str], ended: Turn | None = None) -> str:
        candidate = {"content": {"role": "model", "parts": "HERE"}, "index": 0}
        if ended is not None:
            candidate["finishReason"] = self._ends.get(ended.end, "STOP")
        whole = {"candidates": [candidate], "modelVersion": "test-model", "responseId": "r1"}
        if ended is not None:
            whole["usageMetadata"] = self.usage
        return json.dumps(whole).replace('"HERE"', f"[{','.join(parts)}]")


Wire = OpenAI | Anthropic | Google
WIRES: dict[str, Wire] = {
    "openai": OpenAI(), "ollama": OpenAI(), "vllm": OpenAI(), "compatible": OpenAI(),
    "anthropic": Anthropic(), "google": Google(),
}  # fmt: skip
"""By provider."""


def streamed(wire: Wire, turn: Turn) -> Stream:
    """The turn as a stream."""
    return Stream(tuple(wire.stream(turn)))
