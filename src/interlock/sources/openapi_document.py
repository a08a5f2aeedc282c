"""An OpenAPI document: read within bounds, and followed only within itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from interlock.core.canonical import JsonLimits, at_pointer, parse_json
from interlock.errors import BadInput

LIMITS: Final = JsonLimits(
    bytes_max=32 << 20, depth_max=128, keys_max=100_000, digits_max=400, integer_bits_max=1024
)  # fmt: skip
"""What a document may be at most; the largest that services publish have some 14 MB."""

_CHAIN_MAX: Final = 16
_VERSION: Final = re.compile(r"3\.[01]\.\d+(-.+)?")


@dataclass(frozen=True, slots=True)
class Document:
    """A document of OpenAPI 3.0 or 3.1.

    Attributes:
        root: Its content, never changed.
    """

    root: Mapping[str, Any]

    @property
    def servers(self) -> list[str]:
        """URLs of its servers, variables at their defaults; what it says of them is a third party's word."""
        return [_filled(each) for each in listed(self.root.get("servers")) if isinstance(each.get("url"), str)]

    def at(self, reference: object) -> Any:
        """What a reference leads to.

        Raises:
            BadInput: It leads outside this document, which is never read, or nowhere.
        """
        if not isinstance(reference, str) or not reference.startswith("#/"):
            shown = str(reference)[:100]
            raise BadInput(
                f"the reference {shown!r} leads outside the document", code="openapi.reference",
                remedy="Bundle it into one file.",
            )  # fmt: skip
        try:
            return at_pointer(self.root, unquote(reference[1:]))
        except BadInput:
            raise BadInput(f"the reference {reference[:100]!r} leads nowhere", code="openapi.reference") from None

    def followed(self, part: Any) -> Mapping[str, Any]:
        """The object that a part is, or that its reference leads to, by however many others.

        Raises:
            BadInput: It leads nowhere, back to itself, or to what is no object.
        """
        for _ in range(_CHAIN_MAX):
            if not isinstance(part, Mapping):
                raise BadInput("something that must be an object is none", code="openapi.operation")
            if "$ref" not in part:
                return part
            part = self.at(part["$ref"])
        raise BadInput("a reference leads back to itself", code="openapi.reference")


def read_document(text: bytes, place: str) -> Document:
    """Read a document: JSON, or YAML with the extra `openapi`.

    Args:
        place: What names it, for messages.

    Raises:
        BadInput: It is neither, passes a bound, or is no document of OpenAPI 3.0 or 3.1.
        MissingExtra: It is YAML, and what reads that is not installed.
    """
    if len(text) > LIMITS.bytes_max:
        raise BadInput(f"{place}: more than {LIMITS.bytes_max} bytes", code="openapi.document")
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        if text.lstrip()[:1] == b"{":
            root = parse_json(text, LIMITS)
        else:
            from interlock.sources.openapi_yaml import parse_yaml  # brings PyYAML

            root = parse_yaml(text, LIMITS)
    except BadInput as error:
        raise BadInput(f"{place}: {error.args[0]}", code="openapi.document") from None
    version = root.get("openapi") if isinstance(root, Mapping) else None
    if not isinstance(root, Mapping) or not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise BadInput(
            f"{place}: no document of OpenAPI 3.0 or 3.1", code="openapi.document",
            remedy="Convert what is older, such as Swagger 2.0.",
        )  # fmt: skip
    return Document(root)


def read_file(file: Path) -> Document:
    """Read a document from a file.

    Raises:
        BadInput, MissingExtra: See `read_document`; or the file cannot be read.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(LIMITS.bytes_max + 1)
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", code="openapi.document") from None
    return read_document(text, str(file))


def listed(part: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; nothing where it is none."""
    return [each for each in part if isinstance(each, Mapping)] if isinstance(part, list) else []


def named(part: Any) -> Mapping[str, Any]:
    """An object; an empty one where it is none."""
    return part if isinstance(part, Mapping) else {}


def _filled(server: Mapping[str, Any]) -> str:
    url: str = server["url"]
    for name, variable in named(server.get("variables")).items():
        url = url.replace("{" + name + "}", str(named(variable).get("default", "")))
    return url
