"""What a model is offered in a turn: of the tools that its run may call, those that its user may have now.

An offer is guidance and saves tokens. What may be called is decided at the call, whatever was offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from interlock.core.decision import Mode
from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.policy.authorize import Rules


class Standing(NamedTuple):
    """How a run stands when its model is about to be asked.

    Attributes:
        principal: On whose behalf.
        turn: Number of the turn that comes, from 1.
        done: Names of the tools of which a call of this run was done.
    """

    principal: Principal
    turn: int
    done: frozenset[str]


Offering = Callable[[Standing], Iterable[str]]
"""Names of the tools to offer now; of those that the run may not call, none is."""


def to_have(tools: Iterable[Tool], principal: Principal, policy: Rules) -> list[Tool]:
    """Those of the tools that policy could let the principal have at all, in their order."""
    return [tool for tool in tools if policy.mode is not Mode.ENFORCE or policy.may_have(principal, tool)]


def for_now(tools: Sequence[Tool], offering: Offering | None, run: RunState, principal: Principal) -> list[Tool]:
    """Those of the tools that are offered in the turn that comes, in their order."""
    if offering is None:
        return list(tools)
    assert run.transcript is not None, "an agent's run has one"
    names = frozenset(offering(Standing(principal, len(run.transcript.turns) + 1, frozenset(run.done))))
    return [tool for tool in tools if tool.name in names]


def changed(offered: Sequence[Tool], before: Sequence[str] | None, every: Sequence[Tool]) -> list[Fact]:
    """The fact of an offer that is not the one before; before the first, every tool that the run may call is it."""
    names = [tool.name for tool in offered]
    if names == (list(before) if before is not None else [tool.name for tool in every]):
        return []
    return [Fact(Kind.TOOLS_OFFERED, {"tools": names})]
