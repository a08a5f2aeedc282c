"""`interlock tools cost`: what the list of tools costs a model to read, and what of it nobody uses."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import Any, Final

from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Report
from interlock.cli.tools import tools as tools  # told again: with it come the commands of both files
from interlock.compose import open_registry
from interlock.core.tool import Tool
from interlock.ledger.store import Store
from interlock.registry.cost import list_tokens, tool_tokens
from interlock.registry.lint import OVERLAP_MIN
from interlock.registry.overlap import overlapping
from interlock.routing import FIND, Routing

_CALLS_MAX: Final = 10_000
"""Calls that are looked at, the newest."""


@command("cost", tools, example="interlock tools cost\ninterlock tools cost --json | jq '.servers'")
def cost(deployment: Deployment) -> Report:
    """What a model reads of the tools in every request, in tokens.

    By tool and by server, with what is never used.
    Says as well which tools say nearly the same, and what a selection of them with `find_tools` would cost instead.
    Tokens are estimated without any provider's vocabulary, within a tenth of what OpenAI's counts.
    """
    every = [tool for tool in open_registry(deployment.settings).offered if tool.name != FIND]
    used: Counter[str] = deployment.with_store(partial(_used, deployment))
    costs = {tool.name: tool_tokens(tool) for tool in every}
    whole = sum(costs.values())
    by_server: dict[str, list[Tool]] = defaultdict(list)
    for tool in every:
        by_server[tool.server].append(tool)
    alike = list(overlapping([(tool.name, tool.description) for tool in every], OVERLAP_MIN))
    routed = _routed(every, used)
    dearest = sorted(every, key=lambda tool: (-costs[tool.name], tool.name))
    view: list[RenderableType] = [
        Listing(
            ("tool", "server", "tokens", "of all", "calls"),
            [(tool.name, tool.server, f"{costs[tool.name]:,}", _part(costs[tool.name], whole),
              f"{used[tool.name]:,}" if used[tool.name] else "never") for tool in dearest],
            empty="No tools.",
        ),
        heading("Servers"),
        Listing(
            ("server", "tools", "never used", "tokens"),
            [(server, str(len(some)), str(sum(not used[tool.name] for tool in some)), f"{list_tokens(some):,}")
             for server, some in by_server.items()],
            empty="None.",
        ),
    ]  # fmt: skip
    if alike:
        view += [
            heading("Say nearly the same"),
            Listing(("tool", "and", "alike"), [(a, b, f"{share:.0%}") for a, b, share in alike], empty="None."),
        ]
    view.append(told(f"{whole:,} tokens in every request that offers all {len(every)}."))
    for said in routed:
        which = f"A selection of {said['tools']} with find_tools" + (
            " and an index of the rest" if said["index"] else ""
        )
        view.append(note(f"{which}: {said['tokens']:,} tokens, {_part(whole - said['tokens'], whole)} less."))
    return Report(
        {
            "tokens": whole,
            "tools": [
                {"tool": tool.name, "server": tool.server, "tokens": costs[tool.name], "calls": used[tool.name]}
                for tool in dearest
            ],
            "servers": {
                server: {"tools": len(some), "tokens": list_tokens(some)} for server, some in by_server.items()
            },
            "alike": [{"tools": [a, b], "share": round(share, 3)} for a, b, share in alike],
            "routed": routed,
        },
        view,
    )


async def _used(deployment: Deployment, store: Store) -> Counter[str]:
    """How many calls of each tool were done, of the newest."""
    asked = {"tenant": deployment.person.tenant, "outcome": "done"}
    return Counter(call["tool"] for call in await store.rows("tool_call", asked, _CALLS_MAX))


def _routed(every: list[Tool], used: Counter[str], *, most: int = 12) -> list[dict[str, Any]]:
    """What is left to read of the tools that are used most, the others found or named by `find_tools`."""
    if len(every) <= most:
        return []
    some = sorted(every, key=lambda tool: -used[tool.name])[:most]
    rest = [tool for tool in every if tool not in some]
    return [
        {"tools": most, "index": index, "tokens": list_tokens([*some, Routing(index=index).described(rest)])}
        for index in (False, True)
    ]


def _part(some: int, whole: int) -> str:
    return f"{some / whole:.0%}" if whole else "–"
