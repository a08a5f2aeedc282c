"""What `interlock hook` does: an agent's use of a tool becomes a governed call, its user's words become the run's.

Each is a process of its own: a session's run is found by a file beside the ledger, claimed for the moment of one call,
and left open for the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from interlock.compose import World, compose
from interlock.core.call import Outcome, OutcomeKind, ToolCall, ValidCall
from interlock.core.event import Fact, Kind
from interlock.core.ids import named_call_id
from interlock.core.run import speaker
from interlock.errors import DuplicateFact, NotFound, StaleClaim
from interlock.keys import WORDS, Key
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane, call_tool
from interlock.private_files import write_private
from interlock.registry.validate import validate
from interlock.runs import advance, own_run
from interlock.servers import open_fleet
from interlock.settings import Settings
from interlock.sources.reads import reading_tools
from interlock.starting import Start, started
from interlock.toolkit.coding import REPORT
from interlock.upkeep import sealing
from interlock.wrapping.hooked import Heard, Moment

DRIVER: Final = "hook"
"""What says which calls the run makes: the agent, from outside. So nobody else finishes it or looks for it."""

_WAITING: Final = Fact(Kind.RUN_WAITING, {"for": []})

LEASE_S: Final = 30.0
"""Seconds until the run of a hook that was killed is free again."""

WAIT_S: Final = 8.0
"""Seconds that one hook waits for another of the same session."""


@asynccontextmanager
async def plane_without_servers(settings: Settings, world: World) -> AsyncIterator[Plane]:
    """A plane for one moment: no server is started, so that it is quick; their tools are known by what was accepted.

    Raises:
        InterlockError: Something is not acceptable, or the ledger cannot be opened.
    """
    async with open_fleet(settings, world, start=False) as fleet:
        await fleet.recall(settings, world)
        admit = fleet.admit if settings.servers else None
        own = list(reading_tools(fleet))
        plane, _ = await anyio.to_thread.run_sync(compose, settings, own, world, None, (), admit)
        try:
            async with sealing(settings, plane.ledger.store, world):
                yield plane
        finally:
            await plane.ledger.store.close()


class Hook:
    """One use of the hook.

    Args:
        folder: Where it stands which run each session has.
        key: Whose calls they are, and whether the words are believed.
    """

    def __init__(self, plane: Plane, folder: Path, key: Key) -> None:
        self._plane, self._folder, self._key = plane, folder, key
        self._claim = Claim(plane.new_id("worker"), LEASE_S)

    async def hear(self, heard: Heard) -> str:
        """Do what the moment asks for; why the agent may not go on, empty where it may.

        Raises:
            InterlockError: It could not be decided or recorded. Before a tool, the agent may not go on.
        """
        match heard.moment:
            case Moment.WORDS:
                await self._words(heard)
            case Moment.BEFORE if heard.tool:
                return _refusal(await self._before(heard))
            case Moment.AFTER if heard.tool:
                await self._after(heard)
            case Moment.END:
                async with self._run(heard) as conversation:
                    await conversation.finish("the session ended")
            case _:
                pass
        return ""

    async def _words(self, heard: Heard) -> None:
        if WORDS not in self._key.scopes or not heard.words.strip():
            return  # of whose key that cannot attest them, they count as not seen
        async with self._run(heard, heard.words) as conversation:
            if (conversation.state.words or "").endswith(heard.words):
                return  # the run began with them
            fact = Fact(Kind.RUN_WORDS, {"text": heard.words}, principal_id=self._key.principal.id)
            number = conversation.next_step()
            while True:
                try:
                    return await conversation.append([fact._replace(step=number)])
                except DuplicateFact:
                    number += 1

    async def _before(self, heard: Heard) -> Outcome:
        async with self._run(heard) as conversation:
            if (known := await self._approved(conversation, heard)) is not None:
                return known
            return await self._call(conversation, heard.tool, dict(heard.arguments), heard.use_id)

    async def _after(self, heard: Heard) -> None:
        async with self._run(heard) as conversation:
            run = conversation.state
            call_id = named_call_id(run.run_id, heard.use_id) if heard.use_id else ""
            said = {"agent": heard.agent, "tool": heard.arguments["tool"], "call_id": call_id, "ok": heard.ok}
            name = f"result:{heard.use_id}" if heard.use_id else ""
            await self._call(conversation, REPORT, said | {"output": heard.output}, name)

    async def _approved(self, conversation: Conversation, heard: Heard) -> Outcome | None:
        """What became of the same call that was held before; None where there is none, or a yes to it was used."""
        made = self._made(conversation, heard.tool, dict(heard.arguments), "")
        valid = validate(made, self._plane.registry)
        if not isinstance(valid, ValidCall):
            return None
        same = [call.call_id for call in conversation.state.calls.values() if call.digest == valid.digest]
        for call_id in same:
            if not _was_held(conversation, call_id):
                continue
            await advance(self._plane, self._claim, conversation.state.run_id, conversation.state.tenant)
            await conversation.refresh()
            call = speaker(conversation.state, call_id)
            if call is None or call.outcome is None:
                continue
            if call.outcome.kind is OutcomeKind.HELD:
                return call.outcome
            if call.outcome.kind is OutcomeKind.DONE:
                used = {"agent": heard.agent, "tool": heard.arguments["tool"], "call_id": call_id, "ok": True}
                taken = await self._call(conversation, REPORT, used | {"output": "taken up"}, f"taken:{call_id}")
                if taken.kind is OutcomeKind.DONE and not taken.repeated:
                    return call.outcome
        return None

    async def _call(self, conversation: Conversation, tool: str, arguments: dict[str, Any], name: str) -> Outcome:
        return await call_tool(self._made(conversation, tool, arguments, name), self._plane)

    def _made(self, conversation: Conversation, tool: str, arguments: dict[str, Any], name: str) -> ToolCall:
        run_id = conversation.state.run_id
        call_id = named_call_id(run_id, name) if name else self._plane.new_id("call")
        return ToolCall(
            run_id=run_id, call_id=call_id, tool=tool, arguments=arguments, principal=self._key.principal, name=name
        )

    @asynccontextmanager
    async def _run(self, heard: Heard, words: str = "") -> AsyncIterator[Conversation]:
        """The session's run, claimed for as long as the block lasts, and open still when it is left.

        Raises:
            StaleClaim: Another hook of the session held it for too long.
        """
        conversation = await self._found(heard, words)
        with anyio.move_on_after(WAIT_S):
            while not conversation.epoch:
                try:
                    await conversation.claim(self._claim)
                except StaleClaim:
                    await anyio.sleep(0.02)
        if not conversation.epoch:
            raise StaleClaim("another hook of this session did not end in time")
        try:
            yield conversation
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                if conversation.state.status == "open":
                    await conversation.append([_WAITING])
                await conversation.release()

    async def _found(self, heard: Heard, words: str) -> Conversation:
        principal, plane = self._key.principal, self._plane
        mark = hashlib.sha256(f"{principal.tenant}\0{principal.id}\0{heard.agent}\0{heard.session}".encode())
        file = self._folder / mark.hexdigest()
        before = ""
        if file.exists():
            try:
                known = await own_run(plane, principal, file.read_text(encoding="utf-8").strip())
                if known.state.status == "open":
                    return known
                before = known.state.words or ""
            except NotFound:
                pass  # of a ledger that is gone
            file.unlink(missing_ok=True)
        said = "\n\n".join(filter(None, (before, words)))
        new = plane.new_id("run")
        write_private(file, new.encode(), once=True)
        if (mine := file.read_text(encoding="utf-8").strip()) != new:
            return await own_run(plane, principal, mine)
        start = await started(plane, principal, Start(words=said or None), new)
        fact = start._replace(body={**start.body, "driver": DRIVER})
        return await plane.ledger.open(new, principal.tenant, fact, self._claim)


def _was_held(conversation: Conversation, call_id: str) -> bool:
    return any(each.call_id == call_id for each in conversation.state.approvals.values())


def _refusal(outcome: Outcome) -> str:
    """What the model is told of a call that may not be; empty where it may."""
    if outcome.kind is OutcomeKind.DONE:
        return ""
    held = outcome.kind is OutcomeKind.HELD
    after = " Once a person has approved it, do exactly the same again." if held else ""
    return f"{outcome.message}{after} [{outcome.code or outcome.kind.value} {outcome.approval_id}]".replace(" ]", "]")
