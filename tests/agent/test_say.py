"""A conversation: one run in which its user says more, once the model has answered."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from interlock import Agent, AgentLimits, BadInput, End, Interlock, Principal, open_plane
from interlock.agent.stream import Finished
from interlock.core.event import Kind
from interlock.core.message import Role
from interlock.errors import Conflict
from interlock.ledger.redact import redact
from interlock.testing import FrozenClock
from tests.agent.desk import Watched, desk, says, told
from tests.agent.killed import Died, DyingStore, FarEnd, replace_store, settings, world
from tests.agent.offices import office
from tests.agent.test_delegate import child
from tests.agent.test_loop import HOLD_PAY
from tests.planes import ANA, OPA, Far, Stage, WatchedStore

pytestmark = pytest.mark.anyio


def begun(stage: Stage, words: str = "Where is order 7?", name: str = "desk", **more: Any) -> Any:
    """See `Interlock.conversation`."""
    return stage.plane.conversation(name, ANA, words=words, **more)


async def test_its_user_goes_on_after_the_answer_and_the_model_has_heard_all_of_it() -> None:
    """C1: one run; each request of the model begins with all of the one before, which prompt caches live on."""
    model = Watched(says("", ("look", {"n": 7})), says("In Bonn."), says("", ("look", {"n": 8})), says("In Kiel."))
    async with desk(model, Far().tool("look")) as stage:
        async with begun(stage) as run:
            first = await run.result()
            assert (first.end, first.text) == (End.ANSWER, "In Bonn.")
            await run.say("And order 8?")
            second = await run.result()
            assert (second.end, second.text, second.run_id) == (End.ANSWER, "In Kiel.", first.run_id)
        said = await stage.said(first.run_id)
    assert said.count("run.words") == 1 and "run.finished" not in said
    requests = [messages for messages, _ in model.asked]
    for before, after in pairwise(requests):
        assert after[: len(before)] == before
    last = [(message.role.value, message.text) for message in requests[-1] if message.role is not Role.TOOL][1:]
    assert last == [
        ("user", "Where is order 7?"), ("model", ""), ("model", "In Bonn."), ("user", "And order 8?"), ("model", ""),
    ]  # fmt: skip


async def test_what_another_process_makes_of_the_ledger_is_what_this_one_sent() -> None:
    turns = (says("", ("look", {"n": 7})), says("In Bonn."), says("In Kiel."), says("You are welcome."))
    model = Watched(*turns)
    async with desk(model, Far().tool("look")) as stage:
        async with begun(stage) as run:
            await run.result()
            await run.say("And order 8?")
            await run.result()
        async with begun(stage, run_id=run.run_id) as again:
            assert (await again.result()).text == "In Kiel."
            await again.say("Thank you.")
            assert (await again.result()).text == "You are welcome."
    (before, _), (after, _) = model.asked[-2:]
    assert after[: len(before)] == before


async def test_killed_at_every_append_the_conversation_comes_to_the_same_end() -> None:
    """C5: also between the user's words and the turn that answers them, which is asked for once."""
    turns = (says("", ("pay", {"n": 1})), says("Paid."), says("", ("put", {"n": 2})), says("Put."))

    async def one(plane: Interlock) -> str:
        rows = await plane.store.rows("run")
        run_id = rows[0]["run_id"] if rows else ""
        async with plane.conversation("desk", ANA, words="Pay 1.", run_id=run_id) as run:
            found = await run.result()
            if found.text == "Paid.":
                await run.say("Put 2.")
                found = await run.result()
            return found.text

    async def lived(die_at: int, written: bool) -> tuple[str, FarEnd, DyingStore, int]:
        clock, far = FrozenClock(), FarEnd()
        store = DyingStore(clock)
        asked = 0
        for number, at in enumerate((die_at, 0)):
            store.dead, store.die_at, store.written = False, at, written
            model = Watched(*turns)
            agents = [Agent("desk", model)]
            try:
                async with open_plane(
                    settings(), tools=far.tools, world=world(clock, number), agents=agents, engine=False
                ) as plane:
                    replace_store(plane, store)
                    return await one(plane), far, store, asked + len(model.asked)
            except BaseException as error:
                if not only_died(error):
                    raise
            asked += len(model.asked)
            clock.advance(60)
        raise AssertionError("both processes died")

    text, _, store, asked = await lived(0, False)
    assert (text, asked) == ("Put.", 4)
    for nth in range(2, store.appends + 1):
        for written in (False, True):
            text, far, _, asked = await lived(nth, written)
            assert text == "Put.", f"killed at append {nth}"
            assert sorted(far.effects) == [("pay", 1), ("put", 2)]
            assert asked <= 5, "a turn that stands is not asked for again"


def only_died(error: BaseException) -> bool:
    """Whether nothing happened but that the process died."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(lambda each: not isinstance(each, Died | BaseExceptionGroup)) is None
    return isinstance(error, Died)


async def test_while_it_waits_for_its_user_it_holds_nothing_and_nobody_looks_for_it() -> None:
    model = Watched(says("One."), says("Two."))
    async with desk(model) as stage:
        async with begun(stage) as run:
            await run.result()
        [row] = await stage.plane.store.rows("run")
        assert (row["status"], row["waits"], await stage.plane.store.due()) == ("open", 1, [])
        stage.clock.advance(3600)
        assert await stage.plane.store.due() == []
        async with begun(stage, run_id=run.run_id) as again:
            await again.say("More.")
        stage.clock.advance(60)
        [due] = await stage.plane.store.due()
        await stage.plane.advance(due.run_id)
        async with begun(stage, run_id=run.run_id) as again:
            assert (await again.result()).text == "Two."


async def test_how_far_it_may_go_is_counted_anew_with_what_the_user_says_and_budgets_are_not() -> None:
    """B11, C1: turns, calls and repeats limit how one answer is come to; a budget is the run's."""
    turns = [
        turn for _ in range(4) for turn in (says("", ("look", {"n": 7})), says("", ("look", {"n": 8})), says("A."))
    ]
    far = Far()
    agent = {"limits": AgentLimits(turns_max=2)}
    settings = {"limits": {"calls_max": 2, "vain_max": 2, "alike_max": 2}}
    async with (
        desk(Watched(*turns), far.tool("look"), agent=agent, settings=settings) as stage,
        begun(stage, budget={"calls": 7}) as run,
    ):
        for round in range(3):
            assert (await run.result()).end is End.LIMIT, "two turns, then it is asked for its answer"
            assert len(far.ran) == 2 * (round + 1)
            await run.say("Again.")
        await run.result()
        outcomes = [row["code"] for row in await stage.plane.store.rows("tool_call")]
    assert outcomes == [None] * 7 + ["limit.budget"]


async def test_nothing_can_be_said_before_it_has_answered_nor_to_a_run_that_is_none() -> None:
    model = Watched(says("", ("pay", {"n": 1})), says("Paid."), says("Bye."))
    async with desk(model, Far().tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        async with begun(stage) as run:
            with pytest.raises(Conflict, match="not answered"):
                await run.say("Hurry!")
            assert (await run.result()).end is End.WAITING
            with pytest.raises(Conflict):
                await run.say("Hurry!")
            [row] = await stage.plane.store.rows("approval")
            [call] = (await stage.state(run.run_id)).calls.values()
            assert call.outcome is not None and row["status"] == "pending"
            await stage.answer(run.run_id, call.outcome)
            await stage.plane.advance(run.run_id)
            assert (await run.result()).text == "Paid."
            for words in ("", " \n", "x" * 262_145, 7):
                with pytest.raises(BadInput):
                    await run.say(words)
            await run.say("Thanks.")
            assert (await run.result()).text == "Bye."
        async with stage.plane.agent("desk", ANA, words="x") as other:
            await other.result()
            with pytest.raises(Conflict):
                await other.say("more")


async def test_of_two_who_speak_at_once_one_is_heard_and_the_other_is_told() -> None:
    async with desk(Watched(says("One."), says("Two."))) as stage:
        stage.store_in(WatchedStore(stage.clock))
        async with begun(stage) as run:
            await run.result()
        async with begun(stage, run_id=run.run_id) as one, begun(stage, run_id=run.run_id) as other:
            refused: list[str] = []

            async def speak(who: Any, words: str) -> None:
                try:
                    await who.say(words)
                except Conflict as error:
                    refused.append(error.code)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(speak, one, "first")
                tasks.start_soon(speak, other, "second")
        assert refused == ["run.not_listening"]
        words = [e.fact.body["text"] for e in await stage.events(run.run_id) if e.fact.kind is Kind.RUN_WORDS]
        assert words == ["first"]


async def test_it_is_ended_by_a_word_and_then_nothing_more_is_said_in_it() -> None:
    async with desk(Watched(says("One."), says("Two."))) as stage, begun(stage) as run:
        with pytest.raises(Conflict):
            await run.finish()
        await run.result()
        assert (await run.finish()).end is End.ANSWER
        assert (await run.finish()).text == "One.", "asking twice is asking once"
        with pytest.raises(Conflict):
            await run.say("More.")
        [row] = await stage.plane.store.rows("run")
        assert (row["status"], row["reason"]) == ("finished", "answer")


@pytest.mark.parametrize("spoken_first", [True, False])
async def test_of_a_word_and_an_end_at_once_one_stands_and_no_old_answer_is_told_as_the_new_one(
    spoken_first: bool,
) -> None:
    async with desk(Watched(says("One."), says("Two."))) as stage:
        stage.store_in(WatchedStore(stage.clock))
        async with begun(stage) as run:
            await run.result()
        refused: list[str] = []

        async def tried(act: Any, name: str) -> None:
            try:
                await act
            except Conflict:
                refused.append(name)

        async with begun(stage, run_id=run.run_id) as one, begun(stage, run_id=run.run_id) as other:
            acts = [(one.say("More."), "say"), (other.finish(), "finish")]
            async with anyio.create_task_group() as tasks:
                for act, name in acts if spoken_first else acts[::-1]:
                    tasks.start_soon(tried, act, name)
            assert refused == (["finish"] if spoken_first else ["say"])
            if not spoken_first:
                assert (await one.finish()).text == "One.", "ended by another is ended"
            assert (await one.result()).text == ("Two." if spoken_first else "One.")
        assert (await stage.said(run.run_id)).count("run.words") == spoken_first


async def test_every_answer_ends_a_stream() -> None:
    async with desk(Watched(says("One."), says("Two."))) as stage, begun(stage) as run:
        first = [event async for event in run.stream()]
        await run.say("More.")
        second = [event async for event in run.stream()]
    for events, text in ((first, "One."), (second, "Two.")):
        assert isinstance(events[-1], Finished) and events[-1].result.text == text


async def test_all_that_the_user_said_is_the_runs_words_for_policy_and_for_the_runs_below() -> None:
    """A run that began unseen is seen from the user's first words on."""
    boss = Watched(says("Hello."), says("", ("ask_a", {"task": "t"})), says("Done."))
    first = Watched(says("", ("look", {"n": 1})), says("One."))
    agents = (Agent("boss", boss, tools=(), workers=("a",)), Agent("a", first, tools=("look",)))
    async with office(*agents, tools=(Far().tool("look"),)) as stage:
        stage.obey(
            "permit (principal, action, resource);\n"
            'forbid (principal, action == Action::"look", resource) unless { context.session.words_seen };'
        )
        async with begun(stage, "", "boss") as run:
            await run.result()
            assert (await stage.state(run.run_id)).words is None
            await run.say("Look at order 1.")
            assert (await run.result()).text == "Done."
            await run.say("And now at 2.")
        state = await stage.state(run.run_id)
        assert state.words == "Look at order 1.\n\nAnd now at 2."
        assert (await stage.state(child(run.run_id, 2))).words == "Look at order 1."
    assert told(first.asked[1][0])[-1]["outcome"] == "done"


async def test_of_a_peer_whose_report_was_erased_it_is_not_said_that_it_came_to_an_answer() -> None:
    """Its call is closed, so what was said of it may be erased while the conversation is open."""
    desk = Watched(says("", ("hand_over_to_a", {"task": "t"})), says("Still here."))
    agents = (Agent("boss", desk, tools=(), peers=("a",)), Agent("a", Watched(says("Hello.")), tools=()))
    async with office(*agents) as stage, begun(stage, name="boss") as run:
        assert ((await run.result()).end, (await run.result()).text) == (End.ANSWER, "Hello.")
        [seq] = [event.seq for event in await stage.events(run.run_id) if event.fact.kind is Kind.CALL_REPORTED]
        await redact(stage.plane.store, run.run_id, [seq], "asked for", OPA)
        stage.plane.plane.ledger._conversations.clear()
        async with begun(stage, name="boss", run_id=run.run_id) as again:
            assert ((await again.result()).end, (await again.result()).text) == (End.UNFINISHED, "")
            await again.say("Are you there?")
            assert (await again.result()).text == "Still here."


@pytest.mark.parametrize(("roles", "outcome"), [(set(), "refused"), ({"support"}, "done")])
async def test_what_a_word_asks_for_is_decided_by_the_roles_that_its_user_has_then(roles: Any, outcome: str) -> None:
    """A conversation lasts: roles may have been taken since it began."""
    model = Watched(says("Hello."), says("", ("look", {"n": 1})), says("Done."))
    async with desk(model, Far().tool("look")) as stage:
        stage.obey('permit (principal in Role::"support", action, resource);')
        async with begun(stage) as run:
            await run.result()
        now = Principal(ANA.id, ANA.tenant, frozenset(roles))
        async with stage.plane.conversation("desk", now, run_id=run.run_id) as again:
            await again.say("Look.")
            await again.result()
        [call] = (await stage.state(run.run_id)).calls.values()
        assert call.outcome is not None and call.outcome.kind.value == outcome
