"""The one thread that writes: many appends, one transaction, one fsync.

A group is whatever waits when the thread is free, up to 512 appends. In it each append succeeds or is refused
by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

import apsw

from interlock.core.clock import Clock
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


class Job(NamedTuple):
    """Work for the next transaction.

    Attributes:
        work: Is given what it works with and the store's time; what it returns is the answer, once durable.
        answer: Who waits for it.
    """

    work: Callable[[Appender, int], Any]
    answer: Answer


Answers = list[tuple[Answer, Any, Exception | None]]
"""Who waits, and for each what the work returned or what refused it."""


class Writer:
    """Owns the only connection that writes."""

    def __init__(self, file: LedgerFile, clock: Clock, entropy: Entropy) -> None:
        self._file = file
        self._clock = clock
        self._database = file.connect()
        self._appender = Appender(self._database, file.number, entropy)
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._refusing: StoreUnavailable | None = None
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="interlock-ledger", daemon=True)
        self._thread.start()

    @property
    def others(self) -> int:
        """A number that differs once others were found to have written before our own last transaction."""
        return self._appender.others

    def submit(self, work: Callable[[Appender, int], Any], loop: asyncio.AbstractEventLoop) -> Answer:
        """Have work done in the next transaction.

        Raises:
            StoreUnavailable: The store is closed or broken, or too much waits already.
        """
        if self._refusing is not None:
            raise _another(self._refusing)
        if self._queue.qsize() >= _WAITING_MAX:
            raise StoreUnavailable("too many appends wait for the disk", code="ledger.overloaded", remedy="Try later.")
        answer = Answer(loop=loop)
        self._queue.put(Job(work, answer))
        return answer

    def stop(self) -> None:
        """Accept nothing more, and end the thread when what waits is written."""
        self._refusing = self._refusing or StoreUnavailable("the store is closed", code="ledger.closed")
        self._queue.put(None)

    def join(self) -> None:
        """Wait, blocking, until the thread has ended and the file is let go of."""
        self._thread.join()

    def _run(self) -> None:
        queue, going_on = self._queue, True
        try:
            while going_on:
                group = [queue.get()]
                while len(group) < GROUP_MAX and not queue.empty():
                    group.append(queue.get())
                jobs = [job for job in group if job is not None]
                going_on = len(jobs) == len(group)
                self._serve(jobs)
        finally:
            self._database.close()

    def _serve(self, jobs: list[Job]) -> None:
        answers: Answers | None = None
        try:
            answers = self._transact(jobs)
        finally:
            if answers is None:  # a bug, and the end of this thread: nobody may go on waiting for it
                self._refusing = StoreUnavailable("the ledger's writer failed", code="ledger.broken")
                while not self._queue.empty():
                    if (job := self._queue.get()) is not None:
                        jobs.append(job)
                answers = _all(jobs, self._refusing)
            _deliver(answers)

    def _transact(self, jobs: list[Job]) -> Answers:
        """Write a group, or say of each of its jobs why not."""
        if self._broken and self._refusing is not None:
            return _all(jobs, self._refusing)
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

    def _one_by_one(self, jobs: list[Job]) -> Answers:
        self._appender.careful = True
        try:
            return [answer for job in jobs for answer in self._transact([job])]
        finally:
            self._appender.careful = False

    def _attempt(self, jobs: list[Job]) -> Answers:
        """One transaction. Where SQLite raises, nothing of it stands."""
        self._file.refuse_another()
        self._database.execute("BEGIN IMMEDIATE")
        appender, answers = self._appender, Answers()
        appender.begin()
        now_us = self._clock.wall_us()
        for work, answer in jobs:
            try:
                answers.append((answer, work(appender, now_us), None))
            except InterlockError as error:
                answers.append((answer, None, error))
        appender.write()
        self._database.execute("COMMIT")
        return answers

    def _break(self, jobs: list[Job], error: StoreUnavailable) -> Answers:
        """Accept nothing more: the file must be opened again."""
        self._broken, self._refusing = True, error
        self._roll_back()
        return _all(jobs, error)

    def _roll_back(self) -> None:
        self._appender.forget()
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except apsw.Error as error:
            self._broken = True
            self._refusing = StoreUnavailable(f"the ledger cannot be rolled back: {error}", code="ledger.broken")


def _deliver(answers: Answers) -> None:
    """Wake each event loop once, with all of its answers."""
    loops: dict[asyncio.AbstractEventLoop, Answers] = {}
    for answer in answers:
        loops.setdefault(answer[0].get_loop(), []).append(answer)
    for loop, its_own in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, its_own)


def _settle(answers: Answers) -> None:
    for answer, found, error in answers:
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)


def _all(jobs: list[Job], error: LedgerError) -> Answers:
    return [(job.answer, None, _another(error)) for job in jobs]


def _another(error: LedgerError) -> LedgerError:
    """The same refusal as an exception of its own: a raised one collects its caller's traceback."""
    return type(error)(Exception.__str__(error), code=error.code, remedy=error.remedy)
