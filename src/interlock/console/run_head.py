"""What a page says of a run as a whole: who, how it stands, what it has taken, and which runs belong to it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from interlock.api.site import Site
from interlock.core.event import Kind
from interlock.core.guard_row import read_row
from interlock.core.run import RunState
from interlock.errors import NotFound
from interlock.inbox import inbox
from interlock.ledger.tables import Row

CALLS_MAX: Final = 100_000
"""More calls than a run can have, by any settings."""

_CHILDREN_MAX: Final = 50
_KEPT: Final = 32

STATUSES: Final = ("done", "held", "unknown", "failed", "refused", "withheld", "under way")
"""How calls stand, in the order in which they are counted up."""


class Recent:
    """The folds of the runs that people look at, so that a page which loads itself again reads what is new alone.

    They are these pages' own: a fold that somebody works with still knows what was erased from the ledger meanwhile.
    """

    def __init__(self, site: Site) -> None:
        self._store = site.store
        self._kept: OrderedDict[str, RunState] = OrderedDict()

    async def state(self, run_id: str, tenant: str) -> RunState:
        """The fold of a run, current; what was erased is not in it.

        Raises:
            NotFound: No such run of this tenant.
            LedgerError: Its record cannot be read.
        """
        run = self._kept.pop(run_id, None) or RunState(run_id, tenant)
        new = list(await self._store.tail(run_id, run.seq))
        if run.seq and any(event.fact.kind is Kind.REDACT for event in new):
            run, new = RunState(run_id, tenant), list(await self._store.tail(run_id))
        run.absorb(new)
        if run.principal is None or run.tenant != tenant:
            raise no_run(run_id)
        self._kept[run_id] = run
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return run


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
        dead: Rows of its calls that were given up on, that failed, and that nobody tried again or undid.
        children: Rows of the runs that its calls started, those of them that exist.
    """

    row: Row
    calls: Mapping[str, int]
    took_us: int
    micro_usd: int | None
    tokens: tuple[int, int] | None
    budgets: Sequence[Use]
    dead: Sequence[Row]
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
        raise no_run(run_id)
    return rows[0]


def no_run(run_id: str) -> NotFound:
    """What whoever asks for a run that is not there, or not theirs to see, is told."""
    return NotFound(f"no run {run_id!r} here", code="run.not_found", remedy="Begin at the list of runs.")


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
        dead=[] if run.driver == "saga" else await _dead(site, run),
    )  # fmt: skip


def counted(calls: Sequence[Row]) -> dict[str, int]:
    """How many calls stand how, in the order of `STATUSES`; rehearsals are left out."""
    found = Counter(call["outcome"] or "under way" for call in calls if not call["dry_run"])
    return {status: found[status] for status in STATUSES if found[status]}


async def _dead(site: Site, run: RunState) -> list[Row]:
    """What the inbox has of this run as given up on: see `inbox`."""
    letters = await site.store.rows("dead_letter", {"run_id": run.run_id}, CALLS_MAX)
    waits = await inbox(site.store, run.tenant, site.now_us, run.run_id) if letters else []
    ids = {call_id for item in waits if item.kind == "dead_letter" for call_id in item.ids}
    return [letter for letter in letters if letter["call_id"] in ids]


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
