"""The order of a batch.

Everything that can be decided is decided before anything runs; reads run together, like ones by one invocation where
their tool answers several at once, writes one after the other for each thing that they act on, and a call that needs
another's result after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import anyio

from interlock.core.call import ApprovedCall, Outcome, ToolCall
from interlock.core.canonical import canonical
from interlock.core.references import RESULT, filled, results_in
from interlock.errors import BadInput
from interlock.execution.together import Alone, Company, Seat

BATCH_MAX = 64
"""Calls of one batch (spec: limits)."""


class Turn(Protocol):
    """When an approved call may run, and in whose company.

    Attributes:
        seat: Its place among its likes; known once `wait` has returned.
    """

    seat: Seat

    async def wait(self, approved: ApprovedCall) -> bool:
        """Return once it is this call's turn, and whether it had to wait behind another."""
        ...

    def over(self) -> None:
        """The call has left the path, at whichever gate. Called once, always."""
        ...


class AtOnce:
    """The turn of a call that belongs to no batch."""

    seat: Seat = Alone()

    async def wait(self, approved: ApprovedCall) -> bool:
        """Return at once."""
        return False

    def over(self) -> None:
        """Nobody waits for it."""


class Batch:
    """The turns of calls that were proposed together.

    Args:
        expected: How many calls are ready from the start; a call whose arguments depend on another's
            result joins later and does not hold up the first ones.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._decided = 0
        self._open = anyio.Event()
        self._queued: list[BatchTurn] = []
        self._lines: dict[str, _Line] = {}

    def turn(self, *, late: bool = False) -> BatchTurn:
        """The turn of the next call, in the order of the batch."""
        turn = BatchTurn(self, late)
        if not late:
            self._queued.append(turn)
        return turn

    def _arrive(self) -> None:
        """One more of the first calls is decided; with the last one all may go, in line."""
        self._decided += 1
        if self._decided == self._expected:
            for turn in self._queued:
                self._line_up(turn)
            self._seat()
            self._open.set()

    def _seat(self) -> None:
        """Put like calls together whose tool answers several at once: the same definition, the same principal."""
        alike: dict[tuple[str, str, str], list[BatchTurn]] = {}
        for turn in self._queued:
            if turn.approved is not None and turn.approved.valid.tool.batch is not None:
                tool, who = turn.approved.valid.tool, turn.approved.valid.call.principal
                alike.setdefault((tool.digest, who.tenant, who.id), []).append(turn)
        for turns in alike.values():
            company = Company(len(turns))
            for turn in turns:
                turn.seat = company.seat()

    def _line_up(self, turn: BatchTurn) -> None:
        if turn.target is not None:
            self._lines.setdefault(turn.target.server, _Line()).join(turn, turn.target.thing)


class _Line:
    """The writes on one server in the order in which they may run."""

    def __init__(self) -> None:
        self._all: BatchTurn | None = None
        self._since: dict[str, BatchTurn] = {}

    def join(self, turn: BatchTurn, thing: str) -> None:
        """Put a write behind the last one on its thing; one on everything behind all of them."""
        if thing:
            last = self._since.get(thing, self._all)
            turn.behind = () if last is None else (last,)
            self._since[thing] = turn
        else:
            turn.behind = (*self._since.values(), *(() if self._all is None else (self._all,)))
            self._since.clear()
            self._all = turn


class BatchTurn:
    """The turn of one call of a batch."""

    def __init__(self, batch: Batch, late: bool) -> None:
        self._batch = batch
        self._arrived = late
        self._late = late
        self._over = anyio.Event()
        self.approved: ApprovedCall | None = None
        self.seat: Seat = Alone()
        self.target: Target | None = None
        self.behind: tuple[BatchTurn, ...] = ()

    async def wait(self, approved: ApprovedCall) -> bool:
        """Wait until all of the batch is decided, then until the writes before this one are over."""
        self.approved = approved
        self.target = target_of(approved)
        if self._late:
            self._batch._line_up(self)
        else:
            self._arrived = True
            self._batch._arrive()
            await self._batch._open.wait()
        for other in self.behind:
            await other._over.wait()
        return bool(self.behind)

    def over(self) -> None:
        """Let the next in line go; a call that was stopped before its turn counts as decided."""
        if not self._arrived:
            self._arrived = True
            self._batch._arrive()
        self.seat.leave()
        self._over.set()


class Target(NamedTuple):
    """What a write acts on.

    Attributes:
        server: Where.
        thing: Kind and id of the thing there, as one text; empty for what may be anything there.
    """

    server: str
    thing: str


def target_of(approved: ApprovedCall) -> Target | None:
    """What a write acts on: what its resource argument names, else its whole server; None for a read."""
    valid = approved.valid
    tool = valid.tool
    if not tool.writes:
        return None
    named = valid.arguments.get(tool.resource) if tool.resource else None
    if named is None:
        return Target(tool.server, "")
    # An entity is the same thing whatever the parameter is called that names it.
    entity = tool.entities.get(tool.resource)
    kind = tool.resource if entity is None else entity.type
    return Target(tool.server, f"{kind}/{named if isinstance(named, str) else canonical(named).decode()}")


def dependencies(calls: Sequence[tuple[str, ToolCall]]) -> list[dict[str, int]]:
    """For each call the earlier ones whose results it needs: id to place in the batch.

    Raises:
        BadInput: Too many calls, an id or a call twice, or a reference to no earlier call.
    """
    if len(calls) > BATCH_MAX:
        raise BadInput(
            f"a batch of {len(calls)} calls", code="batch.too_large", remedy=f"Propose at most {BATCH_MAX} at once."
        )
    if len({call.call_id for _, call in calls}) < len(calls):
        raise BadInput("a call is in the batch twice", code="batch.twice", remedy="Name each call once.")
    placed: dict[str, int] = {}
    needs: list[dict[str, int]] = []
    for index, (name, call) in enumerate(calls):
        needed = {}
        for reference, _ in results_in(call.arguments):
            if reference not in placed:
                raise BadInput(
                    f"{RESULT}: no earlier call of the batch is called {reference!r}",
                    code="batch.reference", remedy="Refer to the id of a call before this one.",
                )  # fmt: skip
            needed[reference] = placed[reference]
        needs.append(needed)
        if name:
            if name in placed:
                raise BadInput(
                    f"two calls of the batch are called {name!r}", code="batch.twice", remedy="Name each call once."
                )
            placed[name] = index
    return needs


def fill(call: ToolCall, results: Mapping[str, Outcome]) -> ToolCall:
    """The call with its references replaced by what they stand for, or marked as lacking one that is not there."""
    for name, outcome in results.items():
        if not outcome.done:
            return replace(call, lacks=name)
    try:
        return replace(call, arguments=filled(call.arguments, {name: each.value for name, each in results.items()}))
    except BadInput as error:
        return replace(call, lacks=str(error))
