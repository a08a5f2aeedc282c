"""The OpenAPI document: what every route may answer besides what it says itself, and by what it is opened.

Whatever stands before the routes (the gate, the reading of a body) is said here for all of them, so that no route can
forget it; a route says what is its own with `problems`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from interlock.api.problem import MEDIA
from interlock.errors import MissingExtra

try:
    from fastapi import FastAPI
    from fastapi.openapi.utils import get_openapi
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

Responses = dict[int | str, dict[str, Any]]

_SAYS: Final = {
    400: "The request cannot be read.",
    401: "Nobody's key or token.",
    403: "Whoever it is may not do this.",
    404: "There is no such thing for whoever asks.",
    408: "The body came too slowly.",
    409: "What it is about is no longer in a state in which this can be done, or a name belongs to something else.",
    412: "What it is about has changed since it was seen (`If-Match`).",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "The request came to a name that is none of this server's.",
    422: "A value is not what it must be; `problems` names each place.",
    429: "Too much at once, or too often.",
    431: "The head is too large.",
    503: "The ledger cannot be written or read now; nothing was done.",
}

_UNSAID: Final = "Successful Response"
"""What the framework says of an answer of which a route says nothing."""

_ALWAYS: Final = (400, 401, 403, 421, 429, 431, 503)
_WITH_BODY: Final = (408, 413, 415, 422)


class Misfit(BaseModel):
    """One value that is not what it must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: Annotated[str, Field(description="The place, such as `body.tool`.")]
    message: str


class Problem(BaseModel):
    """Why a request was not answered as it wanted (RFC 9457)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank", "title": "Not Found", "status": 404, "code": "run.not_found",
                    "detail": "no run 'run_0194f3a2b1c4' here", "instance": "/api/v1/runs/run_0194f3a2b1c4",
                    "remedy": "List runs with `interlock runs list`.",
                }
            ]
        },
    )  # fmt: skip

    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="What is wrong, for a person.")]
    code: Annotated[str, Field(description="What is wrong, for a program: stable. See the reference of errors.")]
    instance: Annotated[str, Field(description="Path of the request.")]
    remedy: Annotated[str | None, Field(description="What to do about it; absent where there is nothing.")] = None
    problems: Annotated[list[Misfit] | None, Field(description="With 422: every place.")] = None


def problems(*statuses: int) -> Responses:
    """For `responses=` of a route: the problems that are its own."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _SAYS[status], "content": content} for status in statuses}


def with_tag(responses: Responses | None = None) -> Responses:
    """The same for a route whose answer has a tag, which whoever has it may ask by."""
    return {304: {"description": HTTPStatus(304).phrase}, **(responses or {})}


def documented(app: FastAPI, public: frozenset[str]) -> dict[str, Any]:
    """The OpenAPI document of the application, made once.

    Args:
        public: Paths that everybody may reach.
    """
    if not app.openapi_schema:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes,
            tags=app.openapi_tags,
        )  # fmt: skip
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        for made_up in ("HTTPValidationError", "ValidationError"):
            schemas.pop(made_up, None)
        said = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= {**said.pop("$defs", {}), "Problem": said}
        key = {"type": "http", "scheme": "bearer", "description": "A key of this deployment, or a token of its issuer."}
        found["components"]["securitySchemes"] = {"bearer": key}
        for path, methods in found["paths"].items():
            for method, operation in methods.items():
                _complete(operation, method, path, open_to_all=path in public)
        app.openapi_schema = found
    return app.openapi_schema


def _complete(operation: dict[str, Any], method: str, path: str, *, open_to_all: bool) -> None:
    """Add what stands before every route."""
    statuses = {400, 421, 431, 503} if open_to_all else {*_ALWAYS}
    statuses |= {*_WITH_BODY} if method not in ("get", "head") else set()
    statuses |= {422} if operation.get("parameters") or "requestBody" in operation else set()
    statuses |= {404} if "{" in path else set()
    said = operation["responses"]
    said.pop("422", None)  # the framework's own, in a form that no answer has
    for status, response in problems(*statuses).items():
        said.setdefault(str(status), response)
    for response in said.values():
        if response["description"] == _UNSAID:
            response["description"] = "As asked."
    operation["responses"] = dict(sorted(said.items()))
    if not open_to_all:
        operation["security"] = [{"bearer": []}]
