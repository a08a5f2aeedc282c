"""A function's signature as a strict JSON Schema, and the way from checked arguments to its parameters and back.

Pydantic reads the annotations once, at definition. A signature of JSON's own types is then called without it.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, get_args

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import PydanticSerializationError

from interlock.core.canonical import is_json
from interlock.core.tool import CallContext
from interlock.errors import DefinitionError
from interlock.registry.bounds import subschemas
from interlock.registry.conversion import FAULTS, Accept, Convert, by_hand, by_pydantic, is_open, is_plain
from interlock.registry.docstring import read_docstring

_Parameter = tuple[str, Any, Any]
"""Name, annotation, default."""

_UNFIT: Final = (PydanticUserError, PydanticInvalidForJsonSchema, TypeError, NameError)
"""What pydantic raises at an annotation or a default without a JSON form."""


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
    convert: Convert
    accept: Accept | None
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
    fields: list[_Parameter] = []
    for name, parameter in parameters.items():
        _check_parameter(parameter, hints, where)
        if CallContext in (hints[name], *get_args(hints[name])):
            context = name
            continue
        hint = hints[name]
        if (said := docstring.parameters.get(name)) and not _described(hint, parameter.default):
            hint = Annotated[hint, Field(description=said)]
        default = parameter.default
        if isinstance(default, FieldInfo):  # `name: str = Field("a", …)` is `name: Annotated[str, Field("a", …)]`
            hint, default = Annotated[hint, default], parameter.empty
        fields.append((name, hint, dataclasses.MISSING if default is parameter.empty else default))
    adapter, schema = _input(fields, where)
    convert, accept = by_hand({name: hint for name, hint, _ in fields}), None
    if convert is None:
        convert, accept = by_pydantic(adapter)
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


def _input(fields: list[_Parameter], where: str) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    try:
        adapter, schema = _adapted(_arguments(fields), "validation")
    except _UNFIT as error:
        raise _unfit(
            where, _culprit(fields), _first_line(error), "Use types and defaults that have a JSON form."
        ) from None
    schema.pop("description", None)  # a dataclass describes itself by its signature
    _close(schema, where, "")
    return adapter, schema


def _arguments(fields: list[_Parameter]) -> type:
    """A dataclass of the parameters, by which pydantic reads and converts them; no name clashes as in a model."""
    made = dataclasses.make_dataclass(
        "Arguments",
        [
            (name, hint) if default is dataclasses.MISSING else (name, hint, Field(default=default, kw_only=True))
            for name, hint, default in fields
        ],
        kw_only=True,
    )
    made.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return made


def _culprit(fields: list[_Parameter]) -> str:
    """The parameter that cannot be read even alone."""
    for field in fields[:-1]:
        try:
            _adapted(_arguments([field]), "validation")
        except _UNFIT:
            return field[0]
    return fields[-1][0]


def _adapted(annotation: Any, mode: JsonSchemaMode) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    adapter = TypeAdapter(annotation)
    schema = adapter.json_schema(mode=mode, schema_generator=_Generator)
    for part in [schema, *schema.get("$defs", {}).values()]:
        part.pop("title", None)
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
    if any(field.default_factory is not None for field in _field_infos(hints[name], parameter.default)):
        raise _unfit(where, name, "has a default that is made at run time", "Nobody could approve it: give a value.")


def _described(hint: Any, default: Any) -> bool:
    return any(field.description for field in _field_infos(hint, default))


def _field_infos(hint: Any, default: Any) -> list[FieldInfo]:
    parts = [default, *getattr(hint, "__metadata__", ())]
    return [part for part in parts if isinstance(part, FieldInfo)]


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


# ---------------------------------------------------------------- out


def _output(hint: Any, where: str) -> tuple[dict[str, Any] | None, Callable[[object], object] | None]:
    if hint is Any or hint is object:
        return None, None
    if hint is None or hint is type(None):
        return {"type": "null"}, None
    try:
        adapter, schema = _adapted(hint, "serialization")
    except _UNFIT as error:
        remedy = "Return what has a JSON form, or annotate Any."
        said = f"{where}: the result cannot be described: {_first_line(error)}"
        raise DefinitionError(said, code="definition.annotation", remedy=remedy) from None
    if is_plain(hint):
        return schema, None
    serializer, unchanged = adapter.serializer, is_open(hint)

    def plain(value: object) -> object:
        if unchanged and is_json(value):  # as most results are; a serializer takes five times as long to say so
            return value
        try:
            return serializer.to_python(value, mode="json", warnings="none")
        except (PydanticSerializationError, *FAULTS):
            return value  # the effect stands; `screen` finds that this is no JSON and withholds it

    return schema, plain


def _unfit(where: str, name: str, what: str, remedy: str) -> DefinitionError:
    return DefinitionError(f"{where}: parameter {name!r} {what}", code="definition.parameter", remedy=remedy)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
