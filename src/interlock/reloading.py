"""The policy, loaded again by an operator's word: every process on the ledger takes it up, or says that it cannot.

The word stands in the ledger with a digest of the files, so that a process puts in force exactly what was loaded where
it was said: neither older files of another machine nor what somebody is still writing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import anyio
import anyio.to_thread

from interlock.core.event import Fact, Kind
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.errors import PolicyError
from interlock.ledger.loaded import Loaded, loaded_body
from interlock.pipeline import Plane
from interlock.policy.authorize import Rules
from interlock.registry.registry import Registry

logger = logging.getLogger("interlock.policy")

AGAIN_S: Final = 1.0
"""Seconds until a policy that could not be taken up is tried again."""


class Reloading:
    """The policy of this process, kept as it was loaded last on the ledger.

    Args:
        load: Reads the operator's files for the tools of a registry.

    Attributes:
        problem: Why what was loaded last is not in force here, where the one before decides on; empty where it is.
    """

    def __init__(self, plane: Plane, load: Callable[[Registry], Rules]) -> None:
        self.problem = ""
        self._plane = plane
        self._load = load
        self._taken = 0
        self._again_s = 0.0
        self._tried = 0
        self._turn = anyio.Lock()

    async def begin(self) -> None:
        """What stands in the files is in force, whatever was loaded before this process began.

        They were read before it could look: where another one was loaded in that moment, it is in force instead.

        Raises:
            StoreUnavailable: The ledger cannot be read.
        """
        plane = self._plane
        last = (await plane.switch.standing(FIRST_TENANT)).loaded
        if last.seq and last.files != plane.policy.files:
            with suppress(PolicyError):
                rules, _ = await self._loaded()
                if rules.files == last.files:
                    plane.policy = rules
        self._taken = last.seq
        plane.take_up = self.take_up

    async def reload(self, person: Principal) -> str:
        """Load the policy again and have every process take it up from its next call on; its digest.

        Every other process reads its own files then, and keeps what it has where they are not exactly these.

        Args:
            person: Who says so; kept for the audit.

        Raises:
            PolicyError: It does not load here; the one in force stays, everywhere.
            LedgerError: It could not be recorded, and the one in force stays.
        """
        plane = self._plane
        async with self._turn:
            rules, registry = await self._loaded()
            body = loaded_body(rules.files, plane.policy.digest)
            fact = Fact(Kind.CONFIG, body, principal_id=person.id, policy_hash=rules.digest)
            await plane.switch.say(FIRST_TENANT, fact, everywhere=True)
            while plane.registry is not registry:  # servers changed their tools meanwhile
                registry = plane.registry
                rules = await anyio.to_thread.run_sync(rules.with_tools, registry.tools)
            plane.policy = rules
            last = (await plane.switch.standing(FIRST_TENANT)).loaded
            if last.files == rules.files:  # else somebody else loaded another one since
                self._taken, self.problem = last.seq, ""
        return rules.digest

    async def look(self) -> str:
        """Take up what was loaded last; `problem` after that.

        Raises:
            StoreUnavailable: The ledger cannot be read.
        """
        await self.take_up((await self._plane.switch.standing(FIRST_TENANT)).loaded)
        return self.problem

    async def take_up(self, last: Loaded) -> None:
        """Put in force what was loaded last, where it is not yet; where that cannot be, `problem` says why."""
        if last.seq == self._taken and not self.problem:
            return
        async with self._turn:
            if not self._is_due(last):
                return
            try:
                rules, _ = await self._loaded()
                problem = "" if rules.files == last.files else "the files here are not those that were loaded"
            except PolicyError as error:
                rules, problem = self._plane.policy, str(error)
            if problem:
                self._tried, self._again_s = last.seq, self._plane.clock.mono_s() + AGAIN_S
                if problem != self.problem:
                    logger.error("the policy that was loaded is not in force here: %s", problem)
            else:
                self._plane.policy, self._taken = rules, last.seq
            self.problem = problem

    def _is_due(self, last: Loaded) -> bool:
        new = last.seq > self._taken
        return new and (last.seq > self._tried or self._plane.clock.mono_s() >= self._again_s)

    async def _loaded(self) -> tuple[Rules, Registry]:
        """What stands in the files, for the tools as they are when it is loaded, and these."""
        while True:
            registry = self._plane.registry
            rules = await anyio.to_thread.run_sync(self._load, registry)
            if self._plane.registry is registry:
                return rules, registry
