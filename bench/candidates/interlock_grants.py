"""Interlock with a held call that a grant answers, beside the same call where nothing holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST

USES = 1000
"""Uses of the grant that matches: a batch gives another one when they are taken."""

FREE = "permit (principal, action, resource);"
HELD = f'{FREE} @id("held") @approvers("approver") forbid (principal, action, resource);'


@asynccontextmanager
async def grants(setting: Setting) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, WRITE, forget, settings
    from interlock import GrantTerms, Principal, open_plane
    from interlock.approvals.grants import Grants

    boss = Principal("boss", roles=frozenset({"approver"}))
    policy = setting.folder / "policy.cedar"
    policy.write_text(HELD if setting.size else FREE)
    fits = {f"/{name}": {"any": True} for name in ARGUMENTS[0]}
    first = next(iter(fits))

    def terms(where: dict[str, Any], uses: int, hours: int) -> GrantTerms:
        return GrantTerms(tool=WRITE.name, where=where, uses=uses, lasts_s=hours * 3600, reason="bench")

    async with open_plane(settings(setting.folder, ledger=None, policy=policy), tools=[WRITE]) as interlock:

        async def begin() -> None:
            """An empty ledger, in which all grants but the last are for other arguments and end sooner."""
            forget(interlock)
            plane = interlock.plane
            old = plane.approvals
            new = Grants(plane.ledger.store, old.clock, plane.new_id, old.entitlement)
            interlock.plane = replace(plane, approvals=replace(old, grants=new))
            for number in range(setting.size - 1):
                await interlock.issue_grant(terms({**fits, first: {"equals": f"nowhere {number}"}}, 1, 1), boss)

        async def batch(n: int) -> None:
            await begin()
            async with interlock.run(CALLER) as run:
                for i in range(n):
                    if setting.size and i % USES == 0:
                        await interlock.issue_grant(terms(fits, USES, 2), boss)
                    await run.call(WRITE.name, ARGUMENTS[i & LAST])

        async def once(arguments: dict[str, object]) -> object:
            await begin()
            if setting.size:
                await interlock.issue_grant(terms(fits, USES, 2), boss)
            async with interlock.run(CALLER) as run:
                return await run.call(WRITE.name, arguments)

        yield Opened(batch=batch, once=once)


CANDIDATES = (
    Candidate(
        name="interlock, grants",
        suite="scale",
        what="`run.call` of a write; with live grants it is held, and the last one of them answers; ledger in memory",
        open=grants,
        sizes=(0, 1, 200),
        distributions=("interlock",),
    ),
)
