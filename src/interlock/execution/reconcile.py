"""Asking the far end whether a call was done, by the read tool that the called one declares."""

from __future__ import annotations

from typing import Any, NamedTuple

from interlock.core.call import ValidCall
from interlock.policy.authorize import Resolve
from interlock.registry.registry import Registry

KEY_PARAMETER = "idempotency_key"
"""The parameter by which a reconciling tool is told the call's key, where it has one of that name."""


class FarEnd(NamedTuple):
    """How the far end can be asked about a call.

    Attributes:
        registry: Where the tool that asks is found.
        resolve: A governed read, on behalf of the same principal.
    """

    registry: Registry
    resolve: Resolve


class Said(NamedTuple):
    """What the far end said of a call.

    Attributes:
        done: Whether it was done; None where that cannot be told.
        result: What it returned, of one that was done.
        call_id: The governed read that asked.
    """

    done: bool | None
    result: Any
    call_id: str


async def reconcile(valid: ValidCall, key: str, far_end: FarEnd) -> Said | None:
    """Ask once. Whatever is no plain yes or no (a refusal, a failure, another form) leaves it open.

    Args:
        key: The call's idempotency key.

    Returns:
        None where the tool that asks is not here.
    """
    found = far_end.registry.find(valid.tool.reconcile)
    if found is None:
        return None
    parameters = found.tool.input_schema.get("properties", {})
    arguments = {name: value for name, value in valid.arguments.items() if name in parameters}
    if KEY_PARAMETER in parameters:
        arguments[KEY_PARAMETER] = key
    outcome = await far_end.resolve(found.tool.name, arguments)
    value = outcome.value if outcome.done else None
    if not isinstance(value, dict) or not isinstance(value.get("done"), bool):
        return Said(None, None, outcome.call_id)
    return Said(value["done"], value.get("result"), outcome.call_id)
