"""A tool as the protocol lists it: the server's own words where a server has it, pinned and never trusted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, cast

from interlock.core.tool import Effect, Tool
from interlock.core.visible import unhidden
from interlock.errors import BadInput

PAGE = 500
"""Tools of one page: as many as most clients have at all, since some read no further than the first."""

_SAID = ("title", "annotations", "icons", "outputSchema", "execution", "_meta")
"""What a claim is listed as. What else is claimed stands in the pinned definition alone: of a service its inner URL."""

_KEPT_MAX = 20_000
"""Listings that are kept; what was replaced goes with the rest when there are more."""

Listing = dict[str, Any]


class Listings:
    """Tools in their listed form, made once for each definition.

    Args:
        acceptable: Whether the protocol can carry a listing; a server's odd claim must not spoil the whole list.
    """

    def __init__(self, acceptable: Callable[[Listing], bool]) -> None:
        self._acceptable = acceptable
        self._made: dict[str, Listing] = {}

    def page(self, tools: Sequence[Tool], cursor: str | None) -> tuple[list[Listing], str | None]:
        """Those of one page, and where the next one begins; None where there is none.

        Args:
            cursor: Where it begins; None for the first page.

        Raises:
            BadInput: No cursor of ours, or the tool that it stood behind is gone: list again from the start.
        """
        start = 0
        if cursor is not None:
            name = _opened(cursor)
            start = next((at for at, tool in enumerate(tools, 1) if tool.name == name), 0)
            if not start:
                raise _no_cursor()
        shown = tools[start : start + PAGE]
        more = start + PAGE < len(tools)
        return [self._listing(tool) for tool in shown], _cursor(shown[-1].name) if more else None

    def _listing(self, tool: Tool) -> Listing:
        made = self._made.get(tool.digest)
        if made is None:
            made = listing(tool)
            if not self._acceptable(made):
                made = _plain(tool)
            if len(self._made) >= _KEPT_MAX:
                self._made.clear()
            self._made[tool.digest] = made
        return made


def listing(tool: Tool) -> Listing:
    """The tool with everything that is said of it: by its server, or by its definition where it is ours."""
    said = _plain(tool) | {key: tool.claims[key] for key in _SAID if tool.claims.get(key) is not None}
    if tool.output_schema is not None and tool.output_schema.get("type") == "object":
        said.setdefault("outputSchema", dict(tool.output_schema))
    if not tool.claims and (tool.sealed or tool.server == "local"):  # to what a server says of itself nothing is added
        said["annotations"] = _annotations(tool)
    return _seen(tool, said)


def _plain(tool: Tool) -> Listing:
    said: Listing = {"name": tool.name, "inputSchema": dict(tool.input_schema)}
    return _seen(tool, said | {"description": tool.description} if tool.description else said)


def _seen(tool: Tool, said: Listing) -> Listing:
    """The listing of a server's tool without the characters that nobody sees."""
    return said if tool.sealed else cast(Listing, unhidden(said))


def _annotations(tool: Tool) -> Listing:
    """What the definition says of the effect, in the protocol's hints."""
    said: Listing = {"readOnlyHint": tool.effect is Effect.READ, "openWorldHint": tool.outward}
    if tool.writes:
        said |= {"destructiveHint": tool.effect is not Effect.REVERSIBLE, "idempotentHint": tool.idempotent}
    return said


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode("ascii")


def _opened(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise _no_cursor() from None


def _no_cursor() -> BadInput:
    return BadInput("cursor: none of this list", code="gateway.cursor", remedy="List again from the start.")
