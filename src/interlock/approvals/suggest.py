"""Grants proposed from past approvals: the narrowest predicates that cover what people released. Pure.

The same requests propose the same grants, in the same order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.approvals.grant import ToolIdentity
from interlock.approvals.past import Past
from interlock.approvals.where import ONE_OF_MAX, TEXT_MAX, Where, distinct, domain_of, exactly, is_number, where_of
from interlock.core.canonical import Json, canonical, pointer
from interlock.core.tool import Effect, Tool

COVERS_MIN = 3
"""Approved requests that a proposal must cover: what was released twice may be chance."""

_FEW = 5
_FREE_TEXT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One grant that could be issued.

    Attributes:
        tool: For which tool.
        where: For which arguments.
        subject: On whose behalf; empty where the approvals were on behalf of several.
        covers: Ids of the approved requests that it would have answered.
        approved: How many requests of the tool were approved in all.
        near_misses: Ids of requests that were turned down and that only one predicate, or the subject, keeps out.
        free: Pointers of what it leaves open because people write it freely.
    """

    tool: ToolIdentity
    where: Where
    subject: str
    covers: tuple[str, ...]
    approved: int
    near_misses: tuple[str, ...]
    free: tuple[str, ...]


def suggest(requests: Sequence[Past], tools: Mapping[ToolIdentity, Tool]) -> list[Suggestion]:
    """What could be granted, by tool, the widest first.

    Args:
        requests: Past requests.
        tools: The tools as they are defined now. For others nothing is proposed: a grant for them would be void. Nor
            for privileged ones.
    """
    by_tool: dict[ToolIdentity, list[Past]] = defaultdict(list)
    for past in requests:
        tool = tools.get(past.tool)
        if tool is not None and Effect.PRIVILEGED.value not in (past.effect, tool.effect.value):
            by_tool[past.tool].append(past)
    found = [one for identity, asked in by_tool.items() for one in _of_tool(tools[identity], asked)]
    return sorted(found, key=lambda one: (one.tool, -len(one.covers), canonical(one.where.as_json())))


def answers(where: Where, subject: str, past: Past) -> bool:
    """Whether a grant of these terms would have been about a request of its tool."""
    return subject in ("", past.subject) and where.matches(past.arguments)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[str, Json]:
    """Every leaf of the arguments by its pointer; an empty list or object below the whole is one."""
    if isinstance(value, Mapping) and (value or not path):
        parts: Any = value.items()
    elif isinstance(value, list) and value:
        parts = enumerate(value)
    else:
        return {pointer([*path]): value}
    return {where: leaf for key, part in parts for where, leaf in leaves(part, (*path, key)).items()}


def _of_tool(tool: Tool, asked: Sequence[Past]) -> list[Suggestion]:
    approved = [past for past in asked if past.approved]
    against = [past for past in asked if past.turned_down]
    subjects = {past.subject for past in approved}
    subject = subjects.pop() if len(subjects) == 1 else ""
    shapes: dict[frozenset[str], list[Past]] = defaultdict(list)
    for past in approved:
        shapes[frozenset(leaves(past.arguments))].append(past)
    found = []
    for alike in shapes.values():
        for where, free in _candidates(tool, alike):
            covers = tuple(past.approval_id for past in approved if answers(where, subject, past))
            if len(covers) >= COVERS_MIN and not any(answers(where, subject, past) for past in against):
                near = tuple(past.approval_id for past in against if _nearly(where, subject, past))
                found.append(
                    Suggestion(
                        tool=ToolIdentity.of(tool), where=where, subject=subject, covers=covers,
                        approved=len(approved), near_misses=near, free=free,
                    )
                )  # fmt: skip
                break
    return found


def _candidates(tool: Tool, alike: Sequence[Past]) -> list[tuple[Where, tuple[str, ...]]]:
    """Predicates for requests of one shape, the most useful first: as they generalise, then exactly as they were."""
    values: dict[str, list[Json]] = defaultdict(list)
    for past in alike:
        for where, value in leaves(past.arguments).items():
            values[where].append(value)
    general = {where: _predicate(found, _role(tool, where)) for where, found in values.items()}
    exact = {where: _exactly(found) for where, found in values.items()}
    made = []
    for said in (general, exact):
        if all(predicate is not None for predicate in said.values()):
            free = tuple(sorted(where for where, predicate in said.items() if predicate == {"any": True}))
            made.append((where_of(said), free))
    return made


def _predicate(values: Sequence[Json], role: str) -> dict[str, Json]:
    """The narrowest predicate that holds for all of these values of one argument."""
    if role == "content" or any(_is_free_text(value) for value in values):
        return {"any": True}
    found = distinct(values)
    if len(found) == 1:
        return {"equals": found[0]}
    numbers = [value for value in values if is_number(value)]
    if len(numbers) == len(values) and (role == "amount" or len(found) > _FEW):
        return {"at_least": min(numbers, key=exactly), "at_most": max(numbers, key=exactly)}  # type: ignore[arg-type]
    if len(found) <= _FEW:
        return {"one_of": found}
    domains = {domain_of(value) for value in values}
    return {"any": True} if "" in domains or len(domains) > 1 else {"domain": domains.pop()}


def _exactly(values: Sequence[Json]) -> dict[str, Json] | None:
    """What was approved and no other value; None where that cannot be said."""
    found = distinct(values)
    if len(found) > ONE_OF_MAX or any(len(canonical(value)) > TEXT_MAX for value in found):
        return None
    return {"equals": found[0]} if len(found) == 1 else {"one_of": found}


def _is_free_text(value: Json) -> bool:
    return isinstance(value, str) and (len(value) > _FREE_TEXT or "\n" in value)


def _role(tool: Tool, where: str) -> str:
    return tool.roles.get(where.split("/")[1].replace("~1", "/").replace("~0", "~"), "")


def _nearly(where: Where, subject: str, past: Past) -> bool:
    """Whether one predicate alone, or the subject alone, keeps a request out."""
    kept_out = 0 if subject in ("", past.subject) else 1
    said: dict[str, Any] = where.as_json()
    for at in said:
        kept_out += not where_of({**{other: {"any": True} for other in said}, at: said[at]}).matches(past.arguments)
    return kept_out == 1 and where_of({at: {"any": True} for at in said}).matches(past.arguments)
