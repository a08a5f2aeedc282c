"""Routes: what can be asked of a service, what runs for it, and the fields that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from examples.service import witness
from examples.service.answer import Problem
from examples.service.faults import Faults
from examples.service.witness import Run


class Endpoint(NamedTuple):
    """A route and what runs for it.

    Attributes:
        name: What a fault names; of a change, also the `kind` of its effect.
        path: `{field}` stands for one segment, percent-decoded.
        fields: What the query of a GET or the body of a POST may hold; anything else is refused.
    """

    name: str
    method: str
    path: str
    run: Run
    fields: Sequence[str] = ()


def get(path: str, run: Run, *fields: str) -> Endpoint:
    """A read, with the name of what runs."""
    return Endpoint(run.__name__, "GET", path, run, fields)


def post(path: str, run: Run, *fields: str) -> Endpoint:
    """A change, with the name of what runs."""
    return Endpoint(run.__name__, "POST", path, run, fields)


def by_key(noun: str, kind: str) -> Endpoint:
    """What became of a change, asked by the key that it was sent with."""
    return Endpoint(f"{kind}_by_key", "GET", f"/v1/{noun}/by-key/{{key}}", witness.by_key(kind))


def admin(faults: Faults) -> tuple[Endpoint, ...]:
    """The routes for whoever runs the demonstration; they ask for the admin token."""
    arm = ("endpoint", "mode", "times")
    return (
        Endpoint("list_effects", "GET", "/admin/effects", witness.list_effects, ("after",)),
        Endpoint("list_faults", "GET", "/admin/faults", witness.list_faults(faults)),
        Endpoint("arm_fault", "POST", "/admin/faults", witness.arm_fault(faults), arm),
    )


def find(endpoints: Iterable[Endpoint], method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint for this method and path, and what the path's fields hold.

    Raises:
        Problem: 404 `route_not_found`; 405 `method_not_allowed` where another method would do.
    """
    allowed = []
    for endpoint in endpoints:
        fields = _match(endpoint.path, path)
        if fields is not None and endpoint.method == method:
            return endpoint, fields
        if fields is not None:
            allowed.append(endpoint.method)
    if allowed:
        methods = ", ".join(allowed)
        raise Problem(405, "method_not_allowed", f"Here only {methods} is known.", methods=methods)
    raise Problem(404, "route_not_found", "There is nothing at this address.")


def _match(template: str, path: str) -> dict[str, str] | None:
    parts, segments = template.split("/"), path.split("/")
    if len(parts) != len(segments):
        return None
    fields = {}
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{") and segment:
            fields[part.strip("{}")] = unquote(segment)
        elif part != segment:
            return None
    return fields
