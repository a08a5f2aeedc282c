"""What a run says while it goes on, as typed events, and who listens.

Listening never slows a run: each listener has a bounded queue. What it does not take in time is dropped, and how much
that was is said before what comes next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio

from interlock.agent.result import AgentResult
from interlock.core.call import Outcome
from interlock.core.progress import Progress

QUEUE_MAX = 1024
"""Events that wait for one listener; further ones are dropped."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of what the model says, as it comes. Not durable yet: a turn that is asked for again repeats it.

    Attributes:
        turn: Number of the model's turn.
        text: The piece.
    """

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """A call that the model proposes; its message is whole and recorded, and nothing of it has run.

    Attributes:
        turn: Number of the model's turn.
        call_id: The call.
        tool, arguments: As proposed.
        confidence: How sure the model says that it is, 0 to 100; None where it did not say.
    """

    turn: int
    call_id: str
    tool: str
    arguments: str
    confidence: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a proposed call; `held` and `unknown` are not its end, nor is what a call started over yet.

    What came of that is told when the run goes on.

    Attributes:
        turn: Number of the turn that proposed it; 0 for a call of a plan.
        outcome: As the model is told.
    """

    turn: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Progressed:
    """A call that is under way has come further, by its tool's word. Told 20 times a second at most, and kept nowhere.

    A function in a thread that outlives its time may say more after its call has `Ended`.

    Attributes:
        call_id: The call.
        progress: How far. Its message is the tool's: data, never markup or an instruction.
    """

    call_id: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits for people, or for runs that it started, and holds nothing here.

    Attributes:
        approval_ids: The requests that its own calls wait for.
    """

    approval_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """What an answer of a model took, once it is there. A turn that two models had a part in has two of them.

    Attributes:
        turn: Number of the turn.
        tokens, micro_usd: Input and output together; millionths of a US dollar by the agent's price. 0 where nobody
            counted.
    """

    turn: int
    tokens: int
    micro_usd: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over. The last event of a stream, where it is that of the run that is listened to.

    Attributes:
        result: How it ended.
    """

    result: AgentResult


RunEvent = Text | Proposed | Progressed | Ended | Waiting | Spent | Finished
"""What a run says of itself."""


@dataclass(frozen=True, slots=True)
class Below:
    """What a run says that this one started, or that one of those did: a worker, a peer, a plan.

    Attributes:
        run_id: The run that says it, however deep below.
        event: What it says. Its `Finished` is not the end of the stream.
    """

    run_id: str
    event: RunEvent


@dataclass(frozen=True, slots=True)
class Dropped:
    """The listener was too slow: so many events before the next one are missing.

    Attributes:
        count: How many.
    """

    count: int


StreamEvent = RunEvent | Below | Dropped
"""Every event of a stream."""


class Listener:
    """One who listens to one run."""

    def __init__(self) -> None:
        self._queue: deque[StreamEvent] = deque()
        self._missed = 0
        self._over = False
        self._something = anyio.Event()

    def tell(self, event: StreamEvent) -> None:
        """Queue one event, or drop it where the queue is full."""
        if len(self._queue) < QUEUE_MAX:
            if self._missed:
                self._queue.append(Dropped(self._missed))
                self._missed = 0
            self._queue.append(event)
        else:
            self._missed += 1
        self._something.set()

    def hear(self, call_id: str, progress: Progress) -> None:
        """Queue one report of a tool's."""
        self.tell(Progressed(call_id, progress))

    def end(self, last: StreamEvent | None) -> None:
        """Nothing comes after this; the last event is never dropped."""
        if self._missed:
            self._queue.append(Dropped(self._missed))
            self._missed = 0
        if last is not None:
            self._queue.append(last)
        self._over = True
        self._something.set()

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        """Every event in order, until the end."""
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._over:
                return
            self._something = anyio.Event()
            if not self._queue:
                await self._something.wait()


class Listeners:
    """Who listens to which run in this process."""

    def __init__(self) -> None:
        self._of: dict[str, list[Listener]] = {}

    def join(self, run_id: str) -> Listener:
        """A new listener, told everything from now on."""
        listener = Listener()
        self._of.setdefault(run_id, []).append(listener)
        return listener

    def leave(self, run_id: str, listener: Listener) -> None:
        """Nobody listens any more."""
        here = self._of.get(run_id, [])
        if listener in here:
            here.remove(listener)
        if not here:
            self._of.pop(run_id, None)

    def any(self, run_id: str) -> bool:
        """Whether somebody listens."""
        return run_id in self._of

    def tell(self, run_id: str, event: StreamEvent) -> None:
        """Tell all who listen; never waits."""
        for listener in self._of.get(run_id, ()):
            listener.tell(event)
