"""A changed policy over recorded calls: what would be decided otherwise, before it is in force.

Reads the ledger and asks policies; nothing is dialled, run or written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from interlock.core.decision import Decision
from interlock.core.event import Event, Kind
from interlock.evals.again import Again
from interlock.evals.asked import Asked, Reader, terms_of
from interlock.evals.consequences import Consequences
from interlock.evals.tally import DIVERGED, Judged, Said, Tally
from interlock.evals.walk import Walked, Window, walk
from interlock.ledger.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What came of it.

    Attributes:
        tally: The counts.
        walked: What was read.
    """

    tally: Tally
    walked: Walked


def untold(judged: Judged) -> None:
    """Nobody is told."""


@dataclass(slots=True, kw_only=True)
class Candidates:
    """What is asked.

    Attributes:
        new: The changed policy.
        old: What it is compared with; None for what was recorded.
        each: Told of each decision, when it is known.
    """

    new: Again
    old: Again | None = None
    each: Callable[[Judged], None] = untold


@dataclass(slots=True)
class _Across:
    """What runs have to do with each other: calls that start runs otherwise, and runs that go otherwise and report."""

    starters: set[tuple[str, str]] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)


async def backtest(store: Store, window: Window, candidates: Candidates, examples_max: int = 3) -> Backtest:
    """Ask the policy about every recorded decision of a tenant within a time.

    Args:
        examples_max: Examples of each kind of change.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    tally = Tally(examples_max=examples_max)

    def count(judged: Judged) -> None:
        tally.take(judged)
        candidates.each(judged)

    def broken(event: Event) -> None:
        if event.fact.kind is Kind.CALL_DECIDED and event.fact.decision:
            tally.calls += 1
            tally.undecided["broken"] += 1

    across = _Across()
    walked = await walk(store, window, lambda run_id: _Run(run_id, window, candidates, across, tally, count), broken)
    return Backtest(tally=tally, walked=walked)


class _Way:
    """One policy through one run.

    Attributes:
        starts: Whether the last call may start a run.
        alone: Whether what was looked up for the last call would not be, or nobody knows.
    """

    def __init__(self, again: Again) -> None:
        self.again = again
        self.consequences = Consequences()
        self.starts = self.alone = False

    def judge(self, asked: Asked, driver: str) -> tuple[Said | None, str, str]:
        """What the policy says; else why nobody can say it, and the fact that is not there."""
        answer = self.again.ask(asked)
        why, decision, follow = answer.why, answer.decision, self.consequences
        unmade = follow.unmade(asked, driver)
        if decision is not None and (unmade or (not answer.rightless and follow.reach(asked, answer.reads))):
            why, decision = DIVERGED, None
        self.alone = unmade or answer.decision is None or (answer.rightless and not asked.unresolved)
        said = None if decision is None else _said(decision)
        self.consequences.note(asked, None if said is None else said.terms, answer.tool)
        self.starts = answer.tool is None or bool(answer.tool.starts)
        return said, why, answer.path


class _Run:
    """One run, followed."""

    def __init__(
        self, run_id: str, window: Window, candidates: Candidates, across: _Across, tally: Tally,
        count: Callable[[Judged], None],
    ) -> None:  # fmt: skip
        self._run_id, self._window, self._across, self._tally, self._count = run_id, window, across, tally, count
        self._reader = Reader()
        self._ways = [_Way(again) for again in (candidates.new, candidates.old) if again is not None]
        self._decided: set[str] = set()
        self._waiting: dict[str, list[tuple[Judged, bool]]] = {}

    def take(self, event: Event, *, told: bool) -> None:
        """See `Follower.take`."""
        asked = self._reader.take(event)
        self._joined(event)
        if not self._window.has(event.at_us):
            return
        if asked is None:
            if self._reader.unasked:
                self._tally.unasked += told
                self._release_unasked(event)
                for way in self._ways:
                    way.consequences.unasked(self._reader.unasked)
            return
        after = any(way.consequences.changed for way in self._ways)
        said = [way.judge(asked, self._reader.driver) for way in self._ways]
        now, why, path = said[0]
        before: Said | None = _recorded(asked)
        if len(said) > 1:
            before, other_why, other_path = said[1]
            why, path = (why, path) if why else (other_why, other_path)
        judged = Judged(asked=asked, before=before, now=now, why=why, path=path, after=after)
        self._passed_on(asked, judged)
        self._release(asked)
        if asked.parent and asked.parent not in self._decided:
            self._waiting.setdefault(asked.parent, []).append((judged, told))
        elif told:
            self._count(judged)

    def end(self) -> None:
        """See `Follower.end`: what was looked up for a call that never came is counted as it is."""
        for judged, told in (each for waiting in self._waiting.values() for each in waiting):
            if told:
                self._count(judged)
        self._waiting.clear()

    def _release(self, asked: Asked) -> None:
        """Count what was looked up for a call, now that it is known whether it would have been."""
        self._decided.add(asked.call_id)
        skipped = any(way.alone for way in self._ways)
        for child, told in self._waiting.pop(asked.call_id, ()):
            if told:
                self._count(_diverged(child) if skipped else child)

    def _release_unasked(self, event: Event) -> None:
        """The same for a call that stopped before policy was asked: at what was looked up for it, as a rule."""
        for child, told in self._waiting.pop(event.fact.call_id, ()):
            if told:
                barred = any(way.again.bars(event.fact.tool_hash, child.asked) for way in self._ways)
                self._count(_diverged(child) if barred else child)

    def _joined(self, event: Event) -> None:
        """What other runs make of this one: who started it, and who reports to it."""
        kind = event.fact.kind
        starter = self._reader.starter
        by = kind is Kind.RUN_STARTED and starter is not None and starter in self._across.starters
        if by or (kind is Kind.CALL_REPORTED and event.fact.body.get("run") in self._across.runs):
            for way in self._ways:
                way.consequences.start_otherwise()
            self._across.runs.add(self._run_id)

    def _passed_on(self, asked: Asked, judged: Judged) -> None:
        if judged.now is not None and judged.now.terms == asked.terms:
            return
        if self._reader.starter is not None:
            self._across.runs.add(self._run_id)
        if any(way.starts for way in self._ways):
            self._across.starters.add((self._run_id, asked.call_id))


def _said(decision: Decision) -> Said:
    return Said(verdict=decision.verdict.value, reasons=decision.reasons, terms=terms_of(decision))


def _recorded(asked: Asked) -> Said:
    return Said(verdict=asked.verdict, reasons=asked.reasons, terms=asked.terms)


def _diverged(judged: Judged) -> Judged:
    return Judged(asked=judged.asked, before=judged.before, now=None, why=DIVERGED, after=judged.after)
