"""A run of twenty calls with an approval in the middle, made by processes that die at an append of the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from interlock import Agent, Interlock, Settings, Tool, World, open_plane
from interlock.agent.result import AgentResult, End
from interlock.core.event import Event
from interlock.core.message import Message
from interlock.core.tool import CallContext
from interlock.ledger.store import Append, MemoryStore
from interlock.models.replay import ReplayModel
from interlock.testing import CountedIds, FrozenClock
from tests.agent.desk import WORDS, says
from tests.planes import ANA, BOB, Far, Stage, saying

APPROVAL_TURN = 6
TURNS: Sequence[Message] = (
    says("I look.", ("look", {"n": 1})),
    says("", ("look", {"n": 2}), ("look", {"n": 3}), ("put", {"n": 4})),
    says("", ("pay", {"n": 5})),
    says("", ("look", {"n": 6}), ("pay", {"n": 7}), ("put", {"n": 8}), ("find", {"n": 9})),
    says("", ("look", '{"n": '), ("nothing", {})),
    says("This one is large.", ("look", {"n": 12}), ("pay_much", {"n": 13}), ("put", {"n": 14})),
    says("", ("find", {"n": 15}), ("look", {"n": 16})),
    says("", ("put", {"n": 17}), ("pay", {"n": 18})),
    says("", ("look", {"n": 19}), ("look", {"n": 20})),
    says("All twenty are made."),
)
"""Twenty calls: reads, and writes that are keyed, idempotent or can be asked about. The sixth turn waits for Bob."""


class Died(BaseException):
    """The process is dead: nothing that it was doing goes on."""


class DyingStore(MemoryStore):
    """A ledger whose process dies at an append.

    Attributes:
        die_at: Number of the append, from 1; 0 for none.
        written: Whether that append stands.
        appends: How many there were, of all processes.
        dead: Nothing of this process reaches the ledger any more.
    """

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(clock)
        self.die_at, self.written, self.appends, self.dead = 0, False, 0, False

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`."""
        if self.dead:
            raise Died
        self.appends += 1
        if self.appends == self.die_at:
            self.dead = True
            if self.written:
                await super().append(append)
            raise Died
        return await super().append(append)

    async def release(self, run_id: str, epoch: int) -> None:
        """See `Store.release`."""
        if not self.dead:
            await super().release(run_id, epoch)

    async def close(self) -> None:
        """It is another process's too."""


@dataclass
class FarEnd:
    """What the tools did.

    Attributes:
        keys: Tool and key to how often its effect was asked for.
        effects: Tool and number, once for each effect that took place: a keyed or idempotent one is one, however often.
    """

    far: Far = field(default_factory=Far)
    keys: Counter[tuple[str, str]] = field(default_factory=Counter)
    effects: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def tools(self) -> list[Tool]:
        """Of every class."""
        asked = {
            "type": "object", "properties": {"idempotency_key": {"type": "string"}}, "required": ["idempotency_key"],
            "additionalProperties": False,
        }  # fmt: skip
        return [
            self.far.tool("look"),
            self.far.tool("pay", "reversible", self._does("pay"), keyed=True),
            self.far.tool("pay_much", "irreversible", self._does("pay_much"), keyed=True),
            self.far.tool("put", "reversible", self._does("put"), idempotent=True),
            self.far.tool("find", "reversible", self._does("find"), reconcile="was_found"),
            self.far.tool("was_found", does=self._was_found, input_schema=asked),
        ]

    def _does(self, name: str) -> Any:
        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            key = context.idempotency_key
            self.keys[name, key] += 1
            known = self.effects.setdefault((name, arguments["n"]), key)
            assert known == key or name == "put", "one call has one key, whoever makes it"
            return {"n": arguments["n"]}

        return body

    async def _was_found(self, arguments: dict[str, Any], _: CallContext) -> object:
        found = [n for (name, n), key in self.effects.items() if (name, key) == ("find", arguments["idempotency_key"])]
        return {"done": bool(found), "result": {"n": found[0]} if found else None}


def agent() -> Agent:
    """The agent, as every process has it."""
    tools = ("look", "pay", "pay_much", "put", "find")
    return Agent("desk", ReplayModel(*TURNS), tools=tools)


def settings(ledger: Path | None = None) -> Settings:
    """Of the deployment."""
    return Settings(ledger=ledger, folder=(ledger or Path()).parent)


async def approve_all(plane: Interlock) -> None:
    """Bob says yes to whatever waits."""
    for row in await plane.store.rows("approval", {"status": "pending"}):
        asked = await plane.approval(row["approval_id"])
        await plane.answer(row["approval_id"], saying(asked.request), BOB)


async def process(plane: Interlock, clock: FrozenClock, *, looks: int = 40) -> AgentResult | None:
    """What one process does: start the run if nobody has, do what is due, approve what waits, until it is over."""
    rows = await plane.store.rows("run", {"driver": "agent"})
    if not rows:
        async with plane.agent("desk", ANA, words=WORDS) as run:
            await run.result()
    for _ in range(looks):
        for due in await plane.store.due():
            await plane.advance(due.run_id, due.tenant)
        await approve_all(plane)
        [row] = await plane.store.rows("run", {"driver": "agent"})
        if row["status"] != "open":
            async with plane.agent("desk", ANA, run_id=row["run_id"]) as run:
                return await run.result()
        clock.advance(1)
    return None


class Numbered(CountedIds):
    """Ids of one process: another one's differ."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def __call__(self, kind: str) -> str:
        """Return `kind_number00001` and so on."""
        return f"{kind}_p{self._number}x{super().__call__(kind).partition('_')[2]}"


async def no_pause(_: float) -> None:
    """No pause."""


def world(clock: FrozenClock, number: int) -> World:
    """Of one process."""
    return World(clock=clock, new_id=Numbered(number), pause=no_pause)


@dataclass
class Account:
    """How a run stands when it is over.

    Attributes:
        end, text, turns: Of its result.
        told: For each call of each turn: tool, outcome, code, value.
        effects: Tool and number of every effect.
    """

    end: End
    text: str
    turns: int
    told: list[list[tuple[str, str, str, Any]]]
    effects: list[tuple[str, int]]


async def account(plane: Interlock, result: AgentResult, far: FarEnd) -> Account:
    """The final state, as far as it may not depend on who died when."""
    conversation = await plane.plane.ledger.conversation(result.run_id, "default")
    transcript = conversation.state.transcript
    assert transcript is not None
    told = [
        [_said(asked.tool, each) for asked, each in zip(turn.calls, turn.told, strict=True)]
        for turn in transcript.turns[:-1]
    ]
    return Account(result.end, result.text, result.turns, told, sorted(far.effects))


def _said(tool: str, told: bytes) -> tuple[str, str, str, Any]:
    outcome = json.loads(told)["outcome"]
    return tool, outcome["outcome"], outcome.get("code", ""), outcome.get("value")


async def lived(store: DyingStore, clock: FrozenClock, far: FarEnd, deaths: Sequence[tuple[int, bool]]) -> Account:
    """The run, made by as many processes as die, and one more.

    Args:
        deaths: Number of the append at which each dies, counted over all of them, and whether it stands.
    """
    left = list(deaths)
    for number in range(len(deaths) + 2):
        store.dead = False
        store.die_at, store.written = left.pop(0) if left else (0, False)
        try:
            async with open_plane(
                settings(), tools=far.tools, world=world(clock, number), agents=[agent()], engine=False
            ) as plane:
                replace_store(plane, store)
                result = await process(plane, clock)
                assert result is not None, "the run is stuck"
                return await account(plane, result, far)
        except Died:
            pass
        except BaseExceptionGroup as group:
            assert group.subgroup(lambda error: not isinstance(error, Died | BaseExceptionGroup)) is None, group
        clock.advance(60)  # the dead one's claim has lapsed
    raise AssertionError("every process died")


def replace_store(plane: Interlock, store: Any) -> None:
    """Let a plane work on a ledger that others work on too, with their deployment's key."""
    Stage(plane, FrozenClock(), []).store_in(store)
    plane.plane.executor = replace(plane.plane.executor, deployment_key=bytes(32))
