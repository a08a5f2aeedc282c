"""The agent's loop: ask the model, pass on what it proposes, tell it what came of that. And the account at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence

import anyio.to_thread

import interlock
from examples.account import Account, account_of
from examples.far_end import FarEnd
from examples.property_management.crash import lose_the_runtime
from examples.property_management.deployment import AGENT
from examples.property_management.moving_in import take_tenants_in
from examples.property_management.people import Session
from examples.property_management.script import FAREWELL, TURNS, WORDS, Turn
from examples.property_management.standing import stand_and_stop
from examples.runtime import verify
from examples.scene import Teller
from interlock.core.message import Message, Role
from interlock.core.tool import Offer
from interlock.models.scripted import ScriptedModel


async def play(settings: interlock.Settings, far_end: FarEnd, teller: Teller) -> Account:
    """One session, from Bartholomew's words to its end; one that a crash goes through; one within limits; two sagas."""
    async with interlock.open_plane(settings) as plane, plane.run(AGENT, words=WORDS) as run:
        scene = Session(plane, far_end, teller, run=run)
        await _converse(scene)
    # Without an engine: what is approved is carried out by a runtime of its own, so that it can be lost.
    async with interlock.open_plane(settings, engine=False) as plane:
        scene.plane = plane
        await lose_the_runtime(scene, settings.folder)
        await stand_and_stop(scene, settings.folder)
        await take_tenants_in(scene, settings.folder)
        account = await account_of(scene, scene.run.run_id)
    return account._replace(verdict=await anyio.to_thread.run_sync(verify, settings.folder))


async def _converse(scene: Session) -> None:
    """The loop. What the model is offered and told is all that it goes by."""
    model = ScriptedModel(*map(_message, TURNS), Message(role=Role.MODEL, text=FAREWELL))
    offers = [Offer(tool.name, tool.description, tool.input_schema) for tool in scene.plane.plane.registry.offered]
    conversation = [Message(role=Role.USER, text=WORDS)]
    scene.teller.says("bartholomew", WORDS)
    for turn in TURNS:
        reply = await model.reply(conversation, offers)
        conversation.append(reply)
        if turn.before is not None:
            await turn.before(scene, None)
        scene.teller.says(AGENT.id, reply.text)
        outcomes = await _run(scene.run, turn, reply.proposals)
        effects = [effect["kind"] for effect in await scene.new_effects()]
        for ask, proposal, outcome in zip(turn.asks, reply.proposals, outcomes, strict=True):
            # Effects of another kind than the turn's calls belong to none of them; the account finds these.
            await scene.call_ended(outcome, ask.expect, effects.count(ask.tool))
            told = json.dumps(outcome.as_json())
            conversation.append(Message(role=Role.TOOL, text=told, answers=proposal.id))
        if turn.after is not None:
            await turn.after(scene, outcomes[-1])
    reply = await model.reply(conversation, offers)
    scene.teller.says(AGENT.id, reply.text)


async def _run(run: interlock.Run, turn: Turn, proposals: Sequence[interlock.Proposal]) -> list[interlock.Outcome]:
    """One proposal by itself, with what the client says of it; several as a batch."""
    if len(proposals) > 1:
        return await run.calls(proposals)
    [ask], [proposal] = turn.asks, proposals
    return [await run.call(proposal.tool, proposal.arguments, name=ask.name, dry_run=ask.dry_run)]


def _message(turn: Turn) -> Message:
    """The turn as a model's message: its arguments are JSON text, as providers send them."""
    proposals = tuple(
        interlock.Proposal(tool=ask.tool, arguments=json.dumps(ask.arguments), id=f"{TURNS.index(turn)}.{place}")
        for place, ask in enumerate(turn.asks)
    )
    return Message(role=Role.MODEL, text=turn.says, proposals=proposals)
