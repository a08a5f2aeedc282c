"""What limits and grants add to a governed write in memory: the same write, with the one, the other and both.

A batch is one run on a ledger of its own (`governed.forget`), started and finished within the measured time. Limits are
two rates and two budgets, kept for the user and for the tool, none of which refuses. A grant releases what policy
holds; its uses are a row of the ledger too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST

HELD = """
@id("held") @approvers("approver")
forbid (principal, action == Action::"get_weather", resource);
permit (principal, action, resource);
"""


@asynccontextmanager
async def write(setting: Setting, *, limited: bool, granted: bool) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, WRITE, forget, settings
    from interlock import GrantTerms, Interlock, Principal, open_plane
    from interlock.approvals.grants import Grants

    approver = Principal("approver", roles=frozenset({"approver"}))
    any_weather = {"/city": {"any": True}, "/days": {"at_most": 14}}
    rules = None
    if granted:
        rules = setting.folder / "bench.cedar"
        rules.write_text(HELD)
    given = settings(setting.folder, ledger=None, policy=rules)
    if limited:
        given = given.model_copy(update={"limits": _limits(given.limits)})

    async def anew(interlock: Interlock, calls: int) -> None:
        forget(interlock)
        plane = interlock.plane
        if granted:
            grants = Grants(plane.ledger.store, plane.approvals.clock, plane.new_id, plane.approvals.entitlement)
            interlock.plane = replace(plane, approvals=replace(plane.approvals, grants=grants))
            terms = GrantTerms(tool="get_weather", where=any_weather, uses=1000, lasts_s=86_400, reason="bench")
            for _ in range(calls // 1000 + 1):
                await interlock.issue_grant(terms, approver)

    tool = replace(WRITE, costs={"micro_usd": 200})
    async with open_plane(given, tools=[tool]) as interlock:

        async def batch(n: int) -> None:
            await anew(interlock, n)
            async with interlock.run(CALLER) as run:
                for i in range(n):
                    await run.call("get_weather", ARGUMENTS[i & LAST])

        async def once(arguments: dict[str, object]) -> object:
            await anew(interlock, 1)
            async with interlock.run(CALLER) as run:
                return await run.call("get_weather", arguments)

        yield Opened(batch=batch, once=once)


def _limits(limits: object) -> object:
    from interlock.settings import BudgetSettings, LimitSettings, RateSettings

    assert isinstance(limits, LimitSettings)
    rates = (
        RateSettings(name="user", calls=1_000_000, per_s=1, per=("principal",)),
        RateSettings(name="tool", calls=1_000_000, per_s=1, per=("principal", "tool")),
    )
    budgets = (
        BudgetSettings(name="calls", unit="calls", most=10**12, per=("principal",)),
        BudgetSettings(name="money", unit="micro_usd", most=10**15, every="day"),
    )
    return limits.model_copy(update={"rates": rates, "budgets": budgets})


WRITE_ROW = "interlock, write"
LIMITED_ROW = f"{WRITE_ROW}, two rates and two budgets"
GRANTED_ROW = f"{WRITE_ROW}, released by a grant"
BOTH_ROW = f"{GRANTED_ROW}, two rates and two budgets"

CANDIDATES = tuple(
    Candidate(
        name=name,
        suite="limits",
        what=what,
        open=lambda setting, limited=limited, granted=granted: write(setting, limited=limited, granted=granted),
        floor=floor,
        distributions=("interlock",),
    )
    for name, what, limited, granted, floor in (
        (WRITE_ROW, "`run.call` of a write under the default policy; ledger in memory", False, False, ""),
        (LIMITED_ROW, "the same, reserved from two rates and two budgets and settled", True, False, WRITE_ROW),
        (
            GRANTED_ROW,
            "the same, held by policy and released by a grant that was matched and counted",
            False,
            True,
            WRITE_ROW,
        ),
        (BOTH_ROW, "both", True, True, GRANTED_ROW),
    )
)
