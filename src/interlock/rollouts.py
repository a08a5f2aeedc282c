"""What people say about versions of tools: how many of a hundred principals get one, and how it has gone since."""

from __future__ import annotations

from typing import NamedTuple

from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.core.tool import Tool
from interlock.errors import BadInput, NotEntitled, NotFound
from interlock.ledger.rollouts import figures_of, word
from interlock.pipeline import Plane
from interlock.registry.registry import Registered, Registry
from interlock.registry.rollout import Rollout
from interlock.registry.trial import Figures

TOLERATED = 5.0
"""Percent of a version's calls that may fail, where nobody said otherwise."""

REASON_MAX = 500
"""Characters of a reason."""


class RolloutTerms(NamedTuple):
    """A person's word on one version of a tool.

    Attributes:
        tool, version: Which.
        percent: How many of a hundred principals get it; 0 for none.
        reason: Why.
        tolerated: Percent of its calls that may fail; None for what was said of it before.
    """

    tool: str
    version: str
    percent: int
    reason: str
    tolerated: float | None = None


class VersionState(NamedTuple):
    """How one version of a tool stands.

    Attributes:
        tool: The version.
        share: Of a hundred principals that get no newer one, how many get it.
        said: What was last said of it; None for nothing.
        figures: What came of its calls, and of the others', since then.
        left_over: The older version, which the others had, is gone: they have none.
    """

    tool: Tool
    share: int
    said: Rollout | None
    figures: Figures
    left_over: bool


async def roll_out(plane: Plane, terms: RolloutTerms, person: Principal) -> VersionState:
    """Give a version of a tool to so many of a hundred principals, from the next call of every process on.

    Raises:
        NotEntitled: Neither operator nor admin.
        NotFound: No such tool or version here.
        BadInput: No share, no reason; it awaits review; or calls of others need the tool. Nothing changed.
        LedgerError: It could not be written, and nothing changed.
    """
    if not person.roles & {OPERATOR, ADMIN}:
        raise NotEntitled(
            f"{person.id!r} is neither {OPERATOR} nor {ADMIN}", code="rollout.role", remedy="Ask somebody who is."
        )
    known = _version(plane.registry, terms.tool, terms.version)
    before = (await plane.switch.standing(person.tenant)).rollouts
    said = before.by_tool.get(terms.tool, {}).get(terms.version)
    tolerated = terms.tolerated
    if tolerated is None:
        tolerated = TOLERATED if said is None else said.tolerated
    _check(plane.registry, known, terms, tolerated)
    first = plane.registry.find(terms.tool) is known
    body = {
        "percent": terms.percent, "tolerated": tolerated, "reason": terms.reason.strip(),
        "was": before.share(known.tool, first=first), "later": not first,
    }  # fmt: skip
    await plane.switch.say(person.tenant, word(plane.new_id("rollout"), known.tool, body, person))
    return next(each for each in await rollouts(plane, person.tenant) if each.tool is known.tool)


async def rollouts(plane: Plane, tenant: str) -> list[VersionState]:
    """How every version stands, of the tools that have several or of which somebody said something."""
    known = (await plane.switch.standing(tenant)).rollouts
    found = []
    for tool in plane.registry.tools:
        first = plane.registry.find(tool.name)
        said = known.by_tool.get(tool.name, {}).get(tool.version)
        if tool.name not in plane.registry.several and said is None and tool.digest not in known.unreadable:
            continue
        oldest = first is not None and first.tool is tool
        share = known.share(tool, first=oldest)
        figures = Figures() if said is None else await figures_of(plane.ledger.store, tenant, said.rollout_id)
        found.append(VersionState(tool, share, said, figures, oldest and known.left_over(tool)))
    return found


def _version(registry: Registry, tool: str, version: str) -> Registered:
    known = registry.version(tool, version)
    if known is None:
        there = ", ".join(each.tool.version for each in registry.versions(tool))
        what = f"no version {version!r} of {tool!r}" if there else f"no tool {tool!r}"
        raise NotFound(
            f"{what} here", code="rollout.version",
            remedy=f"There is {there}." if there else "See `interlock tools list`.",
        )  # fmt: skip
    return known


def _check(registry: Registry, known: Registered, terms: RolloutTerms, tolerated: float) -> None:
    percent, reason = terms.percent, terms.reason.strip()
    if type(percent) is not int or not 0 <= percent <= 100:
        raise BadInput(f"percent: {percent!r} is no share", code="rollout.percent", remedy="Give 0 to 100.")
    if not 0 <= tolerated < 100:
        raise BadInput(f"tolerated: {tolerated!r}", code="rollout.tolerated", remedy="Give 0 to less than 100 percent.")
    if not 1 <= len(reason) <= REASON_MAX:
        raise BadInput("reason: none, or too long", code="rollout.reason", remedy=f"Give 1 to {REASON_MAX} characters.")
    if known.withheld and percent:
        raise BadInput(
            f"version {known.tool.version!r} of {known.tool.name!r} is not as it was reviewed",
            code="rollout.unreviewed",
            remedy="Review it with `interlock tools drift`, then `interlock tools pin`.",
        )
    if percent < 100 and known.tool.name in _needed(registry):
        raise BadInput(
            f"calls of other tools are checked, settled or undone by {known.tool.name!r}", code="rollout.needed",
            remedy="It is for everybody, or for nobody: take it back with those tools.",
        )  # fmt: skip


def _needed(registry: Registry) -> frozenset[str]:
    """Tools that calls of others need, whoever they are for."""
    found: set[str] = set()
    for tool in registry.tools:
        found |= {tool.compensate, tool.reconcile}
        found.update(name for entity in tool.entities.values() for name in (entity.lookup, entity.suggest))
    return frozenset(found)
