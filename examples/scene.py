"""What happens in the session, written down row by row beside what should have happened."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import anyio
import anyio.to_thread

import interlock
from examples.far_end import FarEnd
from interlock import OutcomeKind

PATIENCE_S = 20.0
"""Seconds that anything here may take before it counts as not happening."""


class Expect(NamedTuple):
    """What must come of something.

    Attributes:
        outcome: The kind.
        code: Its reason; empty for done.
        effects: What the service must have done since the row before.
        offered: The valid value that a refusal must name as the closest.
        repeated: It must be the recorded outcome of an earlier call.
    """

    outcome: OutcomeKind
    code: str = ""
    effects: int = 0
    offered: str | int | None = None
    repeated: bool = False


class Ask(NamedTuple):
    """One call that a model proposes.

    Attributes:
        name: The client's own name of it; empty for none.
        dry_run: The client only wants to know what would happen.
    """

    tool: str
    arguments: dict[str, Any]
    expect: Expect
    name: str = ""
    dry_run: bool = False


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        number: Of a proposed call; 0 for what a person did.
        what: The tool, or who did what.
        decision: The policy's; empty where it was not asked.
        why: Rules or reasons, for a person.
        outcome: In one word.
        effects: What the service did, by its own count.
        wrong: What is not as expected; empty where it is.
        named: Whether what it is must be said where it stands among others of its kind.
    """

    number: int
    what: str
    decision: str
    why: str
    outcome: str
    effects: int
    wrong: str
    named: bool = False

    @property
    def name(self) -> str:
        """Which row it is, in words."""
        return f"call {self.number}, {self.what}" if self.number else self.what


class Teller(Protocol):
    """Who tells a person what is going on, while it goes on."""

    def says(self, who: str, words: str) -> None:
        """Somebody wants or does something."""
        ...

    def came_of_it(self, row: Row) -> None:
        """What came of it."""
        ...


@dataclass
class Scene:
    """What goes on, with everybody who takes part.

    Attributes:
        plane: The control plane.
        far_end: The service.
        teller: Who tells it.
        rows: What happened, in order.
    """

    plane: interlock.Interlock
    far_end: FarEnd
    teller: Teller
    rows: list[Row] = field(default_factory=list)
    _effects: int = 0
    _calls: int = 0

    async def new_effects(self) -> list[dict[str, Any]]:
        """What the service did since it was last asked."""
        found = await anyio.to_thread.run_sync(self.far_end.effects, self._effects)
        self._effects = max((effect["n"] for effect in found), default=self._effects)
        return found

    async def peek(self) -> list[dict[str, Any]]:
        """The same, which it goes on being."""
        return await anyio.to_thread.run_sync(self.far_end.effects, self._effects)

    async def call_ended(self, outcome: interlock.Outcome, expect: Expect, effects: int) -> None:
        """Write down what came of a proposed call."""
        self._calls += 1
        decision, rules = await self._decided(outcome.call_id)
        why = await self._granted(outcome.call_id) or _why(outcome, rules)
        wrong = _difference(outcome, expect, effects)
        row = Row(self._calls, outcome.tool, decision, why, outcome.kind.value, effects, wrong)
        self._write(row)

    async def call_recorded(self, call: dict[str, Any], expect: Expect, effects: int) -> None:
        """The same of a call of which there is only what the ledger has: its row."""
        self._calls += 1
        decision, rules = await self._decided(call["call_id"])
        why = _SHORT.get(call["code"] or "") or ", ".join(rules) or (call["code"] or "")
        told = " ".join(word for word in (call["outcome"], call["code"]) if word)
        expected = f"{expect.outcome.value} {expect.code}".strip()
        as_expected = (told, effects) == (expected, expect.effects)
        wrong = "" if as_expected else _unlike(expected, expect.effects, told, effects)
        self._write(Row(self._calls, call["tool"], decision, why, call["outcome"] or "open", effects, wrong))

    async def person_did(self, what: str, told: str, expected: str, *, why: str = "", effects: int = 0) -> None:
        """Write down what a person did, and what it came to: a word, and a code where it was refused.

        Args:
            effects: What the service must have done meanwhile.
        """
        counted = len(await self.new_effects())
        wrong = "" if (told, counted) == (expected, effects) else _unlike(expected, effects, told, counted)
        self._write(Row(0, what, "", why, told.partition(" ")[0], counted, wrong))

    def came_about(self, what: str, told: str, expected: str, why: str, effects: tuple[int, int]) -> None:
        """Write down what a process made of a call or a run by itself: an outcome, and how it came to it.

        Args:
            effects: What the service did for it meanwhile, and what it must have done.
        """
        counted, wanted = effects
        wrong = "" if (told, counted) == (expected, wanted) else _unlike(expected, wanted, told, counted)
        outcome = told.partition(" ")[0]
        self._write(Row(0, what, "", why, outcome, counted, wrong, named=True))

    def _write(self, row: Row) -> None:
        self.rows.append(row)
        self.teller.came_of_it(row)

    async def _decided(self, call_id: str) -> tuple[str, list[str]]:
        """The last decision about a call and its reasons, as the ledger has them."""
        where = {"call_id": call_id}
        decided = [row for row in await self.plane.store.rows("authz_decision", where) if row["decision"]]
        if not decided:
            return "", []
        return decided[-1]["decision"], [reason.removeprefix("rule:") for reason in json.loads(decided[-1]["reasons"])]

    async def _granted(self, call_id: str) -> str:
        """By whose grant a call ran, as the ledger has it; empty where by none."""
        [call] = await self.plane.store.rows("tool_call", {"call_id": call_id})
        if not call["grant_id"]:
            return ""
        [grant] = await self.plane.store.rows("grant", {"grant_id": call["grant_id"]})
        return f"by the grant of {grant['issued_by']}: nobody is asked"


_SHORT = {
    "authorize.stopped": "an operator has stopped it",
    "authorize.not_available": "not for this principal, whatever the arguments",
    "execute.unknown": "no answer in time: it may have been done",
    "limit.budget": "it does not fit into what is left of the budget",
    "limit.duplicate": "an equal call is not settled yet",
    "limit.loop": "asked again and again, with the same answer",
    "rehearsal.would_hold": "a dry run: it would wait for approval",
}
"""Reasons in the fewest words, where the outcome's own are more than a line."""


def _why(outcome: interlock.Outcome, rules: list[str]) -> str:
    """What is wrong with the call, else what stopped it, else the rules that decided it."""
    if outcome.repeated:
        return "the recorded outcome: asked before by this name"
    if outcome.problems:
        problem = outcome.problems[0]
        said = {"unknown_tool": "no such tool", "entity": problem.message}.get(problem.code)
        near = f"; closest: {problem.closest}" if problem.closest is not None else ""
        return (said or f"{problem.field.lstrip('/')} {problem.message}") + near
    return _SHORT.get(outcome.code) or ", ".join(rules) or outcome.message


def _difference(outcome: interlock.Outcome, expect: Expect, effects: int) -> str:
    told = f"{outcome.kind.value} {outcome.code}".strip()
    expected = f"{expect.outcome.value} {expect.code}".strip()
    if (told, effects) != (expected, expect.effects):
        return _unlike(expected, expect.effects, told, effects)
    if outcome.repeated is not expect.repeated:
        return f"expected {'a recorded' if expect.repeated else 'a new'} outcome"
    offered = outcome.problems[0].closest if outcome.problems else None
    if expect.offered is not None and offered != expect.offered:
        return f"expected the refusal to offer {expect.offered!r}, not {offered!r}"
    return ""


def _unlike(expected: str, effects: int, told: str, counted: int) -> str:
    return f"expected {expected} with effects {effects}, got {told} with effects {counted}"


async def comes_true(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Whether something holds before everybody's patience is at its end."""
    with anyio.move_on_after(PATIENCE_S):
        while not await holds():
            await anyio.sleep(0.02)
        return True
    return False
