"""Defaults of own schemas, applied once and before hashing, so that what is approved is what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from interlock.core.canonical import at_pointer
from interlock.errors import BadInput

Fill = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns arguments with their defaults; the given object is not changed."""


def filler(schema: Mapping[str, Any]) -> Fill | None:
    """What applies a schema's defaults, through nested objects, lists and local references; None without any.

    Only properties that an object declares outright are filled: under `anyOf` and its like it is not known
    which alternative is meant. A schema that refers to itself is filled down to its first repetition.
    """
    return _filler(schema, schema, ())


def _filler(schema: Any, root: Mapping[str, Any], path: tuple[int, ...]) -> Fill | None:
    schema = _resolved(schema, root)
    if schema is None or id(schema) in path:
        return None
    path = (*path, id(schema))
    own: list[tuple[str, Any]] = []
    deeper: list[tuple[str, Callable[[Any], Any]]] = []
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, Mapping) and "default" in part:
            own.append((name, part["default"]))
        if (nested := _nested(part, root, path)) is not None:
            deeper.append((name, nested))
    if not own and not deeper:
        return None
    plain = all(not isinstance(default, dict | list) for _, default in own)

    def fill(value: dict[str, Any]) -> dict[str, Any]:
        filled = value
        for name, default in own:
            if name not in value:
                if filled is value:
                    filled = dict(value)
                filled[name] = default if plain else deepcopy(default)
        for name, nested in deeper:
            if name in filled:
                before = filled[name]
                after = nested(before)
                if after is not before:
                    if filled is value:
                        filled = dict(value)
                    filled[name] = after
        return filled

    return fill


def _nested(part: Any, root: Mapping[str, Any], path: tuple[int, ...]) -> Callable[[Any], Any] | None:
    """What fills the value of a property: an object, or each object of a list."""
    fill = _filler(part, root, path)
    resolved = _resolved(part, root)
    each = None
    if resolved is not None and isinstance(resolved.get("items"), Mapping):
        each = _nested(resolved["items"], root, path)
    if fill is None and each is None:
        return None

    def nested(value: Any) -> Any:
        if fill is not None and type(value) is dict:
            return fill(value)
        if each is not None and type(value) is list:
            filled = [each(item) for item in value]
            return filled if any(after is not before for after, before in zip(filled, value, strict=True)) else value
        return value

    return nested


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema itself, or what its local reference names; None for anything else."""
    for _ in range(8):  # a chain of references longer than that is nobody's
        if not isinstance(schema, Mapping):
            return None
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        if not reference.startswith("#/"):
            return None
        try:
            schema = at_pointer(root, reference[1:])
        except BadInput:
            return None
    return None
