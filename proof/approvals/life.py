"""A long random life of held calls on the real path, each step beside the reference."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from interlock.answers import answer, approval, delegate, undelegate, withdraw
from interlock.approvals.decide import Answer
from interlock.compose import World, plane_of
from interlock.core.approval import ApprovalState
from interlock.core.call import Outcome, OutcomeKind, ToolCall
from interlock.core.canonical import canonical
from interlock.core.event import Event, Fact, Kind
from interlock.core.ids import CountedIds, named_call_id
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import CallContext, Tool
from interlock.errors import InterlockError
from interlock.ledger.recall import edited_call_id
from interlock.ledger.store import Append, Claim, MemoryStore
from interlock.pipeline import Plane, call_tool
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.registry.define import foreign_tool
from interlock.registry.registry import Registry
from interlock.runs import advance
from interlock.settings import Settings
from interlock.testing import FrozenClock
from proof.approvals.reference import DENIED, FREE, Needs, Reference

TENANT = "default"
NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["n"],
    "additionalProperties": False,
}
ROLES = {
    "ana": frozenset({"support", "approver", "admin"}),
    "bob": frozenset({"approver"}),
    "cay": frozenset({"approver", "admin"}),
    "dan": frozenset({"admin"}),
    "bot": frozenset({"approver", "admin", "operator"}),
    "eve": frozenset[str](),
    "opa": frozenset({"operator"}),
}
SERVICES = frozenset({"bot"})
PERMIT = "permit (principal, action, resource);"
HOLD = 'forbid (principal, action == Action::"pay", resource);'
DENY = '@id("none") forbid (principal, action, resource);'
POLICIES = {
    PERMIT: FREE,
    PERMIT + '@id("h") @approvers("approver") ' + HOLD: Needs(frozenset({"approver"}), 1),
    PERMIT + '@id("h") @approvers("approver") @quorum("2") @expires("30m") ' + HOLD: Needs(
        frozenset({"approver"}), 2, 1800
    ),
    PERMIT + '@id("h") @approvers("approver,admin") ' + HOLD: Needs(frozenset({"approver", "admin"}), 1),
    PERMIT + '@id("h") @approvers("admin") @expires("1m") ' + HOLD: Needs(frozenset({"admin"}), 1, 60),
    DENY: DENIED,
}
"""Each policy with what it asks for."""

VERSIONS = 3
RUN_STEPS = 90
LIFE_STEPS = 2000
_ACTS = {
    "propose": 8, "approve": 14, "reject": 1, "edit": 2, "respond": 1, "withdraw": 1, "again": 2, "mismatched": 2,
    "advance": 9, "time": 0.5, "policy": 0.8, "publish": 0.5, "people": 0.8, "lend": 0.8, "take_back": 0.5,
    "crash": 1.5, "forge": 0.7,
}  # fmt: skip
_OVER = {
    "rejected": "approve.rejected", "withdrawn": "approve.withdrawn", "edited": "approve.edited", "responded": "",
}  # fmt: skip


class Killed(BaseException):
    """The process ends here."""


class Handle(MemoryStore):
    """One process's way to the store that all share. It may be told to end its process at an append."""

    def __init__(self, shared: MemoryStore) -> None:
        self._shared = shared
        self.left, self.before, self.dead = 0, False, False

    def __getattribute__(self, name: str) -> Any:
        if name in ("append", "_shared", "left", "before", "dead", "die_at") or name.startswith("__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_shared"), name)

    def die_at(self, nth: int, *, before: bool) -> None:
        self.left, self.before = nth, before

    async def append(self, append: Append) -> list[Event]:
        """The shared store's, unless the process is dead or dies here."""
        if self.left:
            self.left -= 1
            dies = self.left == 0
        else:
            dies = False
        if self.dead or (dies and self.before):
            self.dead = True
            raise Killed
        events = await self._shared.append(append)
        if dies:
            self.dead = True
            raise Killed
        return events


class Directory:
    """People as they are now."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    async def now(self, said: Principal) -> Principal | None:
        roles = self._reference.roles.get(said.id)
        if roles is None:
            return None
        return Principal(said.id, said.tenant, roles, "service" if said.id in SERVICES else "user")


class Life:
    """One ledger, one process at a time, and the reference beside them.

    Attributes:
        wrong: What the reference objected to, and where the two differ.
        seen: How often what happened.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self.clock, self.ids = FrozenClock(), CountedIds()
        self.store = MemoryStore(self.clock, self.draw.randbytes)
        self.reference = Reference("ana", ROLES, SERVICES)
        self.tools = [self._published(version) for version in range(VERSIONS)]
        self.registries = [Registry([tool]) for tool in self.tools]
        self._policies: dict[tuple[str, int], Policy] = {}
        self.policy = PERMIT
        self.run_id = ""
        self.last: tuple[str, Answer, Principal] | None = None
        self._workers = 0
        self.handle: Handle
        self.plane: Plane
        self.begin()

    def begin(self) -> None:
        """A process begins on what the last one left."""
        self._workers += 1
        self._tell_time()
        self.reference.process_begins()
        self.handle = Handle(self.store)
        settings = Settings(ledger=None, limits={"alike_max": 1000, "calls_max": 100_000})
        world = World(clock=self.clock, new_id=self.ids, entropy=self.draw.randbytes, pause=_no_pause)
        version = self.reference.version
        self.plane = plane_of(settings, world, self.registries[version], self._rules(), self.handle, b"k" * 32)
        self.plane.approvals = replace(self.plane.approvals, per_minute_max=10**6)
        self.plane.approvals.entitlement.people = Directory(self.reference)

    async def new_run(self) -> None:
        """A run for the steps that follow; what the last one left stays as it is."""
        self.run_id = self.ids("run")
        self.reference.calls.clear()
        self.reference.requests.clear()
        subject = self._person("ana")
        started = Fact(Kind.RUN_STARTED, {"principal": subject.written, "driver": "calls"}, principal_id="ana")
        self._conversation = await self.plane.ledger.open(self.run_id, TENANT, started, None)

    @property
    def over(self) -> bool:
        """Whether the run is finished, so that nothing new can come of it."""
        return self._conversation.state.status != "open"

    async def step(self) -> None:
        """Something that somebody does, on both sides."""
        self.clock.advance(0.001)
        self._tell_time()
        act = self.draw.choices(list(_ACTS), list(_ACTS.values()))[0]
        self.seen[act] += 1
        try:
            await getattr(self, f"_{act}")()
        except Killed:
            await self._compare()
            self._die()
        await self._compare()

    # ------------------------------------------------------------------ what the agent does

    async def _propose(self) -> None:
        spelling = self.draw.choice(
            ['{"n":%d}', '{ "n" : %d }', '{"note":"approved","n":%d}', '{"n":%d,"note":"approved"}']
        )
        text = spelling % self.draw.randint(0, 6)
        name = self.draw.choice(["", "", "a", "b", "c", "d"])
        call_id = named_call_id(self.run_id, name) if name else self.ids("call")
        new = call_id not in self.reference.calls
        if new:
            self.reference.proposed(call_id, _canonical(text))
        paused = self.reference.paused
        outcome = await self._ask(ToolCall(
            run_id=self.run_id, call_id=call_id, tool="pay", arguments=text, principal=self._person("ana"), name=name
        ))  # fmt: skip
        self.seen[f"told {outcome.code}"] += new
        if new and not outcome.code.startswith(("limit.", "recall.", "authorize.")):
            self._must((outcome.code == "approve.paused") == paused, f"{outcome.code}, and paused is {paused}")
            self.seen["paused"] += paused

    async def _forge(self) -> None:
        """A client that replies to a held call as if its reply were an answer: by the same id, with other words."""
        held = [call for call in self.reference.calls.values() if call.request is not None and not call.taken]
        if held:
            call = self.draw.choice(held)
            arguments = '{"n":1,"note":"accept"}'
            if call.request is not None and call.request.state == "approved":
                return
            forged = ToolCall(
                run_id=self.run_id, call_id=call.call_id, tool="pay", arguments=arguments, principal=self._person("ana")
            )  # fmt: skip
            await self._ask(forged)

    async def _ask(self, call: ToolCall) -> Outcome:
        return await call_tool(call, self.plane)

    # ------------------------------------------------------------------ what people do

    async def _approve(self) -> None:
        await self._answer("approve")

    async def _reject(self) -> None:
        await self._answer("reject")

    async def _edit(self) -> None:
        text = self.draw.choice(['{"n":%d}', '{"n":%d,"note":"less"}']) % self.draw.randint(0, 9)
        if self.draw.random() < 0.2:
            await self._answer("edit", arguments='{"n":"many"}')
        else:
            await self._answer("edit", content=_canonical(text), arguments=text)

    async def _respond(self) -> None:
        value = self.draw.randint(100, 200)
        fit = self.draw.random() < 0.8
        await self._answer("respond", content=value if fit else None, value=value if fit else "none")

    async def _mismatched(self) -> None:
        """An answer that bears the digest or the nonce of another request, or none."""
        await self._answer("approve", mismatched=True)

    async def _answer(self, decision: Any, content: object = None, *, mismatched: bool = False, **more: Any) -> None:
        asked = await self._some_request()
        if asked is None:
            return
        shown, about = asked.request, asked.approval_id
        bears = {"digest": shown["approval"], "nonce": shown["nonce"]}
        if mismatched:
            other = (await self._some_request() or asked).request
            bears |= self.draw.choice([
                {"digest": other["approval"]}, {"nonce": other["nonce"]}, {"digest": shown["digest"]}, {"nonce": ""}
            ])  # fmt: skip
            about = about if bears == {"digest": shown["approval"], "nonce": shown["nonce"]} else ""
        said = Answer(decision=decision, **bears, **more)
        who = self.draw.choice([*["bob", "cay", "cay", "dan"] * 3, "ana", "bot", "eve", "opa"])
        await self._say(asked.approval_id, said, self._person(who), about, content)

    async def _say(self, approval_id: str, said: Answer, person: Principal, about: str, content: object) -> None:
        self.last = (approval_id, said, person)
        what = f"{person.id} says {said.decision} to {approval_id}"
        rules = partial(self.reference.answer, approval_id, person.id, said.decision, about=about, content=content)
        await self._both(rules, answer(self.plane, approval_id, said, person), what)

    async def _again(self) -> None:
        """The last answer once more: it counts no second time."""
        if self.last is not None and self.last[0] in self.reference.requests:
            approval_id, said, person = self.last
            request = self.reference.requests[approval_id]
            if request.state != "pending" or person.id in request.voices:
                await self._both(lambda: False, answer(self.plane, approval_id, said, person), "an answer is replayed")

    async def _withdraw(self) -> None:
        asked = await self._some_request()
        if asked is not None:
            who = self.draw.choice(["ana", "ana", "opa", "bob", "bot", "eve"])
            rules = partial(self.reference.withdraw, asked.approval_id, who)
            did = withdraw(self.plane, asked.approval_id, self._person(who), "so be it")
            await self._both(rules, did, f"{who} withdraws {asked.approval_id}")

    async def _people(self) -> None:
        """Somebody joins or leaves a group, or is gone altogether, or is there again."""
        who = self.draw.choice(["bob", "cay", "dan"])
        roles = self.draw.choice([None, frozenset[str](), *[ROLES[who]] * 5])
        if roles is None:
            self.reference.roles.pop(who, None)
        else:
            self.reference.roles[who] = roles

    async def _lend(self) -> None:
        lender, borrower = self.draw.choices(["ana", "bob", "cay", "dan", "eve", "opa", "bot"], k=2)
        groups = frozenset(self.draw.choice([["approver"], ["admin"], ["approver", "admin"]]))
        hours = self.draw.choice([0.01, 1, 30])
        rules = partial(self.reference.lend, lender, borrower, groups, hours * 3600)
        did = delegate(self.plane, self._person(lender), borrower, groups, hours, "on leave")
        await self._both(rules, did, f"{lender} lends {sorted(groups)} to {borrower}")

    async def _take_back(self) -> None:
        if self.reference.lent:
            lender, borrower = self.draw.choice(list(self.reference.lent))
            rules = partial(self.reference.take_back, lender, borrower)
            await self._both(rules, undelegate(self.plane, self._person(lender), borrower), f"{lender} takes back")

    async def _both(self, rules: Callable[[], bool], did: Awaitable[object], what: str) -> None:
        """Do it, and hold what came of it against what the reference says."""
        try:
            await did
            code = ""
        except InterlockError as error:
            code = error.code
        if code == "approval.rate":  # a clock that was set back makes everybody wait for a moment
            self.seen["too fast"] += 1
            return
        counts = rules()
        self._must(counts == (code == ""), f"{what}: {'it counts' if counts else 'it does not'}, and was told {code!r}")
        self.seen["counted"] += counts
        self.seen[f"code {code}"] += 1

    # ------------------------------------------------------------------ what the world does

    async def _advance(self) -> None:
        if await advance(self.plane, Claim(f"worker_{self._workers}", 30), self.run_id, TENANT):
            await self._settled()

    async def _time(self) -> None:
        if self.draw.random() < 0.5:
            self.clock.advance(self.draw.choice([1, 30, 61, 1801]))
        else:
            self.clock.jump_wall(self.draw.choice([30, 61, 1801, 90_000, -90_000, -3600]))
        self._tell_time()

    async def _policy(self) -> None:
        self.policy = self.draw.choice([*list(POLICIES)[:5], *list(POLICIES)[1:4] * 2, DENY])
        self.reference.needs = POLICIES[self.policy]
        self.plane.policy = self._rules()

    async def _publish(self) -> None:
        self.reference.version = version = self.draw.choice([0, 0, *range(VERSIONS)])
        self.plane.registry = self.registries[version]
        self.plane.policy = self._rules()

    async def _crash(self) -> None:
        """Advance, and be killed at one of the writes that this takes, or at none."""
        self.handle.die_at(self.draw.randint(1, 6), before=self.draw.random() < 0.5)
        await self._advance()
        self.handle.left = 0

    def _die(self) -> None:
        self.seen["killed"] += 1
        if self.draw.random() < 0.9:
            self.clock.advance(31)
        self.begin()

    # ------------------------------------------------------------------ both sides

    async def _body(self, arguments: dict[str, Any], context: CallContext, version: int) -> object:
        """The tool: the reference looks at every execution."""
        self.seen["executed"] += 1
        text = canonical(arguments).decode()
        call = self.reference.calls.get(context.call_id)
        if call is not None and call.taken and await self._was_lost(context.call_id):
            call.died = True
        if wrong := self.reference.executed(context.call_id, text, version):
            self.wrong.append(f"{context.call_id}: {wrong}")
        elif call is not None and call.request is not None:
            self.seen["approved"] += call.runs == 1
        else:
            self.seen["free"] += 1
        return arguments["n"]

    async def _was_lost(self, call_id: str) -> bool:
        events = await self.store.read(self.run_id)
        return any(event.fact.kind is Kind.RECOVERY and event.fact.call_id == call_id for event in events)

    async def _compare(self) -> None:
        """Tell the reference of the calls and requests that the path made, and hold them against its own."""
        state = await self._state()
        for approval_id, asked in state.approvals.items():
            if asked.status == "consumed" and (intended := self.reference.calls.get(asked.call_id)):
                self._intended(intended)
            if approval_id in self.reference.requests:
                continue
            call = self.reference.calls.get(asked.call_id)
            if call is None:
                self.wrong.append(f"{asked.call_id} asks and was not proposed")
                continue
            before = call.request
            if before is not None and (wrong := self.reference.superseded(before)):
                self.wrong.append(f"{before.request_id}: {wrong}")
            made, said = self.reference.asked(approval_id, asked.call_id), asked.request
            self._must(said["text"] == made.arguments, f"{approval_id} shows {said['text']}, not {made.arguments}")
            self._must(frozenset(said["groups"]) == made.needs.groups, f"{approval_id} asks {said['groups']}")
            self._must(said["quorum"] == made.needs.quorum, f"{approval_id} asks for {said['quorum']}")
            self._must(frozenset(said.get("editors", ())) == made.editors, f"{approval_id}: {said.get('editors')}")
            self._must(abs(said["expires_us"] / 1e6 - made.expires_s) < 1, f"{approval_id} expires at another time")
            self._must(before is None or bool(said.get("difference")), f"{approval_id} does not say what changed")
        for approval_id, asked in state.approvals.items():
            request = self.reference.requests.get(approval_id)
            if request is not None and request.state == "consumed":
                self._must(asked.status == "consumed", f"{approval_id} was used and is {asked.status}")
            if request is not None and asked.status == "expired":
                self._must(self.reference.expired(request), f"{approval_id} was {request.state} and ended as expired")
            if request is not None and request.edit:
                editors = request.editors | {request.editor}
                self.reference.proposed(edited_call_id(asked, self.run_id), request.edit, editors)

    def _intended(self, call: Any) -> None:
        """Its intent stands, and whoever wrote it may have died before the tool ran."""
        if not call.taken:
            if why := self.reference.why_not(call):
                self.wrong.append(f"{call.call_id}: its approval was used though {why}")
            call.taken, call.died, call.version = True, True, self.reference.version
            call.request.state = "consumed"

    async def _settled(self) -> None:
        """After an advance nothing is left that could have gone on, and what is over says why."""
        state = await self._state()
        for call_id, call in self.reference.calls.items():
            known, request = state.calls.get(call_id), call.request
            if known is None or request is None or call.taken or known.status == "intent":
                continue
            outcome, status = known.outcome, state.approvals[request.request_id].status
            assert outcome is not None, "a call that asked was told an outcome"
            if request.state in _OVER:
                kind = OutcomeKind.DONE if request.state == "responded" else OutcomeKind.REFUSED
                told = (outcome.kind, outcome.code)
                self._must(told == (kind, _OVER[request.state]), f"{call_id} is {request.state} and was told {told}")
                self._must(request.state != "responded" or outcome.value == request.value, f"{call_id}: {outcome}")
                self._must(not request.edit or outcome.instead in state.calls, f"{call_id}: its edit was lost")
                self.seen[request.state] += 1
            elif status not in ("superseded", "consumed") and self.reference.now_s >= request.expires_s:
                self._must(outcome.kind is OutcomeKind.REFUSED, f"{call_id} has expired and is {outcome.kind}")
                self.seen["expired"] += 1
            elif request.state == "approved" and outcome.kind is OutcomeKind.HELD and status == "approved":
                self.wrong.append(f"{call_id} may run and does not")
        self._conversation = await self.plane.ledger.conversation(self.run_id, TENANT)

    async def _state(self) -> RunState:
        self._conversation = await self.plane.ledger.conversation(self.run_id, TENANT)
        await self._conversation.refresh()
        await self._conversation.read_tail()
        return self._conversation.state

    async def _some_request(self) -> ApprovalState | None:
        requests = self.reference.requests.values()
        if not requests:
            return None
        pending = [request for request in requests if request.state == "pending"]
        some = self.draw.choice(pending if pending and self.draw.random() < 0.8 else list(requests))
        return await approval(self.plane, some.request_id, TENANT)

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    def _tell_time(self) -> None:
        self.reference.time(self.clock.wall_us() / 1e6, self.clock.mono_s())

    def _person(self, who: str) -> Principal:
        """Somebody as they come in: with the roles that they had at the start, for the path to look up."""
        return Principal(who, roles=ROLES[who], kind="service" if who in SERVICES else "user")

    def _published(self, version: int) -> Tool:
        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            return await self._body(arguments, context, version)

        return foreign_tool(
            "pay", "local", "Pays.", NUMBER, body, effect="irreversible", version=str(version), keyed=True,
            output_schema={"type": "integer"},
        )  # fmt: skip

    def _rules(self) -> Policy:
        key = (self.policy, self.reference.version)
        if key not in self._policies:
            self._policies[key] = Policy([Source("life.cedar", self.policy)], self.registries[key[1]].tools)
        return self._policies[key]


class Lived(NamedTuple):
    """What came of some lives.

    Attributes:
        wrong: Each thing that the reference objects to, with the seed of its life.
        seen: How often what happened.
    """

    wrong: list[str]
    seen: Counter[str]


async def live(seed: int, steps: int, tell: Callable[[Lived], None] | None = None, *, stop: bool = True) -> Lived:
    """Lives of so many steps in all, one ledger after the other.

    Args:
        seed: Of the first life; the others follow.
        tell: Called after every run.
        stop: Whether to end at the first thing that is wrong.
    """
    lived = Lived([], Counter())
    while lived.seen["steps"] < steps:
        life = Life(seed)
        left = min(LIFE_STEPS, steps - lived.seen["steps"])
        while left > 0 and not life.wrong:
            left -= await _one_run(life, left)
            if tell is not None:
                tell(Lived([*lived.wrong, *life.wrong], lived.seen + life.seen))
        lived.seen.update(life.seen)
        lived.wrong.extend(f"seed {seed}: {what}" for what in life.wrong)
        if stop and lived.wrong:
            break
        seed += 1
    return lived


async def _one_run(life: Life, most: int) -> int:
    """A run of at most so many steps; how many it had."""
    await life.new_run()
    done = 0
    while done < min(RUN_STEPS, most) and not life.wrong:
        done += 1
        await life.step()
        if life.over and life.draw.random() < 0.3:
            break
    life.seen["steps"] += done
    return done


def _canonical(text: str) -> str:
    """The arguments as they are shown and run."""
    return canonical(json.loads(text)).decode()


async def _no_pause(seconds: float) -> None:
    return
