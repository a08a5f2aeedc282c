"""What a verifier is asked: one call, closed, and what was done before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from interlock.core.canonical import Json
from interlock.core.event import Event, Kind
from interlock.models.metered import Meter
from interlock.verification.verdict import Verdict


class Earlier(NamedTuple):
    """A call that the run made before.

    Attributes:
        tool, arguments: What was called, as it was validated.
        outcome: `done`, `refused`, `held`, `failed`, `withheld` or `unknown`; `open` while it has none.
        value: The screened result of one that is done; else None.
    """

    tool: str
    arguments: Mapping[str, Any]
    outcome: str
    value: Json


History = Callable[[], Awaitable[tuple[Earlier, ...]]]
"""Reads what the run did before, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call as a verifier may see it. Nothing in it can be changed, and it leads to nothing else.

    Attributes:
        tool, server, description, tool_hash: The definition.
        effect: `read`, `reversible`, `irreversible` or `privileged`.
        arguments: As validated; read only by agreement.
        text: Their canonical form.
        digest: Call digest, hex: what the verdict is about.
        words: The user's own words; None where they are not seen.
        tenant, principal: Whose call it is.
        policy: Digest of the policy that asks.
        earlier: What the run did before.
        meter: Where what the reading costs is reserved and settled.
    """

    tool: str
    server: str
    description: str
    tool_hash: str
    effect: str
    arguments: Mapping[str, Any]
    text: bytes
    digest: str
    words: str | None
    tenant: str
    principal: str
    policy: str
    earlier: History
    meter: Meter


class Verifier(Protocol):
    """Reads one call and says what it thinks of it.

    Attributes:
        identity: Who it is and which version: two of the same identity say the same of the same.
    """

    @property
    def identity(self) -> str:
        """See the class."""
        ...

    async def __call__(self, question: Question) -> Verdict:
        """The verdict, about `question.digest`. What cannot be found out is uncertain, never approved."""
        ...


_TOLD = frozenset({Kind.CALL_DECIDED, Kind.CALL_RESULT, Kind.CALL_UNKNOWN, Kind.CALL_RECONCILED})


def earlier_calls(events: Iterable[Event], but: str) -> tuple[Earlier, ...]:
    """The valid calls that a run's events tell of, in the order in which they were proposed.

    Args:
        but: The call that is asked about.
    """
    found: dict[str, Earlier] = {}
    for event in events:
        fact = event.fact
        if fact.kind not in _TOLD or fact.call_id == but or not event.payload:
            continue
        body = fact.body
        if fact.kind is Kind.CALL_DECIDED and "digest" in body:
            found.setdefault(fact.call_id, Earlier(body["tool"]["name"], body["arguments"], "open", None))
        if fact.outcome and (known := found.get(fact.call_id)) is not None:
            found[fact.call_id] = known._replace(outcome=fact.outcome, value=body["outcome"].get("value"))
    return tuple(found.values())
