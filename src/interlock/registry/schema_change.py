"""What became of the arguments that a schema takes: more, fewer, others, or it cannot be told.

Containment is proved keyword by keyword; that it does not hold is shown by an example, which both schemas judge. Where
there is neither a proof nor an example, the answer is `unknown`: a guess would be read as a promise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from interlock.core.canonical import canonical
from interlock.errors import DefinitionError
from interlock.registry.schema import Schema, compile_schema

_TALK: Final = frozenset(
    {
        "title", "description", "default", "examples", "$schema", "$comment", "$id", "deprecated", "readOnly",
        "writeOnly", "$defs", "definitions",
    }
)  # fmt: skip
"""Keywords that no value is judged by (definitions count where they are referred to)."""

_TYPES: Final = frozenset({"null", "boolean", "object", "array", "number", "string"})

_LOWER: Final = {
    "minimum": "number", "exclusiveMinimum": "number", "minLength": "string", "minItems": "array",
    "minProperties": "object",
}  # fmt: skip
_UPPER: Final = {
    "maximum": "number", "exclusiveMaximum": "number", "maxLength": "string", "maxItems": "array",
    "maxProperties": "object",
}  # fmt: skip
_OWN: Final = frozenset(
    {
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "multipleOf", "anyOf",
        "allOf",
    }
)  # fmt: skip

_ALONE: Final = frozenset(
    {"pattern", "format", "uniqueItems", "propertyNames", "not", "oneOf", "enum", "const", "multipleOf", "minimum",
     "maximum", "exclusiveMinimum", "exclusiveMaximum", "dependentRequired", "dependentSchemas", "contentEncoding",
     "contentMediaType"}
)  # fmt: skip
"""Keywords that say the same wherever they stand, so that the same one on both sides binds the same values."""

_EXPANDED_MAX: Final = 2_000
_DEPTH_MAX: Final = 32
_EXAMPLES_MAX: Final = 64


class SchemaChange(StrEnum):
    """How the values that a schema takes now are related to those that it took."""

    SAME = "same"
    WIDENED = "widened"
    NARROWED = "narrowed"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"


def schema_change(before: Any, after: Any) -> SchemaChange:
    """How the values that `after` takes are related to those of `before`. Texts, titles and defaults do not count.

    Widened: all that was valid still is. Narrowed: all that is valid was. Incompatible: something that was valid is
    not any more, and something that was not valid is.
    """
    if _equal(_bare(before), _bare(after)) and _siblings_count(before) == _siblings_count(after):
        return SchemaChange.SAME
    try:
        old, new = _expanded(before), _expanded(after)
    except _Endless:
        return SchemaChange.UNKNOWN
    wider, narrower = _within(old, new, 0), _within(new, old, 0)
    if wider and narrower:
        return SchemaChange.SAME
    if wider:
        return SchemaChange.WIDENED
    if narrower:
        return SchemaChange.NARROWED
    try:
        was, now = compile_schema(old), compile_schema(new)
    except DefinitionError:
        return SchemaChange.UNKNOWN
    lost = any(was.is_valid(each) and not now.is_valid(each) for each in _examples(old))
    won = any(now.is_valid(each) and not was.is_valid(each) for each in _examples(new))
    return SchemaChange.INCOMPATIBLE if lost and won else SchemaChange.UNKNOWN


def parameters(schema: Any, where: str = "") -> Iterator[str]:
    """Pointers of every property that a schema names, at any depth; without following references."""
    if isinstance(schema, Mapping):
        named = schema.get("properties")
        for name, part in named.items() if isinstance(named, Mapping) else ():
            yield f"{where}/{name}"
            yield from parameters(part, f"{where}/{name}")
        for key, part in schema.items():
            if key not in ("properties", "enum", "const", "default", "examples"):
                yield from parameters(part, where)
    elif isinstance(schema, list):
        for part in schema:
            yield from parameters(part, where)


class _Endless(Exception):
    """A reference that leads round, away or nowhere."""


def _bare(schema: Any) -> Any:
    """The schema without what no value is judged by, but with what it may refer to."""
    if isinstance(schema, Mapping):
        kept = {}
        for key, part in schema.items():
            if key in ("properties", "patternProperties", "$defs", "definitions") and isinstance(part, Mapping):
                kept[key] = {name: _bare(each) for name, each in part.items()}
            elif key in ("enum", "const"):
                kept[key] = part
            elif key not in _TALK:
                kept[key] = _bare(part)
        return kept
    return [_bare(part) for part in schema] if isinstance(schema, list) else schema


def _expanded(root: Any) -> Any:
    """The schema with its references within itself written out."""
    left = _EXPANDED_MAX

    def expand(schema: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > _DEPTH_MAX:
            raise _Endless
        if isinstance(schema, list):
            return [expand(part, depth + 1) for part in schema]
        if not isinstance(schema, Mapping):
            return schema
        made = {}
        for key, part in schema.items():
            if key in ("enum", "const"):
                made[key] = part
            elif key in ("properties", "patternProperties") and isinstance(part, Mapping):
                made[key] = {name: expand(each, depth + 1) for name, each in part.items()}
            elif key not in _TALK and key != "$ref":
                made[key] = expand(part, depth + 1)
        if "$ref" in schema:
            found = expand(_pointed(root, schema["$ref"]), depth + 1)
            return {"allOf": [found, made]} if made and _siblings_count(root) else found
        return made

    return expand(root, 0)


def _siblings_count(root: Any) -> bool:
    """Whether what stands beside a reference counts: not in the drafts up to 7."""
    said = root.get("$schema", "") if isinstance(root, Mapping) else ""
    return not (isinstance(said, str) and "draft-0" in said)


def _pointed(root: Any, reference: Any) -> Any:
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise _Endless
    found = root
    for part in reference[2:].split("/") if len(reference) > 1 else ():
        if not isinstance(found, Mapping) or part not in found:
            raise _Endless
        found = found[part]
    return found


def _within(inner: Any, outer: Any, depth: int) -> bool:
    """Whether it is proved that every value of `inner` is one of `outer`."""
    if outer is True or inner is False or outer == {} or _equal(inner, outer):
        return True
    if outer is False or depth > _DEPTH_MAX:
        return False
    inner = {} if inner is True else inner
    if not isinstance(inner, Mapping) or not isinstance(outer, Mapping):
        return False
    if "enum" in inner or "const" in inner:
        return _each_valid([inner["const"]] if "const" in inner else inner["enum"], outer)
    for choice in ("anyOf", "oneOf"):
        rest = {key: part for key, part in inner.items() if key != choice}
        if isinstance(inner.get(choice), list) and all(
            _within({**rest, "allOf": [*_listed(rest, "allOf"), part]} if rest else part, outer, depth + 1)
            for part in inner[choice]
        ):
            return True
    return _merged_within(_merged(inner), outer, depth)


def _merged_within(inner: Mapping[str, Any], outer: Mapping[str, Any], depth: int) -> bool:
    types = _types(inner)
    if not types <= _types(outer) or ("integer" in _said(outer) and "number" in types and not _whole(inner)):
        return False
    if not all(_within(inner, part, depth + 1) for part in _listed(outer, "allOf")):
        return False
    if "anyOf" in outer and not any(_within(inner, part, depth + 1) for part in _listed(outer, "anyOf")):
        return False
    for key, value in outer.items():
        if key in _OWN - {"enum", "const", "multipleOf"} or key in _TALK:
            continue
        kind = _LOWER.get(key) or _UPPER.get(key)
        if kind is not None and kind not in types:
            continue
        if not _bounded(key, value, inner):
            return False
    if "object" in types and not _object_within(inner, outer, depth):
        return False
    return "array" not in types or "items" not in outer or _items_within(inner, outer, depth)


def _bounded(key: str, value: Any, inner: Mapping[str, Any]) -> bool:
    """Whether a keyword of the outer schema with this value binds nothing that the inner one does not."""
    said = inner.get(key)
    if key in _LOWER and _number(value):
        other = inner.get({"minimum": "exclusiveMinimum"}.get(key, ""))
        return (_number(said) and said >= value) or (_number(other) and other >= value) or (
            key.startswith("min") and key != "minimum" and value <= 0
        )  # fmt: skip
    if key in _UPPER and _number(value):
        other = inner.get({"maximum": "exclusiveMaximum"}.get(key, ""))
        return (_number(said) and said <= value) or (_number(other) and other <= value)
    if key == "multipleOf" and _number(value) and value > 0:
        return _number(said) and isinstance(said, int) and isinstance(value, int) and said % value == 0
    return key in inner and key in _ALONE and _equal(said, value)


def _object_within(inner: Mapping[str, Any], outer: Mapping[str, Any], depth: int) -> bool:
    if not set(_listed(outer, "required")) <= set(_listed(inner, "required")):
        return False
    keys = ("properties", "patternProperties", "additionalProperties")
    if "patternProperties" in inner or "patternProperties" in outer:
        return all(_equal(inner.get(key), outer.get(key)) for key in keys)
    mine, theirs = inner.get("properties") or {}, outer.get("properties") or {}
    rest, allowed = inner.get("additionalProperties", True), outer.get("additionalProperties", True)
    return _within(rest, allowed, depth + 1) and all(
        _within(mine.get(name, rest), theirs.get(name, allowed), depth + 1) for name in {*mine, *theirs}
    )


def _items_within(inner: Mapping[str, Any], outer: Mapping[str, Any], depth: int) -> bool:
    if "prefixItems" in inner or "prefixItems" in outer or isinstance(outer["items"], list):
        return all(_equal(inner.get(key), outer.get(key)) for key in ("items", "prefixItems", "additionalItems"))
    return inner.get("maxItems") == 0 or _within(inner.get("items", True), outer["items"], depth + 1)


def _each_valid(values: Any, outer: Mapping[str, Any]) -> bool:
    try:
        judge: Schema = compile_schema(dict(outer))
    except DefinitionError:
        return False
    return isinstance(values, list) and all(judge.is_valid(value) for value in values)


def _merged(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with the parts of its `allOf` beside it, where no keyword stands twice."""
    made = {key: part for key, part in schema.items() if key != "allOf"}
    left = []
    for part in _listed(schema, "allOf"):
        flat = _merged(part) if isinstance(part, Mapping) else part
        apart = not isinstance(flat, Mapping) or flat.keys() & made.keys() or {*flat, *made} & _TOGETHER
        if apart:
            left.append(part)
        else:
            made |= flat
    return made | ({"allOf": left} if left else {})


_TOGETHER: Final = frozenset(
    {"additionalProperties", "unevaluatedProperties", "unevaluatedItems", "if", "then", "else", "prefixItems"}
)
"""Keywords whose meaning depends on those beside them: moving them would change it."""


def _equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; `True == 1` to Python, and not here."""
    return canonical(one) == canonical(other)


def _said(schema: Mapping[str, Any]) -> frozenset[str]:
    said = schema.get("type")
    return frozenset([said] if isinstance(said, str) else said if isinstance(said, list) else _TYPES)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    return frozenset("number" if each == "integer" else each for each in _said(schema))


def _whole(schema: Mapping[str, Any]) -> bool:
    return "number" not in _said(schema)


def _listed(schema: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = schema.get(key)
    return found if isinstance(found, list) else ()


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _examples(schema: Any) -> list[Any]:
    """Values that may satisfy a schema: judged before they count for anything."""
    found: dict[bytes, Any] = {}
    for value in _proposed(schema, 0):
        found.setdefault(canonical(value), value)
        if len(found) >= _EXAMPLES_MAX:
            break
    return list(found.values())


def _proposed(schema: Any, depth: int) -> Iterator[Any]:
    if not isinstance(schema, Mapping) or depth > 6:
        yield from ("a", 1, True, None, {}, [])
        return
    yield from schema.get("enum", ())
    if "const" in schema:
        yield schema["const"]
    for key in ("anyOf", "oneOf", "allOf"):
        for part in _listed(schema, key):
            yield from _proposed(part, depth + 1)
    types = _said(schema)
    if "object" in types:
        yield from _objects(schema, depth)
    if "array" in types:
        least = schema.get("minItems", 0)
        for value in _few(_proposed(schema.get("items", {}), depth + 1)):
            yield [value] * max(1, least if isinstance(least, int) and least < 8 else 1)
        yield []
    if "string" in types:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 0)
        yield from ("a" * size for size in (1, least, most) if isinstance(size, int) and 0 <= size <= 1_000)
        yield from ("2026-01-01", "a@example.com", "https://example.com/", "00000000-0000-4000-8000-000000000000")
    if types & {"integer", "number"}:
        bounds = [schema[key] for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
                  if _number(schema.get(key))]  # fmt: skip
        yield from (value for bound in bounds for value in (bound, bound + 1, bound - 1))
        yield from (1, 0, 0.5)
    if "boolean" in types:
        yield from (True, False)
    if "null" in types:
        yield None


def _objects(schema: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Objects with every property, with the required ones, and each with another value of one property."""
    named = schema.get("properties")
    named = named if isinstance(named, Mapping) else {}
    values = {name: _few(_proposed(part, depth + 1)) for name, part in named.items()}
    values |= {name: ["a", 1] for name in _listed(schema, "required") if isinstance(name, str) and name not in values}
    every = {name: some[0] for name, some in values.items() if some}
    wanted = frozenset(_listed(schema, "required"))
    needed = {name: value for name, value in every.items() if name in wanted}
    yield from (every, needed)
    for name, some in values.items():
        for value in some:
            yield needed | {name: value}


def _few(values: Iterable[Any]) -> list[Any]:
    return [value for _, value in zip(range(8), values, strict=False)]
