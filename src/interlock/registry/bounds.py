"""What a JSON Schema may be at most, counted before any engine sees it.

A schema comes from whoever runs the server. The engine matches patterns in linear time and retrieves
nothing, but it has no fuel: what a schema may cost is counted here, once, at load, and multiplied with the
size of a value before that is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

from interlock.core.canonical import LIMITS, at_pointer, canonical, check_json
from interlock.errors import BadInput, DefinitionError
from interlock.registry.patterns import check_patterns, patterns_weight

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

_INWARD: Final = {
    "additionalProperties": "*", "patternProperties": "*", "propertyNames": "*", "unevaluatedProperties": "*",
    "additionalItems": "#", "contains": "#", "items": "#", "prefixItems": "#", "unevaluatedItems": "#",
}  # fmt: skip
"""Keywords that apply to what is in a value, beside `properties`: to any property or to any item."""

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_META_WEIGHT: Final = 400
_LOOPS_MAX: Final = 256


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
        growth: Times as many steps per level deeper, where the schema comes back to itself by ways that meet.
        alternatives: It has `anyOf` or `oneOf` with more than a scalar in an alternative; the engine keeps every
            fault of every alternative.
    """

    per_node: int
    per_byte: int
    growth: int
    alternatives: bool

    def steps(self, value: Any, size: int) -> int:
        """Steps that checking a value costs at most; `size` is its length as text, in bytes."""
        nodes, level, factor = 0, [value], 1
        while level:
            nodes += factor * len(level)
            deeper: list[Any] = []
            for item in level:
                if type(item) is dict:
                    deeper.extend(item.values())
                elif type(item) is list:
                    deeper.extend(item)
            level = deeper
            factor = min(factor * self.growth, 1 << 62)
        return self.per_node * nodes + self.per_byte * size


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


class _Way(NamedTuple):
    """How a walk came to a part.

    Attributes:
        steps: Steps into the value: a property's name, `*` for any property, `#` for any item.
        entered: By identity, the targets that it is inside, with the number of steps on entry.
    """

    steps: tuple[str, ...]
    entered: dict[int, int]

    def into(self, keyword: str, name: str) -> _Way:
        """One keyword further: most apply to the same value, some to what is in it."""
        if keyword == "properties":
            return _Way((*self.steps, "." + name), self.entered)
        step = _INWARD.get(keyword)
        return self if step is None else _Way((*self.steps, step), self.entered)


@dataclass(slots=True)
class _Read:
    """What one pass over a schema found: where its names lead, and its own cost by identity of the part."""

    draft: int
    bases: dict[int, str] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    anchors: dict[str, list[Any]] = field(default_factory=dict)
    dynamic: dict[str, list[Any]] = field(default_factory=dict)
    refs: int = 0
    count: int = 0


def _read(schema: Any, limits: SchemaLimits) -> _Read:
    read = _Read(draft=_draft(schema, ""), resources={"": schema})
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
        check_patterns(part, where, limits.pattern_max)
        for keyword in _REFERENCES:
            read.refs += isinstance(part.get(keyword), str)
        waiting.extend((found, where + step, base, depth + 1) for step, found in subschemas(part))
    return read


def _named(part: dict[str, Any], where: str, base: str, read: _Read) -> str:
    """Enter the names that a part gives itself; return the base that holds within it."""
    if "$schema" in part and _draft(part, where) != read.draft:
        raise DefinitionError(f"{where or '/'}: another meta-schema", code="schema.remote", remedy="Use one draft.")
    own = part.get("id" if read.draft == 4 else "$id")
    if isinstance(own, str) and not (read.draft <= 7 and "$ref" in part):  # there a reference stands alone
        if own.startswith("#"):
            read.anchors.setdefault(base + own, []).append(part)
        else:
            base = urldefrag(_joined(base, own)).url
            if read.resources.setdefault(base, part) is not part:
                raise DefinitionError(
                    f"two parts are named {base[:200]!r}", code="schema.reference", remedy="Rename one."
                )
    for keyword in ("$anchor", "$dynamicAnchor"):
        anchor = part.get(keyword)
        if isinstance(anchor, str):
            read.anchors.setdefault(f"{base}#{anchor}", []).append(part)
            if keyword == "$dynamicAnchor":
                read.dynamic.setdefault(anchor, []).append(part)
    return base


def _expanded(schema: Any, read: _Read, limits: SchemaLimits) -> Weight:
    """Walk every path through the references, each target once per path, and add up."""
    per_node = per_byte = parts = 0
    alternatives = False
    loops: list[tuple[str, ...]] = []
    waiting: list[tuple[Any, _Way]] = [(schema, _Way((), {id(schema): 0}))]
    while waiting:
        part, way = waiting.pop()
        parts += 1
        if parts > limits.expanded_max:
            raise _too("expanded", "more subschemas when its references are written out", limits.expanded_max)
        if not isinstance(part, dict):
            continue
        per_node += _members_weight(part)
        per_byte += patterns_weight(part)
        alternatives = alternatives or _has_deep_alternatives(part)
        for step, found in subschemas(part):
            keyword, _, name = step[1:].partition("/")
            if keyword not in STORED:
                waiting.append((found, way.into(keyword, name)))
        for target in _targets(part, read):
            if target is None:
                per_node += _META_WEIGHT
                loops += [way.steps, way.steps]
            elif id(target) not in way.entered:
                waiting.append((target, _Way(way.steps, {**way.entered, id(target): len(way.steps)})))
            elif way.entered[id(target)] == len(way.steps):
                raise DefinitionError("a reference leads back to itself", code="schema.loop", remedy="Remove it.")
            else:
                loops.append(way.steps)
    return Weight(per_node + parts, per_byte, _growth(loops), alternatives)


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


def _draft(schema: Any, where: str) -> int:
    """The draft that a schema names, 2020-12 where it names none."""
    meta = schema.get("$schema") if isinstance(schema, dict) else None
    if meta is None:
        return 2020
    draft = DRAFTS.get(meta.rstrip("#")) if isinstance(meta, str) else None
    if draft is None:
        named = repr(meta)[:200]
        raise DefinitionError(
            f"{where or '/'}: unknown meta-schema {named}", code="schema.remote", remedy="Use draft 7 or 2020-12."
        )
    return draft


def _joined(base: str, reference: str) -> str:
    """An address within a base; `urljoin` alone does not know that a URN has fragments."""
    if reference.startswith("#"):
        return base + reference
    try:
        return urljoin(base, reference)
    except ValueError as error:
        raise DefinitionError(f"{reference[:200]!r} is no address: {error}", code="schema.reference") from None


def _growth(loops: list[tuple[str, ...]]) -> int:
    """How many times as much there is to check one level deeper in a value.

    A schema that comes back to itself by two ways that can meet in one place checks that place twice, the
    places below four times, and so on. Ways that part at a property do not meet.
    """
    if len(loops) > _LOOPS_MAX:
        raise _too("recursive", f"it comes back to itself in {len(loops)} ways", _LOOPS_MAX)
    return max((sum(map(_meet, [one] * len(loops), loops)) for one in loops), default=1)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two ways into a value can lead to one place, or one of them to a place within the other's."""
    return all(a == b or ("*" in (a, b) and "#" not in (a, b)) for a, b in zip(one, other, strict=False))


def _members_weight(part: dict[str, Any]) -> int:
    """What comparing with the values that a part names costs: scalars are looked up, containers compared in full."""
    named = [part["const"]] if "const" in part else []
    if isinstance(part.get("enum"), list):
        named += part["enum"]
    scalars = sum(not isinstance(value, dict | list) for value in named)
    containers = [value for value in named if isinstance(value, dict | list)]
    return scalars // 10 + (len(canonical(containers)) if containers else 0)


def _has_deep_alternatives(part: dict[str, Any]) -> bool:
    branches = [part[key] for key in ("anyOf", "oneOf") if isinstance(part.get(key), list)]
    alternatives = [each for branch in branches for each in branch if isinstance(each, dict)]
    return any("$ref" in each or any(subschemas(each)) for each in alternatives)


def _too(code: str, what: str, at_most: int) -> DefinitionError:
    return DefinitionError(
        f"the schema is too much: {what}", code=f"schema.{code}", remedy=f"At most {at_most} are accepted."
    )
