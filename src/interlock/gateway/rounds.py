"""Questions of a server behind that stand in the place of a result, and the answers that a client comes back with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from interlock.core.call import Outcome
from interlock.core.canonical import canonical
from interlock.core.principal import Principal
from interlock.core.proposal import proposal_digest
from interlock.gateway.caller import CALL, RUN, Asked
from interlock.gateway.continuation import STATE, Continuations
from interlock.gateway.door import Reply

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a request: what is asked for at the door, and what its client brought for the server.

    Attributes:
        asked: The request, with nothing in it that is for the server.
        brought: `inputResponses` and `requestState` for the server; empty where there is none.
    """

    asked: Asked
    brought: Said = field(default_factory=dict)


def opened(asked: Asked, said: Said, principal: Principal, continuations: Continuations) -> Round:
    """A request whose answers, if it has some, go where they belong: to us, or to the server that asked.

    Args:
        said: Its `inputResponses` and `requestState` as they came.

    Raises:
        BadInput: The state is none that this principal was given for this call.
    """
    brought: dict[str, Any] = {}
    state = said.get("requestState") or ""
    if state.startswith(STATE):
        proposal = proposal_digest(asked.tool, asked.arguments)
        brought["requestState"] = continuations.open_state(state, principal, proposal)
    elif state:
        return Round(replace(asked, continuation=state))
    if said.get("inputResponses"):
        brought["inputResponses"] = said["inputResponses"]
    if brought and asked.name:  # with other answers it is another call than the one that bears the name
        asked = replace(asked, name=f"{asked.name[:192]}/{sha256(canonical(brought)).hexdigest()[:32]}")
    return Round(asked, brought)


def question_of(
    reply: Reply, asked: Asked, principal: Principal, continuations: Continuations
) -> dict[str, Any] | None:
    """What a server asks its client first, with its state sealed; None where the reply is no such question."""
    value = reply.outcome.value
    if not _asks(reply.outcome):
        return None
    result = {**value, "_meta": {RUN: reply.run_id, CALL: reply.outcome.call_id}}
    if "requestState" in value:
        proposal = proposal_digest(asked.tool, asked.arguments)
        result["requestState"] = continuations.seal_state(value["requestState"], principal, proposal)
    return result


def error_of(outcome: Outcome) -> Said | None:
    """The protocol's error that a server answered with, as it came; None where it did not."""
    value = outcome.value if not outcome.done else None
    said = value.get("error") if isinstance(value, dict) else None
    return said if isinstance(said, dict) and isinstance(said.get("code"), int) else None


def _asks(outcome: Outcome) -> bool:
    value = outcome.value
    return not outcome.done and isinstance(value, dict) and value.get("resultType") == "input_required"
