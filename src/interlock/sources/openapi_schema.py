"""Schemas of OpenAPI 3.0 and 3.1 as JSON Schemas of draft 2020-12 that need nothing but themselves.

Only keywords that this file knows pass. What comes of it is weighed like any foreign schema (registry/bounds.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from interlock.errors import BadInput, DefinitionError
from interlock.registry.bounds import MANY, NAMED, ONE, SchemaLimits
from interlock.registry.schema import compile_schema
from interlock.sources.openapi_document import Document

DESCRIPTION_MAX: Final = 1_000
"""Characters of the description of a parameter or property; what is longer is cut."""

_LIMITS: Final = SchemaLimits()

_VALUES: Final = frozenset(
    "type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems"
    " minItems uniqueItems maxContains minContains maxProperties minProperties required dependentRequired format"
    " contentEncoding contentMediaType default".split()
)
_ASSERTED_IN_REQUESTS: Final = frozenset({"format", "pattern", "default"})
"""Of a result its shape is checked, no formats and no patterns: services break these in their own documents."""

_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


class Schemas:
    """Converts the schemas of one document in one direction.

    Args:
        result: Whether what is described is an answer: then what is only written is left out, else what is only read.
    """

    def __init__(self, document: Document, *, result: bool) -> None:
        self._document = document
        self._result = result
        self._hidden = "writeOnly" if result else "readOnly"

    def whole(self, node: Any) -> dict[str, Any]:
        """A schema that stands by itself: with references into its `$defs`, or written out where that is within bounds.

        Raises:
            BadInput: It refers outside the document, or to nothing.
            DefinitionError: It passes a limit, or is no schema.
        """
        try:
            return self._checked(_Pass(self, self._document, inline=False).whole(node))
        except DefinitionError as error:
            if error.code != "schema.many_refs":
                raise
        return self._checked(_Pass(self, self._document, inline=True).whole(node))

    def plain(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """One schema without its subschemas: what of it is plain JSON Schema."""
        allowed = _VALUES - _ASSERTED_IN_REQUESTS if self._result else _VALUES
        made = {key: value for key, value in part.items() if key in allowed}
        if not isinstance(made.get("required", []), list):
            del made["required"]  # `required: true` on a property: draft 3, and common
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(made.get(exclusive), bool) and made.pop(exclusive) and bound in made:
                made[exclusive] = made.pop(bound)
        if isinstance(part.get("description"), str) and part["description"] and not self._result:
            made["description"] = part["description"][:DESCRIPTION_MAX]
        if not self._result and (made.get("format") == "binary" or "contentMediaType" in made):
            made.pop("format", None)
            made.setdefault("contentEncoding", "base64")  # bytes have no other form in JSON
        if part.get("x-role") == "option-safe":
            made["not"] = {"type": "string", "pattern": "^-"}  # what begins with a dash would be an option (T21)
        return made

    def hides(self, part: Any) -> bool:
        """Whether a property is not of this direction."""
        if isinstance(part, Mapping) and "$ref" in part:
            part = self._document.followed(part)
        return isinstance(part, Mapping) and part.get(self._hidden) is True

    def _checked(self, schema: dict[str, Any]) -> dict[str, Any]:
        compile_schema(schema)
        return schema


class _Pass:
    """One conversion, which collects what it refers to."""

    def __init__(self, schemas: Schemas, document: Document, *, inline: bool) -> None:
        self._schemas = schemas
        self._document = document
        self._inline = inline
        self._names: dict[str, str] = {}
        self._waiting: list[str] = []
        self._left = _LIMITS.subschemas_max

    def whole(self, node: Any) -> dict[str, Any]:
        made = self._converted(node, ())
        made = {"not": {}} if made is False else {} if made is True else made
        definitions: dict[str, Any] = {}
        while self._waiting:
            reference = self._waiting.pop()
            definitions[self._names[reference]] = self._converted(self._document.at(reference), (reference,))
        return made | {"$defs": definitions} if definitions else made

    def _converted(self, node: Any, within: tuple[str, ...]) -> Any:
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise BadInput("a schema that is none", code="openapi.operation")
        self._left -= 1
        if self._left < 0 or len(within) > _LIMITS.depth_max:
            raise DefinitionError("the schema is too much", code="schema.many_subschemas")
        if "$ref" in node:
            return self._referred(node["$ref"], within)
        made = self._schemas.plain(node)
        for key, value in node.items():
            if key in NAMED and key != "dependencies" and isinstance(value, Mapping):
                made[key] = {name: self._converted(part, within) for name, part in self._shown(key, value, made)}
            elif key in MANY and isinstance(value, list):
                if key != "items":
                    made[key] = [self._converted(part, within) for part in value]
            elif key in ONE and key != "additionalItems" and isinstance(value, Mapping | bool):
                part = self._converted(value, within)
                if key == "not" and "not" in made:
                    made.setdefault("allOf", []).append({"not": part})
                else:
                    made[key] = part
        return _nullable(made) if node.get("nullable") is True else made

    def _shown(self, key: str, parts: Mapping[str, Any], made: dict[str, Any]) -> list[tuple[str, Any]]:
        if key != "properties":
            return list(parts.items())
        hidden = {name for name, part in parts.items() if self._schemas.hides(part)}
        if hidden and "required" in made:
            made["required"] = [name for name in made["required"] if name not in hidden]
        return [(name, part) for name, part in parts.items() if name not in hidden]

    def _referred(self, reference: Any, within: tuple[str, ...]) -> Any:
        target = self._document.at(reference)
        if self._inline and reference not in within:
            return self._converted(target, (*within, reference))
        if reference not in self._names:
            wanted = _NAME.sub("_", str(reference).rpartition("/")[2])[:60] or "schema"
            taken = set(self._names.values())
            name, number = wanted, 2
            while name in taken:
                name, number = f"{wanted}_{number}", number + 1
            self._names[reference] = name
            self._waiting.append(reference)
        return {"$ref": f"#/$defs/{self._names[reference]}"}


def _nullable(made: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    if isinstance(made.get("type"), str) and not {"allOf", "anyOf", "oneOf", "const", "not"} & made.keys():
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
        return made
    return {"anyOf": [made, {"type": "null"}]}
