"""A model's turn as the ledger keeps it: what it said and proposed, so that its calls can be made from the record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from interlock.core.canonical import canonical, check_json
from interlock.core.event import Fact, Kind
from interlock.core.message import Finish, Message, Proposal
from interlock.errors import BadInput
from interlock.ledger.proposal import NAME_KEPT_MAX

TEXT_MAX = 1 << 20
"""Characters that are kept of a text, and of one call's arguments: longer arguments are refused whatever they say."""

CALLS_MAX = 256
"""Calls that are kept of one turn; each of them gets a record of its own."""

_PARTS = ("cached_tokens", "reasoning_tokens")
"""Parts of the other counts: kept where there are any."""


def spoken(
    message: Message, model: str, principal_id: str, *, final: bool, took_us: int = 0, micro_usd: int = 0
) -> Fact:  # fmt: skip
    """The fact of one turn of a model.

    Args:
        model: Name of the model that was asked; where the message says who answered, that one is recorded.
        final: It was asked to answer without calls.
        took_us: From asking to the answer, tries that failed included, microseconds.
        micro_usd: What its tokens cost; 0 where no price is known.
    """
    body: dict[str, Any] = {"role": "model", "text": _kept(message.text), "model": message.model or model}
    if message.proposals:
        body["calls"] = [_call(proposal) for proposal in message.proposals[:CALLS_MAX]]
    if message.finish is not Finish.WHOLE:
        body["finish"] = message.finish.value
    elif len(message.proposals) > CALLS_MAX:
        body["finish"] = Finish.TRUNCATED.value  # what is not kept cannot run, and half a turn is none
    if final:
        body["final"] = True
    if message.usage is not None:
        said = message.usage._asdict()
        body["usage"] = {name: count for name, count in said.items() if count or name not in _PARTS}
    if took_us:
        body["took_us"] = took_us
    if micro_usd:
        body["micro_usd"] = micro_usd
    return Fact(Kind.MESSAGE, body, principal_id=principal_id)


def text_of(arguments: str | Mapping[str, Any]) -> str:
    """Recorded arguments as the text that the path gets: references to other results have no meaning in it."""
    return arguments if isinstance(arguments, str) else canonical(arguments).decode()


def _call(proposal: Proposal) -> dict[str, Any]:
    said: dict[str, Any] = {"tool": _kept(proposal.tool[:NAME_KEPT_MAX])[:NAME_KEPT_MAX]}
    if proposal.id:
        said["id"] = _kept(proposal.id[:NAME_KEPT_MAX])
    if proposal.confidence is not None:
        said["confidence"] = proposal.confidence
    if isinstance(proposal.arguments, str):
        return said | {"arguments_text": _kept(proposal.arguments, TEXT_MAX + 1)}
    try:
        check_json(dict(proposal.arguments))
        canonical(proposal.arguments)
    except BadInput:
        return said | {"arguments_text": _kept(_shown(proposal.arguments), TEXT_MAX + 1)}
    return said | {"arguments": dict(proposal.arguments)}


def _shown(arguments: Mapping[str, Any]) -> str:
    """What is no JSON, as far as it can be shown; it is refused as what it is."""
    try:
        return json.dumps(arguments, default=repr, skipkeys=True)
    except (ValueError, RecursionError):  # it holds itself, or is too deep
        return ""


def _kept(text: str, most: int = TEXT_MAX) -> str:
    """The text as the ledger can hold it: what is no Unicode is shown escaped, and too much of it is cut."""
    return text[:most].encode(errors="backslashreplace").decode()
