"""Tags of what can change: a digest of the document itself, so that it differs exactly where what is shown does.

A claim or another event that changes nothing of a document does not make its reader begin anew. A tag is checked
before something is done, not with it: what must not be done twice or on another thing is bound by the ledger itself (a
decision by its digest, an end by its kind), and a tag spares a client that acts on what it has not seen. Of two who
act at the same moment both may be let through by their tag: the ledger then takes one and the other is refused, but for
two who revoke one grant, which is revoked by both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from interlock.core.canonical import Json, canonical, digest
from interlock.errors import Conflict, MissingExtra

try:
    from fastapi import Header
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

_LENGTH_MAX = 4096

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=_LENGTH_MAX, examples=['"1f0c2a"'],
        description="`ETag` of what you saw: refused with 412 where it is another by now.",
    ),
]  # fmt: skip
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match", max_length=_LENGTH_MAX, description="`ETag` of what you have: 304 where it still is so."
    ),
]


def tag_of(document: Mapping[str, Json]) -> str:
    """The tag of a document, in its quotes."""
    return f'"{digest("interlock/etag/1", canonical(document)).hex()[:32]}"'


def require(if_match: str | None, document: Mapping[str, Json]) -> None:
    """Refuse what is asked about something that has changed since it was seen.

    Args:
        if_match: The header as it came; None for none, which asks nothing.

    Raises:
        Conflict: It is another by now (`http.match`).
    """
    if if_match is not None and not _among(if_match, tag_of(document), strong=True):
        raise Conflict(
            "it is not what you saw any more", code="http.match", remedy="Read it again, then decide anew."
        )  # fmt: skip


def document_answer(
    document: Mapping[str, Json], if_none_match: str | None = None, *, status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """A document with its tag; 304 without it where whoever asks has it already."""
    tag = tag_of(document)
    if if_none_match is not None and _among(if_none_match, tag):
        return Response(status_code=304, headers={"etag": tag})
    return answer(document, status=status, headers={"etag": tag, **(headers or {})})


def answer(document: Json, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A document as JSON, in the spelling that everything else of Interlock has."""
    return Response(canonical(document), status, headers, "application/json")


def _among(said: str, tag: str, *, strong: bool = False) -> bool:
    """Whether a tag is in a list of them; a weak one counts only for who wants to know whether it may keep a copy."""
    tags = [each.strip() for each in said.split(",")]
    return tags == ["*"] or tag in (tags if strong else [each.removeprefix("W/") for each in tags])
