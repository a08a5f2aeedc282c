"""A suggested correction as problems that a model can act on: one for each leaf that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.core.canonical import Json, canonical, pointer
from interlock.core.problem import Problem

PROBLEMS_MAX = 20
"""Leaves that one refusal names."""

_VALUE_MAX = 2000
"""Bytes of one suggested value, as JSON: a longer one is named and not shown."""

_ABSENT = object()


def corrections(arguments: Mapping[str, Any], suggested: Mapping[str, Json]) -> tuple[Problem, ...]:
    """What a second reader would have otherwise; nothing where it suggests what was sent.

    A suggestion is never applied: a call with it is a new call, through every gate.
    """
    found = _differences([], arguments, suggested)
    return tuple(problem for problem, _ in zip(found, range(PROBLEMS_MAX), strict=False))


def _differences(where: list[str | int], sent: object, wanted: object) -> Iterator[Problem]:
    if isinstance(sent, Mapping) and isinstance(wanted, Mapping):
        for key in [*sent, *(key for key in wanted if key not in sent)]:
            yield from _differences([*where, key], sent.get(key, _ABSENT), wanted.get(key, _ABSENT))
    elif isinstance(sent, list) and isinstance(wanted, list) and len(sent) == len(wanted):
        for index, (one, other) in enumerate(zip(sent, wanted, strict=True)):
            yield from _differences([*where, index], one, other)
    elif wanted is _ABSENT:
        yield Problem(field=pointer(where), code="suggestion", message="a second reader would leave it out")
    elif sent is _ABSENT or canonical(sent) != canonical(wanted):
        yield _suggestion(pointer(where), wanted)


def _suggestion(field: str, wanted: Any) -> Problem:
    message = "a second reader would have another value"
    if wanted is None:
        message = "a second reader would have null"
    elif len(canonical(wanted)) > _VALUE_MAX:
        return Problem(field=field, code="suggestion", message=message)
    return Problem(field=field, code="suggestion", message=message, closest=wanted)
