"""A tool in two versions, and a plane over them."""

from __future__ import annotations

from typing import Any

from interlock.core.call import Outcome
from interlock.core.principal import Principal
from interlock.core.tool import CallContext, Tool
from interlock.errors import NotSent
from interlock.registry.rollout import NO_ROLLOUTS, Rollout, Rollouts
from tests.planes import Does, Far, Stage

SECOND = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "currency": {"enum": ["EUR", "USD"]}},
    "required": ["n", "currency"],
    "additionalProperties": False,
}
"""What the second version takes."""


def people(number: int, tenant: str = "default") -> list[Principal]:
    return [Principal(f"user_{index}", tenant, frozenset({"support"})) for index in range(number)]


def versions(far: Far, effect: str = "read", does: Does | None = None, **options: Any) -> tuple[Tool, Tool]:
    """`pay` in two versions of the same form, of which the second does as it is told."""
    first = far.tool("pay", effect, version="1", description="Pays, as ever.", **options)

    async def second(arguments: dict[str, Any], context: CallContext) -> object:
        return {"n": arguments["n"], "by": "2"} if does is None else await does(arguments, context)

    return first, far.tool("pay", effect, second, version="2", description="Pays anew.", **options)


async def breaks(arguments: dict[str, Any], context: CallContext) -> object:
    raise NotSent("the new bank is not there")


def given(percent: int, version: str = "2", tool: str = "pay", **changes: Any) -> Rollouts:
    """What holds where a person gave that version to so many."""
    rollout = Rollout(
        rollout_id=f"rollout_{tool}_{version}", server="local", tool=tool, version=version, percent=percent,
        tolerated=5.0, state="live" if percent else "off", by="opa", reason="drill", at_us=0,
    )  # fmt: skip
    return given_too(NO_ROLLOUTS, rollout)


def given_too(rollouts: Rollouts, rollout: Rollout) -> Rollouts:
    return rollouts._with(rollout)


async def call(stage: Stage, principal: Principal, arguments: dict[str, Any] | None = None) -> Outcome:
    """One call of `pay` in a run of its own."""
    async with stage.run(principal) as run:
        outcome: Outcome = await run.call("pay", arguments or {"n": 1})
        return outcome


async def version_of(stage: Stage, principal: Principal) -> str:
    """Which version this principal's call ran."""
    outcome = await call(stage, principal)
    assert outcome.done, outcome
    return str(outcome.value.get("by", "1"))
