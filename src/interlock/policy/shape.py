"""What of a JSON Schema policy can see with a type, and how a value takes that type.

A shape is made once per tool; `fit` is the only way in which outside data becomes a Cedar value. What has
no one type (a union, an open object) has no shape and is reported as a `Gap`; a value that does not take
its shape exactly is `Untyped`, and a rule that reads it forbids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from interlock.core.canonical import Json
from interlock.core.clock import iso

RESERVED = frozenset({"__entity", "__extn", "__expr"})
"""Keys that Cedar's JSON reads as its own: with one of them a model could name itself an entity."""

_I64 = 1 << 63
_FRACTION = Decimal("0.0001")
_SUBSCHEMAS_MAX = 2000
_DEPTH_MAX = 8
_HOPS_MAX = 64
_FORMATS = {
    "date": "datetime",
    "date-time": "datetime",
    "ipv4": "ipaddr",
    "ipv6": "ipaddr",
    "uri": "uri",
    "email": "email",
}
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?")
_EMAIL = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)")
_PORTS = {"http": 80, "https": 443}


class Gap(NamedTuple):
    """A part of a schema that policy cannot see.

    Attributes:
        field: RFC 6901 pointer into the arguments; `*` stands for any item.
        why: What keeps it from having one type.
    """

    field: str
    why: str


class Untyped(Exception):
    """A value does not take its shape exactly. The message has no value in it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One Cedar type.

    Attributes:
        kind: `String`, `Long`, `Boolean`, `decimal`, `datetime`, `instant` (a datetime from microseconds),
            `ipaddr`, `uri`, `email`, `set` or `record`.
        item: Shape of a set's items.
        fields: A record's fields.
        required: Fields that are always there.
    """

    kind: str
    item: Shape | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


def record(fields: Mapping[str, Shape], optional: Iterable[str] = ()) -> Shape:
    """A record whose fields are all there but the optional ones."""
    return Shape("record", fields=fields, required=frozenset(fields).difference(optional))


TEXT, LONG, FLAG, DECIMAL = Shape("String"), Shape("Long"), Shape("Boolean"), Shape("decimal")
TEXTS = Shape("set", item=TEXT)
_URI = record({"text": TEXT, "scheme": TEXT, "host": TEXT, "port": LONG, "path": TEXT}, ("port",))
_ADDRESS = record({"text": TEXT, "local": TEXT, "domain": TEXT})


def shape_of(schema: Mapping[str, Any]) -> tuple[Shape, tuple[Gap, ...]]:
    """The record that an object schema describes, and what of it has no type.

    A schema that is no object (of a foreign tool) is an empty record with one gap.
    """
    reader = _Reader(schema)
    try:
        shape = reader.read(schema, "", ())
    except Untyped as error:
        return record({}), (*reader.gaps, Gap("", str(error)))
    if shape.kind != "record":
        return record({}), (*reader.gaps, Gap("", "it is not an object"))
    return shape, tuple(reader.gaps)


def cedar_type(shape: Shape) -> dict[str, Any]:
    """The shape as a type of Cedar's JSON schema."""
    match shape.kind:
        case "record":
            attributes = {
                name: {**cedar_type(part), "required": name in shape.required} for name, part in shape.fields.items()
            }
            return {"type": "Record", "attributes": attributes}
        case "set":
            assert shape.item is not None, "a set has an item"
            return {"type": "Set", "element": cedar_type(shape.item)}
        case "uri":
            return cedar_type(_URI)
        case "email":
            return cedar_type(_ADDRESS)
        case "instant":
            return {"type": "Extension", "name": "datetime"}
        case "decimal" | "datetime" | "ipaddr":
            return {"type": "Extension", "name": shape.kind}
    return {"type": shape.kind}


def fit(shape: Shape, value: object) -> Json:
    """The value in Cedar's JSON, as the schema-directed parser reads it. Nulls are absent.

    Raises:
        Untyped: The value is not exactly of this shape: an integer beyond 64 bits, a fraction of more
            than four digits, a date that is none, a list with one such item.
    """
    match shape.kind:
        case "String" if type(value) is str:
            return value
        case "Boolean" if type(value) is bool:
            return value
        case "Long":
            return _long(value)
        case "record" if isinstance(value, (dict, Mapping)):  # most are dicts, which is quickly asked
            return {name: fit(part, value[name]) for name, part in shape.fields.items() if value.get(name) is not None}
        case "set" if isinstance(value, list):
            assert shape.item is not None, "a set has an item"
            return [fit(shape.item, item) for item in value if item is not None]
        case "decimal":
            return _decimal(value)
        case "instant" if type(value) is int:
            return iso(value)
        case "datetime" if type(value) is str:
            return _datetime(value)
        case "ipaddr" if type(value) is str:
            return _ipaddr(value)
        case "uri" if type(value) is str:
            return _uri(value)
        case "email" if type(value) is str:
            return _email(value)
    raise Untyped(f"a value of type {type(value).__name__} is no {shape.kind}")


def pruned(shape: Shape, paths: Iterable[tuple[str, ...]]) -> Shape:
    """The record with nothing but what the paths reach; the empty path reaches everything."""
    ways: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        if not path:
            return shape
        ways.setdefault(path[0], []).append(path[1:])
    if shape.kind != "record":
        return shape
    fields = {name: pruned(part, ways[name]) for name, part in shape.fields.items() if name in ways}
    return Shape("record", fields=fields, required=shape.required.intersection(fields))


def reaches(shape: Shape, path: tuple[str, ...]) -> bool:
    """Whether something stands at the path."""
    for name in path:
        part = {"uri": _URI, "email": _ADDRESS}.get(shape.kind, shape).fields.get(name)
        if part is None:
            return False
        shape = part
    return True


class _Reader:
    """One walk through one schema, with fuel: a reference may be followed to the same place many times.

    What has no shape raises `Untyped`; the nearest object turns that into a gap.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.gaps: list[Gap] = []
        self._root = root
        self._fuel = _SUBSCHEMAS_MAX

    def read(self, schema: object, at: str, seen: tuple[str, ...]) -> Shape:
        self._fuel -= 1
        if self._fuel < 0 or at.count("/") > _DEPTH_MAX or len(seen) > _HOPS_MAX:
            raise Untyped("the schema is too large or too deep")
        if not isinstance(schema, Mapping):
            raise Untyped("anything is accepted")
        if isinstance(where := schema.get("$ref"), str):
            if where in seen:
                raise Untyped("it refers to itself")
            return self.read(self._referred(where), at, (*seen, where))
        kinds = _types(schema)
        if kinds is not None:
            return self._typed([kind for kind in kinds if kind != "null"], schema, at, seen)
        for several in ("anyOf", "oneOf", "allOf"):
            if isinstance(branches := schema.get(several), list):
                real = [branch for branch in branches if not _is_null(branch)]
                if len(real) != 1:
                    raise Untyped("it is one of several")
                return self.read(real[0], at, (*seen, ""))
        raise Untyped("it has no type")

    def _typed(self, kinds: list[str], schema: Mapping[str, Any], at: str, seen: tuple[str, ...]) -> Shape:
        match kinds:
            case ["string"]:
                named = schema.get("format")
                return Shape(_FORMATS.get(named, "String") if isinstance(named, str) else "String")
            case ["integer"]:
                return LONG
            case ["number"]:
                return DECIMAL
            case ["boolean"]:
                return FLAG
            case ["array"]:
                if "prefixItems" in schema or "items" not in schema:
                    raise Untyped("its items have no one type")
                return Shape("set", item=self.read(schema["items"], at + "/*", seen))
            case ["object"]:
                return self._object(schema, at, seen)
        raise Untyped("it has more than one type")

    def _object(self, schema: Mapping[str, Any], at: str, seen: tuple[str, ...]) -> Shape:
        if schema.get("additionalProperties", True) is not False:
            self.gaps.append(Gap(at, "further properties are accepted"))
        properties, required = schema.get("properties"), schema.get("required")
        fields: dict[str, Shape] = {}
        optional: set[str] = set()
        for name, part in properties.items() if isinstance(properties, Mapping) else ():
            where = at + "/" + name.replace("~", "~0").replace("/", "~1")
            if name in RESERVED:
                self.gaps.append(Gap(where, "its name is one of Cedar's own"))
                continue
            try:
                fields[name] = self.read(part, where, seen)
            except Untyped as error:
                self.gaps.append(Gap(where, str(error)))
                continue
            if not isinstance(required, list) or name not in required or self._nullable(part, 0):
                optional.add(name)
        return record(fields, optional)

    def _nullable(self, schema: object, hops: int) -> bool:
        """Whether null may stand here; where that is not plain, it may."""
        if not isinstance(schema, Mapping) or hops > _DEPTH_MAX:
            return True
        if isinstance(where := schema.get("$ref"), str):
            return self._nullable(self._referred(where), hops + 1)
        kinds = _types(schema)
        return kinds is None or "null" in kinds

    def _referred(self, where: str) -> object:
        found: object = self._root
        if not where.startswith("#"):
            return None
        for part in where[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        return found


_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _types(schema: Mapping[str, Any]) -> list[str] | None:
    """Names of the types that the schema itself names, by `type` or else by its constants."""
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [str(kind) for kind in named]
    constants = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(constants, list) and constants:
        return sorted({_JSON_TYPES.get(type(constant), "other") for constant in constants})
    return None


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and _types(schema) == ["null"]


def _long(value: object) -> int:
    if type(value) is float and value.is_integer():  # JSON Schema counts 5.0 among the integers
        value = int(value)
    if type(value) is not int or not -_I64 <= value < _I64:
        raise Untyped("not an integer of 64 bits")
    return value


def _decimal(value: object) -> str:
    if type(value) is not int and type(value) is not float:
        raise Untyped("not a number")
    exact = Decimal(repr(value))  # the shortest text of a float is what was validated and hashed
    if not exact.is_finite() or abs(exact) >= _I64 // 10_000 or exact != exact.quantize(_FRACTION):
        raise Untyped("a number beyond four fraction digits or 900 million million")
    return f"{exact:.4f}"


def _datetime(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise Untyped("not a date or time")
    try:
        if len(text) == 10:
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Untyped("a time without a zone")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Untyped("not a date or time") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ipaddr(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise Untyped("not an IP address") from None
    if "%" in text:
        raise Untyped("an IP address with a zone")
    return str(address)


def _uri(text: str) -> Json:
    """Parts of a URL that every reader of it agrees on; anything that readers take differently is untyped."""
    if not _URL.fullmatch(text):
        raise Untyped("not a plain URL")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Untyped("not a plain URL") from None
    usual = _PORTS.get(parts.scheme)
    if not parts.scheme or "@" in parts.netloc or (usual and not host) or (host and not _HOST.fullmatch(host)):
        raise Untyped("not a plain URL")
    said: dict[str, Json] = {"text": text, "scheme": parts.scheme, "host": host.rstrip("."), "path": parts.path}
    if (known := usual if port is None else port) is not None:
        said["port"] = known
    return said


def _email(text: str) -> Json:
    found = _EMAIL.fullmatch(text)
    if found is None:
        raise Untyped("not a plain mail address")
    return {"text": text, "local": found[1], "domain": found[2].lower()}
