"""How sure a model says that it is of a call: asked for beside the arguments, and recorded.

What a model says of itself is worth looking at and proves nothing. All that may come of it is that people are asked
(`verification/unsure.py`); it lets nothing pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from interlock.core.canonical import parse_json
from interlock.core.message import Proposal
from interlock.core.tool import Offer
from interlock.errors import BadInput

KEY = "_confidence"
"""The parameter that each tool is offered with besides its own; it never reaches the tool."""

_ASKED = {
    "type": "integer",
    "minimum": 0,
    "maximum": 100,
    "description": "How sure you are that the user wants exactly this call, 0 to 100.",
}


def asking(offer: Offer) -> Offer:
    """The tool as it is offered to a model that is asked how sure it is."""
    schema = dict(offer.input_schema)
    schema["properties"] = {**schema.get("properties", {}), KEY: _ASKED}
    schema["required"] = [*schema.get("required", ()), KEY]
    return replace(offer, input_schema=schema)


def taken_out(proposal: Proposal) -> Proposal:
    """The proposal without what was asked besides, which becomes its `confidence`, if it is a number from 0 to 100."""
    arguments = proposal.arguments
    if isinstance(arguments, str):
        if KEY not in arguments:
            return proposal
        try:
            parsed = parse_json(arguments)
        except BadInput:
            return proposal  # it is refused as what it is
        if not isinstance(parsed, dict):
            return proposal
        arguments = parsed
    if KEY not in arguments:
        return proposal
    said = arguments[KEY]
    sure = said if type(said) is int and 0 <= said <= 100 else None
    return proposal._replace(arguments={key: arguments[key] for key in arguments if key != KEY}, confidence=sure)


def put_back(arguments: str | Mapping[str, Any], confidence: int | None) -> str | Mapping[str, Any]:
    """The arguments as the model said them, for its own eyes."""
    return arguments if confidence is None or isinstance(arguments, str) else {**arguments, KEY: confidence}
