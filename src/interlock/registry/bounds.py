"""What a JSON Schema may be at most, counted before any engine sees it.

A schema comes from whoever runs the server. The engine matches patterns in linear time and retrieves
nothing, but it has no fuel: what a schema may cost is counted here, once, at load, and multiplied with the
size of a value before that is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin

from interlock.core.canonical import LIMITS, at_pointer, canonical, check_json
from interlock.errors import BadInput, DefinitionError

DRAFTS: Final = {
    "https://json-schema.org/draft/2020-12/schema": 2020,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "http://json-schema.org/draft-07/schema": 7,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-04/schema": 4,
}
"""The meta-schemas that the engine carries; anything else would have to be fetched."""

ONE: Final = frozenset(
    {"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"}
    | {"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
)
MANY: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"dependencies", "dependentSchemas", "patternProperties", "properties"})
STORED: Final = frozenset({"$defs", "definitions"})
"""Keywords that hold subschemas: one, a list, by name, and by name only for reference."""

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_META_WEIGHT: Final = 400
_INLINE_FLAGS: Final = re.compile(r"\(\?[a-zA-Z-]*[:)]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaLimits:
    """What a schema may be at most. Defaults: spec «limits and goals».

    Attributes:
        bytes_max: Size in canonical form.
        subschemas_max: Subschemas as written.
        depth_max: Subschemas within subschemas.
        refs_max: References as written.
        expanded_max: Subschemas when every reference is written out once per path to it.
        pattern_max: Bytes of one pattern.
        fuel: Steps that checking one value may cost; about 10 ns each.
    """

    bytes_max: int = 256 << 10
    subschemas_max: int = 2_000
    depth_max: int = 32
    refs_max: int = 64
    expanded_max: int = 10_000
    pattern_max: int = 1 << 10
    fuel: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Weight:
    """What checking a value costs, in steps.

    Attributes:
        per_node: Steps per scalar, object or array: subschemas and enum members, references written out.
        per_byte: Steps per byte of a string: what the patterns weigh.
    """

    per_node: int
    per_byte: int


def weigh(schema: object, limits: SchemaLimits = SchemaLimits()) -> Weight:  # frozen
    """Refuse a schema that passes a limit or would need a fetch; return what it costs.

    Raises:
        DefinitionError: With the code of the limit (`schema.too_large`, `schema.remote`, …) and the place.
    """
    try:
        check_json(schema, LIMITS)
        size = len(canonical(schema))
    except BadInput as error:
        raise DefinitionError(f"the schema is not JSON: {error}", code="schema.json") from None
    if size > limits.bytes_max:
        raise _too("large", f"{size} bytes", limits.bytes_max)
    if not isinstance(schema, dict | bool):
        raise DefinitionError("a schema is an object or a boolean", code="schema.json")
    read = _read(schema, limits)
    if read.refs > limits.refs_max:
        raise _too("many_refs", f"{read.refs} references", limits.refs_max)
    return _expanded(schema, read, limits)


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each direct subschema with its RFC 6901 pointer from the schema; those only stored for reference too."""
    for key, value in schema.items():
        if isinstance(value, dict):
            if key in NAMED or key in STORED:
                for name, part in value.items():
                    if isinstance(part, dict | bool):
                        yield f"/{key}/{name.replace('~', '~0').replace('/', '~1')}", part
            elif key in ONE:
                yield f"/{key}", value
        elif isinstance(value, bool):
            if key in ONE:
                yield f"/{key}", value
        elif isinstance(value, list) and key in MANY:
            for index, part in enumerate(value):
                yield f"/{key}/{index}", part


@dataclass(slots=True)
class _Read:
    """What one pass over a schema found: where its names lead, and its own cost by identity of the part."""

    bases: dict[int, str] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    anchors: dict[str, list[Any]] = field(default_factory=dict)
    dynamic: dict[str, list[Any]] = field(default_factory=dict)
    refs: int = 0
    count: int = 0


def _read(schema: Any, limits: SchemaLimits) -> _Read:
    read = _Read(resources={"": schema})
    waiting: list[tuple[Any, str, str, int]] = [(schema, "", "", 0)]
    while waiting:
        part, where, base, depth = waiting.pop()
        read.count += 1
        if read.count > limits.subschemas_max:
            raise _too("many_subschemas", "more subschemas", limits.subschemas_max)
        if depth > limits.depth_max:
            raise _too("deep", f"{where}: nested deeper", limits.depth_max)
        if not isinstance(part, dict):
            continue
        base = _named(part, where, base, read)
        read.bases[id(part)] = base
        _patterns(part, where, limits)
        for keyword in _REFERENCES:
            read.refs += isinstance(part.get(keyword), str)
        waiting.extend((found, where + step, base, depth + 1) for step, found in subschemas(part))
    return read


def _named(part: dict[str, Any], where: str, base: str, read: _Read) -> str:
    """Enter the names that a part gives itself; return the base that holds within it."""
    meta = part.get("$schema")
    if isinstance(meta, str) and meta.rstrip("#") not in DRAFTS:
        raise DefinitionError(
            f"{where or '/'}: unknown meta-schema {meta[:200]!r}",
            code="schema.remote",
            remedy="Use draft 7 or 2020-12.",
        )
    own = part.get("$id", part.get("id"))
    if isinstance(own, str):
        if own.startswith("#"):
            read.anchors.setdefault(base + own, []).append(part)
        else:
            base = urldefrag(_joined(base, own)).url
            read.resources.setdefault(base, part)
    for keyword in ("$anchor", "$dynamicAnchor"):
        anchor = part.get(keyword)
        if isinstance(anchor, str):
            read.anchors.setdefault(f"{base}#{anchor}", []).append(part)
            if keyword == "$dynamicAnchor":
                read.dynamic.setdefault(anchor, []).append(part)
    return base


def _patterns(part: dict[str, Any], where: str, limits: SchemaLimits) -> None:
    named = part.get("patternProperties")
    patterns = [*named] if isinstance(named, dict) else []
    for pattern in [*patterns, part.get("pattern")]:
        if not isinstance(pattern, str):
            continue
        if len(pattern.encode()) > limits.pattern_max:
            raise _too(
                "long_pattern", f"{where or '/'}: a pattern of {len(pattern.encode())} bytes", limits.pattern_max
            )
        # `(?m)` would make `$` the end of a line, and a second line would pass unread.
        if any(flags != "(?:" for flags in _INLINE_FLAGS.findall(pattern)):
            raise DefinitionError(
                f"{where or '/'}: a pattern sets flags", code="schema.pattern", remedy="Write the classes out."
            )


def _expanded(schema: Any, read: _Read, limits: SchemaLimits) -> Weight:
    """Walk every path through the references, each target once per path, and add up."""
    per_node = per_byte = steps = 0
    waiting: list[tuple[Any, frozenset[int]]] = [(schema, frozenset())]
    while waiting:
        part, path = waiting.pop()
        steps += 1
        if steps > limits.expanded_max:
            raise _too("expanded", "more subschemas when its references are written out", limits.expanded_max)
        per_node += 1
        if not isinstance(part, dict):
            continue
        enum = part.get("enum")
        if isinstance(enum, list):
            per_node += _members(enum)
        per_byte += _pattern_weight(part)
        for key, found in subschemas(part):
            if key.split("/")[1] not in STORED:
                waiting.append((found, path))
        for target in _targets(part, read):
            if target is None:
                per_node += _META_WEIGHT
            elif id(target) not in path:
                waiting.append((target, path | {id(target)}))
    return Weight(per_node, per_byte)


def _targets(part: dict[str, Any], read: _Read) -> Iterator[Any]:
    """Where the references of a part may lead; None for a meta-schema that the engine carries."""
    for keyword in _REFERENCES:
        reference = part.get(keyword)
        if not isinstance(reference, str):
            continue
        address, fragment = urldefrag(_joined(read.bases.get(id(part), ""), reference))
        if address in read.resources:
            yield from _within(read.resources[address], address, fragment, read)
        elif address.startswith(("http://json-schema.org/draft-", "https://json-schema.org/draft/")):
            yield None
        else:
            raise DefinitionError(
                f"the reference {reference[:200]!r} leads outside the schema",
                code="schema.remote",
                remedy="Put its target under $defs.",
            )
        if keyword == "$dynamicRef":
            yield from read.dynamic.get(fragment, ())
        elif keyword == "$recursiveRef":
            yield from read.resources.values()


def _within(resource: Any, address: str, fragment: str, read: _Read) -> Iterator[Any]:
    if fragment and not fragment.startswith("/"):
        yield from read.anchors.get(f"{address}#{fragment}", ())
        return
    try:
        yield at_pointer(resource, unquote(fragment))
    except BadInput:
        raise DefinitionError(f"the reference to {fragment[:200]!r} leads nowhere", code="schema.reference") from None


def _joined(base: str, reference: str) -> str:
    """An address within a base; `urljoin` alone does not know that a URN has fragments."""
    return base + reference if reference.startswith("#") else urljoin(base, reference)


def _members(values: list[Any]) -> int:
    """What comparing with each member costs: a scalar one step, a container its parts ten each."""
    if all(not isinstance(value, dict | list) for value in values):
        return len(values) // 10
    return len(canonical(values))


def _pattern_weight(part: dict[str, Any]) -> int:
    named = part.get("patternProperties")
    patterns = [*named] if isinstance(named, dict) else []
    if isinstance(part.get("pattern"), str):
        patterns.append(part["pattern"])
    return sum(_states(pattern) for pattern in patterns)


def _states(pattern: str) -> int:
    """About how many states the automaton of a pattern has: its characters, counted repetitions written out."""
    weights = [[0]]
    index = 0
    while index < len(pattern):
        found = pattern[index]
        if found == "\\":
            atom, index = (40 if pattern[index + 1 : index + 2] in ("p", "P") else 1), index + 2
            weights[-1].append(atom)
        elif found == "[":
            end = index + 1
            while end < len(pattern) and pattern[end] != "]":
                end += 2 if pattern[end] == "\\" else 1
            weights[-1].append(1 + 40 * pattern.count("\\p", index, end))
            index = end + 1
        elif found == "(":
            weights.append([0])
            index += 1
        elif found == ")" and len(weights) > 1:
            whole = sum(weights.pop())
            weights[-1].append(whole)
            index += 1
        elif found == "{" and (times := re.match(r"\{(\d+)(?:,(\d*))?\}", pattern[index:])):
            weights[-1][-1] *= max(1, int(times[2] or times[1]))
            index += times.end()
        else:
            weights[-1].append(1)
            index += 1
    return max(1, sum(map(sum, weights)))


def _too(code: str, what: str, at_most: int) -> DefinitionError:
    return DefinitionError(
        f"the schema is too much: {what}", code=f"schema.{code}", remedy=f"At most {at_most} are accepted."
    )
