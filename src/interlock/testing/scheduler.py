"""An event loop whose every turn follows from a number: no threads, no sockets, no time but its own.

What is ready runs in an order that the seed decides. Time stands still while something is ready, then
jumps to the next timer. anyio and asyncio run on it as they are.
"""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from interlock.core.clock import SECOND_US

try:  # where it is installed, as providers' clients do, anyio asks it, and it knows no loop outside of a task
    from sniffio import current_async_library_cvar as _library
except ImportError:
    _library = contextvars.ContextVar("library", default=None)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TURNS_MAX = 100_000
"""Turns of one run of the loop: whoever needs more is going round in circles."""

NO_WORLD = "a simulated program has no threads, sockets or signals; make its tools async"
"""What is told where one wants them."""

_WINDOW = 15
"""How many turns something that is ready may be put off, so that nothing is put off for ever."""

_IDLE_MAX = 32
"""Turns without a step of any task after which time goes on: a cancellation that is delivered again and again."""

_MASK = (1 << 64) - 1


class Crashed(BaseException):
    """Ends a simulated process where it stands. No `except Exception` catches it, and nothing can be written after."""


@types.coroutine
def a_turn() -> Generator[None, None, None]:
    """Let others have a turn; a cancellation may come in it."""
    yield


async def whole_turn() -> None:
    """Let others have a turn, and come back from it whatever was cancelled: the next wait is told instead."""
    with suppress(asyncio.CancelledError):  # anyio delivers it again until somebody takes it
        await a_turn()


class Host:
    """A simulated process: what its tasks have in common.

    Attributes:
        name: For the trace.
        dead: It was killed; nothing of it has any effect any more.
        frozen_until_s: Its tasks do not run before this time of the scheduler's.
        turns: Turns that its tasks have had.
        alarms: What happens just before the turn with that number.
        tasks: Those that are not done.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen_until_s = 0.0
        self.turns = 0
        self.alarms: dict[int, Callable[[], None]] = {}
        self.tasks: dict[SimulatedTask, None] = {}


class SimulatedTask(asyncio.Task[Any]):
    """A task that knows its number and its host; sets of tasks have the same order every time."""

    def __init__(self, coro: Any, number: int, host: Host | None, **options: Any) -> None:
        self.number = number
        self.woken = 0
        self.begun = False
        self.host = host
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        """The number: an address would differ from one time to the next."""
        return self.number


class _Turn:
    """Something to call: what asyncio calls a handle."""

    __slots__ = ("args", "at_s", "callback", "context", "stopped", "task")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Any, at_s: float) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.at_s = at_s
        self.stopped = False
        self.task = getattr(callback, "__self__", None)

    def cancel(self) -> None:
        self.stopped = True

    def cancelled(self) -> bool:
        return self.stopped

    def when(self) -> float:
        return self.at_s


class Scheduler(asyncio.AbstractEventLoop):
    """The loop. The order of what is ready depends on the seed and on who it is, never on addresses or real time.

    Args:
        seed: Decides the order.
    """

    def __init__(self, seed: int) -> None:
        self._mix = (seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _MASK
        self._now_s = 0.0
        self._turns = 0
        self._idle = 0
        self._tasks = 0
        self._timers: list[tuple[float, int, _Turn]] = []
        self._timed = 0
        self._ready: list[tuple[int, int, _Turn]] = []
        self._queued = 0
        self._running = False
        self._hosts: list[Host] = []
        self.host: Host | None = None
        self.failed: list[dict[str, Any]] = []

    # ------------------------------------------------------------------ running

    def run_until_complete(self, future: Generator[Any, None, T] | Coroutine[Any, Any, T] | Any) -> T:
        """Run until it is done, and return what it returned.

        Raises:
            AssertionError: Nothing is left that could ever wake it, or the loop goes round in circles.
        """
        told = _library.set("asyncio")
        task = self.create_task(future)
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        asyncio._set_running_loop(self)
        self._running = True
        try:
            while not task.done():
                self._turn()
        finally:
            self._bury(task)
            self._running = False
            asyncio._set_running_loop(before)
            _library.reset(told)
        found: T = task.result()
        return found

    def _bury(self, main: SimulatedTask) -> None:
        """End what is still there, so that nothing is left half done when the loop is forgotten."""
        self._turns = 0
        main.cancel()
        for host in self._hosts:
            self.kill(host)
        while not main.done() or any(host.tasks for host in self._hosts):
            self._turn()
        while self._ready:
            self._turn()

    def _turn(self) -> None:
        ready = self._ready
        if not ready or self._idle > _IDLE_MAX:
            self._time_passes()
        timers = self._timers
        while timers and timers[0][0] <= self._now_s:
            _, _, turn = heappop(timers)
            if not turn.stopped:
                self._put(turn)
        if not ready:
            return
        assert self._turns <= TURNS_MAX, f"after {TURNS_MAX} turns something is going round in circles"
        turn = heappop(ready)[2]
        if turn.stopped:
            return
        self._turns += 1
        task = turn.task
        if type(task) is SimulatedTask:
            self._idle = 0
            host = task.host
            if host is not None and not self._may_run(host, turn):
                return
            self.host = host
            turn.context.run(turn.callback, *turn.args)
            if host is not None and host.dead and not task.begun:
                task.cancel()
            task.begun = True
        else:
            self._idle += 1
            self.host = None
            turn.context.run(turn.callback, *turn.args)

    def _may_run(self, host: Host, turn: _Turn) -> bool:
        """Whether a host's task may go on now: it is not frozen, and not about to die."""
        if host.frozen_until_s > self._now_s:
            turn.at_s = host.frozen_until_s
            self._later(turn)
            return False
        host.turns += 1
        if host.alarms and (alarm := host.alarms.pop(host.turns, None)) is not None:
            alarm()
        return True

    def _time_passes(self) -> None:
        self._idle = 0
        timers = self._timers
        while timers and timers[0][2].stopped:
            heappop(timers)
        if timers:
            self._now_s = max(self._now_s, timers[0][0])
        else:
            assert self._ready, f"nothing is left that could wake what waits: {NO_WORLD}"

    def _put(self, turn: _Turn) -> None:
        """Put it among what is ready, in a place that the seed and its owner decide."""
        task = turn.task
        if type(task) is SimulatedTask:
            task.woken += 1
            mixed = self._mix ^ (task.number * 0xBF58476D1CE4E5B9 + task.woken * 0x94D049BB133111EB)
        else:
            self._queued += 1
            mixed = self._mix ^ (self._queued * 0xD6E8FEB86659FD93)
        mixed = (mixed * 0xFF51AFD7ED558CCD) & _MASK
        mixed ^= mixed >> 32
        heappush(self._ready, (self._turns + (mixed & _WINDOW), mixed, turn))

    def _later(self, turn: _Turn) -> None:
        self._timed += 1
        heappush(self._timers, (turn.at_s, self._timed, turn))

    # ------------------------------------------------------------------ hosts

    def kill(self, host: Host) -> None:
        """End a simulated process: its tasks unwind, and whatever they try meanwhile fails."""
        host.dead = True
        host.frozen_until_s = 0.0
        for task in list(host.tasks):
            if task.begun:  # else in its first turn: a coroutine that never began could not be told
                task.cancel()

    def start(self, host: Host, work: Coroutine[Any, Any, Any]) -> SimulatedTask:
        """Start the first task of a simulated process; those that it starts belong to it too."""
        self._hosts.append(host)
        return self._made(work, host)

    def stop(self) -> None:
        """Nobody stops it: it ends when what it runs is done."""
        self._unknown()

    # ------------------------------------------------------------------ what asyncio and anyio ask of a loop

    def time(self) -> float:
        """Seconds since it was made, its own."""
        return self._now_s

    def call_soon(  # type: ignore[override]  # what asyncio uses of a handle is what a turn has
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> _Turn:
        """Have it called in one of the next turns."""
        turn = _Turn(callback, args, context or contextvars.copy_context(), self._now_s)
        self._put(turn)
        return turn

    def call_later(  # type: ignore[override]  # the same
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> _Turn:
        """Have it called when so many seconds have passed."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # the same
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> _Turn:
        """Have it called at a time of the loop's."""
        turn = _Turn(callback, args, context or contextvars.copy_context(), when)
        self._later(turn)
        return turn

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> SimulatedTask:
        """A task of the host whose task is running."""
        return self._made(coro, self.host, **options)

    def _made(self, coro: Any, host: Host | None, **options: Any) -> SimulatedTask:
        self._tasks += 1
        task = SimulatedTask(coro, self._tasks, host, loop=self, **options)
        if host is not None:
            host.tasks[task] = None
            task.add_done_callback(_left)
        return task

    def get_task_factory(self) -> None:
        """None: tasks are made by `create_task`."""

    def is_running(self) -> bool:
        """Whether it is running."""
        return self._running

    def is_closed(self) -> bool:
        """Never: there is nothing to close."""
        return False

    def close(self) -> None:
        """Nothing to do."""

    def get_debug(self) -> bool:
        """False."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught, for whoever ran the loop."""
        self.failed.append(context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> None:  # type: ignore[override]
        """Nothing comes of it: whoever waits for a thread waits for ever, which is found out at once."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]  # refused
        """There are no threads."""
        self._unknown()

    def _unknown(self) -> NoReturn:
        raise AssertionError(NO_WORLD)


def _left(task: asyncio.Task[Any]) -> None:
    assert isinstance(task, SimulatedTask) and task.host is not None, "only hosts' tasks are told of"
    del task.host.tasks[task]


class SimulatedClock:
    """A machine's two clocks in simulated time.

    Args:
        scheduler: Whose time passes.
        mono_s: What the monotonic clock says at the start: every process has its own zero.
        wall_us: What the wall says at the start; 2026-01-01T00:00:00Z by default.
    """

    def __init__(self, scheduler: Scheduler, mono_s: float = 0.0, wall_us: int = 1_767_225_600 * SECOND_US) -> None:
        self._scheduler = scheduler
        self._mono_s = mono_s
        self._wall_us = wall_us

    def wall_us(self) -> int:
        """What the wall says."""
        return self._wall_us + int(self._scheduler._now_s * SECOND_US)

    def mono_s(self) -> float:
        """What the monotonic clock says."""
        return self._mono_s + self._scheduler._now_s

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock by so much, forwards or back; no time passes."""
        self._wall_us += int(seconds * SECOND_US)
