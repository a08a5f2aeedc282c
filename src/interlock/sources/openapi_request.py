"""The request of one call: each value in its place, and nothing of it anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.core.canonical import canonical
from interlock.errors import BadInput
from interlock.net.egress import Ask
from interlock.sources.openapi_encode import Pairs, encoded, in_header, in_path, in_query
from interlock.sources.openapi_operation import Operation, Parameter


def request_of(operation: Operation, base_url: str, arguments: Mapping[str, Any], key: str) -> Ask:
    """Build the request of a call. The path is read again and is one of the template, or there is no request.

    Args:
        base_url: Scheme, host and path before every template, without a slash at its end.
        arguments: Checked against the operation's schema.
        key: The idempotency key.

    Raises:
        BadInput: A value has no form in its place, or would leave it. The message does not repeat the value.
    """
    path: dict[str, str] = {}
    pairs: Pairs = []
    headers: dict[str, str] = {"accept": "application/json, */*;q=0.5"}
    cookies: Pairs = []
    for each in operation.parameters:
        if (value := arguments.get(each.argument)) is None:
            if each.place == "path":
                raise BadInput("a value in the path is missing", code="openapi.value")
            continue
        if each.as_json:
            value = canonical(value).decode()
        match each.place:
            case "path":
                path[each.name] = in_path(each.style, each.explode, each.name, value)
            case "query":
                pairs += _alone(in_query(each.style, each.explode, each.name, value), each, operation)
            case "header":
                headers[each.name.lower()] = in_header(each.explode, value)
            case _:
                cookies += _alone(in_query("form", each.explode, each.name, value), each, operation)
    if cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies)
    if operation.key_header:
        headers[operation.key_header.lower()] = key
    body = b""
    if operation.body is not None and (said := operation.body.value(arguments)) is not None:
        headers["content-type"], body = operation.body.written(said)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    url = base_url + operation.template.filled(path) + (f"?{query}" if query else "")
    return Ask(method=operation.method, url=url, headers=headers, body=body)


def _alone(pairs: Pairs, parameter: Parameter, operation: Operation) -> Pairs:
    """Pairs of one parameter: an object that is written out must not become another parameter, or a credential.

    Raises:
        BadInput: It would.
    """
    others = {
        encoded(each.name) for each in operation.parameters if each is not parameter and each.place == parameter.place
    }
    others |= {encoded(name) for place, name in operation.reserved if place == parameter.place}
    if any(name in others for name, _ in pairs):
        raise BadInput("a key of an object is the name of another parameter", code="openapi.value")
    return pairs
