"""Counts since this process began, for programs that collect them: few labels, each of few values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from interlock.telemetry.measures_fold import NAME_MAX, UNKNOWN, Counts, Key

OTHER: Final = "other"
"""Whatever there was no room for, and the tool of a call that named none."""

Row = tuple[str, Key, int]
"""Tenant, key and count. Keys are as of `measures_fold`, with `other` for names that there was no room for, and without
the labels that have no end."""

NAMES_MAX: Final = 200
"""Names of one sort (tools, models, agents, reasons, …) of one tenant that are told apart."""

TENANTS_MAX: Final = 1_000
"""Tenants that are told apart; what is of further ones is counted under `other`."""

_SORTS: Final[dict[str, tuple[str, ...]]] = {
    "proposed": ("tool", "server", "effect"),
    "ended": ("outcome", "tool", "server", "effect", "gate", "code"),
    "decided": ("verdict", "reason"),
    "took": ("part", "tool"),
    "took_us": ("part", "tool"),
    "turns": ("model", "agent", ""),
    "input": ("model", "agent", ""),
    "output": ("model", "agent", ""),
    "cached_input": ("model", "agent", ""),
    "reasoning": ("model", "agent", ""),
    "micro_usd": ("model", "agent", ""),
    "verify_micro_usd": ("tool",),
    "spent": ("tool", "unit"),
    "cached": ("tool",),
    "chosen": ("tool",),
    "stumbled": ("tool",),
    "recovered": ("tool",),
    "granted": ("tool",),
    "dead": ("tool",),
    "requested": ("tool", "effect"),
    "answered": ("answer", ""),
    "over": ("how",),
    "run": ("how", "", "end"),
    "notice": ("how", "channel"),
}
"""What is counted, with the sort of each label; one without is left out. The rest is for people, and has no end."""

_FEW: Final = frozenset({"outcome", "part", "effect", "gate", "answer", "how", "verdict"})
"""Sorts whose values are Interlock's own and few."""

_NAMED_PARTS: Final = frozenset({"tool"})
"""Parts of latency that are told by name."""


class Totals:
    """The counts of a deployment since the process began."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Key], int] = {}
        self._names: dict[tuple[str, str], set[str]] = {}
        self._tenants: set[str] = set()
        self._known: dict[tuple[str, Key], tuple[str, Key]] = {}

    def add(self, tenant: str, counts: Counts) -> None:
        """Count what an event added."""
        for key, count in counts:
            if key[0] not in _SORTS:
                if key[0] != "offered":
                    continue
                for tool in key[1]:
                    self._count(tenant, ("offered", tool), count)
            else:
                self._count(tenant, key, count)

    def rows(self, tenants: frozenset[str] | None = None) -> Iterator[Row]:
        """Tenant, key and count of everything, or of what is of these tenants."""
        return (
            (tenant, key, count)
            for (tenant, key), count in self._counts.items()
            if tenants is None or tenant in tenants
        )

    def _count(self, tenant: str, key: Key, count: int) -> None:
        place = self._known.get((tenant, key))
        if place is None:
            place = self._bounded(tenant, key)
            if len(self._known) < 8 * NAMES_MAX * NAMES_MAX:
                self._known[(tenant, key)] = place
        self._counts[place] = self._counts.get(place, 0) + count

    def _bounded(self, tenant: str, key: Key) -> tuple[str, Key]:
        if tenant not in self._tenants:
            if len(self._tenants) >= TENANTS_MAX:
                tenant = OTHER
            self._tenants.add(tenant)
        sorts = _SORTS.get(key[0], ("tool",))
        named = key[0] not in ("took", "took_us") or key[1] in _NAMED_PARTS
        labels = [
            label if sort in _FEW else self._name(tenant, sort, label) if named else ""
            for sort, label in zip(sorts, key[1:], strict=True)
            if sort
        ]
        return tenant, (key[0], *labels)

    def _name(self, tenant: str, sort: str, label: str) -> str:
        if label in ("", UNKNOWN):
            return label and OTHER
        names = self._names.setdefault((tenant, sort), set())
        if label not in names and len(names) >= NAMES_MAX:
            return OTHER
        names.add(label)
        return label[:NAME_MAX]
