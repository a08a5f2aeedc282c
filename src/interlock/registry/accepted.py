"""What servers list and what of it people accepted, as a fold over the events of the chain `definitions`.

A tool of a server is called only with exactly the definition that was accepted: by a person, or because the operator's
file trusts its server and it stood in the server's first list. Whatever comes later waits for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from interlock.core.event import Event, Kind
from interlock.core.tool import Tool
from interlock.registry.difference import Change, Difference, difference
from interlock.registry.pin import CHANGED, NEW, Pin

Key = tuple[str, str]

FIRST_SIGHT: Final = "first_sight"
"""How something was accepted that no person looked at: its server is trusted, and it was in the first list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one tool of a server stands.

    Attributes:
        seen: Its definition as it was listed last; None for one that was set aside.
        accepted: The definition that may be called; None for none.
        gone: Whether it is missing from the newest list.
        returned: Whether it was missing before it was seen last, and nobody has accepted it since.
        refused: Code of why it was set aside; empty where it was taken up.
    """

    seen: Pin | None = None
    accepted: Pin | None = None
    gone: bool = False
    returned: bool = False
    refused: str = ""

    @property
    def word(self) -> str:
        """Whether it can be called: `yes`, or why it cannot (`gone`, `set aside: …`, `new`, `changed`)."""
        if self.gone:
            return "gone"
        if self.refused:
            return f"set aside: {self.refused}"
        if self.accepted is None:
            return "new"
        return "yes" if self.seen is not None and self.seen.digest == self.accepted.digest else "changed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is known of the tools of servers.

    Attributes:
        tools: How each stands, by server and name.
        servers: Servers of which a tool was ever listed.
    """

    tools: Mapping[Key, Standing] = field(default_factory=dict)
    servers: frozenset[str] = frozenset()

    def after(self, events: Iterable[Event]) -> Accepted:
        """This and what further events say; other kinds of event, and those that were erased, are passed over."""
        tools, servers = dict(self.tools), set(self.servers)
        for event in events:
            fact = event.fact
            if fact.kind not in _KINDS or not fact.body:
                continue
            key = fact.body["server"], fact.body["name"]
            servers.add(key[0])
            now = _after(tools.get(key, Standing()), event)
            if now.gone and now.accepted is None:
                tools.pop(key, None)  # nothing of it is accepted any more, or ever was
            else:
                tools[key] = now
        return Accepted(tools, frozenset(servers))

    def objection(self, tool: Tool) -> str:
        """Why the tool may not be called as it is, for the model; empty where it is as accepted."""
        known = self.tools.get((tool.server, tool.name))
        if known is None or known.accepted is None:
            return NEW
        return "" if known.accepted.digest == tool.digest else CHANGED

    def differences(self) -> tuple[Difference, ...]:
        """What waits for a person, what to look at first first."""
        gone = {key: each.accepted for key, each in self.tools.items() if each.gone and each.accepted is not None}
        found = []
        for (server, _), each in sorted(self.tools.items()):
            if each.gone or each.seen is None or (each.accepted and each.accepted.digest == each.seen.digest):
                continue
            before, change = each.accepted, Change.RETURNED if each.returned else Change.CHANGED
            if before is None:
                former = next((key for key, pin in gone.items() if _renamed(pin, each.seen)), None)
                before = None if former is None else gone.pop(former)
                new = Change.RETURNED if each.returned else Change.ADDED
                change = new if before is None else Change.RENAMED
            old = None if before is None else before.definition
            found.append(difference(old, each.seen.definition, change, self._others(server)))
        found += [difference(pin.definition, None, Change.REMOVED) for pin in gone.values()]
        return tuple(sorted(found, key=lambda each: each.danger))

    def _others(self, server: str) -> frozenset[str]:
        """What tools of other servers are called, with and without what is put before it."""
        names = {name for of, name in self.tools if of != server}
        return frozenset(names | {name.partition("__")[2] for name in names} - {""})


def _after(known: Standing, event: Event) -> Standing:
    fact = event.fact
    body = fact.body
    match fact.kind:
        case Kind.TOOL_MISSED:
            return replace(known, gone=True)
        case Kind.TOOL_SEEN:
            seen = Pin(fact.tool_hash, body["definition"]) if "definition" in body else None
            back = known.gone or known.returned
            return replace(known, seen=seen, gone=False, returned=back, refused=body.get("refused", ""))
        case _:
            if body["how"] == FIRST_SIGHT and known.accepted is not None:
                return known  # another process saw it first
            accepted = Pin(fact.tool_hash, body["definition"]) if fact.tool_hash else None
            return replace(known, accepted=accepted, returned=False)


_KINDS: Final = frozenset({Kind.TOOL_SEEN, Kind.TOOL_MISSED, Kind.TOOL_ACCEPTED})


def _renamed(before: Pin, after: Pin) -> bool:
    return {**before.definition, "name": after.definition["name"]} == after.definition
