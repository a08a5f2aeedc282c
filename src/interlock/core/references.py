"""Arguments that stand for what is not known yet: a part of a call's result, or of what a workflow was given.

    {"$result": "record", "pointer": "/id"}     a part of the result of the call or step of that name
    {"$input": "/name"}                         a part of the input of a saga

They are replaced in one pass: what comes in their place is a value, and is never looked into for another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from interlock.core.canonical import Json, at_pointer, check_json
from interlock.errors import BadInput

RESULT = "$result"
"""Key of an argument that stands for a part of another call's result."""

INPUT = "$input"
"""Key of an argument that stands for a part of a saga's input."""


def results_in(arguments: object) -> Iterator[tuple[str, str]]:
    """Name and pointer of every reference to a result; a text has none, because it is not read before validation.

    What no JSON could have said has none either: it is not worth following, and validation refuses it.
    """
    for found in _found(_checked(arguments), RESULT):
        yield found[RESULT], str(found.get("pointer", ""))


def inputs_in(arguments: object) -> Iterator[str]:
    """Pointer of every reference to the input."""
    for found in _found(_checked(arguments), INPUT):
        yield found[INPUT]


def filled(value: Any, results: Mapping[str, Json], given: Json = None, *, with_input: bool = False) -> Any:
    """The value with its references replaced by what they stand for.

    Args:
        results: By the name that references use.
        given: The input.
        with_input: Whether references to the input are meant; elsewhere they are plain data.

    Raises:
        BadInput: Nothing is where a reference points.
    """
    if isinstance(value, Mapping):
        if isinstance(value.get(RESULT), str):
            return at_pointer(results[value[RESULT]], str(value.get("pointer", "")))
        if with_input and isinstance(value.get(INPUT), str):
            return at_pointer(given, value[INPUT])
        return {key: filled(part, results, given, with_input=with_input) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, results, given, with_input=with_input) for part in value]
    return value


def _checked(arguments: object) -> object:
    try:
        check_json(dict(arguments) if isinstance(arguments, Mapping) else arguments)
    except BadInput:
        return None
    return arguments


def _found(value: object, key: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        if isinstance(value.get(key), str):
            yield dict(value)
            return
        for part in value.values():
            yield from _found(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _found(part, key)
