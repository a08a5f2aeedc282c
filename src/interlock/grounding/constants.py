"""What a schema names as constants at a place of the arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from interlock.core.provenance import DEFINITION, Evidence

_HOPS_MAX: Final = 16
_STEPS_MAX: Final = 256
_TELLING: Final = frozenset({"enum", "const", "default", "$ref", "anyOf", "oneOf", "allOf"})
_BRANCHING: Final = frozenset({"$ref", "anyOf", "oneOf", "allOf"})


def constant(schema: Mapping[str, Any], pointer: str, value: object, *, default: bool) -> Evidence | None:
    """Where the schema names the value at this place: as a constant or among an enumeration; None where it does not.

    Args:
        default: Whether the schema's default counts as well.
    """
    steps = pointer.split("/")[1:]
    if len(steps) == 1 and _BRANCHING.isdisjoint(schema):  # most of them
        properties = schema.get("properties")
        part = properties.get(steps[0], {}) if isinstance(properties, dict) else None
        if isinstance(part, dict) and _TELLING.isdisjoint(part) and "additionalProperties" not in schema:
            return None
    for part in _parts(schema, steps):
        named = part.get("enum")
        if "const" in part and _same(part["const"], value):
            return Evidence(DEFINITION, f"{pointer}/const")
        if isinstance(named, list | tuple) and any(_same(each, value) for each in named):
            return Evidence(DEFINITION, f"{pointer}/enum")
        if default and "default" in part and _same(part["default"], value):
            return Evidence(DEFINITION, f"{pointer}/default")
    return None


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _parts(schema: Mapping[str, Any], steps: list[str]) -> Iterator[Mapping[str, Any]]:
    """Every subschema that is about the place, as far as it can be told without checking values."""
    at: list[Mapping[str, Any]] = list(_alternatives(schema, schema, 0))
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        at = [found for part in at for inner in _inner(part, name) for found in _alternatives(schema, inner, 0)]
        if not at or len(at) > _STEPS_MAX:
            return
    yield from at


def _inner(part: Mapping[str, Any], name: str) -> Iterator[object]:
    properties = part.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        yield properties[name]
    elif isinstance(part.get("additionalProperties"), Mapping):
        yield part["additionalProperties"]
    if name.isdigit() and "items" in part:
        yield part["items"]


def _alternatives(root: Mapping[str, Any], part: object, hops: int) -> Iterator[Mapping[str, Any]]:
    if not isinstance(part, Mapping) or hops > _HOPS_MAX:
        return
    yield part
    if _BRANCHING.isdisjoint(part):
        return
    if isinstance(where := part.get("$ref"), str) and where.startswith("#"):
        yield from _alternatives(root, _referred(root, where), hops + 1)
    for several in ("anyOf", "oneOf", "allOf"):
        branches = part.get(several)
        for branch in branches if isinstance(branches, list | tuple) else ():
            yield from _alternatives(root, branch, hops + 1)


def _referred(root: Mapping[str, Any], where: str) -> object:
    found: object = root
    for step in where[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found
