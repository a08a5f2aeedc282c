"""An error as an answer over HTTP: its status, and a document of `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from interlock.core.canonical import Json
from interlock.errors import (
    BadInput,
    Conflict,
    DefinitionError,
    GuardRefused,
    InterlockError,
    LedgerError,
    MissingExtra,
    ModelError,
    NotEntitled,
    NotFound,
    PolicyError,
    SettingsError,
    StaleClaim,
)

MEDIA: Final = "application/problem+json"

_BY_CODE: Final = {
    "http.path": 404, "http.method": 405, "http.slow": 408, "http.too_large": 413, "http.media": 415,
    "http.host": 421, "http.origin": 403, "http.form": 403, "http.crowd": 429, "http.rate": 429, "http.head": 431,
    "http.match": 412, "json.too_large": 413, "run.name_reused": 409,
    "http.defect": 500, "http.later": 503, "keys.missing": 401, "keys.unknown": 401, "token.refused": 401,
    "keys.expired": 401, "session.missing": 401, "session.over": 401, "approval.rate": 429,
    "eval.suite": 422,
}  # fmt: skip
"""Codes whose status is not that of their class."""

_BY_CLASS: Final[tuple[tuple[type[InterlockError], int], ...]] = (
    (NotFound, 404),
    (NotEntitled, 403),
    (Conflict, 409),
    (StaleClaim, 409),
    (GuardRefused, 429),
    (LedgerError, 503),
    (ModelError, 502),
    (MissingExtra, 501),
    (BadInput, 400),
    (PolicyError, 422),
    (DefinitionError, 422),
    (SettingsError, 422),
)


def status_of(error: InterlockError) -> int:
    """The status of an error: its code's own, else its class's; 500 for what nobody asked for."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for kind, status in _BY_CLASS if isinstance(error, kind)), 500)


def problem(error: InterlockError, instance: str) -> dict[str, Json]:
    """The document of an error.

    Args:
        instance: Path of the request that it answers.
    """
    status = status_of(error)
    said: dict[str, Json] = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": str(error.args[0]) if error.args else "", "code": error.code, "instance": instance,
    }  # fmt: skip
    return said | {"remedy": error.remedy} if error.remedy else said
