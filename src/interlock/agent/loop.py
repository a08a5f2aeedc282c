"""The agent's loop: ask the model, record its turn, run what it proposes, tell it what came of that.

A turn of the model is durable before any call of it runs, and every call has an id made of the run, the turn and its
place. So the loop can be cut off anywhere and gone on with by any process that knows the agent: no model is asked
twice for a turn that stands, and a call that ran is remembered, not made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from interlock.agent.agent import Agent, cost_of
from interlock.agent.authority import check, start_of
from interlock.agent.confidence import asking, taken_out
from interlock.agent.context import Context
from interlock.agent.delegate import Delegation
from interlock.agent.offering import changed, for_now, to_have
from interlock.agent.plan import plan_tool
from interlock.agent.prompt import FINAL, system_prompt
from interlock.agent.report import ORPHANED, cancelled, finish, orphaned
from interlock.agent.result import End, end_now, last_calls, last_words, result_of
from interlock.agent.steps import Step, next_step
from interlock.agent.stream import Ended, Finished, Listeners, Proposed, Spent, Text, Waiting
from interlock.agent.voice import Voice, speaking
from interlock.core.call import Outcome, ToolCall
from interlock.core.clock import SECOND_US
from interlock.core.event import Fact, Kind
from interlock.core.message import Message, Role, Usage
from interlock.core.tool import Offer, Tool
from interlock.core.transcript import Asked
from interlock.errors import DefinitionError, GuardRefused, ModelError
from interlock.execution.batch import BATCH_MAX
from interlock.ledger.conversation import Conversation
from interlock.ledger.spoken import spoken, text_of
from interlock.limits.meter import RunMeter
from interlock.models.checked import Checked
from interlock.models.metered import NOTHING, Metered
from interlock.models.model import Model
from interlock.models.retried import Retried
from interlock.models.route import each
from interlock.models.streaming import Heard
from interlock.pipeline import Plane, call_tool, call_tools
from interlock.registry.formats import offer
from interlock.registry.registry import Registry
from interlock.registry.rollout import NO_ROLLOUTS, Rollouts
from interlock.routing import Routing

_VAIN_MAX = 5
"""Workers that may be lost over a run one after the other before anything comes of its next turn."""


class Agents:
    """The agents that this process knows, and the `Driver` of their runs. It keeps nothing of a run."""

    def __init__(self, agents: Iterable[Agent] = (), routing: Routing | None = None) -> None:
        self.routing = routing or Routing()
        self._agents: dict[str, Agent] = {}
        for agent in agents:
            if self._agents.setdefault(agent.name, agent) is not agent:
                raise DefinitionError(
                    f"two agents are called {agent.name!r}", code="agent.twice", remedy="Rename one of them."
                )
        self.listeners = Listeners()
        self._delegation = Delegation(self.start_of)

    @property
    def tools(self) -> list[Tool]:
        """Those by which these agents start runs of each other, and plans."""
        plans = any(agent.plans for agent in self._agents.values())
        return [*self._delegation.tools(self._agents), *([plan_tool(self._delegation)] if plans else ())]

    def use(self, plane: Plane) -> None:
        """Drive runs on this plane.

        Raises:
            DefinitionError: An agent names a tool or an agent that there is not; see `authority.check`.
        """
        check(self._agents, plane.registry)
        self._delegation.use(plane)

    def start_of(self, agent: Agent, registry: Registry) -> dict[str, Any]:
        """What the start of an agent's run says of it; see `authority.start_of`."""
        return start_of(agent, self._agents, registry)

    def find(self, name: str) -> Agent | None:
        """The agent of that name, where this process knows it."""
        return self._agents.get(name)

    @property
    def all(self) -> tuple[Agent, ...]:
        """Every agent that this process knows, by name."""
        return tuple(self._agents[name] for name in sorted(self._agents))

    @property
    def only(self) -> Agent | None:
        """The agent that this process knows, where it knows one alone."""
        return next(iter(self._agents.values())) if len(self._agents) == 1 else None

    def due(self, conversation: Conversation) -> bool:
        """See `Driver`."""
        agent = self._of(conversation)
        if agent is None:
            return False
        step = next_step(conversation.state, agent.limits)
        return step is not Step.OVER and not (step in (Step.WAIT, Step.LISTEN) and conversation.state.waits)

    async def drive(self, plane: Plane, conversation: Conversation) -> None:
        """See `Driver`."""
        agent = self._of(conversation)
        assert agent is not None, "nobody drives a run whose agent is not known here"
        async with speaking(self.listeners, plane, conversation.state) as voice:
            await _Loop(agent, plane, conversation, voice, self.routing).go_on()

    def _of(self, conversation: Conversation) -> Agent | None:
        transcript = conversation.state.transcript
        return None if transcript is None else self._agents.get(transcript.agent)


class _Loop:
    """One stretch of one run, from wherever its ledger says that it stands."""

    def __init__(self, agent: Agent, plane: Plane, conversation: Conversation, voice: Voice, routing: Routing) -> None:
        assert conversation.state.principal is not None and conversation.state.transcript is not None
        self._agent, self._plane, self._conversation, self._voice = agent, plane, conversation, voice
        self._routing = routing
        self._run, self._principal = conversation.state, conversation.state.principal
        self._transcript = conversation.state.transcript
        self._equip(NO_ROLLOUTS, frozenset())

    async def go_on(self) -> None:
        """Until the run is over or waits for somebody."""
        if self._run.vain > _VAIN_MAX:
            await self._finish(End.MODEL_FAILED)
        if await orphaned(self._plane, self._run):
            return await self._conversation.append(cancelled(self._run, self._principal.id, ORPHANED))
        self._tell_what_was_waited_for()
        while True:
            match next_step(self._run, self._agent.limits):
                case Step.CALL:
                    await self._call()
                case Step.ASK:
                    await self._ask(final=False)
                case Step.ANSWER:
                    await self._ask(final=True)
                case Step.WAIT:
                    await self._wait()
                    if self._run.waits:
                        return
                case Step.LISTEN:
                    return await self._rest(["user"])
                case Step.END:
                    await self._finish(end_now(self._run))
                case Step.OVER:
                    return

    def _equip(self, rollouts: Rollouts, unseen: frozenset[str]) -> None:
        """Take the versions of the tools that the user has now, but for those that servers do not show them."""
        self._rollouts, self._unseen = rollouts, unseen
        registry = self._plane.registry.withholding(self._plane.lacking(self._principal))
        offered = [tool for tool in registry.offered_to(self._principal, rollouts) if tool.name not in unseen]
        self._callable = self._routing.without_find(_callable(offered, self._transcript.tools))
        self._tools = to_have(self._callable, self._principal, self._plane.policy)
        self._context: Context | None = None  # made with the first offer, which its system prompt speaks of

    async def _ask(self, *, final: bool) -> None:
        """One turn of the model, durable when this returns; the run's end with it, where it ends with it."""
        rollouts = (await self._plane.switch.standing(self._run.tenant)).rollouts
        unseen = await self._plane.unseen(self._principal)
        if rollouts is not self._rollouts or unseen != self._unseen:
            self._equip(rollouts, unseen)
        tools = await self._offered()
        messages = self._messages(tools)
        if final:
            messages = (*messages, Message(role=Role.SYSTEM, text=FINAL))
        turn, before_s = len(self._transcript.turns) + 1, self._plane.clock.mono_s()
        try:
            reply = await self._asked(turn).reply(messages, self._offers([] if final else tools))
        except GuardRefused:
            return await self._finish(End.LIMIT)
        except ModelError:
            return await self._finish(End.MODEL_FAILED)
        if self._agent.confidence:
            reply = reply._replace(proposals=tuple(map(taken_out, reply.proposals)))
        took_us = int((self._plane.clock.mono_s() - before_s) * SECOND_US)
        said = spoken(
            reply, self._agent.model.name, self._principal.id, final=final, took_us=took_us,
            micro_usd=cost_of(self._agent, reply),
        )  # fmt: skip
        offered = [] if final else changed(tools, self._transcript.offered, self._callable)
        await self._conversation.append([*offered, said])
        self._tell_turn(turn)

    async def _offered(self) -> list[Tool]:
        """The tools that are offered now: those that work, by the agent's own rule, and of many a selection."""
        working = self._plane.working(self._tools)
        tools = for_now(working, self._agent.offer, self._run, self._principal)
        return await self._routing.offered(tools, self._principal, self._run, before=self._transcript.offered)

    def _messages(self, offered: Sequence[Tool]) -> Sequence[Message]:
        if self._context is None:
            spoken_of = offered if self._routing.routes(self._tools) else self._tools
            prompt = system_prompt(self._agent, spoken_of, tasked=bool(self._run.task))
            self._context = Context(prompt, self._run, self._agent.limits)
        return self._context.messages()

    def _offers(self, tools: Sequence[Tool]) -> tuple[Offer, ...]:
        offers = map(offer, tools)
        return tuple(map(asking, offers) if self._agent.confidence else offers)

    def _asked(self, turn: int) -> Model:
        """The model as it is asked for one turn: told on to whoever listens, on the meter, and tried again."""
        listened = self._voice.heard
        meter = RunMeter(self._plane.limits, self._conversation, self._principal, self._plane.clock)

        def single(model: Model, *, draft: bool) -> Model:
            if listened:
                model = self._heard(model, turn, draft)
            if meter.counts:
                model = Metered(model, self._agent.price_of(model.name), meter, self._plane.new_id)
            return Checked(model)

        return Retried(each(self._agent.model, single), self._plane.executor.pause)

    def _heard(self, model: Model, turn: int, draft: bool) -> Model:
        """The model, with its text and what it took told on."""
        price = self._agent.price_of(model.name)

        def hear(piece: str) -> None:
            self._voice.tell(Text(turn, piece))

        def took(usage: Usage | None) -> None:
            cost = NOTHING if usage is None else price.of(usage)
            self._voice.tell(Spent(turn, cost.tokens, cost.micro_usd))

        return Heard(model, None if draft else hear, took)

    def _tell_turn(self, turn: int) -> None:
        if self._voice.heard:
            for asked in self._transcript.turns[-1].calls:
                text = text_of(asked.arguments)
                proposed = Proposed(turn, asked.call_id, asked.tool, text, asked.confidence)
                self._voice.tell(proposed)

    async def _call(self) -> None:
        """Let every call of the last turn pass the path; asked again, each tells what is recorded of it."""
        turn = self._transcript.turns[-1]
        calls = [self._made(asked) for asked in turn.calls]
        if len(calls) == 1:
            self._tell_outcome(turn.number, await call_tool(calls[0], self._plane))
            return
        for first in range(0, len(calls), BATCH_MAX):
            some = [("", call) for call in calls[first : first + BATCH_MAX]]
            for outcome in await call_tools(some, self._plane):
                self._tell_outcome(turn.number, outcome)

    def _made(self, asked: Asked) -> ToolCall:
        return ToolCall(
            run_id=self._run.run_id, call_id=asked.call_id, tool=asked.tool, arguments=text_of(asked.arguments),
            principal=self._principal,
        )  # fmt: skip

    def _tell_outcome(self, turn: int, outcome: Outcome) -> None:
        if self._voice.heard:
            self._voice.tell(Ended(turn, outcome))

    def _tell_what_was_waited_for(self) -> None:
        """Tell what came of calls that a person decided, or that started a run which has reported."""
        if self._voice.heard and self._transcript.turns:
            turn = self._transcript.turns[-1]
            for call in last_calls(self._run):
                waited = call is not None and call.status == "closed" and (call.approval_id or call.reported)
                if waited and call is not None and call.outcome is not None:
                    self._voice.tell(Ended(turn.number, call.outcome))

    async def _wait(self) -> None:
        """Say that the run waits, once: then nobody looks for it until somebody answers, or a run that it started."""
        calls = last_calls(self._run)
        ids = [call.approval_id for call in calls if call is not None and call.status == "held"]
        runs = [call.awaits for call in calls if call is not None and call.awaits]
        await self._rest(ids + runs)
        self._voice.tell(Waiting(tuple(ids)))

    async def _rest(self, waited_for: list[str]) -> None:
        if not self._run.waits:
            await self._conversation.append([Fact(Kind.RUN_WAITING, {"for": waited_for, "seen": self._run.seq})])

    async def _finish(self, end: End) -> None:
        text = last_words(self._run, end)
        await finish(self._plane, self._conversation, end.value, {"text": text}, done=end is End.ANSWER)
        self._voice.tell_above(Finished(result_of(self._run)))


def _callable(offered: Iterable[Tool], names: frozenset[str] | None) -> list[Tool]:
    """The tools that the run may call, in the order of registration: it starts only what its start names."""
    return [tool for tool in offered if (not tool.starts if names is None else tool.name in names)]
