"""What a model's turn proposes, read from a provider's message; and what became of it, written back.

Each call gets its own `Proposal`, the ones that cannot be read too: `validate` refuses those one by one, and
the others run. Arguments come as a JSON text or as an object; both stay as they came.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from interlock.core.call import Outcome
from interlock.core.message import Message, Proposal, Role
from interlock.registry.formats import Format, wire_name

_CUT_OFF: Final = frozenset(
    {"length", "content_filter", "max_tokens", "refusal", "model_context_window_exceeded", "incomplete", "failed"}
    | {"MAX_TOKENS", "SAFETY", "RECITATION", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER"}
)
"""Reasons to stop, of any provider, after which the last call may be half a call."""

_RAW_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Received:
    """A model's turn.

    Attributes:
        message: Its text and its proposals, in their order.
        whole: The provider ended it in order. False: it was cut off, and nothing of it may run, because half of
            an object can be a valid object.
    """

    message: Message
    whole: bool


def received(answer: Mapping[str, Any], format: Format, names: Mapping[str, str] | None = None) -> Received:
    """Read a provider's answer. Never raises: what cannot be read becomes a proposal that cannot be run.

    Args:
        answer: The message, or what the provider wraps it in (choice, response, candidate, JSON-RPC params).
        names: Name on the wire to name of the tool, see `formats.own_names`.
    """
    text, found, reason = _READERS[format](answer)
    known = names or {}
    proposals = tuple(
        Proposal(tool=known.get(each.tool, each.tool), arguments=each.arguments, id=each.id) for each in found
    )
    return Received(Message(role=Role.MODEL, text=text, proposals=proposals), reason not in _CUT_OFF)


def result_out(proposal: Proposal, outcome: Outcome, format: Format) -> dict[str, Any]:
    """What became of one call, for the model, bound to the id that the provider gave it.

    A result is never anything but a result: no provider's format lets it speak as the user or the system, but
    Anthropic's and Gemini's carry it inside a turn of the user's, see `results_out`.
    """
    said = outcome.as_json()
    text = json.dumps(said, ensure_ascii=False)
    match format:
        case Format.OPENAI_CHAT:
            return {"role": "tool", "tool_call_id": proposal.id, "content": text}
        case Format.OPENAI_RESPONSES:
            return {"type": "function_call_output", "call_id": proposal.id, "output": text}
        case Format.ANTHROPIC:
            return {
                "type": "tool_result", "tool_use_id": proposal.id, "content": text, "is_error": not outcome.done
            }  # fmt: skip
        case Format.GEMINI:
            response: dict[str, Any] = {"name": wire_name(proposal.tool, format), "response": said}
            if proposal.id:
                response["id"] = proposal.id
            return {"functionResponse": response}
        case _:  # MCP
            return _mcp_result(outcome, text)


def results_out(answers: Iterable[tuple[Proposal, Outcome]], format: Format) -> list[dict[str, Any]]:
    """The results of one turn as the messages to append, in the order of the calls."""
    parts = [result_out(proposal, outcome, format) for proposal, outcome in answers]
    if format is Format.ANTHROPIC and parts:
        return [{"role": "user", "content": parts}]
    if format is Format.GEMINI and parts:
        return [{"role": "user", "parts": parts}]
    return parts


def _mcp_result(outcome: Outcome, text: str) -> dict[str, Any]:
    """A done call's own value, as a server would have returned it; else the outcome, marked as an error."""
    if not outcome.done:
        return {"content": [{"type": "text", "text": text}], "isError": True}
    value = outcome.value
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    result: dict[str, Any] = {"content": [{"type": "text", "text": shown}], "isError": False}
    if isinstance(value, dict):
        result["structuredContent"] = value
    return result


# ----------------------------------------------------------- one provider each

_Read = tuple[str, list[Proposal], str]


def _openai_chat(answer: Mapping[str, Any]) -> _Read:
    choice = _first(answer.get("choices")) or answer
    message = choice.get("message") if isinstance(choice.get("message"), Mapping) else choice
    assert isinstance(message, Mapping)
    found = []
    for call in _listed(message.get("tool_calls")):
        if isinstance(call, Mapping) and isinstance(call.get("function"), Mapping):
            found.append(_proposal({**call["function"], "id": call.get("id")}, "name", "arguments", "id"))
        else:
            found.append(_unreadable(call))
    if isinstance(message.get("function_call"), Mapping):  # the form before 2023-11, still spoken by some servers
        found.append(_proposal(message["function_call"], "name", "arguments", "id"))
    return _text(message.get("content")), found, str(choice.get("finish_reason") or "")


def _openai_responses(answer: Mapping[str, Any]) -> _Read:
    found, texts = [], []
    for item in _listed(answer.get("output")):
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind == "message":
            texts.append(_text(item.get("content")))
        elif kind == "function_call":
            # An item can be half of one inside an answer that ended in order.
            half = item.get("status") in _CUT_OFF
            found.append(_unreadable(item) if half else _proposal(item, "name", "arguments", "call_id"))
        elif not isinstance(kind, str) or kind.endswith("_call"):
            found.append(_unreadable(item))
    return "".join(texts), found, str(answer.get("status") or "")


def _anthropic(answer: Mapping[str, Any]) -> _Read:
    found, texts = [], []
    content = answer.get("content")
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else _listed(content):
        kind = block.get("type") if isinstance(block, Mapping) else None
        if kind == "text":
            texts.append(_text(block.get("text")))
        elif kind == "tool_use":
            found.append(_proposal(block, "name", "input", "id"))
        elif not isinstance(kind, str):
            found.append(_unreadable(block))
    return "".join(texts), found, str(answer.get("stop_reason") or "")


def _gemini(answer: Mapping[str, Any]) -> _Read:
    candidate = _first(answer.get("candidates")) or answer
    content = candidate.get("content") if isinstance(candidate.get("content"), Mapping) else candidate
    assert isinstance(content, Mapping)
    found, texts = [], []
    for part in _listed(content.get("parts")):
        if not isinstance(part, Mapping):
            found.append(_unreadable(part))
        elif "functionCall" in part:
            call = part["functionCall"]
            found.append(_proposal(call, "name", "args", "id") if isinstance(call, Mapping) else _unreadable(call))
        elif not part.get("thought"):
            texts.append(_text(part.get("text")))
    return "".join(texts), found, str(candidate.get("finishReason") or "")


def _mcp(answer: Mapping[str, Any]) -> _Read:
    params = answer.get("params")
    return "", [_proposal(params if isinstance(params, Mapping) else answer, "name", "arguments", "id")], ""


def _proposal(call: Mapping[str, Any], name: str, arguments: str, id: str) -> Proposal:
    proposed, sent, its_id = call.get(name), call.get(arguments), call.get(id)
    if not isinstance(proposed, str):
        return _unreadable(call)
    if sent is None or (isinstance(sent, str) and not sent.strip()):
        sent = {}  # what providers send for a tool without parameters
    if not isinstance(sent, str | Mapping):
        sent = json.dumps(sent, default=str, skipkeys=True)
    return Proposal(tool=proposed, arguments=sent, id=its_id if isinstance(its_id, str) else "")


def _unreadable(call: object) -> Proposal:
    """A call that names no tool: kept as text, refused by `validate` as an unknown tool."""
    its_id = call.get("call_id", call.get("id")) if isinstance(call, Mapping) else None
    raw = json.dumps(call, default=str, skipkeys=True)[:_RAW_MAX]
    return Proposal(tool="", arguments=raw, id=its_id if isinstance(its_id, str) else "")


def _text(content: object) -> str:
    """Text, whether it came as text or as parts of text."""
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in _listed(content) if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def _listed(value: object) -> Iterator[Any]:
    return iter(value) if isinstance(value, list | tuple) else iter(())


def _first(value: object) -> Mapping[str, Any] | None:
    first = next(_listed(value), None)
    return first if isinstance(first, Mapping) else None


_READERS: Final = {
    Format.OPENAI_CHAT: _openai_chat,
    Format.OPENAI_RESPONSES: _openai_responses,
    Format.ANTHROPIC: _anthropic,
    Format.GEMINI: _gemini,
    Format.MCP: _mcp,
}
