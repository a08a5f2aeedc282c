"""A deployment to report of, with names that wish to be something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlock.core.principal import Principal
from interlock.core.tool import Effect, Tool
from interlock.keys import TOOLS, WORDS, Key
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.settings import Settings
from interlock.wrapping.coverage import Coverage, Way
from interlock.wrapping.readiness import Site, examine
from interlock.wrapping.report_part import Cell, Grounds, Part, Table

HOSTILE = "<script>alert(1)</script>|![x](https://evil.example/?q=1)`\x1b[2J\u202ee\u200b"
BOSS = Principal("root", roles=frozenset({"admin", "approver"}))
MARIA = Principal("maria", roles=frozenset({"approver"}))
AGENT = Principal("bot", roles=frozenset({"agent"}), kind="service")
PEOPLE = (BOSS, MARIA, AGENT)


TIERS = (
    '@id("some") permit (principal, action, resource) when { !principal.roles.isEmpty() };',
    '@id("held") @approvers("approver") forbid (principal, action in Action::"effect/irreversible", resource);',
    '@id("ruled") @approvers("admin") forbid (principal, action in Action::"effect/privileged", resource);',
    '@id("no-service") forbid (principal, action in Action::"effect/privileged", resource) '
    'when { principal.kind == "service" };',
)


async def nothing(arguments: dict[str, Any], context: object) -> None:
    return None


def tool(name: str, effect: str = "read", **said: Any) -> Tool:
    declared = said.pop("declared", frozenset({"effect"}))
    schema = said.pop("schema", {"type": "object", "properties": {}})
    return Tool(name=name, input_schema=schema, body=nothing, effect=Effect(effect), declared=declared, **said)


TOOLS_HERE = (
    tool("look"), tool("fetch", outward=True), tool("note", "reversible"), tool("pay", "irreversible", keyed=True),
    tool("wipe", "privileged"), tool("far__x", "read", server="far", description=HOSTILE),
)  # fmt: skip


def grounds(folder: Path, *rules: str, **said: Any) -> Grounds:
    """A deployment with four tiers, or with these rules; whatever is said of its site, keys and so on."""
    tools = said.pop("tools", TOOLS_HERE)
    people = said.pop("people", PEOPLE)
    settings = Settings(folder=folder, **said.pop("settings", {}))
    policy = Policy([Source("own.cedar", "\n".join(rules or TIERS))], tools)
    site = Site(
        settings=settings, now_us=10**15, people=people, tools=tools, known=tools, approvers=policy.approvers,
        withheld=said.pop("withheld", {}),
    )  # fmt: skip
    keys = tuple(Key(person, frozenset({TOOLS}), 10**15) for person in people)
    way = Way(HOSTILE, HOSTILE, "its client names it directly", 3, "Remove it.")
    given = {"keys": keys, "covered": Coverage(((HOSTILE, "a client"),), 5, (way,)), **said}
    return Grounds(site=site, findings=tuple(examine(site)), policy=policy, **given)


def host(name: str) -> Key:
    return Key(Principal(name, roles=frozenset({"approver"})), frozenset({WORDS}))


def table(parts: tuple[Part, ...], part: str, name: str) -> Table:
    [found] = [each for of in parts if of.name == part for each in of.tables if each.name == name]
    return found


def rows(parts: tuple[Part, ...], part: str, name: str) -> list[dict[str, Cell]]:
    found = table(parts, part, name)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
