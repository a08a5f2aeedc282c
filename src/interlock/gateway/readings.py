"""What servers behind have besides tools, as one client sees it: whose a resource or a prompt is, and the lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

import anyio

from interlock.core.tool import CallContext
from interlock.core.visible import unhidden
from interlock.errors import NotFound, ToolError
from interlock.gateway.caller import Caller
from interlock.gateway.door import Door
from interlock.registry.quiet import quieted
from interlock.sources.mcp_server import Server
from interlock.sources.reads import GET, READ

Entry = dict[str, Any]
Lists = Callable[[Server, str, str], Awaitable[list[Entry]]]

_COMPLETE_S = 10.0
"""Seconds that a suggestion may take: somebody is typing."""


class Readings:
    """Resources, templates and prompts of every server behind. Reading one is a call at the door; a list is none.

    Prompts bear the prefix that the server's tools bear; resources are named by their URIs alone.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    @property
    def offers(self) -> frozenset[str]:
        """What some server has, by the protocol's names."""
        return frozenset().union(*(server.offers for server in self._door.plane.fleet.servers.values()))

    async def resources(self, caller: Caller) -> list[Entry]:
        """Every resource that servers list, in the order of the settings."""
        return [entry for _, entry in await self._listed(caller, "resources", Server.list_resources)]

    async def templates(self, caller: Caller) -> list[Entry]:
        """Every template of resources."""
        return [entry for _, entry in await self._listed(caller, "resources", Server.list_templates)]

    async def prompts(self, caller: Caller) -> list[Entry]:
        """Every prompt, its name with its server's prefix."""
        listed = await self._listed(caller, "prompts", Server.list_prompts)
        return [entry | {"name": f"{server.plan.profile.prefix}{entry.get('name', '')}"} for server, entry in listed]

    async def server_of_resource(self, caller: Caller, uri: str) -> str:
        """Whose a resource is: the only server's, else the one's that lists it, or the template that is most like it.

        Raises:
            NotFound: Nobody's, or it is not known which of two servers': neither answers in the other's place (T8).
        """
        servers = list(self._servers("resources"))
        if len(servers) == 1:
            return servers[0].name
        listed = await self._listed(caller, "resources", Server.list_resources)
        whose = {server.name for server, entry in listed if entry.get("uri") == uri}
        if not whose:
            templates = await self._listed(caller, "resources", Server.list_templates)
            begins = [(str(entry.get("uriTemplate", "")).partition("{")[0], server.name) for server, entry in templates]
            like = [(len(begin), name) for begin, name in begins if begin and uri.startswith(begin)]
            whose = {name for length, name in like if length == max(like)[0]}
        if len(whose) == 1:
            return whose.pop()
        if whose:
            raise NotFound(f"several servers have the resource {uri[:200]!r}", code="gateway.resource")
        raise NotFound(f"no server has the resource {uri[:200]!r}", code="gateway.resource")

    async def follows(self, caller: Caller, uri: str) -> str:
        """Whose a resource is that this principal wants to follow.

        A server with a connection for each principal tells nobody of another's, so nothing of it is followed.

        Raises:
            NotFound: Nobody's, or none that this principal may read.
        """
        if self._door.may_read(caller, READ):
            name = await self.server_of_resource(caller, uri)
            if not self._door.plane.fleet.server(name).plan.per_principal:
                return name
        raise NotFound(f"no server has the resource {uri[:200]!r}", code="gateway.resource")

    def server_of_prompt(self, name: str) -> tuple[str, str]:
        """Whose a prompt is, and what its server calls it; of two whose prefix it bears, the one with the longer.

        Raises:
            NotFound: Nobody's.
        """
        found = [server for server in self._servers("prompts") if name.startswith(server.plan.profile.prefix)]
        if not found:
            raise NotFound(f"no server has the prompt {name[:200]!r}", code="gateway.prompt")
        server = max(found, key=lambda each: len(each.plan.profile.prefix))
        return server.name, name.removeprefix(server.plan.profile.prefix)

    async def complete(self, caller: Caller, params: Mapping[str, Any]) -> Entry:
        """What the server of a prompt or of a template suggests for an argument.

        Raises:
            NotFound: Nobody's, or none that this principal may read.
            ToolError, TimeoutError: The server did not answer.
        """
        ref = dict(params["ref"])
        prompt = ref.get("type") == "ref/prompt"
        if not self._door.may_read(caller, GET if prompt else READ):
            raise NotFound("nothing to complete", code="gateway.prompt" if prompt else "gateway.resource")
        if prompt:
            name, ref["name"] = self.server_of_prompt(ref["name"])
        else:
            name = await self.server_of_resource(caller, str(ref["uri"]))
        who = caller.principal
        context = CallContext(
            run_id="", call_id="", attempt=1, idempotency_key="", principal_id=who.id, tenant=who.tenant,
            deadline_s=_COMPLETE_S,
        )  # fmt: skip
        with anyio.fail_after(_COMPLETE_S):
            said = await self._door.plane.fleet.server(name).complete({**params, "ref": ref}, context)
        return cast(Entry, self._door.clean(said))

    async def _listed(self, caller: Caller, kind: str, of: Lists) -> list[tuple[Server, Entry]]:
        """The entries of every server that answers; nothing where the principal may read nothing of the kind."""
        found: list[tuple[Server, Entry]] = []
        if not self._door.may_read(caller, GET if kind == "prompts" else READ):
            return found
        for server in self._servers(kind):
            try:
                entries = await of(server, caller.principal.tenant, caller.principal.id)
            except ToolError:  # one that does not answer keeps nobody from the others'
                continue
            told = (quieted(cast(Entry, unhidden(entry))) for entry in entries)
            found += [(server, entry) for entry in told if entry is not None]
        return found

    def _servers(self, kind: str) -> Iterator[Server]:
        return (server for server in self._door.plane.fleet.servers.values() if kind in server.offers)
