"""The one thread that writes: many appends, one transaction, one fsync.

A group is whatever waits when the thread is free, up to 512 appends. In it each append succeeds or is refused
by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any
from weakref import WeakKeyDictionary

import apsw

from interlock.core.clock import Clock
from interlock.core.points import Points
from interlock.errors import InterlockError, LedgerError, StoreUnavailable
from interlock.ledger.chain import Entropy
from interlock.ledger.sqlite_append import Appender
from interlock.ledger.sqlite_file import LedgerFile

GROUP_MAX = 512
"""Appends of one transaction."""

_WAITING_MAX = 65_536
"""Appends that may wait; more are refused at once."""

_BREAKING = (
    apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError, apsw.CantOpenError, apsw.ReadOnlyError,
    apsw.NoMemError, apsw.PermissionsError,
)  # fmt: skip
"""After these nobody can say what a further write would do: the file must be opened again."""

_UNWRITABLE = (apsw.Error, OverflowError, TypeError)
"""What SQLite says of a value that it cannot hold: a fact that stands, too long a number, another type."""


class Answer(asyncio.Future[Any]):
    """Waits on its event loop for a transaction.

    An asyncio future, because anyio has nothing that another thread can settle, sixty at a time, with one
    wake-up of the loop. It cannot be cancelled: a transaction that is under way runs to its end, and a task
    that is cancelled meanwhile is told so when it has ended.
    """

    def cancel(self, msg: Any | None = None) -> bool:
        """Never."""
        return False


Work = Callable[[Appender, int], Any]
"""What to do in a transaction, with what it is done with and the store's time; it returns the answer."""

Jobs = list[tuple[Work, Answer]]
"""Work, each with who waits for it."""

Answers = list[tuple[Answer, Any, Exception | None]]
"""Who waits, and for each what the work returned or what refused it."""


class Lane:
    """One event loop's way to the thread: what its tasks append while a group is under way is the next group.

    All methods run on that loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, writer: Writer) -> None:
        self._loop = loop
        self._writer = writer
        self._waiting: Jobs = []
        self._under_way = False

    def submit(self, work: Work) -> Answer:
        """Have work done in the next transaction, together with what all tasks submit that are ready now.

        Raises:
            StoreUnavailable: The store is closed or broken, or too much waits already.
        """
        self._writer.refuse()
        if len(self._waiting) >= _WAITING_MAX:
            raise StoreUnavailable("too many appends wait for the disk", code="ledger.overloaded", remedy="Try later.")
        answer = Answer(loop=self._loop)
        self._waiting.append((work, answer))
        if not self._under_way:
            self._under_way = True
            self._loop.call_soon(self.hand_over)
        return answer

    def hand_over(self) -> None:
        """Give the thread what waits."""
        jobs, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        self._under_way = bool(jobs)
        if jobs:
            self._writer.take(self, jobs)

    def deliver(self, answers: Answers) -> None:
        """Wake the loop once for a whole group. The only method for another thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, answers)

    def _settle(self, answers: Answers) -> None:
        for answer, found, error in answers:
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)
        self._loop.call_soon(self.hand_over)


class Writer:
    """Owns the only connection that writes.

    Attributes:
        refusing: Why nothing is accepted any more; None while work is taken.
    """

    def __init__(self, file: LedgerFile, clock: Clock, entropy: Entropy, reach: Points) -> None:
        self._file = file
        self._reach = reach
        self._clock = clock
        self._database = file.connect()
        self._appender = Appender(self._database, file.number, entropy)
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, Lane] = WeakKeyDictionary()
        self._queue: SimpleQueue[tuple[Lane, Jobs] | None] = SimpleQueue()
        self.refusing: StoreUnavailable | None = None
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="interlock-ledger", daemon=True)
        self._thread.start()

    @property
    def others(self) -> int:
        """A number that differs once others were found to have written before our own last transaction."""
        return self._appender.others

    def lane(self) -> Lane:
        """The way from the running event loop to the thread."""
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            self._lanes[loop] = lane = Lane(loop, self)
        return lane

    def refuse(self) -> None:
        """Accept nothing where the store is closed or broken.

        Raises:
            StoreUnavailable: It is.
        """
        if self.refusing is not None:
            raise _another(self.refusing)

    def take(self, lane: Lane, jobs: Jobs) -> None:
        """Queue a group; its lane is told when it is written or refused."""
        if self._broken and self.refusing is not None:
            lane.deliver(_all(jobs, self.refusing))
        else:
            self._queue.put((lane, jobs))

    def stop(self) -> None:
        """Accept nothing more, and end the thread when what waits is written."""
        self.refusing = self.refusing or StoreUnavailable("the store is closed", code="ledger.closed")
        for lane in self._lanes.values():
            lane.hand_over()
        self._queue.put(None)

    def join(self) -> None:
        """Wait, blocking, until the thread has ended and the file is let go of."""
        self._thread.join()

    def _run(self) -> None:
        clean = False
        try:
            while (group := self._queue.get()) is not None:
                self._serve(*group)
            clean = not self._broken
        finally:
            if not clean:
                self._database.close()
            self._file.leave(self._database if clean else None)

    def _serve(self, lane: Lane, jobs: Jobs) -> None:
        answers: Answers | None = None
        try:
            answers = self._transact(jobs)
        finally:
            if answers is None:  # a bug, and the end of this thread: nobody may go on waiting for it
                self.refusing = StoreUnavailable("the ledger's writer failed", code="ledger.broken")
                self._broken = True
                answers = _all(jobs, self.refusing)
                while not self._queue.empty():
                    if (group := self._queue.get()) is not None:
                        group[0].deliver(_all(group[1], self.refusing))
            lane.deliver(answers)

    def _transact(self, jobs: Jobs) -> Answers:
        """Write a group, or say of each of its jobs why not."""
        if self._broken and self.refusing is not None:
            return _all(jobs, self.refusing)
        try:
            return self._attempt(jobs)
        except apsw.BusyError as error:
            self._roll_back()
            return _all(jobs, StoreUnavailable(
                f"another process keeps the ledger locked: {error}", code="ledger.locked", remedy="Try again.",
            ))  # fmt: skip
        except StoreUnavailable as error:
            return self._break(jobs, error)
        except _BREAKING as error:
            return self._break(jobs, StoreUnavailable(
                f"the ledger cannot be written: {error}", code="ledger.broken",
                remedy="Mend the cause (a full disk, a disk fault), then start again.",
            ))  # fmt: skip
        except _UNWRITABLE as error:
            self._roll_back()
            if len(jobs) == 1 and self._appender.careful:
                return _all(jobs, LedgerError(f"the ledger cannot hold this: {error}", code="ledger.unwritable"))
        return self._one_by_one(jobs)

    def _one_by_one(self, jobs: Jobs) -> Answers:
        self._appender.careful = True
        try:
            return [answer for job in jobs for answer in self._transact([job])]
        finally:
            self._appender.careful = False

    def _attempt(self, jobs: Jobs) -> Answers:
        """One transaction. Where SQLite raises, nothing of it stands."""
        self._file.refuse_another()
        self._database.execute("BEGIN IMMEDIATE")
        self._reach("append.begun")
        appender, answers = self._appender, Answers()
        appender.begin()
        now_us = self._clock.wall_us()
        for work, answer in jobs:
            try:
                answers.append((answer, work(appender, now_us), None))
            except InterlockError as error:
                answers.append((answer, None, error))
        appender.write()
        self._reach("append.written")
        self._database.execute("COMMIT")
        self._reach("append.committed")
        return answers

    def _break(self, jobs: Jobs, error: StoreUnavailable) -> Answers:
        """Accept nothing more: the file must be opened again."""
        self._broken, self.refusing = True, error
        self._roll_back()
        return _all(jobs, error)

    def _roll_back(self) -> None:
        self._appender.forget()
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except apsw.Error as error:
            self._broken = True
            self.refusing = StoreUnavailable(f"the ledger cannot be rolled back: {error}", code="ledger.broken")


def _all(jobs: Jobs, error: LedgerError) -> Answers:
    return [(answer, None, _another(error)) for _, answer in jobs]


def _another(error: LedgerError) -> LedgerError:
    """The same refusal as an exception of its own: a raised one collects its caller's traceback."""
    return type(error)(Exception.__str__(error), code=error.code, remedy=error.remedy)
