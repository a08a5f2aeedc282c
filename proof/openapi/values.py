"""Values that a schema allows, the least of them: a document's own words first, then its bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_FORMATS: Final = {
    "date": "2026-01-02", "date-time": "2026-01-02T03:04:05Z", "time": "03:04:05Z", "duration": "P1D",
    "uuid": "12345678-1234-4234-8234-123456789abc", "email": "a@shop.example", "uri": "https://shop.example/a",
    "url": "https://shop.example/a", "iri": "https://shop.example/a", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
    "hostname": "shop.example", "byte": "aGk=", "uri-reference": "/a", "json-pointer": "/a", "regex": "a",
}  # fmt: skip
_DEPTH_MAX: Final = 12

_TEXTS: Final = (
    "a",
    "abc",
    "Abc-1",
    "1",
    "12345678",
    "/a",
    "a/b",
    "a_b.c",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "0x1",
    "#aabbcc",
)
"""Tried for a pattern, in this order."""


Matches = Callable[[Mapping[str, Any], Any], bool]
"""Whether a value satisfies a schema."""


def value_of(schema: Any, root: Mapping[str, Any], matches: Matches, depth: int = 0) -> Any:
    """A value of a schema, which is within a root that its references lead into.

    Args:
        matches: Whether a value satisfies a schema within that root; asked where a guess is needed.
    """
    if not isinstance(schema, Mapping) or depth > _DEPTH_MAX:
        return "a"
    if "$ref" in schema:
        return value_of(root["$defs"][schema["$ref"].rpartition("/")[2]], root, matches, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return next((each for each in schema["enum"] if each is not None), None)
    for key in ("oneOf", "anyOf"):
        if schema.get(key):
            beside = {name: part for name, part in schema.items() if name not in ("oneOf", "anyOf")}
            made = [_beside(part, beside, root, matches, depth) for part in schema[key][:8]]
            return next((each for each in made if matches(schema, each)), made[0])
    if schema.get("allOf"):
        own = {key: part for key, part in schema.items() if key != "allOf"}
        parts = [value_of(part, root, matches, depth + 1) for part in schema["allOf"]]
        if all(isinstance(part, dict) for part in parts):
            more = value_of(own, root, matches, depth + 1) if "properties" in own or "required" in own else {}
            return {key: item for part in (*parts, more) for key, item in part.items()}
        return parts[0]
    kinds = schema.get("type")
    kind = next((each for each in kinds if each != "null"), "null") if isinstance(kinds, list) else kinds
    return _plain(kind or ("object" if "properties" in schema else "array" if "items" in schema else "string"),
                  schema, root, matches, depth)  # fmt: skip


def _beside(part: Any, beside: Mapping[str, Any], root: Mapping[str, Any], matches: Matches, depth: int) -> Any:
    """What an alternative asks for, with what stands beside the alternatives."""
    if isinstance(part, Mapping) and "$ref" not in part:
        return value_of({**beside, **part}, root, matches, depth + 1)
    made = value_of(part, root, matches, depth + 1)
    if isinstance(made, dict) and beside.get("properties"):
        return {**value_of(beside, root, matches, depth + 1), **made}
    return made


def _plain(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], matches: Matches, depth: int) -> Any:
    match kind:
        case "null":
            return None
        case "boolean":
            return True
        case "integer" | "number":
            return _number(schema)
        case "array":
            items = schema.get("items", {"type": "string"})
            return [
                value_of(items, root, matches, depth + 1) for _ in range(schema.get("minItems", 1 if depth < 4 else 0))
            ]
        case "object":
            named = schema.get("properties") or {}
            wanted = [*schema.get("required", ())] or ([*named][:1] if depth < 3 else [])
            made = {name: value_of(named.get(name, {}), root, matches, depth + 1) for name in wanted}
            if not made and depth < 3 and isinstance(schema.get("additionalProperties"), Mapping):
                made = {"a": value_of(schema["additionalProperties"], root, matches, depth + 1)}
            return made
    return _text(schema, matches)


def _number(schema: Mapping[str, Any]) -> Any:
    least, most = schema.get("minimum", 1), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + 1
    number = least if most is None or least <= most else most
    step = schema.get("multipleOf")
    if step:
        number = -(-number // step) * step
    return int(number) if float(number).is_integer() else number


def _text(schema: Mapping[str, Any], matches: Matches) -> str:
    if schema.get("contentEncoding") == "base64":
        return "aGk="
    least, most = schema.get("minLength", 1), schema.get("maxLength", 1 << 20)
    fit = _FORMATS.get(schema.get("format", ""), "")
    texts = [fit] if fit else list(_TEXTS)
    sized = [text if least <= len(text) <= most else (text * (least or 1))[: max(least, 1)] for text in texts]
    if "pattern" not in schema:
        return sized[0]
    return next((text for text in sized if matches(schema, text)), sized[0])
