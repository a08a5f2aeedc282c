"""Whether what tools depend on answers: asked at intervals, so that a tool that cannot work is not offered.

A probe is the operator's own function or a source's ping. It takes nothing from a model and gives nothing to one, so it
is no tool call; only that the answer changed is recorded. A single failure is asked about again before it counts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Final

import anyio
from anyio.to_thread import run_sync

from interlock.core.canonical import Json
from interlock.core.clock import Clock
from interlock.core.event import HEALTH, Fact, Kind
from interlock.core.principal import FIRST_TENANT
from interlock.core.tool import Tool
from interlock.errors import LedgerError
from interlock.ledger.store import Append, Store

_logger = logging.getLogger("interlock.health")

DEADLINE_S: Final = 5.0
"""Seconds that one answer may take."""

AGAIN_S: Final = 1.0
"""Seconds until a failure is asked about again; after that, twice as long each time."""

REST_MAX_S: Final = 60.0
"""Seconds between two questions to what is down, at most."""

_WHY_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How to ask whether one thing answers.

    Attributes:
        name: What it is called: in the ledger, and for people.
        ask: Returns where it answers (anything but False), and raises where it does not. A function that is not async
            runs in a thread, which the deadline leaves behind.
        server: The server all of whose tools depend on it; empty for none.
        tools: Names of the tools that depend on it.
        every_s: Seconds between two questions while it answers.
    """

    name: str
    ask: Callable[[], object]
    server: str = ""
    tools: frozenset[str] = frozenset()
    every_s: float = 30.0

    def covers(self, tool: Tool) -> bool:
        """Whether the tool depends on it."""
        return tool.name in self.tools or (bool(self.server) and tool.server == self.server)


@dataclass(slots=True)
class _Watched:
    probe: Probe
    due_s: float
    failures: int = 0
    why: str = ""
    recorded: bool = field(default=True)

    @property
    def up(self) -> bool:
        return self.failures < 2


class Health:
    """The probes of one process and what they found last.

    Args:
        worker: Id of this process, in the ledger: another one may find otherwise.
    """

    def __init__(self, clock: Clock, store: Store, worker: str = "") -> None:
        self.worker = worker
        self._clock = clock
        self._store = store
        self._watched: dict[str, _Watched] = {}

    def watch(self, probe: Probe) -> None:
        """Ask about this from now on; takes the place of a probe of the same name, with what that one found."""
        known = self._watched.get(probe.name)
        if known is not None:
            known.probe = probe
        else:
            self._watched[probe.name] = _Watched(probe, self._clock.mono_s())

    def forget(self, name: str) -> None:
        """Ask about it no more, and withhold nothing for its sake."""
        self._watched.pop(name, None)

    def objection(self, tool: Tool) -> str:
        """What the tool depends on and does not answer; empty where all does."""
        down = (each.probe.name for each in self._watched.values() if not each.up and each.probe.covers(tool))
        return next(down, "")

    def down(self) -> dict[str, str]:
        """What does not answer, each with why; of the operator's own code and sources, not for models."""
        return {name: each.why for name, each in self._watched.items() if not each.up}

    @property
    def rest_s(self) -> float:
        """Seconds until something is due; `REST_MAX_S` at most."""
        now_s = self._clock.mono_s()
        return min((max(0.0, each.due_s - now_s) for each in self._watched.values()), default=REST_MAX_S)

    async def look(self) -> None:
        """Ask whatever is due now, all at once, and record what changed."""
        now_s = self._clock.mono_s()
        due = [each for each in self._watched.values() if each.due_s <= now_s]
        async with anyio.create_task_group() as tasks:
            for each in due:
                tasks.start_soon(self._ask, each)
        await self._record(each for each in due if not each.recorded)

    async def run(self, pause: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await pause(min(max(self.rest_s, 0.05), AGAIN_S))

    async def _ask(self, each: _Watched) -> None:
        was = each.up
        why = await _why(each.probe)
        now_s = self._clock.mono_s()
        if why:
            each.failures += 1
            each.due_s = now_s + min(AGAIN_S * 2 ** (each.failures - 1), REST_MAX_S)
        else:
            each.failures = 0
            each.due_s = now_s + each.probe.every_s
        each.why = why
        if each.up != was:
            each.recorded = not each.recorded  # what goes and comes back before it is recorded is no change

    async def _record(self, changed: Iterable[_Watched]) -> None:
        changed = list(changed)
        facts = [Fact(Kind.HEALTH, _body(each, self.worker)) for each in changed]
        if not facts:
            return
        try:
            await self._store.append(Append(HEALTH, FIRST_TENANT, facts))
        except LedgerError:
            _logger.warning("health of %s is not recorded yet: the ledger cannot be written", changed[0].probe.name)
            return
        for each in changed:
            each.recorded = True


_in_thread = partial(run_sync, abandon_on_cancel=True)


def _body(each: _Watched, worker: str) -> dict[str, Json]:
    probe = each.probe
    return {
        "what": probe.name, "up": each.up, "why": each.why, "worker": worker, "server": probe.server,
        "tools": sorted(probe.tools),
    }  # fmt: skip


async def _why(probe: Probe) -> str:
    """Why it does not answer; empty where it does. An error's text is the operator's own, and is cut."""
    try:
        with anyio.fail_after(DEADLINE_S):
            answer = probe.ask() if iscoroutinefunction(probe.ask) else await _in_thread(probe.ask)
            return "it said no" if (await answer if isawaitable(answer) else answer) is False else ""
    except TimeoutError:
        return f"no answer within {DEADLINE_S:g} s"
    except Exception as error:  # the operator's code: whatever it raises, what it asks about is not well
        return f"{type(error).__name__}: {error}"[:_WHY_MAX]
