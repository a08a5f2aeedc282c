"""What a changed policy is predicted to decide, beside what it decides: `python -m proof.backtest`.

The recorded runs of the data folder (AgentDojo, AgentDyn, tau-bench airline) are made again on the real path, into a
ledger in SQLite, with what was recorded as the tools' answers (`proof/recorded.py`). Issue 7, shown by 5; requirement
D4. Then each of several changed policies is asked about that ledger (`interlock policy backtest`), and the same calls
are made once more, on the real path, with that policy in force. Every prediction is held against what came out:
verdict, rules and what a hold takes to be released.

What is assumed, because the recordings do not say it: a turn takes seven minutes, so that hours differ; runs are by a
junior, a senior or a service in turn; writes whose names say that they send, pay, book or delete are irreversible; one
write of each suite names something that is looked up first, and what is found is made from a digest of its name. Of
what is held a person approves every second call, whichever policy holds it.

Exits 0 only where at least 10,000 calls were recorded, every prediction came true, each candidate changed something,
what was erased is undecidable and changes no other prediction, and 50,000 decisions a minute of processor time were
made again (the aim is 100,000; the rest is for slow machines).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from interlock import (
    Answer,
    CallContext,
    Interlock,
    OutcomeKind,
    Principal,
    Proposal,
    Settings,
    Tool,
    World,
    open_plane,
)
from interlock.core.call import Outcome
from interlock.core.canonical import canonical
from interlock.core.event import Event
from interlock.core.tool import Entity
from interlock.evals.again import Again, Known
from interlock.evals.asked import Asked, Reader, Terms
from interlock.evals.backtest import Candidates, backtest
from interlock.evals.tally import Judged, Tally
from interlock.evals.walk import Window
from interlock.ledger.redact import erasable, redact
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.registry.define import foreign_tool
from interlock.testing import CountedIds, FrozenClock
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER, RecordedFarEnd, Suite, Turns, recorded

CALLS_MIN, RATE_AIM, RATE_MIN, ERASED_EVERY = 10_000, 100_000, 50_000, 97

TURN_S = 420.0

_FINAL = (
    "send_",
    "post_",
    "delete_",
    "remove_",
    "cancel_",
    "book_",
    "reserve_",
    "schedule_",
    "pay_",
    "place_",
    "share_",
)
"""How the name of an irreversible write begins."""

LOOKED_UP = {
    "banking": ("send_money", "recipient"),
    "slack": ("send_direct_message", "recipient"),
    "travel": ("reserve_hotel", "hotel"),
    "workspace": ("delete_email", "email_id"),
    "airline": ("cancel_reservation", "reservation_id"),
}
"""Suite to the write and its argument that names something."""

PEOPLE = (
    Principal("jo", roles=frozenset({"junior"})),
    Principal("sam", roles=frozenset({"senior"})),
    Principal("bot", roles=frozenset({"senior"}), kind="service"),
)
BOSS = Principal("boss", roles=frozenset({"approver", "lead", "admin", "operator"}))
"""Who approves, and has what was erased erased."""

BASE = """
@id("all") permit (principal, action in Action::"call", resource) when { !principal.roles.isEmpty() };
@id("junior-held") @approvers("approver")
forbid (principal in Role::"junior", action in Action::"effect/irreversible", resource);
@id("spree") forbid (principal, action in Action::"effect/irreversible", resource) when { context.session.writes >= 9 };
"""

POLICIES = {
    "as it was": BASE,
    "more holds": BASE
    + '@id("final-held") @approvers("lead") @quorum("1") '
    'forbid (principal, action in Action::"effect/irreversible", resource);',
    "fewer holds": BASE.replace(
        'action in Action::"effect/irreversible", resource);',
        'action in Action::"effect/irreversible", resource)\nwhen { context.session.writes >= 2 };', 1,
    ),
    "by arguments": BASE
    + '@id("dear") forbid (principal, action == Action::"banking:send_money", resource) '
    'when { context.arguments.amount.greaterThan(decimal("50.0")) };'
    '\n@id("many") @approvers("approver") forbid (principal, action == Action::"workspace:send_email", resource) '
    "when { context.counts.recipients > 1 };",
    "by counters": BASE
    + '@id("refused-before") forbid (principal, action in Action::"effect/irreversible", resource) '
    "when { context.session.refusals >= 1 };"
    '\n@id("again-and-again") forbid (principal, action in Action::"call", resource) '
    "when { context.session.tool_calls >= 4 };",
    "by role and hour": BASE
    + '@id("office-hours") forbid (principal in Role::"junior", action in Action::"effect/reversible", resource) '
    "when { context.time.hour < 8 || context.time.hour >= 18 };"
    '\n@id("no-service") forbid (principal, action in Action::"effect/irreversible", resource) '
    'when { principal.kind == "service" };',
    "by what is looked up": BASE
    + '@id("tier") forbid (principal, action in Action::"effect/irreversible", resource) '
    "when { resource has tier && resource.tier == 2 };",
    "by origin": BASE
    + '@id("origin") @approvers("approver") forbid (principal, action in Action::"call", resource) '
    "when { !context.provenance.lacks.isEmpty() };"
    '\n@id("third") @approvers("lead") forbid (principal, action in Action::"effect/irreversible", resource) '
    "when { context.provenance.saw_third };",
}  # fmt: skip
"""What is asked: the policy of the record itself, which must change nothing, and changed ones."""

Key = tuple[Any, ...]
"""Run, turn and place of a call; of a look-up, that of its call and what was looked up."""


class Decided(NamedTuple):
    """What was really decided."""

    verdict: str
    reasons: tuple[str, ...]
    terms: Terms


@dataclass
class Made:
    """Runs that were made, and what was decided of their calls.

    Attributes:
        keys: Run and call id to which call that is.
        decided: Each call's decisions, in order.
    """

    keys: dict[tuple[str, str], Key] = field(default_factory=dict)
    decided: dict[Key, list[Decided]] = field(default_factory=dict)
    calls: int = 0

    def read(self, events: Sequence[Event]) -> None:
        """Take in what stands in a run's chain."""
        reader = Reader()
        for asked in filter(None, map(reader.take, events)):
            self.decided.setdefault(self.key(asked), []).append(Decided(asked.verdict, asked.reasons, asked.terms))

    def key(self, asked: Asked) -> Key:
        """Which call it is."""
        own = self.keys.get((asked.run_id, asked.call_id))
        if own is None:
            looked_up = (asked.name, canonical(asked.arguments))
            own = self.keys[asked.run_id, asked.call_id] = (*self.keys[asked.run_id, asked.parent], *looked_up)
        return own


@dataclass
class Row:
    """One candidate: what was predicted, and what came of it.

    Attributes:
        tally: What `interlock policy backtest` says.
        equal, wrong: Predictions that came true, and those that did not.
        unsaid_same: Calls without a prediction that were decided as before.
        rate, busy: Decisions a minute, by the wall and by the processor's time.
    """

    name: str
    tally: Tally
    equal: int = 0
    wrong: list[str] = field(default_factory=list)
    unsaid_same: int = 0
    rate: float = 0.0
    busy: float = 0.0


def main() -> int:
    options = _options()
    suites = {name: suite._replace(runs=suite.runs[: options.runs]) for name, suite in recorded(options.data).items()}
    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(prove, suites, Path(folder))


async def prove(suites: Mapping[str, Suite], folder: Path) -> int:
    """Record, predict, make again and compare; the exit code."""
    begun = time.monotonic()
    ledger = folder / "ledger.db"
    base, tools = await make(suites, BASE, ledger)
    _say(f"{base.calls:,} calls recorded in {time.monotonic() - begun:.0f} s")
    store = await anyio.to_thread.run_sync(SqliteStore, ledger, FrozenClock())
    rows = []
    for name, text in POLICIES.items():
        row, judged = await predict(store, name, text, tools)
        really = base if text == BASE else (await make(suites, text, None))[0]
        compare(row, judged, base, really)
        _say(f"{name}: {row.equal:,} as predicted, {len(row.wrong)} not; {row.rate:,.0f} decisions a minute")
        rows.append(row)
    erased = await _erased(store, tools, base)
    await store.close()
    return report(base, rows, erased)


async def make(suites: Mapping[str, Suite], text: str, ledger: Path | None) -> tuple[Made, list[Tool]]:
    """Make every run with a policy in force, one after the other."""
    made, world = Made(), World(clock=FrozenClock(), new_id=CountedIds())
    far_end = RecordedFarEnd()
    tools = {name: _tools(name, suite, far_end) for name, suite in suites.items()}
    every = [tool for some in tools.values() for tool in some]
    policy = Policy([Source("candidate.cedar", text)], every)
    settings = Settings(
        ledger=ledger, folder=Path() if ledger is None else ledger.parent, limits={"calls_max": 10_000},
        seal={"on": False},
    )  # type: ignore[arg-type]  # pydantic reads it  # fmt: skip
    number = 0
    for name, suite in suites.items():
        async with open_plane(settings, tools=tools[name], world=world, engine=False) as plane:
            plane.plane.policy = policy
            for run in suite.runs:
                number += 1
                await _run(_Making(plane, far_end, world.clock, made), number, run.turns)
    return made, every


class _Making(NamedTuple):
    plane: Interlock
    far_end: RecordedFarEnd
    clock: Any
    made: Made


async def _run(making: _Making, number: int, turns: Turns) -> None:
    """One recorded run."""
    plane, far_end, clock, made = making
    async with plane.run(PEOPLE[number % len(PEOPLE)], words=f"task {number}" if number % 2 else None) as run:
        for turn, calls in enumerate(turns):
            far_end.calls = list(calls)
            outcomes = await run.calls([Proposal(tool=call.tool, arguments=call.arguments) for call in calls])
            for place, outcome in enumerate(outcomes):
                made.keys[run.run_id, outcome.call_id] = (number, turn, place)
                made.calls += 1
                if outcome.kind is OutcomeKind.HELD and sha256(f"{number}/{turn}/{place}".encode()).digest()[0] % 2:
                    await _approve(plane, run.run_id, outcome)
            clock.advance(TURN_S)
    made.read(await plane.store.read(run.run_id))


async def _approve(plane: Interlock, run_id: str, held: Outcome) -> None:
    conversation = await plane.plane.ledger.conversation(run_id, BOSS.tenant)
    shown = conversation.state.approvals[held.approval_id].request
    said = Answer(decision="approve", digest=shown["approval"], nonce=shown["nonce"])
    await plane.answer(held.approval_id, said, BOSS)
    await plane.advance(run_id)


def _tools(suite: str, made: Suite, far_end: RecordedFarEnd) -> list[Tool]:
    """The suite's tools over what was recorded, and the one that looks things up."""
    looked_up, argument = LOOKED_UP.get(suite, ("", ""))
    found = [_tool(suite, each, far_end, argument if each["name"] == looked_up else "") for each in made.tools]
    if looked_up:
        tier = {"type": "object", "properties": {"tier": {"type": "integer"}}, "required": ["tier"]}
        schema = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
        name = _look_up(suite)
        found.append(foreign_tool(name, "local", "What it is.", schema, _tier, effect="read", output_schema=tier))
    return found


def _look_up(suite: str) -> str:
    return f"look_up_{suite}"


async def _tier(arguments: dict[str, Any], context: CallContext) -> object:
    return {"tier": sha256(arguments["id"].encode()).digest()[0] % 3}


def _tool(suite: str, definition: dict[str, Any], far_end: RecordedFarEnd, looked_up: str) -> Tool:
    name, kind = definition["name"], definition["effect"]

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return await far_end.answer(name, arguments)

    effect = "read" if kind in ("read", "outward") else "irreversible" if name.startswith(_FINAL) else "reversible"
    options: dict[str, Any] = {"effect": effect, "outward": kind == "outward", "attempts_max": 1}
    if looked_up:
        entity = Entity(type=f"{suite.title()}Thing", lookup=_look_up(suite), by="id")
        options |= {"resource": looked_up, "entities": {looked_up: entity}}
    schema = {**definition["input_schema"], "additionalProperties": False}
    return foreign_tool(name, suite, definition["description"], schema, body, **options)


async def predict(store: Store, name: str, text: str, tools: Sequence[Tool]) -> tuple[Row, list[Judged]]:
    """Ask the candidate about the record."""
    judged: list[Judged] = []
    known = await Known(tools).read(store)
    candidate = Candidates(new=Again(Policy([Source("candidate.cedar", text)], tools), known), each=judged.append)
    begun, worked = time.monotonic(), time.process_time()
    found = await backtest(store, Window(tenant=BOSS.tenant), candidate)
    took, busy = time.monotonic() - begun, time.process_time() - worked
    assert not found.walked.broken, "nobody has changed the ledger"
    return Row(name, found.tally, rate=60 * len(judged) / took, busy=60 * len(judged) / busy), judged


def compare(row: Row, judged: Sequence[Judged], base: Made, really: Made) -> None:
    """Hold each prediction against what came out."""
    nth: Counter[Key] = Counter()
    for each in judged:
        key = base.key(each.asked)
        place, nth[key] = nth[key], nth[key] + 1
        came = really.decided.get(key, ())
        found = came[place] if place < len(came) else None
        if each.why:
            row.unsaid_same += found is not None and found.verdict == each.asked.verdict
        elif each.now is not None and found == Decided(each.now.verdict, each.now.reasons, each.now.terms):
            row.equal += 1
        else:
            row.wrong.append(f"{each.asked.run_id} {each.asked.call_id} {each.asked.name} {key}: {each.now} != {found}")


class Erased(NamedTuple):
    """What came of the same backtest after some records were erased."""

    gone: int
    undecidable: int
    hanging: int
    other: int


async def _erased(store: SqliteStore, tools: Sequence[Tool], base: Made) -> Erased:
    """Erase the record of every so manieth decision, and predict again."""
    _, before = await predict(store, "", POLICIES["by counters"], tools)
    gone: set[tuple[str, int]] = set()
    for asked in (each.asked for each in before[::ERASED_EVERY]):
        if asked.seq in erasable(await store.read(asked.run_id)):  # what still waits for a person is needed
            gone |= {(asked.run_id, seq) for seq in await redact(store, asked.run_id, [asked.seq], "proof", BOSS)}
    _, after = await predict(store, "", POLICIES["by counters"], tools)
    was = {(each.asked.run_id, each.asked.seq): each for each in before}
    undecidable = hanging = other = 0
    for each in after:
        place = each.asked.run_id, each.asked.seq
        if place in gone:
            undecidable += each.why == "erased"
        elif each.why and not was[place].why:
            hanging += each.why in ("diverged", "erased")
            other += each.why not in ("diverged", "erased")
        elif not each.why:
            other += was[place].now != each.now
    return Erased(len(gone), undecidable, hanging, other)


def report(base: Made, rows: Sequence[Row], erased: Erased) -> int:
    """Print the tables; the exit code."""
    print(f"{base.calls:,} recorded calls; each policy predicted from their ledger, then the same calls made under it")
    print(f"{'policy':<22}{'calls':>8}{'compared':>9}{'change':>8}{'predicted right':>30}{'diverged':>9}{'undecid.':>9}"
          f"{'as before':>10}{'holds/100':>14}{'a minute':>10}")  # fmt: skip
    for row in rows:
        tally = row.tally
        right = Share(row.equal, row.equal + len(row.wrong))
        low, _ = right.interval
        holds = f"{tally.holds_per_100(0):.1f} → {tally.holds_per_100(1):.1f}"
        said = f"{row.equal:,}, {right.value or 0:.2%} [{low:.2%}, 1]"
        print(
            f"{row.name:<22}{tally.calls:>8,}{tally.compared:>9,}{tally.changed:>8,}{said:>30}"
            f"{tally.diverged:>9,}{tally.undecidable:>9,}{row.unsaid_same:>10,}{holds:>14}{row.rate:>10,.0f}"
        )
        for wrong in row.wrong[:5]:
            print(f"    wrong: {wrong}")
    print(
        f"{erased.gone:,} records erased: {erased.undecidable:,} undecidable, {erased.hanging:,} others hang on them, "
        f"{erased.other:,} predicted otherwise than before"
    )
    slowest, busy = min(row.rate for row in rows), min(row.busy for row in rows)
    print(f"slowest: {slowest:,.0f} decisions a minute, {busy:,.0f} a minute of processor time (aim {RATE_AIM:,})")
    same, *changed = rows
    sound = (
        base.calls >= CALLS_MIN
        and not any(row.wrong for row in rows)
        and same.tally.changed == same.tally.diverged == same.tally.undecidable == 0
        and all(row.tally.changed or row.tally.undecidable for row in changed)
        and erased.undecidable == erased.gone > 0 == erased.other
        and busy >= RATE_MIN
    )
    return 0 if sound else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.backtest", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each suite (all)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
