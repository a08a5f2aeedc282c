"""The tools: what can be called, how well it is described, and in which versions.

Every text of a tool is its server's: it is shown as text that says where it is from, and never as a title or a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from interlock.api.asking import who_of
from interlock.api.tools import by_name
from interlock.console.forms import Form
from interlock.console.view import View, seen
from interlock.core.clock import SECOND_US
from interlock.core.tool import Tool
from interlock.errors import MissingExtra, NotFound
from interlock.ledger.definitions import Definitions
from interlock.registry.cost import tool_tokens
from interlock.registry.lint import lint
from interlock.registry.lint_tool import score
from interlock.telemetry.measures_overview import ToolFigures

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_WORDS_MAX: Final = 200
_DAY_US: Final = 24 * 3600 * SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One tool in the catalogue.

    Attributes:
        tool: Its definition.
        points: Its score on the checklist, 0 to 100.
        tokens: What a model reads of it in every request, about.
        versions: How many of it there are.
        state: Why it is left alone or withheld now; empty for nothing.
        figures: What came of its calls in the last 24 hours; None for no call.
        address: Of its page.
    """

    tool: Tool
    points: int
    tokens: int
    versions: int
    state: str
    figures: ToolFigures | None
    address: str


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of tools."""
    site = view.site

    async def catalogue(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        wanted = seen(request.query_params.get("q", "")).strip()[:_WORDS_MAX]
        every = list(_lines(view, who.tenant))
        found = [each for each in every if _matches(each.tool, wanted)]
        waiting = await Definitions(site.store).waiting()
        servers = {name: (each.state.value, each.why) for name, each in site.plane.fleet.servers.items()}
        return view.page(
            request, "tools.html", found=found, whole=len(every), wanted=wanted, waiting=waiting, servers=servers,
            withheld=site.plane.plane.registry.withheld, tokens=sum(each.tokens for each in every), live="tool health",
        )  # fmt: skip

    async def one(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        name = request.path_params["name"]
        line = next((each for each in _lines(view, who.tenant) if each.tool.name == name), None)
        if line is None:
            raise NotFound(f"no tool {name!r} here", code="tools.unknown", remedy="See the list of tools.")
        versions = [each for each in await site.plane.rollouts(who.tenant) if each.tool.name == name]
        return view.page(
            request, "tool.html", line=line, versions=versions, findings=lint([line.tool]), score=score(line.tool),
            live="rollout tool",
        )  # fmt: skip

    async def roll_out(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        form, name = Form(request), request.path_params["name"]
        percent = form.whole("percent", 0, 100)
        await site.plane.roll_out(
            name, form.text("version", 100), percent, who.principal, reason=form.text("reason", 500)
        )
        return RedirectResponse(_address(name), 303)

    return [
        Route("/tools", catalogue),
        Route("/tools/named/{name}", one),
        Route("/tools/named/{name}", roll_out, methods=["POST"]),
    ]


def _lines(view: View, tenant: str) -> Iterator[Line]:
    """Every tool, by name."""
    site = view.site
    registry, degraded = site.plane.plane.registry, site.plane.degraded
    figures = _figures(view, tenant)
    for name, versions in by_name(site).items():
        tool = versions[0]
        yield Line(
            tool=tool, points=score(tool).points, tokens=tool_tokens(tool), versions=len(versions),
            state=registry.withheld.get(name, "") or degraded.get(name, ""), figures=figures.get(name),
            address=_address(name),
        )  # fmt: skip


def _figures(view: View, tenant: str) -> Mapping[str, ToolFigures]:
    now_us = view.site.now_us
    return {each.tool: each for each in view.site.measures.over(tenant, now_us - _DAY_US, now_us).tools}


def _matches(tool: Tool, wanted: str) -> bool:
    words = f"{tool.name} {tool.server} {tool.effect.value} {tool.category} {tool.description}".casefold()
    return all(word in words for word in wanted.casefold().split())


def _address(name: str) -> str:
    return f"/tools/named/{quote(name, safe='')}"
