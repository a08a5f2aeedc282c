"""The facts that the decisions of a run were made on, whole again: a decision leaves out what its chain says before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.core.event import Event, Kind


class Decided:
    """Follows one chain from its start, event by event."""

    def __init__(self) -> None:
        self._principal: Mapping[str, Any] | None = None
        self._tools: dict[str, Mapping[str, Any]] = {}

    def facts(self, event: Event) -> dict[str, Any] | None:
        """The closed record of a decision, but for the arguments, which stand beside it; None for any other event.

        What was erased before is not in it: the principal with the run's start, or with the words by which it went on
        with other roles; a tool with the decision that described it.
        """
        body = event.fact.body
        if event.fact.kind is Kind.RUN_STARTED:
            self._principal = body.get("principal")
        if event.fact.kind is Kind.RUN_WORDS:
            self._go_on(body)
        kept = body.get("facts") if event.fact.kind is Kind.CALL_DECIDED else None
        if kept is None:
            return None
        tool_hash = event.fact.tool_hash
        if "tool" in kept:
            self._tools[tool_hash] = kept["tool"]
        before = {
            "principal": self._principal,
            "resource": {"type": "Server", "id": body["tool"]["server"], "attributes": {}},
            "tool": self._tools.get(tool_hash),
        }
        return {**{name: part for name, part in before.items() if part is not None}, **kept}

    def _go_on(self, words: Mapping[str, Any]) -> None:
        """The user of a conversation says more: with the roles of now, where they are others than before."""
        if not words:
            self._principal = None  # they were erased, and with them which roles these are
        elif self._principal is not None and "roles" in words:
            self._principal = {**self._principal, "roles": words["roles"]}
