"""The way to the service: one request per call, and errors that say what may have happened.

What is raised decides what Interlock may do next, so each error says no more than is known:

    interlock.NotSent    no connection came about: nothing can have happened
    interlock.Rejected   the service refused in its typed form: it did not do it
    ServiceFault         any other answer, and every broken connection: it may have happened
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import interlock

URL, TOKEN = "PROPERTY_SERVICE_URL", "PROPERTY_SERVICE_TOKEN"
"""Environment variables that say where the service is and let us in."""

REASONS = {
    "property_not_found": "there is no property with this id",
    "tenant_not_found": "there is no tenant with this id",
    "lease_not_found": "there is no lease with this id",
    "tenant_exists": "there is a tenant with this address already",
    "payment_not_found": "there is no payment with this id",
    "directory_entry_not_found": "nobody in the directory has this address",
    "payment_not_paid": "this payment was never made, so nothing of it can be given back",
    "refund_exceeds_payment": "this is more than is left of the payment",
    "attendee_unknown": "somebody who is to attend is not in the directory",
    "invalid_parameter": "the service does not accept one of the values",
    "idempotency_key_reused": "the service knows this call's key from another request",
    "unauthorized": "the service does not let this deployment in",
    "forbidden": "the service does not let this deployment in",
}
"""Refusals that the service documents, in our words: its own are no text for a model."""


class ServiceFault(Exception):
    """The service answered in a way that does not say whether it did what was asked."""


class _Reply(NamedTuple):
    """`code` is set where the service refused in its typed form."""

    status: int
    body: Any
    code: str


def get(context: interlock.CallContext, path: str, **query: str | int) -> Any:
    """Read something. Empty values are left out of the query."""
    asked = urlencode({name: value for name, value in query.items() if value != ""})
    return _answer(_exchange(context, "GET", f"{path}?{asked}" if asked else path))


def look_up(context: interlock.CallContext, path: str, absent: str) -> Any:
    """One record, or None where the service says that it does not exist.

    Args:
        absent: The code by which it says so; any other 404 could come from a wrong address.
    """
    reply = _exchange(context, "GET", path)
    return None if reply.status == 404 and reply.code == absent else _answer(reply)


def post(context: interlock.CallContext, path: str, body: Mapping[str, Any]) -> Any:
    """Change something; a second request with the call's key gets the first answer and does nothing."""
    return _answer(_exchange(context, "POST", path, body, context.idempotency_key))


def post_without_key(context: interlock.CallContext, path: str, body: Mapping[str, Any]) -> Any:
    """Change something at an endpoint that we treat as one that knows no keys: a second request does it twice."""
    return _answer(_exchange(context, "POST", path, body))


def delete(context: interlock.CallContext, path: str) -> Any:
    """Remove something, once per key."""
    return _answer(_exchange(context, "DELETE", path, key=context.idempotency_key))


def _exchange(
    context: interlock.CallContext, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = ""
) -> _Reply:
    """One request on a connection of its own, so that whether anything left is known for certain."""
    url, token = os.environ.get(URL), os.environ.get(TOKEN)
    if not url or not token:
        raise interlock.NotSent(f"{URL} and {TOKEN} do not both say where the service is")
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=context.deadline_s)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise interlock.NotSent(f"{url}: {error}") from error
        headers = {"Authorization": f"Bearer {token}"}
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        response = connection.getresponse()
        said = json.loads(response.read())
        typed = response.headers.get_content_type() == "application/problem+json" and isinstance(said, dict)
        return _Reply(response.status, said, str(said.get("code", "")) if typed else "")
    finally:
        connection.close()


def _answer(reply: _Reply) -> Any:
    if 200 <= reply.status < 300:
        return reply.body
    if 400 <= reply.status < 500 and reply.code in REASONS:
        raise interlock.Rejected(f"{reply.status} {reply.code}: {reply.body.get('detail')}", reason=REASONS[reply.code])
    raise ServiceFault(f"{reply.status} {reply.code}")
