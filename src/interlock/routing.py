"""Routing: of many tools, those that a run is offered, and `find_tools`, by which its model finds the others.

An offer saves tokens and is no control: whatever was offered, a call is decided when it is proposed. What is offered
never depends on what a tool's result says, but for the names that `find_tools` itself told in this run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import anyio.to_thread

from interlock.core.decision import Mode
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import CallContext, Tool
from interlock.core.visible import unhidden
from interlock.errors import DefinitionError, Rejected
from interlock.ledger.uses import past_uses
from interlock.pipeline import Plane
from interlock.registry.define import foreign_tool
from interlock.registry.registry import Registry
from interlock.registry.select import Encoder, Ranking

FIND: Final = "find_tools"
"""Name of the tool that finds others."""

FOUND_MAX: Final = 5
"""Tools that one call of it tells of."""

_LINE_MAX: Final = 60
_SERVERS_MAX: Final = 40


class Routing:
    """What is offered of more tools than a model reads well.

    Args:
        above: So many tools are offered as they are; of more, a selection.
        most: How many a selection has at first, `find_tools` besides.
        index: Whether `find_tools` says the names of all others, with a few words of each.
        encoder: A user's own model that ranks too; None for full text alone.
    """

    def __init__(self, *, above: int = 40, most: int = 12, index: bool = False, encoder: Encoder | None = None) -> None:
        if not 1 <= most <= above:
            raise DefinitionError(
                f"routing: {most} of more than {above} tools", code="routing.most", remedy="Offer 1 to `above` tools."
            )
        self.above, self.most, self._index, self._encoder = above, most, index, encoder
        self._plane: Plane | None = None
        self._ranking: tuple[Registry, Ranking] | None = None

    def use(self, plane: Plane) -> None:
        """Find among the tools of this plane."""
        self._plane = plane

    def routes(self, tools: Sequence[Tool]) -> bool:
        """Whether there are so many that a selection is offered."""
        return sum(tool.name != FIND for tool in tools) > self.above and any(tool.name == FIND for tool in tools)

    def without_find(self, tools: Sequence[Tool]) -> list[Tool]:
        """The tools; without `find_tools` where there are so few that nothing is selected."""
        return list(tools) if self.routes(tools) else [tool for tool in tools if tool.name != FIND]

    async def offered(
        self, tools: Sequence[Tool], principal: Principal, run: RunState | None, *, before: Sequence[str] | None = None
    ) -> list[Tool]:
        """What a run is offered of the tools that its principal may have; in their order, `find_tools` last.

        What was offered before is offered again, with what was called and found since: a list that only grows at its
        end keeps what providers have cached of it.

        Args:
            run: None before there is one.
            before: Names that it was offered last; None for nothing yet.
        """
        if not self.routes(tools):
            return self.without_find(tools)
        names = dict.fromkeys(before if before is not None else await self._first(tools, principal, run))
        if run is not None:
            names |= dict.fromkeys([*run.tool_calls, *_found(run)])
        known = {tool.name: tool for tool in tools}
        chosen = [known[name] for name in names if name in known and name != FIND]
        return [*chosen, self.described([tool for tool in tools if tool.name not in names])]

    async def _first(self, tools: Sequence[Tool], principal: Principal, run: RunState | None) -> list[str]:
        """Names of the first selection, in the order of the list: by the user's words, and by earlier use."""
        among = frozenset(tool.name for tool in tools) - {FIND}
        store, run_id = self._bound.ledger.store, "" if run is None else run.run_id
        uses = await past_uses(store, principal.tenant, principal.id, but=run_id)
        words = "" if run is None else " ".join(filter(None, (run.words, str(run.task.get("text", "")))))
        chosen = {tool.name for tool in await self._best(words, self.most, among, uses)} if words else set()
        often = Counter({name: len(texts) for name, texts in uses.items() if name in among and name not in chosen})
        chosen |= {name for name, _ in often.most_common(self.most - len(chosen))}
        return [tool.name for tool in tools if tool.name in chosen]

    async def _best(self, text: str, most: int, among: frozenset[str], uses: Mapping[str, Sequence[str]]) -> list[Tool]:
        registry = self._bound.registry

        def best() -> list[Tool]:  # in a thread: an index of thousands of tools takes a while, an encoder may too
            if self._ranking is None or self._ranking[0] is not registry:
                self._ranking = registry, Ranking(registry.offered, self._encoder)
            return self._ranking[1].best(text, most, among=among, uses=uses)

        return await anyio.to_thread.run_sync(best)

    @property
    def tool(self) -> Tool:
        """`find_tools`: a read like any other, which tells of nothing that its principal may not have."""

        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            run = (await self._bound.ledger.conversation(context.run_id, context.tenant)).state
            if run.principal is None:
                raise Rejected("no principal", reason="this run was not started")
            tools = {tool.name: tool for tool in await self._may_have(run, run.principal)}
            found = await self._best(arguments["query"], FOUND_MAX, frozenset(tools), {})
            return {"tools": [_told(tools[tool.name]) for tool in found], "of": len(tools)}

        return foreign_tool(
            FIND, "interlock",
            "Find further tools by what they do. Call it when none of your tools does what the next step needs, once "
            "for each kind of step, in a few words such as 'create calendar event'. Tools that it names can be called "
            "from then on.",
            {
                "type": "object", "additionalProperties": False, "required": ["query"],
                "properties": {"query": {"type": "string", "minLength": 2, "maxLength": 300,
                                         "description": "What the tool should do, in a few words."}},
            },
            body, effect="read", timeout_s=10, sealed=True, output_schema=_FOUND, category="routing",
            examples=[{"query": "create calendar event"}],
        )  # fmt: skip

    async def _may_have(self, run: RunState, principal: Principal) -> list[Tool]:
        """What can be found, in the versions that are rolled out to its principal."""
        plane = self._bound
        return [
            tool
            for tool in (await plane.tools_of(principal)).offered
            if tool.name != FIND
            and not tool.starts
            and (run.tools is None or tool.name in run.tools)
            and (plane.policy.mode is not Mode.ENFORCE or plane.policy.may_have(principal, tool))
        ]

    def described(self, rest: Sequence[Tool]) -> Tool:
        """`find_tools` as it is offered: with how many others there are, and where or which."""
        find, others = self.tool, [tool for tool in rest if tool.name != FIND]
        if self._index:
            said = "\n".join(f"{tool.name}: {_line(tool)}" for tool in others)
            return replace(find, description=f"{find.description}\nThe {len(others)} others:\n{said}")
        servers = Counter(tool.server for tool in others)
        where = ", ".join(f"{name} ({number})" for name, number in servers.most_common(_SERVERS_MAX))
        return replace(find, description=f"{find.description}\nThere are {len(others)} others, on {where}.")

    @property
    def _bound(self) -> Plane:
        assert self._plane is not None, "compose binds it"
        return self._plane


_FOUND: Final = {
    "type": "object", "additionalProperties": False, "required": ["tools", "of"],
    "properties": {
        "of": {"type": "integer", "description": "How many there are to be found among."},
        "tools": {"type": "array", "maxItems": FOUND_MAX, "items": {
            "type": "object", "additionalProperties": False, "required": ["name", "description", "input_schema"],
            "properties": {"name": {"type": "string"}, "description": {"type": "string"},
                           "input_schema": {"type": "object"}},
        }},
    },
}  # fmt: skip


def _told(tool: Tool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)
    }  # fmt: skip
    return said if tool.sealed else cast("dict[str, Any]", unhidden(said))


def _found(run: RunState) -> list[str]:
    """Names that `find_tools` told in this run, in their order."""
    told = [call.outcome for call in run.calls.values() if call.tool == FIND and call.status == "closed"]
    return [
        each["name"]
        for outcome in told
        if outcome is not None and outcome.done and isinstance(outcome.value, dict)
        for each in outcome.value.get("tools", ())
    ]


def _line(tool: Tool) -> str:
    """The beginning of a description, on one line."""
    said = tool.description if tool.sealed else str(unhidden(tool.description))
    line = " ".join(said.split())
    return line if len(line) <= _LINE_MAX else f"{line[:_LINE_MAX].rsplit(' ', 1)[0]}…"
