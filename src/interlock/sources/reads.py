"""What servers behind have besides tools, as two tools: reading a resource and getting a prompt are governed calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from interlock.core.tool import CallContext, Effect, Tool
from interlock.errors import NotFound, Rejected

READ: Final = "resources.read"
GET: Final = "prompts.get"

_TEXT: Final = {"type": "string", "maxLength": 8192}


class Served(Protocol):
    """One server behind."""

    @property
    def offers(self) -> frozenset[str]:
        """What it says that it has."""
        ...

    async def read_resource(self, uri: str, context: CallContext) -> dict[str, Any]:
        """What stands in a resource."""
        ...

    async def get_prompt(self, name: str, arguments: Mapping[str, str], context: CallContext) -> dict[str, Any]:
        """A prompt filled in."""
        ...


class Behind(Protocol):
    """The servers behind."""

    @property
    def servers(self) -> Mapping[str, Served]:
        """Each by its name."""
        ...

    def server(self, name: str) -> Served:
        """The server of that name.

        Raises:
            NotFound: There is none.
        """
        ...


def reading_tools(behind: Behind) -> Iterable[Tool]:
    """The two, as far as a server is there that has what they read."""
    offered: frozenset[str] = frozenset().union(*(server.offers for server in behind.servers.values()))

    def server(arguments: Mapping[str, Any]) -> Served:
        try:
            return behind.server(arguments["server"])
        except NotFound as error:
            raise Rejected("no such server", reason=str(error.args[0])) from None

    async def read(arguments: dict[str, Any], context: CallContext) -> object:
        return await server(arguments).read_resource(arguments["uri"], context)

    async def get(arguments: dict[str, Any], context: CallContext) -> object:
        return await server(arguments).get_prompt(arguments["name"], arguments.get("arguments", {}), context)

    if "resources" in offered:
        yield Tool(
            name=READ, description="Read a resource of a server by its URI.", effect=Effect.READ, body=read,
            input_schema=_schema({"server": _TEXT, "uri": _TEXT}, ["server", "uri"]),
        )  # fmt: skip
    if "prompts" in offered:
        given = {"type": "object", "additionalProperties": {"type": "string"}}
        yield Tool(
            name=GET, description="Get a prompt of a server by its name.", effect=Effect.READ, body=get,
            input_schema=_schema({"server": _TEXT, "name": _TEXT, "arguments": given}, ["server", "name"]),
        )  # fmt: skip


def _schema(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
