"""The runs that this process works on: each one's fold, kept up to date with the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from weakref import WeakValueDictionary

import anyio

from interlock.core.event import Event, Fact, GuardChange, Kind
from interlock.core.points import Points, pass_by
from interlock.core.run import RunState
from interlock.errors import NotFound, StoreUnavailable
from interlock.ledger.company import Company
from interlock.ledger.settlement import settlement
from interlock.ledger.store import Append, Claim, Store
from interlock.ledger.tags import Tags, outdated, raises
from interlock.ledger.turning import turning


class Ledger:
    """The store, and the runs of it that this process is working on.

    Attributes:
        store: Where facts become durable.
        tags: What was written under which cache tag.
        reach: Told the name of each crash point as it is passed.
        company: Which runs may be advanced at the same time.
    """

    def __init__(self, store: Store, reach: Points = pass_by) -> None:
        self.store = store
        self.tags = Tags(store)
        self.reach = reach
        self.company = Company()
        self._conversations: WeakValueDictionary[str, Conversation] = WeakValueDictionary()

    async def conversation(self, run_id: str, tenant: str) -> Conversation:
        """The run as this process knows it: one object for each run, for as long as anybody holds it.

        Raises:
            NotFound: No such run, or it is another tenant's.
        """
        known = self._conversations.get(run_id)
        if known is None:
            known = self._conversations[run_id] = Conversation(self, RunState(run_id, tenant))
        if known.unread:  # by whoever asked first either
            await known.refresh()
        if known.state.principal is None or known.state.tenant != tenant:
            raise NotFound(
                f"no run {run_id!r} here", code="run.not_found", remedy="List runs with `interlock runs list`."
            )
        return known

    async def open(self, run_id: str, tenant: str, started: Fact, claim: Claim | None) -> Conversation:
        """The conversation of a new run, its start and its claim durable.

        Raises:
            LedgerError: Nothing was written.
        """
        new = Conversation(self, RunState(run_id, tenant))
        conversation = self._conversations.setdefault(
            run_id, new
        )  # of two who start it at once, one fails: at the store
        await conversation.claim(claim, [started])
        return conversation


class OnTheWay(Protocol):
    """A call that is passing the gates in this process."""

    async def over(self) -> None:
        """Wait until it has left the path."""
        ...


class Conversation:
    """One run as this process knows it.

    Attributes:
        state: The run's fold; current after `refresh`.
        epoch: The claim that this process works under; 0 where it names none.
        on_the_way: Calls that are passing the gates now, by id.
        advancing: Held while this process advances the run.
        left: Whoever opened the run has left it while it was being advanced; the claim goes back with the advance.
        tags: What was written under which cache tag, by any run.
        reach: Told the name of each crash point as it is passed.
    """

    def __init__(self, ledger: Ledger, state: RunState) -> None:
        self.state = state
        self.epoch = 0
        self.on_the_way: dict[str, OnTheWay] = {}
        self.advancing = anyio.Lock()
        self.left = False
        self.reach = ledger.reach
        self.tags = ledger.tags
        self._store = ledger.store
        self._changes = -1
        self._steps = 0

    @property
    def unread(self) -> bool:
        """Whether it was never read to the end of what the ledger had then: what is known of it may be a part."""
        return self.state.principal is None or self._changes < 0

    async def claim(self, claim: Claim | None, facts: Sequence[Fact] = ()) -> None:
        """Claim the run for this process, with facts that belong to the same moment.

        Raises:
            StaleClaim: Another worker holds it; nothing was written.
        """
        state = self.state
        self.reach("claim.before")
        events = await self._store.append(Append(state.run_id, state.tenant, facts, claim=claim))
        self.reach("claim.committed")
        if claim is not None:
            self.epoch = events[0].fact.body["epoch"]
        await self._fold(events)

    async def finish(self, reason: str) -> None:
        """End the run and give the claim back with it: one transaction, so that whoever waits for the end waits once.

        Raises:
            LedgerError: Nothing was written; see `Store.append`.
        """
        state = self.state
        end = Fact(Kind.RUN_FINISHED, {"reason": reason})
        events = await self._write(Append(state.run_id, state.tenant, [end], self.epoch, release=True))
        self.epoch = 0
        await self._fold(events)

    async def release(self) -> None:
        """Give the claim back, so that others need not wait for it to lapse."""
        epoch, self.epoch, self.left = self.epoch, 0, False
        if epoch:
            await self._store.release(self.state.run_id, epoch)

    async def refresh(self) -> None:
        """Read what others have written since; no reading at all where nobody has."""
        changes = self._store.changes()
        if changes != self._changes:
            await self.read_tail()
            self._changes = changes

    async def read_tail(self) -> None:
        """Read what follows in the ledger, whoever wrote it."""
        self.state.absorb(await self._store.tail(self.state.run_id, self.state.seq))

    async def append(self, facts: Sequence[Fact], guards: tuple[GuardChange, ...] = ()) -> None:
        """Make facts of this run durable and fold them in.

        Raises:
            LedgerError: Nothing was written; see `Store.append`.
        """
        state = self.state
        await self._fold(await self._write(Append(state.run_id, state.tenant, facts, self.epoch, guards)))

    async def append_outside(self, facts: Sequence[Fact], guards: tuple[GuardChange, ...] = ()) -> None:
        """The same for facts from outside (a person's word): they name no claim and disturb nobody."""
        state = self.state
        await self._fold(await self._write(Append(state.run_id, state.tenant, facts, guards=guards)))

    def next_step(self) -> int:
        """Number of the next step: given out before anything is awaited, so that no two calls share one."""
        self._steps = step = max(self._steps, len(self.state.calls)) + 1
        return step

    async def _write(self, append: Append) -> list[Event]:
        """Append, and with it what it settles and what it puts out of date.

        What is out of date is so for this process also where it is not known what stands.
        """
        tags = outdated(append.facts, self.state)
        changes = settlement(append.facts, self.state) + turning(append.facts, self.state) + raises(append.tenant, tags)
        if changes:
            append = append._replace(guards=append.guards + changes)
        try:
            return await self._store.append(append)
        except StoreUnavailable:
            self._changes = -1  # it may stand, and only the answer be lost: read before anything is concluded
            raise
        finally:
            if tags:
                self.tags.raised(append.tenant, tags)

    async def _fold(self, events: list[Event]) -> None:
        """Fold in what was just written; where somebody else wrote in between, read that first."""
        if not events or events[0].seq == self.state.seq + 1:
            self.state.absorb(events)
        elif events[-1].seq > self.state.seq:
            with anyio.CancelScope(shield=True):  # it stands: whoever wrote it must know
                await self.read_tail()
