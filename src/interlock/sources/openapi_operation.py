"""One operation of a document: where each argument goes, and the schemas of arguments and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.errors import BadInput, DefinitionError
from interlock.sources.openapi_body import Body, body_of
from interlock.sources.openapi_document import Document, listed, named
from interlock.sources.openapi_media import is_json
from interlock.sources.openapi_schema import Schemas
from interlock.sources.openapi_template import Template, read_template

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

KEY_HEADERS: Final = frozenset({"idempotency-key", "x-idempotency-key"})
"""Headers by which a service dedupes: the path fills them, never a model."""

_NOT_PARAMETERS: Final = frozenset({"accept", "content-type", "authorization"})
"""Headers that OpenAPI does not let be parameters."""

_OF_THE_CONNECTION: Final = frozenset(
    "accept-encoding connection content-encoding content-length cookie expect host keep-alive proxy-authorization te"
    " trailer transfer-encoding upgrade"
    # by these some receivers take a request for another one: of another method, host or path, or from elsewhere
    " x-http-method x-http-method-override x-method-override x-original-url x-rewrite-url x-original-host forwarded via"
    " x-forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto"
    " x-forwarded-server x-forwarded-uri x-host x-real-ip".split()
)
"""Headers that no caller sets."""

_STYLES: Final = {
    "path": ("simple", "label", "matrix"), "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",), "cookie": ("form",),
}  # fmt: skip
"""The styles of each place, its own first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Where one argument goes.

    Attributes:
        argument: What the tool calls it.
        name: What the service calls it.
        place: `path`, `query`, `header` or `cookie`.
        style, explode: How it is written there.
        as_json: Whether it is written as JSON instead.
    """

    argument: str
    name: str
    place: str
    style: str
    explode: bool
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    Attributes:
        method: In capitals.
        template: Its path.
        id: Its operationId; empty where it has none.
        said: What else the document says of it.
        parameters: Where its arguments go.
        body: What it carries; None for none.
        key_header: Header that takes the idempotency key; empty for none.
        input_schema: Schema of all its arguments.
        output_schema: Schema of its answer; None where nothing can be promised.
        carried: Schemas of the parameters that are not in its path.
        reserved: Place and name of what credentials fill.
    """

    method: str
    template: Template
    id: str
    said: Mapping[str, Any] = field(repr=False)
    parameters: tuple[Parameter, ...]
    body: Body | None
    key_header: str
    input_schema: Mapping[str, Any] = field(repr=False)
    output_schema: Mapping[str, Any] | None = field(repr=False)
    carried: tuple[Any, ...] = field(repr=False)
    reserved: frozenset[tuple[str, str]]


def operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Method, path, path item and operation of each operation, in the order of the document.

    Raises:
        BadInput: A path item refers outside the document, or to nothing.
    """
    for path, item in named(document.root.get("paths")).items():
        if not path.startswith("x-"):
            item = document.followed(item)
            yield from ((method.upper(), path, item, item[method]) for method in METHODS if method in item)


def read_operation(
    document: Document, method: str, path: str, item: Mapping[str, Any], said: Mapping[str, Any],
    reserved: frozenset[tuple[str, str]],
) -> Operation:  # fmt: skip
    """Read one operation.

    Args:
        reserved: Place and name of what the operator's credentials fill: no argument of any tool.

    Raises:
        BadInput, DefinitionError: It cannot be called within bounds; the message says why.
    """
    if not isinstance(said, Mapping):
        raise BadInput("an operation that is none", code="openapi.operation")
    template = read_template(path)
    found = _parameters(document, template, [*listed(item.get("parameters")), *listed(said.get("parameters"))])
    key_header = next((name for place, name in found if place == "header" and name.lower() in KEY_HEADERS), "")
    kept = {
        (place, name): part for (place, name), part in found.items()
        if not (place == "header" and name.lower() in KEY_HEADERS) and (place, _folded(place, name)) not in reserved
    }  # fmt: skip
    called = _called(kept)
    properties = {called[key]: _schema(part) for key, part in kept.items()}
    required = [called[key] for key, part in kept.items() if part.get("required") is True or key[0] == "path"]
    body = None
    if "requestBody" in said and method not in ("GET", "HEAD", "TRACE"):
        body, more, needed = body_of(document, document.followed(said["requestBody"]), frozenset(properties))
        properties |= more
        required += needed
    whole = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Operation(
        method=method, template=template, id=str(said.get("operationId") or ""), said=said,
        parameters=tuple(_placed(called[key], *key, part) for key, part in kept.items()), body=body,
        key_header=key_header, input_schema=Schemas(document, result=False).whole(whole),
        output_schema=_answer(document, said) if method != "HEAD" else None, reserved=reserved,
        carried=tuple(_resolved(document, _schema(part)) for (place, _), part in kept.items() if place != "path"),
    )  # fmt: skip


def _folded(place: str, name: str) -> str:
    return name.lower() if place == "header" else name


def _parameters(
    document: Document, template: Template, said: list[Mapping[str, Any]]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The parameters by place and name; what an operation says of one replaces what its path says."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for part in map(document.followed, said):
        place, name = part.get("in"), part.get("name")
        if place not in _STYLES or not isinstance(name, str) or not name:
            raise BadInput(f"a parameter in {str(place)[:20]!r}, where none can be", code="openapi.operation")
        folded = name.lower()
        if place == "header" and (folded in _NOT_PARAMETERS or folded in _OF_THE_CONNECTION):
            if folded in _OF_THE_CONNECTION and part.get("required") is True:
                raise BadInput(f"it needs the header {name[:40]!r}, which no caller sets", code="openapi.operation")
            continue
        if place == "path" and name not in template.names:
            continue
        found[place, name] = part
    for name in template.names:
        found.setdefault(("path", name), {"schema": {"type": "string"}})
    return found


def _called(parameters: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], str]:
    """What the tool calls each: by its name, and by its place too where two have one name."""
    seen: dict[str, list[tuple[str, str]]] = {}
    for place, name in parameters:
        seen.setdefault(name, []).append((place, name))
    called = {key: name if len(keys) == 1 else f"{key[0]}_{name}" for name, keys in seen.items() for key in keys}
    if len(set(called.values())) < len(called):
        raise BadInput("two of its parameters cannot be told apart", code="openapi.operation")
    return called


def _schema(part: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, with what the parameter itself says."""
    [schema] = [named(media).get("schema", {}) for media in named(part.get("content")).values()][:1] or [
        part.get("schema", {"type": "string"})
    ]
    more = {"description": part["description"]} if isinstance(part.get("description"), str) else {}
    if part.get("x-role") == "option-safe":
        more["x-role"] = "option-safe"
    if not isinstance(schema, Mapping) or "$ref" in schema:
        return {"allOf": [schema], **more}
    return {**schema, **more, "readOnly": False}


def _resolved(document: Document, schema: Mapping[str, Any]) -> Any:
    inner = schema.get("allOf")
    if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], Mapping):
        return document.followed(inner[0])
    return schema


def _placed(argument: str, place: str, name: str, part: Mapping[str, Any]) -> Parameter:
    style = part.get("style", _STYLES[place][0])
    if style not in _STYLES[place]:
        raise BadInput(f"a parameter of style {str(style)[:20]!r} in its {place}", code="openapi.operation")
    explode = part.get("explode", style == "form")
    media = next(iter(named(part.get("content"))), "")
    if media and not is_json(media):
        raise BadInput(f"a parameter of {media[:40]!r}", code="openapi.operation")
    return Parameter(
        argument=argument, name=name, place=place, style=style, explode=explode is True, as_json=bool(media)
    )


def _answer(document: Document, said: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema of the answer: of every success that the document names, where all of them are JSON."""
    try:
        answers = []
        for status, response in named(said.get("responses")).items():
            if str(status)[:1] == "2":
                content = named(document.followed(response).get("content"))
                media = [part for name, part in content.items() if is_json(name)]
                if content and len(media) != len(content):
                    return None
                answers.append(named(media[0]).get("schema", {}) if media else {"type": "null"})
        if not answers or all(each in ({}, {"type": "null"}) for each in answers):
            return None
        whole = answers[0] if len(answers) == 1 else {"anyOf": answers}
        return Schemas(document, result=True).whole(whole)
    except (BadInput, DefinitionError):
        return None  # an answer that nothing is promised of is not checked: its call is none the less
