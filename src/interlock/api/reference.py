"""The reference of the HTTP API: `python -m interlock.api.reference > docs/reference/http-api.md`.

What the pages about it say is said once: in the routes themselves, and in the models of what they take and answer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from interlock.api.application import described

_HEAD: Final = """\
# HTTP API

Every route of `interlock serve`, made from its OpenAPI document (`/api/v1/openapi.json`). How to use it, with examples:
[use the API](../how-to/use-the-api.md).

Every request but those for health bears `Authorization: Bearer` with a key or a token. What a key opens is its scopes
and its owner's roles together: `GET /api/v1/me` says it. An error is `application/problem+json` with a stable `code`
([errors](errors.md)); a refused call is none: it is an [outcome](refusals.md). Lists are `{items, next}`.

"""

_OFTEN: Final = frozenset({"400", "401", "403", "408", "413", "415", "421", "422", "429", "431", "503"})


def reference(document: Mapping[str, Any]) -> str:
    """The page, in Markdown."""
    return _HEAD + _often(document) + "".join(_operations(document)) + "".join(_schemas(document))


def _often(document: Mapping[str, Any]) -> str:
    """What every route may answer, said once."""
    said: dict[str, str] = {}
    for _, _, operation in _all(document):
        for status, response in operation["responses"].items():
            if status in _OFTEN and _is_problem(response):
                said[status] = response["description"]
    rows = "".join(f"| {status} | {what} |\n" for status, what in sorted(said.items()))
    return f"| status | what every route may answer besides its own |\n|---|---|\n{rows}"


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    before = ""
    for path, method, operation in sorted(_all(document), key=_place):
        tag = (operation.get("tags") or ["other"])[0]
        if tag != before:
            yield f"\n## {tag.capitalize()}\n"
            before = tag
        yield f"\n### {method.upper()} {path}\n\n{operation['summary']}. {' '.join(operation['description'].split())}\n"
        yield from _parameters(operation)
        yield from _answers(operation)


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        f"| `{each['name']}` | {each['in']} | {_kind(each['schema'])} | {_said(each, each['schema'])} |\n"
        for each in operation.get("parameters", ())
    ]
    if body := operation.get("requestBody"):
        kinds = ", ".join(_kind(content["schema"]) for content in body["content"].values())
        rows.append(f"| | body | {kinds} | |\n")
    if rows:
        yield "\n| | in | is | |\n|---|---|---|---|\n" + "".join(rows)


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        f"| {status} | {_contents(response)} | {response['description']} |\n"
        for status, response in sorted(operation["responses"].items())
        if status not in _OFTEN or not _is_problem(response)
    ]
    yield "\n| answers | | |\n|---|---|---|\n" + "".join(rows)


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## What is sent and answered\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"\n### {name}\n\n{' '.join(schema.get('description', '').split())}\n"
        required = schema.get("required", ())
        rows = [
            f"| `{field}`{'' if field in required else '?'} | {_kind(said)} | {_said(said)} |\n"
            for field, said in schema.get("properties", {}).items()
        ]
        if rows:
            yield "\n| field | is | |\n|---|---|---|\n" + "".join(rows)
        for example in schema.get("examples", ()):
            yield f"\n```json\n{json.dumps(example, ensure_ascii=False)}\n```\n"


def _all(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _place(found: tuple[str, str, dict[str, Any]]) -> tuple[str, str, str]:
    path, method, operation = found
    return (operation.get("tags") or ["other"])[0], path, method


def _is_problem(response: Mapping[str, Any]) -> bool:
    return "application/problem+json" in response.get("content", {})


def _contents(response: Mapping[str, Any]) -> str:
    said = [_kind(content["schema"]) for content in response.get("content", {}).values() if "schema" in content]
    return ", ".join(said)


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value is, in a word or a few."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(each) for each in several))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return f"{schema.get('type', 'any')}{_bounds(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    if least is None and most is None:
        return ""
    what = " characters" if "maxLength" in schema or "minLength" in schema else ""
    return f" ({least if least is not None else ''}…{most if most is not None else ''}{what})"


def _said(*schemas: Mapping[str, Any]) -> str:
    found = next((each["description"] for each in schemas if each.get("description")), "")
    return " ".join(found.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference(described()))
