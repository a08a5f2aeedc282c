"""One run of an agent, in the hands of whoever started it or came back to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from interlock.agent.result import AgentResult, end_now, listens, result_of
from interlock.agent.stream import Finished, Listener, Listeners, StreamEvent
from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.core.progress import ProgressListeners
from interlock.core.run import RunState
from interlock.errors import BadInput, Conflict, DuplicateFact, InterlockError, StaleClaim
from interlock.ledger.conversation import Conversation

WORDS_MAX = 262_144
"""Characters that a user may say at once in a conversation."""

_LOOK_S = 0.05


class Work(Protocol):
    """What goes on with a run and with those below it."""

    async def go_on(self) -> None:
        """As far as it goes now."""
        ...

    async def waiting(self) -> tuple[str, ...]:
        """Ids of the approval requests that the runs below it wait for."""
        ...

    async def cancel(self, by: str, reason: str) -> None:
        """End it here and now, and all below it."""
        ...


class AgentRun:
    """An agent's run: its result, its events as they come, its end. All that it knows stands in the ledger.

    Attributes:
        run_id: Which; name it to come back to it.
        principal: On whose behalf.
    """

    def __init__(
        self, conversation: Conversation, principal: Principal, work: Work,
        listeners: Listeners, progress: ProgressListeners, tasks: TaskGroup,
    ) -> None:  # fmt: skip
        self.run_id = conversation.state.run_id
        self.principal = principal
        self._conversation = conversation
        self._work = work
        self._listeners = listeners
        self._progress = progress
        self._tasks = tasks
        self._working = anyio.CancelScope()
        self._begun = False
        self._stopped = anyio.Event()
        self._error: InterlockError | None = None

    async def result(self, *, wait_s: float = 0.0) -> AgentResult:
        """Go on until the run is over, has answered, or waits for a person, and say how it stands.

        Args:
            wait_s: Seconds that it may wait for that person, and for whoever goes on with it then: an engine, here or
                in another process.

        Raises:
            LedgerError: Something could not be recorded; what was recorded before stands.
        """
        self._begin()
        await self._settled(wait_s)
        if self._error is not None:
            raise self._error
        return result_of(self._conversation.state, await self._work.waiting())

    async def stream(self, *, wait_s: float = 0.0) -> AsyncIterator[StreamEvent]:
        """What happens in the run from now on, as it happens: text, calls, outcomes, waits and, last, its end.

        What another process does is not heard here, but for the end. Whoever is slow misses events, and is told how
        many; the run does not wait for them.

        Args:
            wait_s: As of `result`; then the stream ends without the run's end.

        Raises:
            LedgerError: As `result`.
        """
        listener = self._listeners.join(self.run_id)
        try:
            with self._progress.to_run(self.run_id, listener.hear):
                self._begin()
                self._tasks.start_soon(self._until_the_end, listener, wait_s)
                async for event in listener:
                    yield event
            if self._error is not None:
                raise self._error
        finally:
            self._listeners.leave(self.run_id, listener)

    async def say(self, words: str, *, name: str = "") -> None:
        """Go on with a conversation that has answered, by its user's next words. Durable when this returns.

        What comes of them is decided by the roles that this principal has now, not by those at the run's start.

        Then ask for the `result`, or `stream` what happens, once more.

        Args:
            name: Your name of these words, kept with them: by it you find whether they were recorded.

        Raises:
            BadInput: No text, or more than 256 Ki characters of it.
            Conflict: It is no conversation, has not answered yet, or is over; nothing was said.
            LedgerError: It could not be recorded.
        """
        if type(words) is not str or not words.strip() or len(words) > WORDS_MAX:
            raise BadInput("words: no text of 1 to 262,144 characters", code="run.words", remedy="Say it shorter.")
        await self._has_the_word()
        said: dict[str, Any] = {"text": words.encode(errors="backslashreplace").decode()}
        if name:
            said["name"] = name
        started = self._conversation.state.principal
        if started is not None and started.roles != self.principal.roles:
            said["roles"] = sorted(self.principal.roles)
        await self._in_turn(Kind.RUN_WORDS, said)
        if self._conversation.state.status != "open":
            raise _not_now(self.run_id)
        self._begun, self._stopped = False, anyio.Event()

    async def finish(self) -> AgentResult:
        """End a conversation that has answered: nothing more can be said in it.

        Raises:
            Conflict: It is no conversation, has not answered yet, or something was said in it. Cancel it instead.
            LedgerError: It could not be recorded.
        """
        if self._conversation.state.status == "open":
            await self._has_the_word()
            end = end_now(self._conversation.state).value
            try:
                await self._in_turn(Kind.RUN_FINISHED, {"reason": end})
            except Conflict:
                await self._conversation.refresh()
                if self._conversation.state.status == "open":
                    raise
        return result_of(self._conversation.state)

    async def cancel(self, reason: str = "") -> AgentResult:
        """End the run here and now: what is under way is cut off, with a record of what may have left; held calls fall.

        Nothing happens to a run that is over.

        Raises:
            LedgerError: It could not be recorded; the run is not cancelled.
        """
        self._working.cancel()
        if self._begun:
            await self._stopped.wait()
        self._begun = True
        self._stopped.set()
        await self._work.cancel(self.principal.id, reason)
        return result_of(self._conversation.state)

    async def _has_the_word(self) -> None:
        """Its user, who reads this: the run has answered, and nobody here works on it.

        Raises:
            Conflict: It is not so.
        """
        await self._conversation.refresh()
        if not listens(self._conversation.state):
            raise _not_now(self.run_id)
        if self._begun:
            await self._stopped.wait()

    async def _in_turn(self, kind: Kind, body: dict[str, Any]) -> None:
        """Record what its user does with the word: one thing after each answer.

        Raises:
            Conflict: Somebody else had the word a moment ago.
        """
        transcript = self._conversation.state.transcript
        assert transcript is not None, "an agent's run has a transcript"
        fact = Fact(kind, body, step=len(transcript.turns), principal_id=self.principal.id)
        try:
            await self._conversation.append_outside([fact])
        except DuplicateFact:
            raise _not_now(self.run_id) from None

    def _begin(self) -> None:
        """Work on the run, once, beside whoever listens."""
        if not self._begun:
            self._begun = True
            self._tasks.start_soon(self._worked)

    async def _worked(self) -> None:
        try:
            with self._working:
                await self._work.go_on()
        except StaleClaim:
            pass  # the claim lapsed, and another worker goes on: what it does is read
        except InterlockError as error:
            self._error = error  # told to whoever asks for the result, as itself
        finally:
            self._stopped.set()

    async def _settled(self, wait_s: float) -> None:
        """Until this process has done what it can, and then until the run is over or the time is."""
        await self._stopped.wait()
        await self._conversation.refresh()
        with anyio.move_on_after(wait_s):
            while self._error is None and not _rests(self._conversation.state):
                await anyio.sleep(_LOOK_S)
                await self._conversation.refresh()

    async def _until_the_end(self, listener: Listener, wait_s: float) -> None:
        try:
            await self._settled(wait_s)
        except InterlockError as error:
            self._error = error
        over = _rests(self._conversation.state)
        listener.end(Finished(result_of(self._conversation.state)) if over and self._error is None else None)


def _rests(run: RunState) -> bool:
    """Whether it is over, or has answered and its user has the word."""
    return run.status != "open" or listens(run)


def _not_now(run_id: str) -> Conflict:
    return Conflict(
        f"nothing can be said to run {run_id} now: it is no conversation, has not answered yet, or is over",
        code="run.not_listening", remedy="Start it with `plane.conversation`, and wait for its answer.",
    )  # fmt: skip
