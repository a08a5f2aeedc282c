"""Lint of a tool's parameters, at every level of its input schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from interlock.core.tool import Tool
from interlock.registry.bounds import subschemas
from interlock.registry.findings import Finding

_CHOICES: Final = frozenset(
    {"category", "currency", "gender", "kind", "level", "mode", "order", "order_by", "orderby", "priority", "role"}
    | {"severity", "sort", "sort_by", "sort_order", "state", "status", "type", "unit", "units", "visibility"}
)
"""Names whose values are a closed list almost everywhere."""

_CHOICE_TEXT: Final = re.compile(
    r"\b(one of|either|must be|can be|could be|options?( are)?|choose from)\b"
    r"|\b(allowed|possible|valid) values\b|\bor ['\"]|\|",
    re.IGNORECASE,
)

_FORMS: Final = frozenset({"date", "datetime", "email", "ip", "mail", "time", "timestamp", "uri", "url", "uuid"})
"""Words of a name that promise a form."""

_QUANTITIES: Final = frozenset(
    {"age", "amount", "angle", "area", "budget", "capacity", "cost", "delay", "depth", "distance", "duration", "height"}
    | {"income", "interval", "length", "mass", "power", "pressure", "price", "radius", "size", "speed", "temperature"}
    | {"time", "timeout", "velocity", "voltage", "volume", "wait", "weight", "width"}
)
"""Words of a name that measure something."""

_UNITS: Final = frozenset(
    {
        "acre",
        "ampere",
        "atm",
        "bar",
        "bit",
        "bp",
        "byte",
        "cal",
        "calorie",
        "celsius",
        "cent",
        "cm",
        "count",
        "currency",
    }
    | {"day", "db", "degree", "dollar", "eur", "euro", "fahrenheit", "feet", "foot", "ft", "g", "gallon", "gb", "gbp"}
    | {"gib", "gram", "ha", "hectare", "hour", "hz", "h", "inch", "item", "joule", "kb", "kelvin", "kg", "khz", "kib"}
    | {"kilogram", "kilometer", "kilometre", "km", "kmh", "kph", "kw", "kwh", "lb", "lbs", "liter", "litre", "m", "mb"}
    | {"meter", "metre", "mg", "mhz", "mib", "microsecond", "mile", "milligram", "milliliter", "millimeter"}
    | {"millisecond", "min", "minute", "ml", "mm", "month", "mph", "ms", "newton", "ns", "ohm", "ounce", "oz", "page"}
    | {"pa", "pascal", "percent", "percentage", "pixel", "pound", "ppm", "px", "radian", "row", "rupee", "s", "second"}
    | {"sec", "token", "ton", "tonne", "us", "usd", "v", "volt", "w", "watt", "week", "word", "yard", "year", "yen"}
)

_CODE: Final = frozenset({"bash", "cmd", "command", "eval", "javascript", "python", "script", "shell", "sql"})
_CODE_NAMES: Final = frozenset({"code", "source", "source_code"})
_SQL_TEXT: Final = re.compile(r"\bSQL\b|shell command|bash command|\b(python|javascript) code\b", re.IGNORECASE)

_BOUNDS: Final = {
    "string": ("maxLength", "enum", "const", "pattern", "format"),
    "integer": ("maximum", "exclusiveMaximum", "enum", "const"),
    "number": ("maximum", "exclusiveMaximum", "enum", "const"),
    "array": ("maxItems",),
}
"""Type to the keywords of which one bounds it."""


def lint_parameters(tool: Tool) -> list[Finding]:
    """Everything to improve about the parameters of a tool."""
    found: list[Finding] = []
    waiting: list[tuple[str, str, Any]] = [("", "", tool.input_schema)]
    while waiting:
        name, place, part = waiting.pop(0)
        if not isinstance(part, Mapping):
            continue
        codes = {*_of_any(name, place, part)}
        if name:
            codes |= {*_of_named(name, part)}
        found += [Finding(code=code, tool=tool.name, place=place) for code in sorted(codes)]
        for step, inner in subschemas(part):
            kind, _, rest = step[1:].partition("/")
            named = rest.replace("~1", "/").replace("~0", "~") if kind == "properties" else ""
            # an alternative or an item is still the parameter whose name it bears
            waiting.append(
                (named or (name if kind in ("anyOf", "oneOf", "allOf", "items") else ""), place + step, inner)
            )
    return found


def _of_any(name: str, place: str, part: Mapping[str, Any]) -> Iterator[str]:
    """Rules that hold at every level."""
    if "object" in _types(part) and part.get("additionalProperties", True) in (True, {}):
        yield "object.open"
    for kind in _types(part):
        if place and kind in _BOUNDS and not any(keyword in part for keyword in _BOUNDS[kind]):
            yield "parameter.unbounded"


def _of_named(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    """Rules about what a name promises."""
    described = part.get("description")
    text = described if isinstance(described, str) else ""
    types = _types(part)
    words = _words(name)
    composed = {"$ref", "anyOf", "oneOf", "allOf", "enum", "const", "properties", "items"} & part.keys()
    if not types and not composed:
        yield "parameter.anything"
    if not text.strip() and not composed & {"$ref"}:
        yield "parameter.undescribed"
    free = "string" in types and not {"enum", "const", "pattern", "format"} & part.keys()
    if free and (name.casefold() in _CHOICES or (_CHOICE_TEXT.search(text) and part.get("maxLength", 999) > 64)):
        yield "parameter.enum"
    elif free and _FORMS & words:
        yield "parameter.format"
    if free and (_CODE & words or name.casefold() in _CODE_NAMES or _SQL_TEXT.search(text)):
        yield "parameter.raw"
    if (
        {"integer", "number"} & types
        and _QUANTITIES & words
        and not _measured(words | _words(text))
        and "%" not in text
    ):
        yield "parameter.unit"


def _types(part: Mapping[str, Any]) -> set[str]:
    kind = part.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return {each for each in kinds if isinstance(each, str)}


def _words(text: str) -> set[str]:
    """Words in lower case, names taken apart at capitals and underscores."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", text)
    return set(re.findall(r"[^\W_]+", apart.casefold()))


def _measured(words: set[str]) -> bool:
    return any(word in _UNITS or word.removesuffix("s") in _UNITS for word in words)
