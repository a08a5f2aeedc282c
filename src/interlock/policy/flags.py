"""The stop switch: what is stopped now, as a fold over `flag` events.

Body of an event: `{"flag": "stop" | "resume", "scope": …, "target": …, "reason": …}`. In the chain of a
tenant it counts for that tenant alone, in any other chain for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from interlock.core.canonical import Json
from interlock.core.event import Event, Kind


class Scope(StrEnum):
    """What a stop stops. `all` has no target; a principal's is its id within the tenant."""

    TOOL = "tool"
    SERVER = "server"
    PRINCIPAL = "principal"
    TENANT = "tenant"
    ALL = "all"


_EVERYWHERE = ""


@dataclass(frozen=True, slots=True)
class Flags:
    """What is stopped.

    Attributes:
        stops: Tenant (empty for all), scope and target, to the reason that was given.
    """

    stops: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> Flags:
        """These flags and what further events say; other kinds of event are passed over.

        A scope that is not known stops everything: it was written by somebody who wanted less to run.
        """
        stops = dict(self.stops)
        for event in events:
            if event.fact.kind is not Kind.FLAG:
                continue
            body = event.fact.body
            tenant = event.tenant if event.chain.startswith("tenant/") else _EVERYWHERE
            scope = body["scope"] if body["scope"] in _KNOWN else Scope.ALL.value
            key = (tenant, scope, "" if scope == Scope.ALL else body["target"])
            if body["flag"] == "resume":
                stops.pop(key, None)
            else:
                stops[key] = body.get("reason") or "stopped"
        return Flags(stops)

    def stopped(self, tool: str, server: str, principal: str, tenant: str) -> str | None:
        """Why a call of this tool for this principal is stopped; None where it is not."""
        if not self.stops:
            return None
        for where in (_EVERYWHERE, tenant):
            for scope, target in (
                (Scope.ALL, ""),
                (Scope.TENANT, tenant),
                (Scope.SERVER, server),
                (Scope.TOOL, tool),
                (Scope.PRINCIPAL, principal),
            ):
                if (reason := self.stops.get((where, scope.value, target))) is not None:
                    return reason
        return None


_KNOWN = frozenset(scope.value for scope in Scope)


def flag_body(scope: Scope, target: str, *, stop: bool, reason: str = "") -> dict[str, Json]:
    """The body of a `flag` event that stops or resumes something."""
    return {"flag": "stop" if stop else "resume", "scope": scope.value, "target": target, "reason": reason}
