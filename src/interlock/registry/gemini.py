"""JSON Schema projected on the subset that Gemini's function declarations take, saying what was left out; and back.

The full schema still decides: a call that the projection admits and the schema does not is refused by
`validate` like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.core.canonical import at_pointer
from interlock.errors import BadInput

_KEPT: Final = frozenset(
    {"title", "description", "format", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength"}
    | {"maxLength", "minProperties", "maxProperties", "required"}
)
"""Keywords that mean the same there."""

_SILENT: Final = frozenset({"$schema", "$id", "$comment", "$defs", "definitions", "examples"})
"""Keywords without which the same values are valid."""

_PARTS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Projection:
    """A projected schema.

    Attributes:
        schema: In Gemini's subset of OpenAPI 3.0.
        dropped: What it does not say, one line each, with a pointer into the source; empty where it says all.
    """

    schema: dict[str, Any]
    dropped: tuple[str, ...]


def project(schema: Mapping[str, Any]) -> Projection:
    """Say as much of a schema as the subset can: local references are written out, types upper-cased."""
    work = _Work(schema)
    return Projection(work.part(schema, "", ()), tuple(work.dropped))


def unproject(schema: Any) -> Any:
    """A schema of the subset as JSON Schema: types in lower case, null among the types or the alternatives."""
    if not isinstance(schema, Mapping):
        return schema
    said: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties" and isinstance(value, Mapping):
            said[key] = {name: unproject(part) for name, part in value.items()}
        elif key == "anyOf" and isinstance(value, list):
            said[key] = [unproject(part) for part in value]
        elif key == "items":
            said[key] = unproject(value)
        elif key == "type" and isinstance(value, str):
            said[key] = value.lower()
        elif key not in ("nullable", "propertyOrdering"):
            said[key] = value
    if schema.get("nullable") is True:
        if "anyOf" in said:
            said["anyOf"] = [*said["anyOf"], {"type": "null"}]
        elif "type" in said:
            said["type"] = [said["type"], "null"]
        if "enum" in said:
            said["enum"] = [*said["enum"], None]
    return said


@dataclass(slots=True)
class _Work:
    root: Mapping[str, Any]
    dropped: list[str] = field(default_factory=list)
    parts: int = 0

    def part(self, schema: Any, where: str, path: tuple[int, ...]) -> dict[str, Any]:
        """One subschema; `path` holds the references that led here, so that a loop ends."""
        self.parts += 1
        if not isinstance(schema, Mapping):
            if schema is False:
                self.dropped.append(f"{where}: that nothing is valid")
            return {}
        if self.parts > _PARTS_MAX:
            self.dropped.append(f"{where}: everything, because references written out are too many")
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._referred(schema, reference, where, path)
        said: dict[str, Any] = {}
        # what the schema says itself comes first: it is not to be overwritten by a part that must hold besides
        for key, value in sorted(schema.items(), key=lambda each: each[0] in ("anyOf", "oneOf", "allOf")):
            if key in _KEPT:
                said[key] = value
            elif (say := _SAYERS.get(key)) is not None:
                say(self, said, schema, where, path)
            elif key not in _SILENT:
                self.dropped.append(f"{where}/{key}")
        return said

    def _referred(self, schema: Mapping[str, Any], reference: str, where: str, path: tuple[int, ...]) -> dict[str, Any]:
        try:
            target = at_pointer(self.root, reference.removeprefix("#")) if reference.startswith("#") else None
        except BadInput:
            target = None
        if target is None or id(target) in path:
            self.dropped.append(f"{where}/$ref: what {reference} says" + (" (it refers to itself)" if target else ""))
            return {"type": "OBJECT"} if target else {}
        said = self.part(target, where, (*path, id(target)))
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**said, **self.part(beside, where, path)} if beside else said

    def say_type(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """`["string", "null"]` is a nullable string; several types are alternatives."""
        types = schema["type"]
        names = [types] if isinstance(types, str) else list(types)
        if "null" in names and len(names) > 1:
            said["nullable"] = True
            names.remove("null")
        if len(names) == 1:
            said["type"] = names[0].upper()
        else:
            said["anyOf"] = [{"type": name.upper()} for name in names]

    def say_values(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """Only texts can be enumerated."""
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        if "enum" in schema and "const" in schema:
            self.dropped.append(f"{where}/const")
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) + (None in values) < len(values) or not texts:
            self.dropped.append(f"{where}/{'enum' if 'enum' in schema else 'const'}")
            return
        said["enum"] = texts
        said.setdefault("type", "STRING")
        if None in values:
            said["nullable"] = True

    def say_any(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """Alternatives; the one that is null makes the whole nullable."""
        key = "anyOf" if "anyOf" in schema else "oneOf"
        if key == "oneOf" or "oneOf" in schema:
            self.dropped.append(f"{where}/oneOf: that only one alternative may fit")
        found = [self.part(each, f"{where}/{key}/{at}", path) for at, each in enumerate(schema[key])]
        kept = [each for each in found if each.get("type") != "NULL"]
        if len(kept) < len(found):
            said["nullable"] = True
        if len(kept) == 1:
            self._join(said, kept[0], f"{where}/{key}")
        elif kept:
            said["anyOf"] = kept

    def say_all(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """One part that must hold besides is written in; several may contradict each other."""
        parts = schema["allOf"]
        if len(parts) > 1:
            self.dropped.append(f"{where}/allOf: all but the first part")
        self._join(said, self.part(parts[0], f"{where}/allOf/0", path), f"{where}/allOf/0")

    def _join(self, said: dict[str, Any], other: dict[str, Any], where: str) -> None:
        """What another part says besides; where both say something else, the schema's own word stays."""
        for name, value in other.items():
            if said.setdefault(name, value) != value:
                self.dropped.append(f"{where}/{name}")

    def say_parts(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """The properties, in their order."""
        named = schema["properties"]
        said["properties"] = {key: self.part(value, f"{where}/properties/{key}", path) for key, value in named.items()}

    def say_items(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """Items of one form."""
        if isinstance(schema["items"], Mapping):
            said["items"] = self.part(schema["items"], f"{where}/items", path)
        else:
            self.dropped.append(f"{where}/items")

    def say_default(self, said: dict[str, Any], schema: Mapping[str, Any], where: str, path: tuple[int, ...]) -> None:
        """Taken and ignored there; kept because a model reads it."""
        said["default"] = schema["default"]


_SAYERS: Final = {
    "type": _Work.say_type,
    "enum": _Work.say_values,
    "const": _Work.say_values,
    "anyOf": _Work.say_any,
    "oneOf": _Work.say_any,
    "allOf": _Work.say_all,
    "properties": _Work.say_parts,
    "items": _Work.say_items,
    "default": _Work.say_default,
}
