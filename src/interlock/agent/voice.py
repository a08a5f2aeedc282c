"""What a run says while it goes on: to whoever listens to it, and to a run above it that it was started for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from interlock.agent.stream import Below, Listeners, Progressed, RunEvent
from interlock.core.progress import Progress
from interlock.core.run import RunState
from interlock.pipeline import Plane


class Voice:
    """The voice of one run in this process, for one stretch of it.

    Args:
        listeners: Who listens here.
        line: Ids of the run and of those above it, the nearest first.
    """

    def __init__(self, listeners: Listeners, line: list[str]) -> None:
        self._listeners = listeners
        self._run_id, *self._above = line

    @property
    def heard(self) -> bool:
        """Whether somebody listens."""
        return any(self._listeners.any(run_id) for run_id in (self._run_id, *self._above))

    def tell(self, event: RunEvent) -> None:
        """Tell all who listen; never waits."""
        self._listeners.tell(self._run_id, event)
        self.tell_above(event)

    def tell_above(self, event: RunEvent) -> None:
        """Tell those who listen to a run above; whoever listens to this one knows by other means."""
        for run_id in self._above:
            self._listeners.tell(run_id, Below(self._run_id, event))

    def report(self, call_id: str, progress: Progress) -> None:
        """Tell those who listen to a run above how far a call is."""
        self.tell_above(Progressed(call_id, progress))


@asynccontextmanager
async def speaking(listeners: Listeners, plane: Plane, run: RunState) -> AsyncIterator[Voice]:
    """The voice of a run for as long as the block lasts, its calls' reports of progress among what it says."""
    line = [run.run_id]
    while run.task:
        run = (await plane.ledger.conversation(run.parent, run.tenant)).state
        line.append(run.run_id)
    voice = Voice(listeners, line)
    if len(line) == 1:  # who listens to the run itself hears its calls as they say it
        yield voice
        return
    with plane.executor.listeners.to_run(line[0], voice.report):
        yield voice
