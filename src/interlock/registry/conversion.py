"""From checked JSON arguments to a function's parameters.

A signature of JSON's own types is converted by hand, which costs next to nothing; any other by pydantic, which
also runs the annotations' own validators.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from interlock.core.canonical import canonical, pointer
from interlock.core.problem import Problem
from interlock.errors import NotSent
from interlock.registry.problems import BadArguments, shortened

FAULTS: Final = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a validator or serializer may raise by mistake; refused like what it raises on purpose, without its words."""

_BOUNDS: Final = (
    annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt, annotated_types.MultipleOf,
    annotated_types.MinLen, annotated_types.MaxLen,
)  # fmt: skip
"""Metadata that a JSON Schema says in full."""

_UNIONS: Final = (Union, types.UnionType)

Convert = Callable[[dict[str, Any]], dict[str, Any]]
"""Checked arguments (a fresh copy) to keyword arguments."""

Accept = Callable[[dict[str, Any]], None]
"""Runs validators on checked arguments; raises `BadArguments`."""

_Converter = Callable[[Any], Any]


class _NotPlain(Exception):
    """Only pydantic can convert a value of this annotation."""


def is_plain(hint: Any) -> bool:
    """Whether a value of this annotation is JSON as it stands."""
    try:
        _converter(hint)
    except _NotPlain:
        return False
    return True


def is_open(hint: Any) -> bool:
    """Whether JSON that is a value of this annotation stays as it is: an object or a list of anything."""
    if hint in (Any, object, dict, list):
        return True
    return is_open(get_args(hint)[-1]) if get_origin(hint) in (dict, list) else is_plain(hint)


def by_hand(hints: Mapping[str, Any]) -> Convert | None:
    """Conversion by annotations of which every one is of JSON's own types; None where one is not."""
    try:
        converters = {name: _converter(hint) for name, hint in hints.items()}
    except _NotPlain:
        return None
    needed = [(name, each) for name, each in converters.items() if each is not None]

    def convert(arguments: dict[str, Any]) -> dict[str, Any]:
        for name, each in needed:
            if name in arguments:
                arguments[name] = each(arguments[name])
        return arguments

    return convert


def _converter(hint: Any) -> _Converter | None:
    """How to convert a value of JSON's own types: only a whole number written as a fraction (1.0) needs it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated and all(map(_says_all, arguments[1:])):
        return _converter(arguments[0])
    if hint in (str, bool, float, None, type(None)) or origin is Literal:
        return None
    if hint is int:
        return _whole
    if origin in _UNIONS:
        return _of_union([_converter(each) for each in arguments], float in arguments)
    if origin is list or (origin is dict and arguments[0] is str):
        each = _converter(arguments[-1])
        if each is None:
            return None
        if origin is list:
            return lambda values: [each(value) for value in values]
        return lambda values: {key: each(value) for key, value in values.items()}
    raise _NotPlain


def _says_all(metadata: Any) -> bool:
    """Whether the schema says everything that this piece of metadata demands."""
    if isinstance(metadata, FieldInfo):
        plain = metadata.alias is None and metadata.validation_alias is None and metadata.default_factory is None
        return plain and metadata.default is PydanticUndefined and all(map(_says_all, metadata.metadata))
    return isinstance(metadata, _BOUNDS) or set(getattr(metadata, "__dict__", {"": 0})) <= {"pattern"}


def _of_union(converters: list[_Converter | None], fractions: bool) -> _Converter | None:
    needed = [each for each in converters if each is not None]
    if needed == [_whole]:
        return None if fractions else _whole
    if needed:  # two alternatives would each convert what is the other's
        raise _NotPlain
    return None


def _whole(value: Any) -> Any:
    """1.0 is an integer by JSON Schema; the function asked for an `int`."""
    return int(value) if type(value) is float else value


def by_pydantic(adapter: TypeAdapter[Any]) -> tuple[Convert, Accept]:
    """Conversion, and the check that validators accept, by the dataclass of the parameters."""
    validator = adapter.validator

    def accept(arguments: dict[str, Any]) -> None:
        try:
            validator.validate_json(canonical(arguments))
        except ValidationError as error:
            raise BadArguments(_told(error)) from None
        except FAULTS as error:
            problem = Problem(field="", code="rejected", message="is not accepted")
            raise BadArguments((problem,), cause=f"{type(error).__name__}: {error}"[:500]) from None

    def convert(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(vars(validator.validate_json(canonical(arguments))))
        except (ValidationError, *FAULTS) as error:  # accepted a moment ago: whatever changed, nothing was sent
            raise NotSent(f"the arguments cannot be converted: {type(error).__name__}") from error

    return convert, accept


def _told(error: ValidationError) -> tuple[Problem, ...]:
    """Pydantic's findings; a validator's own text only where it raised a plain `ValueError` or one made to be read."""
    problems = []
    for found in error.errors(include_url=False, include_input=False)[:16]:
        cause = found.get("ctx", {}).get("error")
        if found["type"] in ("value_error", "assertion_error") and type(cause) not in (ValueError, AssertionError):
            message = "is not accepted"
        else:
            message = " ".join(found["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").split())[
                :200
            ]
        problems.append(Problem(field=pointer(shortened(found["loc"])), code=found["type"], message=message))
    return tuple(problems)
