"""What a page says of a run as a whole: who, how it stands, what it has taken, and which runs belong to it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from interlock.api.site import Site
from interlock.core.guard_row import read_row
from interlock.core.run import RunState
from interlock.errors import NotFound
from interlock.ledger.conversation import Conversation
from interlock.ledger.tables import Row

CALLS_MAX: Final = 100_000
"""More calls than a run can have, by any settings."""

_CHILDREN_MAX: Final = 50
_KEPT: Final = 32

STATUSES: Final = ("done", "held", "unknown", "failed", "refused", "withheld", "under way")
"""How calls stand, in the order in which they are counted up."""


class Recent:
    """The folds of the runs that people look at, so that a page which loads itself again reads what is new alone."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: OrderedDict[str, Conversation] = OrderedDict()

    async def state(self, run_id: str, tenant: str) -> RunState:
        """The fold of a run, current.

        Raises:
            NotFound: No such run of this tenant.
            LedgerError: Its record cannot be read.
        """
        conversation = await self._site.plane.plane.ledger.conversation(run_id, tenant)
        await conversation.refresh()
        self._kept[run_id] = conversation
        self._kept.move_to_end(run_id)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return conversation.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a run has used of one budget.

    Attributes:
        unit: What is counted.
        most: How much there is.
        used: Reserved and spent, by all that use it.
        whose: The run that it was given to; empty for this one.
    """

    unit: str
    most: int
    used: int
    whose: str

    @property
    def left(self) -> int:
        """How much is left."""
        return max(self.most - self.used, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A run as a whole.

    Attributes:
        row: Its row.
        calls: How many calls stand how.
        took_us: Since its start, until its end or now.
        micro_usd: What it cost as far as that is known; None where no price is.
        tokens: What its model took, in and out; None for a run without one.
        budgets: What it may use.
        children: Rows of the runs that its calls started, those of them that exist.
    """

    row: Row
    calls: Mapping[str, int]
    took_us: int
    micro_usd: int | None
    tokens: tuple[int, int] | None
    budgets: Sequence[Use]
    children: Sequence[Row]

    @property
    def open(self) -> bool:
        """Whether it is not over."""
        return bool(self.row["status"] == "open")


async def row_of(site: Site, run_id: str, tenant: str) -> Row:
    """A run's row.

    Raises:
        NotFound: No such run of this tenant.
    """
    rows = await site.store.rows("run", {"run_id": run_id, "tenant": tenant}, 1)
    if not rows:
        raise NotFound(f"no run {run_id!r} here", code="run.not_found", remedy="Begin at the list of runs.")
    return rows[0]


async def head_of(site: Site, run: RunState) -> Head:
    """What is said of a run whose fold this is."""
    store = site.store
    row = await row_of(site, run.run_id, run.tenant)
    calls = counted(await store.rows("tool_call", {"run_id": run.run_id}, CALLS_MAX))
    ended_us = row["ended_us"] if row["ended_us"] is not None else site.now_us
    started = [call.child for call in run.calls.values() if call.child][:_CHILDREN_MAX]
    children = [found for each in started for found in await store.rows("run", {"run_id": each}, 1)]
    transcript = run.transcript
    return Head(
        row=row, calls=calls, took_us=max(ended_us - run.started_us, 0), micro_usd=await _cost(site, run),
        tokens=None if transcript is None else (transcript.input_tokens, transcript.output_tokens),
        budgets=[await _use(site, run, *budget) for budget in run.budgets], children=children,
    )  # fmt: skip


def counted(calls: Sequence[Row]) -> dict[str, int]:
    """How many calls stand how, in the order of `STATUSES`; rehearsals are left out."""
    found = Counter(call["outcome"] or "under way" for call in calls if not call["dry_run"])
    return {status: found[status] for status in STATUSES if found[status]}


async def _cost(site: Site, run: RunState) -> int | None:
    """What it cost: what its budgets were charged where it has some, at least what its model's turns say."""
    charged = [
        row["spent"] for row in await site.store.rows("budget", {"run_id": run.run_id}) if row["unit"] == "micro_usd"
    ]
    said = run.transcript.micro_usd if run.transcript is not None else 0
    return max([*charged, said]) if charged or said else None


async def _use(site: Site, run: RunState, name: str, unit: str, most: int) -> Use:
    parts: list[Any] = read_row(name) or []
    whose = str(parts[2]) if len(parts) > 2 and parts[1] == "run" else ""
    used = (await site.store.guards(name)).get(name, 0)
    return Use(unit=unit, most=most, used=used, whose="" if whose == run.run_id else whose)
