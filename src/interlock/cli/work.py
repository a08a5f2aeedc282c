"""`interlock work`: a process that does what is due, until it is asked to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import anyio
import click
from anyio.abc import TaskStatus
from rich.text import Text

from interlock.app import Interlock
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import note, told, word
from interlock.cli.output import Exit, Output, Report
from interlock.core.call_state import CallState
from interlock.core.principal import ADMIN, OPERATOR
from interlock.engine.engine import InProcessEngine, Pace
from interlock.notices.notifier import Notifier
from interlock.upkeep import notifying

_LAST_LOOK_S = 5.0
"""Seconds that looking up what became of a cut-off run may take: shielded, so it needs a bound of its own."""

WAS = {"held": "was held", "intent": "was left open", "unknown": "was unknown"}
"""How a call stood before, as a person reads it."""

Row = dict[str, Any]


@command("work", example="interlock work\ninterlock work --once --json")
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
def work(deployment: Deployment, once: bool) -> Report:
    """Do what is due in every run, until SIGTERM or Ctrl-C.

    Settles what a lost worker left open, runs what was approved, ends what expired, and says so, a line for each run.
    Tells people that they are waited for, where the settings name channels, and a collector what was done, where they
    name one.
    Asked to end, it takes up nothing new; what runs has `drain_s` to end by itself, then it is cut off and recorded.
    Any number of workers may run on one ledger. Needs the role operator or admin. Exit code 4 where something was cut
    off.
    """
    deployment.require(OPERATOR, ADMIN)
    deployment.output.by_lines()
    settings = deployment.settings
    pace = Pace(lease_s=settings.lease_s, drain_s=settings.drain_s)

    async def run(plane: Interlock) -> _Worker:
        worker = _Worker(plane, InProcessEngine(deployment.world.clock, pace), deployment.output)
        async with notifying(settings, plane.store, plane.claim, deployment.world) as notifier:
            await worker.run(once, notifier)
        return worker

    worker = deployment.with_plane(run, exports=True)
    report = worker.report(once)
    if worker.cut_off and threading.active_count() > 1:
        # A tool that runs in a thread cannot be stopped, and would keep this process for as long as it likes. What is
        # known of it is recorded, and the ledger is closed.
        deployment.output.report(report)
        sys.stdout.flush()
        os._exit(report.exit)
    return report


class _Worker:
    """The engine at work here, and what is told of it.

    Attributes:
        runs: Lines told: how often something was done in a run.
        cut_off: Runs that were being advanced when the time to drain was up.
    """

    def __init__(self, plane: Interlock, engine: InProcessEngine, output: Output) -> None:
        self.runs = self.cut_off = 0
        self._plane = plane
        self._engine = engine
        self._output = output

    async def run(self, once: bool, notifier: Notifier | None) -> None:
        """Work and tell people, until there is nothing left or a signal comes."""
        plane, engine = self._plane, self._engine
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._obey_signals)
            if once:
                await engine.look(plane.store, self._advance)
                if notifier is not None:
                    await notifier.look()
            else:
                if notifier is not None:
                    tasks.start_soon(notifier.run)
                self._output.line({"worker": plane.worker}, note(f"{plane.worker} is at work; Ctrl-C ends it."))
                await engine.run(plane.store, plane.worker, self._advance)
            tasks.cancel_scope.cancel()

    def report(self, once: bool) -> Report:
        """What came of it all."""
        document = {"advanced": self.runs, "cut_off": self.cut_off}
        did = (
            f"something was done in {self.runs} run{'' if self.runs == 1 else 's'}" if self.runs else "nothing was due"
        )
        view = [told(f"{'Done' if once else 'Ended'}: {did}.", "strong")]
        if self.cut_off:
            view.append(told(f"Cut off in {self.cut_off}: see `interlock calls unknown`.", "bad"))
        return Report(document, view, Exit.UNKNOWN if self.cut_off else Exit.DONE)

    async def _obey_signals(self, task_status: TaskStatus[None]) -> None:
        """The first one drains; a second one finds no receiver and ends the process."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            async for _ in signals:
                self._engine.stop()
                return

    async def _advance(self, run_id: str, tenant: str) -> None:
        conversation = await self._plane.plane.ledger.conversation(run_id, tenant)
        await conversation.refresh()
        was = {call.call_id: call.status for call in conversation.state.calls.values()}
        try:
            await self._plane.advance(run_id, tenant)
        except anyio.get_cancelled_exc_class():
            self.cut_off += 1
            raise
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_LOOK_S):
                await conversation.refresh()
                moved = [_moved(call, was) for call in conversation.state.calls.values() if _has_moved(call, was)]
                if moved:
                    self._tell(run_id, tenant, moved)

    def _tell(self, run_id: str, tenant: str, moved: list[Row]) -> None:
        self.runs += 1
        parts = [told(f"{run_id} ")]
        for call in moved:
            why = f" {call['code']}" if call["code"] else ""
            parts += [told(f" {call['tool']} {WAS.get(call['was'], call['was'])}: "), word(call["now"]), note(why)]
        self._output.line({"run_id": run_id, "tenant": tenant, "calls": moved}, Text.assemble(*parts))


def _has_moved(call: CallState, was: dict[str, str]) -> bool:
    """Whether something became of a call; what was only looked up on its behalf is not told."""
    return (call.writes or not call.parent_id) and was.get(call.call_id) != call.status and call.outcome is not None


def _moved(call: CallState, was: dict[str, str]) -> Row:
    outcome = call.outcome
    assert outcome is not None, "what has moved was told"
    before = was.get(call.call_id, "new")
    return {"call_id": call.call_id, "tool": call.tool, "was": before, "now": outcome.kind.value, "code": outcome.code}
