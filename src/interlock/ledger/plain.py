"""Rows of projections as documents: lists read from their text, times in UTC in full."""

from __future__ import annotations

import json
from typing import Any

from interlock.core.clock import iso

_LISTS = frozenset({"reasons", "errors", "groups", "rules", "approvers", "endorsed_by"})
_DURATIONS = frozenset({"took_us"})


def plain(row: dict[str, Any], *columns: str) -> dict[str, Any]:
    """The row, or the columns of it that are named: `started_us` becomes `started_at`, a list's text a list."""
    return dict(_plain(name, row[name]) for name in (columns or row))


def _plain(name: str, found: Any) -> tuple[str, Any]:
    if name in _LISTS:
        return name, json.loads(found or "[]")
    if name.endswith("_us") and name not in _DURATIONS:
        said = name.removesuffix("_us")
        return said if said == "at" else f"{said}_at", None if found is None else iso(found)
    return name, found
