"""Sends what waits to every channel, at least once, one process of all at a time.

Each channel has its own line: one that is slow or down holds up no other, and none holds up a call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from traceback import format_tb
from typing import Final, NamedTuple

import anyio

from interlock.core.clock import Clock
from interlock.core.event import NOTICES, Fact, Kind
from interlock.core.points import Points, pass_by
from interlock.core.principal import FIRST_TENANT
from interlock.errors import LedgerError, StaleClaim, StoreUnavailable
from interlock.ledger.store import Append, Claim, Store
from interlock.net.sent import Sent, Verdict
from interlock.notices.channel import Channel
from interlock.notices.notice import Key, Notice, NoticeKind
from interlock.notices.outbox import Memory, Outbox

logger = logging.getLogger("interlock.notices")

EVERY_S: Final = 1.0
"""Seconds between two looks for what waits."""

BACKOFF_MAX_S: Final = 300.0
"""Seconds between two tries at most, unless the receiver asks for more."""

JITTER: Final = 0.2
"""Part of a pause by which it varies."""

RETRY_AFTER_MAX_S: Final = 3600.0
"""A receiver that asks to be left alone for longer is not obeyed."""

GIVE_UP_S: Final = 86_400.0
"""Seconds after the first try after which a notice is given up on; a process that takes over counts anew."""

AT_ONCE: Final = 100
"""Notices of a channel that are sent before it is looked again for what waits."""

Jitter = Callable[[], float]
"""From -1 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a notifier works with.

    Attributes:
        store: The ledger.
        clock: Both clocks.
        claim: What the chain of notices is claimed with.
        jitter: By how much a pause varies.
        reach: Told each crash point as it is passed.
    """

    store: Store
    clock: Clock
    claim: Claim
    jitter: Jitter
    reach: Points = pass_by


class Notifier:
    """Tells people.

    Args:
        means: What it works with.
        channels: Where to; their names differ.
    """

    def __init__(self, means: Means, channels: Sequence[Channel]) -> None:
        self._means = means
        self._outbox = Outbox(means.store, means.clock)
        self._sender = _Sender(means)
        self._lines = [_Line(channel, self._outbox, self._sender) for channel in channels]

    async def look(self) -> int:
        """Send everything that is due now, each notice at most once; how many were delivered.

        Nothing is sent while another process does. What cannot be read or recorded is told in the log.
        """
        before = self._sender.delivered
        async with anyio.create_task_group() as lines:
            for line in self._lines:
                lines.start_soon(line.attend)
        return self._sender.delivered - before

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        async with anyio.create_task_group() as lines:
            for line in self._lines:
                lines.start_soon(line.run)

    async def close(self) -> None:
        """Give the claim back and let go of connections."""
        await self._sender.release()
        for line in self._lines:
            await line.channel.close()


class _Sender:
    """The claim that this process sends under, and what it has recorded.

    Attributes:
        delivered: Messages so far.
        not_before_s: Another process sends; not before this time is it asked for again whether it does.
        term: Changes with every claim: what was known under another may be out of date.
    """

    def __init__(self, means: Means) -> None:
        self.means = means
        self.delivered = self.term = 0
        self.not_before_s = 0.0
        self._epoch = 0
        self._claiming = anyio.Lock()

    async def claim(self) -> bool:
        """Whether this process is the one that sends, as far as it knows; it claims that where nobody does.

        Raises:
            LedgerError: The ledger cannot be written, so that nothing that is sent could be recorded.
        """
        async with self._claiming:
            now_s = self.means.clock.mono_s()
            if self._epoch or now_s < self.not_before_s:
                return bool(self._epoch)
            try:
                events = await self.means.store.append(Append(NOTICES, FIRST_TENANT, [], claim=self.means.claim))
            except StaleClaim:
                self.not_before_s = now_s + self.means.claim.lease_s / 3
                return False
            self._epoch = events[0].fact.body["epoch"]
            self.term += 1
            return True

    async def holds(self) -> bool:
        """Whether it still is: one that stood still must not send what another one has sent meanwhile.

        Raises:
            LedgerError: As `claim`.
        """
        try:
            await self.record([])
        except StaleClaim:
            return False
        return True

    async def record(self, facts: Sequence[Fact]) -> None:
        """Make durable what became of a message.

        Raises:
            LedgerError: It was not recorded, and will be sent again: by another process where that has the claim now.
        """
        try:
            await self.means.store.append(Append(NOTICES, FIRST_TENANT, facts, self._epoch))
        except StaleClaim:
            self._epoch = 0
            raise

    async def release(self) -> None:
        """Let another process send without waiting."""
        epoch, self._epoch = self._epoch, 0
        if epoch:
            with suppress(LedgerError):  # it lapses
                await self.means.store.release(NOTICES, epoch)


class _Tries(NamedTuple):
    """A notice that did not get through.

    Attributes:
        made: How often it was tried.
        first_s: When first.
        next_s: When again, at the earliest.
    """

    made: int
    first_s: float
    next_s: float


class _Line:
    """What waits for one channel."""

    def __init__(self, channel: Channel, outbox: Outbox, sender: _Sender) -> None:
        self.channel = channel
        self._outbox = outbox
        self._sender = sender
        self._memory = Memory(outbox, channel.name, channel.audience)
        self._told = False
        self._term = 0
        self._tries: dict[Key, _Tries] = {}
        self._failures = 0
        self._not_before_s = 0.0

    async def run(self) -> None:
        """Look again and again."""
        while True:
            if not await self.attend():
                await anyio.sleep(EVERY_S)

    async def attend(self) -> bool:
        """Look once; what fails is told once, and tried again at the next look."""
        try:
            more = await self.look()
        except LedgerError as error:
            if not self._told:
                logger.warning("channel %s: %s", self.channel.name, error)
            self._told = True
            return False
        except Exception:  # a defect of one channel must stop neither the others nor the path
            logger.exception("channel %s failed: a defect of Interlock", self.channel.name)
            return False
        self._told = False
        return more

    async def look(self) -> bool:
        """Send what is due now, each once; whether there is more than was sent at once."""
        clock = self._sender.means.clock
        if clock.mono_s() < max(self._not_before_s, self._sender.not_before_s):
            return False
        waiting = await self._outbox.waiting()
        if not waiting or not await self._sender.claim():
            return False
        if self._term != self._sender.term:  # whoever sent before has told some of it
            self._term = self._sender.term
            self._memory.forget()
        due = await self._due(waiting)
        if not due or not await self._sender.holds():
            return False
        for notice, stands_for in due[:AT_ONCE]:
            if clock.mono_s() < self._not_before_s:
                return False
            if (now := await self._outbox.still(notice)) is not None:
                await self._send(now, stands_for)
            else:
                self._memory.pass_over(notice, clock.wall_us())
        return len(due) > AT_ONCE

    async def _due(self, waiting: list[Notice]) -> list[tuple[Notice, tuple[Notice, ...]]]:
        """What is to be sent now: what was not tried yet first."""
        clock = self._sender.means.clock
        untold = await self._memory.untold(waiting, clock.wall_us())
        by_key = {notice.key: (notice, stands_for) for notice, stands_for in untold}
        self._tries = {key: tries for key, tries in self._tries.items() if key in by_key}
        now_s, never = clock.mono_s(), _Tries(0, 0.0, 0.0)
        turns = [(self._tries.get(key, never).next_s, entry) for key, entry in by_key.items()]
        return [entry for next_s, entry in sorted(turns, key=lambda turn: turn[0]) if next_s <= now_s]

    async def _send(self, notice: Notice, stands_for: tuple[Notice, ...]) -> None:
        means = self._sender.means
        means.reach("notice.before")
        sent = await self._handed_on(notice)
        means.reach("notice.sent")
        now_s = means.clock.mono_s()
        before = self._tries.get(notice.key, _Tries(0, now_s, 0.0))
        tried = before._replace(made=before.made + 1)
        if sent.verdict is Verdict.LATER:
            self._put_off(notice, tried, sent)
            if now_s - tried.first_s < GIVE_UP_S:
                return
        else:
            self._failures = 0
        try:  # also where this process is being ended: a store lets nobody leave before it is known what stands
            await self._record(notice, stands_for, sent, tried.made)
        except LedgerError as error:
            self._put_off(notice, tried, sent)
            raise StoreUnavailable(f"{notice.kind} was sent and could not be recorded: {error}") from error
        means.reach("notice.recorded")

    async def _handed_on(self, notice: Notice) -> Sent:
        """What became of it. One that the channel fails over waits like any other, and keeps none behind it from going.

        Of the error, its type and place are told: its words may quote what was sent, or where to.
        """
        try:
            return await self.channel.send(notice, self._sender.means.clock.wall_us())
        except Exception as error:
            kind, where = type(error).__name__, "".join(format_tb(error.__traceback__))
            logger.error("channel %s failed: a defect of Interlock: %s\n%s", self.channel.name, kind, where)
            return Sent(Verdict.LATER, f"a defect of Interlock: {kind}")

    def _put_off(self, notice: Notice, tried: _Tries, sent: Sent) -> None:
        """The notice waits for its turn; so does the channel, which may be down: the next try is of another one."""
        self._failures += 1
        if self._failures == 1:
            logger.warning("channel %s: %s; it is tried again", self.channel.name, sent.why)
        now_s, asked_s = self._sender.means.clock.mono_s(), min(sent.retry_after_s, RETRY_AFTER_MAX_S)
        self._not_before_s = now_s + max(self._pause_s(self._failures), asked_s)
        self._tries[notice.key] = tried._replace(next_s=now_s + max(self._pause_s(tried.made), asked_s))

    def _pause_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: 1, 2, 4, … up to `BACKOFF_MAX_S`, each ± `JITTER`."""
        own_s = min(2.0 ** min(failures - 1, 16), BACKOFF_MAX_S)
        return own_s * (1 + JITTER * self._sender.means.jitter())

    async def _record(self, notice: Notice, stands_for: tuple[Notice, ...], sent: Sent, attempts: int) -> None:
        kind = Kind.NOTICE_DELIVERED if sent.verdict is Verdict.ACCEPTED else Kind.NOTICE_FAILED
        if kind is Kind.NOTICE_FAILED:
            logger.error("channel %s: %s was given up on: %s", self.channel.name, notice.kind, sent.why)
        said = {"channel": self.channel.name, "kind": notice.kind.value, "attempts": attempts, "why": sent.why}
        about = {"tenant": notice.tenant, "about": notice.run_id}
        facts = [
            Fact(kind, {"id": each.id_for(self.channel.name), "ref": each.ref, **about, **said}) for each in stands_for
        ]
        await self._sender.record(facts)
        now_us = self._sender.means.clock.wall_us()
        for each in stands_for:
            self._memory.add(each, NoticeKind(notice.kind), now_us)
        self._sender.delivered += kind is Kind.NOTICE_DELIVERED
