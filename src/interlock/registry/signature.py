"""A function's signature as a strict JSON Schema, and the way from checked arguments to its parameters and back.

Pydantic reads the annotations once, at definition. A signature of JSON's own types is then called without it.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import PydanticSerializationError, PydanticUndefined

from interlock.core.call import Problem
from interlock.core.canonical import canonical, pointer
from interlock.core.tool import CallContext
from interlock.errors import DefinitionError, NotSent
from interlock.registry.bounds import subschemas
from interlock.registry.docstring import read_docstring
from interlock.registry.problems import BadArguments, shortened

_BOUNDS: Final = (
    annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt, annotated_types.MultipleOf,
    annotated_types.MinLen, annotated_types.MaxLen,
)  # fmt: skip
"""Metadata that a JSON Schema says in full."""

_FAULTS: Final = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a validator may raise by mistake: refused like what it raises on purpose, without its words."""

_UNIONS: Final = (Union, types.UnionType)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and gives.

    Attributes:
        description: The docstring before its first section.
        input_schema, output_schema: Strict schemas; no output schema where nothing definite is returned.
        context: Name of the parameter that takes the `CallContext`; empty for none.
        convert: Checked arguments (a fresh copy) to keyword arguments.
        accept: Runs the annotations' own validators; None where the schema says it all.
        plain: A returned value to JSON; None where it is JSON already.
    """

    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    context: str
    convert: Callable[[dict[str, Any]], dict[str, Any]]
    accept: Callable[[dict[str, Any]], None] | None
    plain: Callable[[object], object] | None


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read a function's parameters, annotations, defaults and docstring.

    Raises:
        DefinitionError: Names the function, the parameter and the remedy.
    """
    where = f"tool function {getattr(function, '__qualname__', repr(function))!r}"
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters
    except (NameError, TypeError, ValueError) as error:
        remedy = "Define the types that it names at the top of its module."
        raise DefinitionError(f"{where}: {error}", code="definition.annotation", remedy=remedy) from None
    docstring = read_docstring(function)
    context = ""
    fields: list[tuple[str, Any, Any]] = []
    for name, parameter in parameters.items():
        _check_parameter(parameter, hints, where)
        if hints[name] is CallContext:
            context = name
            continue
        hint = hints[name]
        if (said := docstring.parameters.get(name)) and not _described(hint, parameter.default):
            hint = Annotated[hint, FieldInfo(description=said)]
        default = dataclasses.MISSING if parameter.default is parameter.empty else parameter.default
        fields.append((name, hint, default))
    adapter, schema = _input(fields, function, where)
    converters = {name: _converter(hint) for name, hint, _ in fields}
    if _NOT_PLAIN in converters.values() or any(isinstance(default, FieldInfo) for *_, default in fields):
        convert, accept = _by_pydantic(adapter)
    else:
        convert, accept = _by_hand(converters, schema), None
    output, plain = _output(hints.get("return", Any), where)
    return Signature(
        description=docstring.text, input_schema=schema, output_schema=output, context=context,
        convert=convert, accept=accept, plain=plain,
    )  # fmt: skip


# ----------------------------------------------------------------- in


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas without its invented titles and without its silence."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        raise PydanticInvalidForJsonSchema(detail)


def _input(
    fields: list[tuple[str, Any, Any]], function: Callable[..., Any], where: str
) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    made = dataclasses.make_dataclass(
        function.__name__ if hasattr(function, "__name__") else "arguments",
        [
            (name, hint) if default is dataclasses.MISSING else (name, hint, _default(default))
            for name, hint, default in fields
        ],
        kw_only=True,
    )
    made.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=False)  # type: ignore[attr-defined]
    adapter, schema = _adapted(made, "validation", where)
    _close(schema, where, "")
    written = schema.get("properties", {})
    # a dataclass puts the fields with defaults first; a model reads the parameters in the author's order
    order = [name for name, *_ in fields if name in written]
    schema["properties"] = {name: written[name] for name in (*order, *(key for key in written if key not in order))}
    return adapter, schema


def _adapted(annotation: Any, mode: JsonSchemaMode, where: str) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    try:
        adapter = TypeAdapter(annotation)
        schema = adapter.json_schema(mode=mode, schema_generator=_Generator)
    except (PydanticUserError, PydanticInvalidForJsonSchema, TypeError, NameError) as error:
        said = str(error).splitlines()[0]
        raise DefinitionError(
            f"{where}: {said}", code="definition.annotation", remedy="Use types that have a JSON form."
        ) from None
    for part in [schema, *schema.get("$defs", {}).values()]:
        part.pop("title", None)
    if "$defs" not in schema:
        schema.pop("description", None)
    return adapter, schema


def _check_parameter(parameter: inspect.Parameter, hints: Mapping[str, Any], where: str) -> None:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise _unfit(where, name, "takes any number of values", "Name each parameter.")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise _unfit(where, name, "is positional only", "Arguments come by name: remove the slash.")
    if name not in hints:
        raise _unfit(where, name, "has no annotation", "Annotate it: without a type nothing can be checked.")
    if name.startswith("_"):
        raise _unfit(where, name, "begins with an underscore", "Rename it.")
    if isinstance(parameter.default, FieldInfo) and parameter.default.default_factory is not None:
        raise _unfit(where, name, "has a default that is made at run time", "Nobody could approve it: give a value.")


def _default(default: Any) -> Any:
    """A default for a dataclass, which takes no mutable one but through a factory that pydantic then hides."""
    if isinstance(default, FieldInfo):
        return default
    return FieldInfo(default=default)


def _described(hint: Any, default: Any) -> bool:
    parts = [default, *getattr(hint, "__metadata__", ())]
    return any(isinstance(part, FieldInfo) and part.description for part in parts)


def _close(schema: Any, where: str, path: str) -> None:
    """Forbid further keys wherever an object does not allow them by its own word, and refuse holes."""
    if not isinstance(schema, dict):
        return
    named = isinstance(schema.get("properties"), dict)
    if named:
        schema.setdefault("additionalProperties", False)
    opened = schema.get("type") == "object" and schema.get("additionalProperties", True) in (True, {})
    if opened and not named:
        raise DefinitionError(
            f"{where}: {path or '/'} is an object of anything",
            code="definition.open",
            remedy='Use a model, a TypedDict or dict[str, int]; where it must be open, a model with extra="allow".',
        )
    if not set(schema) - {"title", "description", "default", "examples", "deprecated"} and path:
        raise DefinitionError(
            f"{where}: {path} may be anything", code="definition.open", remedy="Annotate what it is, down to the items."
        )
    for step, part in subschemas(schema):
        if step != "/additionalProperties" or part is not True:
            _close(part, where, path + step)


# ------------------------------------------------- conversion without pydantic

Converter = Callable[[Any], Any]


def _NOT_PLAIN(value: Any) -> Any:  # a mark, compared by identity
    raise AssertionError("never called")


def _converter(hint: Any) -> Converter | None:
    """How to convert a value of JSON's own types: only a whole number written as a float needs it.

    Returns:
        A function; None where nothing is to be done; `_NOT_PLAIN` where only pydantic knows.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _converter(arguments[0]) if all(map(_says_all, arguments[1:])) else _NOT_PLAIN
    if hint in (str, bool, float, None, type(None)) or origin is Literal:
        return None
    if hint is int:
        return _whole
    if origin in _UNIONS:
        return _joined([_converter(each) for each in arguments], float in arguments)
    if origin is list or origin is dict:
        if origin is dict and arguments[0] is not str:
            return _NOT_PLAIN
        each = _converter(arguments[-1])
        if each is None or each is _NOT_PLAIN:
            return each
        if origin is list:
            return lambda values: [each(value) for value in values]
        return lambda values: {key: each(value) for key, value in values.items()}
    return _NOT_PLAIN


def _says_all(metadata: Any) -> bool:
    """Whether the schema says everything that this piece of metadata demands."""
    if isinstance(metadata, FieldInfo):
        plain = metadata.alias is None and metadata.validation_alias is None and metadata.default_factory is None
        return plain and metadata.default is PydanticUndefined and all(map(_says_all, metadata.metadata))
    return isinstance(metadata, _BOUNDS) or set(getattr(metadata, "__dict__", {"": 0})) <= {"pattern"}


def _joined(converters: list[Converter | None], fractions: bool) -> Converter | None:
    if _NOT_PLAIN in converters:
        return _NOT_PLAIN
    needed = [each for each in converters if each is not None]
    if not needed or (needed == [_whole] and fractions):
        return None
    return _whole if needed == [_whole] else _NOT_PLAIN


def _whole(value: Any) -> Any:
    """1.0 is an integer by JSON Schema; the function asked for an `int`."""
    return int(value) if type(value) is float else value


def _by_hand(
    converters: Mapping[str, Converter | None], schema: Mapping[str, Any]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    needed = [(name, each) for name, each in converters.items() if each is not None]

    def convert(arguments: dict[str, Any]) -> dict[str, Any]:
        for name, each in needed:
            if name in arguments:
                arguments[name] = each(arguments[name])
        return arguments

    return convert


# ----------------------------------------------------- conversion with pydantic


def _by_pydantic(
    adapter: TypeAdapter[Any],
) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], Callable[[dict[str, Any]], None]]:
    validator = adapter.validator

    def accept(arguments: dict[str, Any]) -> None:
        try:
            validator.validate_json(canonical(arguments))
        except ValidationError as error:
            raise BadArguments(_told(error)) from None
        except _FAULTS as error:
            problem = Problem(field="", code="rejected", message="is not accepted")
            raise BadArguments((problem,), cause=f"{type(error).__name__}: {error}"[:500]) from None

    def convert(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(vars(validator.validate_json(canonical(arguments))))
        except (ValidationError, *_FAULTS) as error:  # accepted a moment ago: whatever changed, nothing was sent
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


# ---------------------------------------------------------------- out


def _output(hint: Any, where: str) -> tuple[dict[str, Any] | None, Callable[[object], object] | None]:
    if hint is Any or hint is object:
        return None, None
    if hint is None or hint is type(None):
        return {"type": "null"}, None
    adapter, schema = _adapted(hint, "serialization", f"{where}, result")
    if _converter(hint) is not _NOT_PLAIN:
        return schema, None
    serializer = adapter.serializer

    def plain(value: object) -> object:
        try:
            return serializer.to_python(value, mode="json", warnings="none")
        except (PydanticSerializationError, *_FAULTS):
            return value  # the effect stands; `screen` finds that this is no JSON and withholds it

    return schema, plain


def _unfit(where: str, name: str, what: str, remedy: str) -> DefinitionError:
    return DefinitionError(f"{where}: parameter {name!r} {what}", code="definition.parameter", remedy=remedy)
