"""An outcome in the form of the protocol: the tool's own result where it is done, else what happened and what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.canonical import Json
from interlock.core.tool import Tool
from interlock.errors import InterlockError
from interlock.gateway.caller import CALL, CONTINUATION, RUN
from interlock.gateway.door import Reply

Result = dict[str, Any]
"""A `CallToolResult` as JSON."""

_HELD = (
    "Go on with other work, or tell the user that {1} waits for an approval. To ask what became of it, call {0} again "
    "with the same arguments: nothing is run twice by that."
)

TOLD = "interlock/outcome"
"""`_meta` of a result that is a server's own error: what became of the call, beside what the server said."""


def result_of(reply: Reply, tool: Tool | None) -> Result:
    """What the client is told of its call.

    Args:
        tool: The definition by that name now; None where there is none.
    """
    outcome = reply.outcome
    if outcome.kind is OutcomeKind.HELD:
        outcome = replace(outcome, next_step=_HELD.format(outcome.tool, outcome.approval_id))
    meta: dict[str, Json] = {RUN: reply.run_id, CALL: outcome.call_id}
    if outcome.done:
        return _done(outcome.value, tool) | {"_meta": meta}
    said: dict[str, Json] = {**outcome.as_json(), "run_id": reply.run_id}
    if _is_result(outcome.value, tool):
        return {**outcome.value, "isError": True, "_meta": meta | {TOLD: said}}
    if reply.continuation:
        meta[CONTINUATION] = reply.continuation
    return {"content": [_text(_words(outcome))], "structuredContent": said, "isError": True, "_meta": meta}


def trouble(error: InterlockError) -> Result:
    """What the client is told where its request led to no call at all. Of a defect here, it is told no more than that.

    Args:
        error: Why; its words are for whoever sent the request, but for those of the ledger.
    """
    code = error.code
    message, remedy = str(error.args[0]), error.remedy
    if code.startswith("ledger"):
        message, remedy = "the call could not be recorded, so nothing was run", "Try again later, or tell the user."
    said: dict[str, Json] = {"outcome": "refused", "code": code, "message": message, "next_step": remedy}
    return {"content": [_text(_sentences(message, remedy))], "structuredContent": said, "isError": True}


def waiting_words(outcome: Outcome) -> str:
    """What a person is told who sits before the client of a held call."""
    return (
        f"The call of {outcome.tool} waits for somebody who may approve it ({outcome.approval_id}). "
        "Nothing that you answer here approves it. Go on to ask what became of it."
    )


def _done(value: Any, tool: Tool | None) -> Result:
    if _is_result(value, tool):
        return dict(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    result: Result = {"content": [_text(text)]}
    if isinstance(value, dict):
        result["structuredContent"] = value
    return result


def _is_result(value: Any, tool: Tool | None) -> bool:
    """Whether this is what a server of the protocol answered, as it came."""
    if tool is None or tool.sealed or not isinstance(value, dict) or not isinstance(value.get("content"), list):
        return False
    return all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in value["content"])


def _words(outcome: Outcome) -> str:
    """The outcome for a model, on its own lines so that a value is never read as a sentence of ours."""
    lines = [f"{outcome.kind.value} ({outcome.code}): {_sentences(outcome.message, outcome.next_step)}"]
    lines += [f"- {problem}" for problem in outcome.problems]
    return "\n".join(lines)


def _sentences(message: str, remedy: str) -> str:
    return f"{message.rstrip('.')}. {remedy}".strip()


def _text(text: str) -> dict[str, Json]:
    return {"type": "text", "text": text}
