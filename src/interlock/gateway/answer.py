"""An outcome in the form of the protocol: the tool's own result where it is done, else what happened and what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.canonical import Json
from interlock.errors import InterlockError
from interlock.gateway.caller import CALL, CONTINUATION, RUN
from interlock.gateway.door import Reply

Result = dict[str, Any]
"""A `CallToolResult` as JSON."""

_HELD = (
    "Go on with other work, or tell the user that {1} waits for an approval. To ask what became of it, call {0} again "
    "with the same arguments: nothing is run twice by that."
)

_OVER = (
    "Answer with what you have, and tell the user that this conversation has made all the calls that it may: a new one "
    "begins when the client is started again, or after a while without a call."
)

TOLD = "interlock/outcome"
"""`_meta` of a result that is a server's own error: what became of the call, beside what the server said."""

SCREENED = "interlock/screened"
"""`_meta` of a result in which screens found something: what, where and what was done; the text is the copy."""


def result_of(reply: Reply, *, as_it_came: bool) -> Result:
    """What the client is told of its call.

    Args:
        as_it_came: Whether the value of a call that is done, or failed, is a server's result, to be handed on.
    """
    outcome = reply.outcome
    if outcome.kind is OutcomeKind.HELD:
        outcome = replace(outcome, next_step=_HELD.format(outcome.tool, outcome.approval_id))
    elif outcome.code == "limit.calls":
        outcome = replace(outcome, next_step=_OVER)
    meta: dict[str, Json] = {RUN: reply.run_id, CALL: outcome.call_id}
    if outcome.screened:
        meta[SCREENED] = [finding.as_json() for finding in outcome.screened]
    if outcome.done:
        return _done(outcome.value, as_it_came) | {"_meta": meta}
    said: dict[str, Json] = {**outcome.as_json(), "run_id": reply.run_id}
    if as_it_came and _is_result(outcome.value):
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


def _done(value: Any, as_it_came: bool) -> Result:
    if as_it_came and _is_result(value):
        return dict(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    result: Result = {"content": [_text(text)]}
    if isinstance(value, dict):
        result["structuredContent"] = value
    return result


def _is_result(value: Any) -> bool:
    """Whether this has the form of a result: what a person answered in a tool's place need not have it."""
    if not isinstance(value, dict) or not isinstance(value.get("content"), list):
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
