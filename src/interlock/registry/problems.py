"""What is wrong with a value, said so that a model can repair its call.

The field, what is allowed, the closest valid value and an example; never the value itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

from jsonschema_rs import ValidationError

from interlock.core.canonical import Json, pointer
from interlock.core.problem import Problem
from interlock.errors import BadInput

PROBLEMS_MAX: Final = 16
"""Problems told of one call: a model that meets more starts anew anyway."""

_ALLOWED_MAX: Final = 50
_NAME_MAX: Final = 64

_EXAMPLES: Final[dict[str, Json]] = {
    "date": "2026-03-31",
    "date-time": "2026-03-31T09:00:00Z",
    "time": "09:00:00Z",
    "duration": "PT30M",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}

_LIMITS: Final = {
    "maximum": "must be at most {}",
    "exclusiveMaximum": "must be less than {}",
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be greater than {}",
    "multipleOf": "must be a multiple of {}",
    "maxLength": "must have at most {} characters",
    "minLength": "must have at least {} characters",
    "maxItems": "must have at most {} items",
    "minItems": "must have at least {} items",
    "maxProperties": "must have at most {} keys",
    "minProperties": "must have at least {} keys",
}

_PLAIN: Final = {
    "uniqueItems": "must not have two equal items",
    "contains": "must have an item of the required form",
    "not": "has a form that is not allowed",
    "falseSchema": "is not allowed here",
    "propertyNames": "has a key whose name is not allowed",
    "contentEncoding": "is not encoded as it must be",
    "contentMediaType": "is not of the media type that it must be",
}


class BadArguments(BadInput):
    """A tool's own validators do not accept the arguments.

    Attributes:
        problems: What a model may read.
        cause: Type of a validator's own failure, for the audit; empty where it did what it is for.
    """

    code = "validate.rejected"

    def __init__(self, problems: tuple[Problem, ...], cause: str = "") -> None:
        super().__init__("; ".join(f"{problem.field or '/'} {problem.message}" for problem in problems))
        self.problems = problems
        self.cause = cause


def problems_of(errors: Iterable[ValidationError], schema: Mapping[str, Any] | bool) -> tuple[Problem, ...]:
    """Problems in the order in which the engine finds them, at most 16."""
    found: list[Problem] = []
    for error in islice(errors, PROBLEMS_MAX):
        found.extend(_problems(error, schema))
    return tuple(found[:PROBLEMS_MAX])


def closest(wanted: object, allowed: Iterable[object]) -> Json:
    """The allowed text that is nearest to what was sent; None where none is near."""
    if not isinstance(wanted, str):
        return None
    texts = {text.casefold(): text for text in allowed if isinstance(text, str) and len(text) <= 200}
    near = get_close_matches(wanted[:200].casefold(), texts, n=1, cutoff=0.6)
    return texts[near[0]] if near else None


def shortened(path: Iterable[str | int]) -> list[str | int]:
    """A path whose names are cut to 64 characters: a model may name a key at any length."""
    return [part if isinstance(part, int) or len(part) <= _NAME_MAX else part[:_NAME_MAX] + "…" for part in path]


def _problems(error: ValidationError, schema: Mapping[str, Any] | bool) -> Iterable[Problem]:
    keyword = error.kind.name
    field = pointer(shortened(error.instance_path))
    kind: Any = error.kind
    if keyword == "required":
        yield _missing(error, schema)
    elif keyword == "falseSchema" and error.schema_path[-1:] == ["additionalProperties"]:
        # the engine's word where an object declares no properties at all; it does not say which key
        yield Problem(field=field, code="additionalProperties", message="takes no keys", allowed=[])
    elif keyword in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown_keys(error, schema)
    elif keyword in ("anyOf", "oneOf"):
        yield from _alternatives(error, schema)
    elif keyword == "enum":
        options = kind.options[:_ALLOWED_MAX]
        yield Problem(
            field=field, code=keyword, message="must be one of the allowed values",
            allowed=options, closest=closest(error.instance, kind.options),
        )  # fmt: skip
    elif keyword == "const":
        yield Problem(field=field, code=keyword, message="must be the one allowed value", allowed=kind.expected_value)
    elif keyword == "type":
        types = sorted(map(str, kind.types), key=lambda name: (name == "null", name))
        yield _with_example(
            error,
            schema,
            Problem(field=field, code=keyword, message=f"must be of type {' or '.join(types)}", allowed=_one(types)),
        )
    elif keyword == "pattern":
        problem = Problem(
            field=field,
            code=keyword,
            message="must match the pattern from beginning to end where it is anchored",
            allowed=kind.pattern,
        )
        yield _with_example(error, schema, problem)
    elif keyword == "format":
        problem = Problem(field=field, code=keyword, message=f"must be a valid {kind.format}", allowed=kind.format)
        yield _with_example(error, schema, problem, _EXAMPLES.get(kind.format))
    elif keyword in _LIMITS:
        limit = kind.multiple_of if keyword == "multipleOf" else kind.limit
        limit = limit if isinstance(limit, int | float) else str(limit)
        yield Problem(field=field, code=keyword, message=_LIMITS[keyword].format(limit), allowed=limit)
    else:
        yield Problem(field=field, code=keyword, message=_PLAIN.get(keyword, "does not satisfy the schema"))


def _missing(error: ValidationError, schema: Mapping[str, Any] | bool) -> Problem:
    name = error.kind.property  # type: ignore[attr-defined]  # narrowed by the keyword
    owner = _part(schema, error.schema_path[:-1])
    part = owner.get("properties", {}).get(name) if isinstance(owner, Mapping) else None
    return Problem(
        field=pointer(shortened([*error.instance_path, name])), code="required", message="is missing",
        allowed=_kinds(part), example=_example(part),
    )  # fmt: skip


def _unknown_keys(error: ValidationError, schema: Mapping[str, Any] | bool) -> Iterable[Problem]:
    owner = _part(schema, error.schema_path[:-1])
    named = owner.get("properties", {}) if isinstance(owner, Mapping) else {}
    sent = error.instance if isinstance(error.instance, dict) else {}
    free: list[Json] = [name for name in named if name not in sent]
    for name in error.kind.unexpected[:PROBLEMS_MAX]:  # type: ignore[attr-defined]
        yield Problem(
            field=pointer(shortened([*error.instance_path, name])), code=error.kind.name, message="is not a known key",
            allowed=[*named][:_ALLOWED_MAX], closest=closest(name, free),
        )  # fmt: skip


def _alternatives(error: ValidationError, schema: Mapping[str, Any] | bool) -> Iterable[Problem]:
    """The faults of the alternative that was meant: the one of the value's type, with the fewest faults."""
    branches: list[list[ValidationError]] = error.kind.context  # type: ignore[attr-defined]
    here = error.instance_path
    meant = [branch for branch in branches if branch and not any(_of_other_kind(fault, here) for fault in branch)]
    if meant:
        for fault in min(meant, key=len):
            yield from _problems(fault, schema)
        return
    field = pointer(shortened(here))
    if error.kind.name == "oneOf" and any(not branch for branch in branches):
        yield Problem(field=field, code="oneOf", message="fits more than one of the alternatives, and must fit one")
        return
    owner = _part(schema, error.schema_path[:-1])
    yield Problem(
        field=field,
        code=error.kind.name,
        message="fits none of the alternatives",
        allowed=_kinds(owner),
        example=_example(owner),
    )


def _of_other_kind(fault: ValidationError, here: list[str | int]) -> bool:
    return fault.instance_path == here and fault.kind.name in ("type", "const", "enum")


def _with_example(
    error: ValidationError, schema: Mapping[str, Any] | bool, problem: Problem, other: Json = None
) -> Problem:
    example = _example(_part(schema, error.schema_path[:-1]))
    if example is None:
        example = other
    if example is None:
        return problem
    return Problem(
        field=problem.field, code=problem.code, message=problem.message, allowed=problem.allowed, example=example
    )


def _part(schema: Any, path: Iterable[str | int]) -> Any:
    """The part of a schema at a path; None where the path goes through a reference that cannot be followed."""
    part = schema
    for step in path:
        try:
            part = part[step]
        except (KeyError, IndexError, TypeError):
            return None
    return part


def _example(part: Any) -> Json:
    """A valid value by the author's word, else by the schema's."""
    if not isinstance(part, Mapping):
        return None
    for keyword in ("examples", "enum"):
        values = part.get(keyword)
        if isinstance(values, list) and values:
            return values[0]  # type: ignore[no-any-return]
    for keyword in ("example", "const", "default"):
        if part.get(keyword) is not None:
            return part[keyword]  # type: ignore[no-any-return]
    return _EXAMPLES.get(part.get("format", ""))


def _kinds(part: Any) -> Json:
    """What a value may be, in a word or a list of values."""
    if not isinstance(part, Mapping):
        return None
    if isinstance(part.get("enum"), list):
        return part["enum"][:_ALLOWED_MAX]  # type: ignore[no-any-return]
    if "type" in part:
        return part["type"]  # type: ignore[no-any-return]
    for keyword in ("anyOf", "oneOf"):
        if isinstance(part.get(keyword), list):
            kinds = [kind for each in part[keyword] if (kind := _kinds(each)) is not None]
            return _one(kinds) if kinds else None
    return None


def _one(values: list[Any]) -> Json:
    return values[0] if len(values) == 1 else values
