"""The day: each conversation a run of the agent, read back from the ledger and held against the script."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

import anyio.to_thread

import interlock
from examples.account import Account, account_of
from examples.customer_support.deployment import AGENT
from examples.customer_support.desk import DESK
from examples.customer_support.script import TALKS, Talk, Turn
from examples.deployment import FINANCE
from examples.far_end import FarEnd
from examples.runtime import Runtime, verify
from examples.scene import Scene, Teller, comes_true
from interlock.core.run import RunState
from interlock.core.transcript import TurnState

_CITED = re.compile(r"\[([a-z]+#\d+)\]")


async def play(settings: interlock.Settings, far_end: FarEnd, teller: Teller) -> Account:
    """All conversations, one after the other. Without an engine here: what a run waits for goes on elsewhere."""
    async with interlock.open_plane(settings, engine=False) as plane:
        scene = Scene(plane, far_end, teller)
        runs = {talk.words: await _talk(scene, settings, talk) for talk in TALKS}
        parked = next(runs[talk.words] for talk in TALKS if talk.parks)
        account = await account_of(scene, parked)
    return account._replace(verdict=await anyio.to_thread.run_sync(verify, settings.folder))


async def _talk(scene: Scene, settings: interlock.Settings, talk: Talk) -> str:
    """One conversation, to its end; its run."""
    scene.teller.says(talk.who, talk.words)
    async with scene.plane.agent(DESK.name, AGENT, words=talk.words) as run:
        result = await run.result()
    state = await _state(scene, run.run_id)
    await _told(scene, talk.turns, _turns(state))
    if talk.parks and result.waiting:
        await _elsewhere(scene, settings, talk, result)
        state = await _state(scene, run.run_id)
    last = _turns(state)[-1].text if _turns(state) else ""
    await _cited(scene, talk, state, last)
    said = f"{state.reason or state.status} after {len(_turns(state))} turns"
    expected = f"{talk.end.value} after {len(talk.turns)} turns"
    await scene.person_did("the conversation ends", said, expected, why=f"turns of the model: {len(_turns(state))}")
    return run.run_id


async def _told(scene: Scene, written: Sequence[Turn], turns: Sequence[TurnState]) -> None:
    """Tell what the ledger has of some turns: what the model said, and what became of each call."""
    kinds = Counter(effect["kind"] for effect in await scene.new_effects())
    for turn, state in zip(written, turns, strict=False):
        scene.teller.says(AGENT.id, state.text)
        for ask, asked in zip(turn.asks, state.calls, strict=True):
            [call] = await scene.plane.store.rows("tool_call", {"call_id": asked.call_id})
            counted = min(kinds[ask.tool], 1)
            kinds[ask.tool] -= counted
            await scene.call_recorded(call, ask.expect, counted)


async def _elsewhere(scene: Scene, settings: interlock.Settings, talk: Talk, parked: interlock.AgentResult) -> None:
    """The run is parked and nobody holds it; finance answers, and another process goes on with it by itself."""
    plane, run_id, [approval_id] = scene.plane, parked.run_id, parked.waiting
    worker = await anyio.to_thread.run_sync(Runtime, settings.folder)
    asked = await plane.approval(approval_id)
    cents = asked.request["arguments"]["amount_cents"]
    said = f"`interlock work` starts, process {worker.pid}. The run waits, and takes nothing anywhere."
    scene.teller.says("worker", said)
    scene.teller.says(FINANCE.id, f"reads the request, {cents / 100:.2f} for the tent, and approves it.")
    yes = interlock.Answer(decision="approve", digest=asked.request["approval"], nonce=asked.request["nonce"])
    await plane.answer(approval_id, yes, FINANCE)

    async def over() -> bool:
        return (await _state(scene, run_id)).status != "open"

    await comes_true(over)
    await _released(scene, run_id, approval_id)
    await _told(scene, talk.turns[parked.turns :], _turns(await _state(scene, run_id))[parked.turns :])
    code, _ = await anyio.to_thread.run_sync(worker.end)
    scene.teller.says("worker", f"gets a SIGTERM, has nothing left to do, and ends with {code}.")


async def _released(scene: Scene, run_id: str, approval_id: str) -> None:
    """What came of the approval, and where."""
    [call] = await scene.plane.store.rows("tool_call", {"run_id": run_id, "approval_id": approval_id})
    refunds = [each for each in await scene.peek() if each["kind"] == call["tool"]]
    why = "one approval, for exactly these bytes"
    scene.came_about(f"{FINANCE.id} approves it", str(call["outcome"]), "done", why, (len(refunds), 1))
    events = await scene.plane.store.read(run_id)
    workers = [event.fact.body["worker"] for event in events if event.fact.kind == "run.claimed"]
    where = "elsewhere" if workers[-1] != scene.plane.worker else "here"
    scene.came_about("the run goes on", where, "elsewhere", "by itself, in the worker's process", (0, 0))


async def _cited(scene: Scene, talk: Talk, state: RunState, answer: str) -> None:
    """Every source that the answer names must be one that a search of this run found."""
    if not talk.cites:
        return
    found = {passage["source"] for passage in _passages(state)}
    told = " ".join(["cited", *(source for source in _CITED.findall(answer) if source in found)])
    expected = " ".join(["cited", *talk.cites])
    await scene.person_did("the answer has its sources", told, expected, why=f"{', '.join(talk.cites)}, as found")


def _passages(state: RunState) -> list[dict[str, str]]:
    told = [
        json.loads(text)["outcome"]
        for turn in _turns(state)
        for asked, text in zip(turn.calls, turn.told, strict=False)
        if asked.tool == "search_knowledge" and text
    ]
    return [passage for outcome in told for passage in outcome.get("value") or ()]


def _turns(state: RunState) -> list[TurnState]:
    assert state.transcript is not None, "an agent's run has a transcript"
    return state.transcript.turns


async def _state(scene: Scene, run_id: str) -> RunState:
    """The run as the ledger has it now."""
    conversation = await scene.plane.plane.ledger.conversation(run_id, AGENT.tenant)
    await conversation.refresh()
    return conversation.state
