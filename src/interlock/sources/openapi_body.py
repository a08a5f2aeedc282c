"""The body of a request: which arguments are in it, and how they are written."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.core.canonical import canonical
from interlock.errors import BadInput
from interlock.sources.openapi_document import Document, named
from interlock.sources.openapi_encode import Pairs, in_query, scalar
from interlock.sources.openapi_media import essence, kind_of, preferred

_BYTES: Final = {"type": "string", "contentEncoding": "base64", "description": "The bytes, in base64."}

_APART: Final = frozenset(
    "allOf anyOf oneOf not if patternProperties dependentRequired dependentSchemas minProperties maxProperties"
    " propertyNames nullable discriminator unevaluatedProperties".split()
)
"""What a schema says of an object as a whole: its properties cannot stand among other arguments then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request carries.

    Attributes:
        media: Its media type, as it is sent.
        kind: `json`, `form`, `multipart`, `text` or `binary`.
        argument: The argument that it is; empty where `fields` are.
        fields: Arguments that are its properties.
        styles: Style and explode of a property in a form, where the document says them.
        files: Properties that are bytes.
    """

    media: str
    kind: str
    argument: str
    fields: tuple[str, ...] = ()
    styles: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    files: frozenset[str] = frozenset()

    def value(self, arguments: Mapping[str, Any]) -> Any:
        """What of the arguments is in it; None for none."""
        if self.argument:
            return arguments.get(self.argument)
        return {name: arguments[name] for name in self.fields if name in arguments}

    def written(self, value: Any) -> tuple[str, bytes]:
        """Its media type and its bytes.

        Raises:
            BadInput: The value has no form in this media type.
        """
        match self.kind:
            case "json":
                return self.media.replace("*/*", "application/json"), canonical(value)
            case "form":
                return self.media, "&".join(f"{name}={part}" for name, part in self._pairs(value)).encode()
            case "multipart":
                return self._parts(value)
            case "text":
                return self.media, scalar(value).encode()
        return self.media.replace("*/*", "application/octet-stream"), _bytes(value)

    def _pairs(self, value: Any) -> Pairs:
        pairs: Pairs = []
        for name, part in _members(value):
            nested = isinstance(part, dict) or (
                isinstance(part, list) and any(isinstance(each, dict | list) for each in part)
            )
            style, explode = self.styles.get(name, ("deepObject" if nested else "form", True))
            pairs += in_query(style, explode, name, part)
        return pairs

    def _parts(self, value: Any) -> tuple[str, bytes]:
        parts = []
        for name, part in _members(value):
            for each in part if isinstance(part, list) else [part]:
                parts.append(self._part(name, each))
        content = b"".join(parts)
        boundary = "interlock-" + hashlib.sha256(content).hexdigest()[:40]
        if boundary.encode() in content:  # nobody can write a text that holds its own digest
            raise BadInput("a part that holds its own boundary", code="openapi.value")
        edge = b"--" + boundary.encode()
        body = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts)
        return f"multipart/form-data; boundary={boundary}", body + edge + b"--\r\n"

    def _part(self, name: str, value: Any) -> bytes:
        shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'content-disposition: form-data; name="{shown}"'
        if name in self.files:
            head += f'; filename="{shown}"\r\ncontent-type: application/octet-stream'
            return head.encode() + b"\r\n\r\n" + _bytes(value)
        if isinstance(value, dict | list):
            return head.encode() + b"\r\ncontent-type: application/json\r\n\r\n" + canonical(value)
        return head.encode() + b"\r\n\r\n" + scalar(value).encode()


def body_of(
    document: Document, said: Mapping[str, Any], taken: frozenset[str]
) -> tuple[Body, dict[str, Any], list[str]]:
    """The body, the properties that it adds to the arguments, and which of them are required.

    Args:
        taken: Names of the other arguments.

    Raises:
        BadInput: It has no media type that can be written.
    """
    content = named(said.get("content"))
    media = preferred(content)
    if not media:
        raise BadInput("a body of no media type", code="openapi.operation")
    kind = kind_of(media)
    schema: Any = named(content[media]).get("schema", {})
    whole = document.followed(schema) if isinstance(schema, Mapping) else {}
    if kind == "text" and whole.get("type", "string") != "string":
        raise BadInput(f"a body of {essence(media)[:60]!r}, which is not written", code="openapi.operation")
    if kind in ("form", "multipart") and "properties" not in whole and whole.get("type") != "object":
        raise BadInput(f"a body of {essence(media)[:60]!r} without properties", code="openapi.operation")
    required = said.get("required") is True
    properties = named(whole.get("properties"))
    files = frozenset(name for name, part in properties.items() if _is_file(document, part))
    styles = {name: _style(part) for name, part in named(named(content[media]).get("encoding")).items()}
    body = Body(media=media, kind=kind, argument="", fields=tuple(properties), styles=styles, files=files)
    needed = [name for name in whole.get("required") or () if name in properties] if _is_list(whole) else []
    apart = not properties or bool(_APART & whole.keys()) or whole.get("additionalProperties", False) is not False
    if (
        kind in ("json", "form", "multipart")
        and not apart
        and not taken & properties.keys()
        and (required or not needed)
    ):
        return body, dict(properties), needed
    name = next(each for each in ("body", "request_body", "whole_request_body") if each not in taken)
    alone = Body(media=media, kind=kind, argument=name, styles=styles, files=files)
    shown = {"binary": _BYTES, "text": {"type": "string"}}.get(kind, schema)
    return alone, {name: shown}, [name] if required else []


def _is_list(whole: Mapping[str, Any]) -> bool:
    return isinstance(whole.get("required"), list)


def _is_file(document: Document, part: Any) -> bool:
    found = document.followed(part) if isinstance(part, Mapping) else {}
    inner = found.get("items") if found.get("type") == "array" else None
    found = document.followed(inner) if isinstance(inner, Mapping) else found
    return found.get("format") == "binary" or ("contentMediaType" in found and "contentEncoding" not in found)


def _style(part: Any) -> tuple[str, bool]:
    style = named(part).get("style", "form")
    if style not in ("form", "spaceDelimited", "pipeDelimited", "deepObject"):
        raise BadInput(f"a field of style {str(style)[:20]!r}", code="openapi.operation")
    return style, named(part).get("explode", style == "form") is True


def _members(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise BadInput("a form is an object", code="openapi.value")
    return [(name, part) for name, part in value.items() if part is not None]


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("bytes that are not base64", code="openapi.value") from None
