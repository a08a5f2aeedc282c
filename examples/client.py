"""The way to a service over HTTP: one request per call, and errors that say what may have happened.

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


class ServiceFault(Exception):
    """The service answered in a way that does not say whether it did what was asked."""


class _Reply(NamedTuple):
    """`code` is set where the service refused in its typed form."""

    status: int
    body: Any
    code: str


class Client:
    """One service.

    Args:
        url, token: Environment variables that say where it is and let us in.
        reasons: Refusals that it documents, by code, in our words: its own are no text for a model.
    """

    def __init__(self, url: str, token: str, reasons: Mapping[str, str]) -> None:
        self._url, self._token, self._reasons = url, token, reasons

    def get(self, context: interlock.CallContext, path: str, **query: str | int) -> Any:
        """Read something. Empty values are left out of the query."""
        asked = urlencode({name: value for name, value in query.items() if value != ""})
        return self._answer(self._exchange(context, "GET", f"{path}?{asked}" if asked else path))

    def look_up(self, context: interlock.CallContext, path: str, absent: str) -> Any:
        """One record, or None where the service says that it does not exist.

        Args:
            absent: The code by which it says so; any other 404 could come from a wrong address.
        """
        reply = self._exchange(context, "GET", path)
        return None if reply.status == 404 and reply.code == absent else self._answer(reply)

    def post(self, context: interlock.CallContext, path: str, body: Mapping[str, Any]) -> Any:
        """Change something; a second request with the call's key gets the first answer and does nothing."""
        return self._answer(self._exchange(context, "POST", path, body, context.idempotency_key))

    def post_without_key(self, context: interlock.CallContext, path: str, body: Mapping[str, Any]) -> Any:
        """Change something at an endpoint that we treat as one that knows no keys: a second request does it twice."""
        return self._answer(self._exchange(context, "POST", path, body))

    def delete(self, context: interlock.CallContext, path: str) -> Any:
        """Remove something, once per key."""
        return self._answer(self._exchange(context, "DELETE", path, key=context.idempotency_key))

    def _exchange(
        self, context: interlock.CallContext, method: str, path: str, body: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> _Reply:  # fmt: skip
        """One request on a connection of its own, so that whether anything left is known for certain."""
        url, token = os.environ.get(self._url), os.environ.get(self._token)
        if not url or not token:
            raise interlock.NotSent(f"{self._url} and {self._token} do not both say where the service is")
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

    def _answer(self, reply: _Reply) -> Any:
        if 200 <= reply.status < 300:
            return reply.body
        if 400 <= reply.status < 500 and reply.code in self._reasons:
            said = f"{reply.status} {reply.code}: {reply.body.get('detail')}"
            raise interlock.Rejected(said, reason=self._reasons[reply.code])
        raise ServiceFault(f"{reply.status} {reply.code}")
