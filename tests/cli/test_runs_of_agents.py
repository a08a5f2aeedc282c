"""`interlock runs show` of an agent's run, turn by turn, and of a graph, call by call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from interlock import Agent, Graph, Interlock, Node, Tool, World, open_plane, result
from interlock.core.message import Usage
from interlock.ledger.redact import erase_subject
from interlock.models.metered import Price
from interlock.settings import load_settings
from interlock.testing import CountedIds
from tests.agent.desk import Watched, says
from tests.cli.shell import Shell
from tests.planes import ANA, CAY, Far


def made(shell: Shell, agents: list[Agent], work: Callable[[Interlock], Awaitable[Any]], *tools: Tool) -> Any:
    """What another process does on the deployment's ledger, with tools of its own."""

    async def process() -> Any:
        settings = load_settings(shell.folder / "interlock.toml")
        world = World(clock=shell.clock, new_id=CountedIds())
        async with open_plane(settings, tools=tools, world=world, agents=agents, engine=False) as plane:
            return await work(plane)

    return anyio.run(process)


def conversation(shell: Shell) -> str:
    """An agent's run: two questions, a held call, a refused one, an answer; its id."""
    model = Watched(
        says("I look at it.\nOne moment.", ("find", {"n": 7}), usage=Usage(1200, 40)),
        says("It is a [bold]flat[/bold]\x1b[31m.", usage=Usage(1400, 10)),
        says("", ("pay", {"n": 30}), ("nothing", '{"x"')),
    )
    agent = Agent("desk", model, tools=("find", "pay"), price=Price(1_000_000, 2_000_000))

    async def work(plane: Interlock) -> str:
        async with plane.conversation("desk", ANA, words="What is 7?", budget={"micro_usd": 1_000_000}) as run:
            await run.result()
            await run.say("Then pay 30.")
            await run.result()
            return run.run_id

    return str(made(shell, [agent], work, Far().tool("find"), Far().tool("pay", "irreversible")))


def test_an_agents_run_is_shown_turn_by_turn(shell: Shell) -> None:
    """D2 for an agent: what was said, what was called, what came of it and why, what each turn took."""
    run_id = conversation(shell)
    shell.width = 140
    out = shell.run("runs", "show", run_id).out
    said = [
        "user  What is 7?", "1     I look at it.", "1,240 tokens, $0.001280", "One moment.",
        '→ find {"n": 7}', "done  allow (read)", r"2     It is a [bold]flat[/bold]\u001b[31m.",
        "1,410 tokens, $0.001420", "user  Then pay 30.", "3     (no words)", '→ pay {"n": 30}',
        "held  require_approval", '→ nothing {"x"', "refused", "recall.not_offered",
    ]  # fmt: skip
    places = [out.find(each) for each in said]
    assert -1 not in places, said[places.index(-1)]
    assert places[:6] == sorted(places[:6]) and "\x1b" not in out
    assert "interlock approvals show appr_1" in out


def test_the_same_is_data_whole_and_in_order(shell: Shell) -> None:
    document = shell.json("runs", "show", conversation(shell))
    assert [(turn["who"], turn["text"]) for turn in document["turns"]] == [
        ("user", "What is 7?"), ("model", "I look at it.\nOne moment."),
        ("model", "It is a [bold]flat[/bold]\x1b[31m."), ("user", "Then pay 30."), ("model", ""),
    ]  # fmt: skip
    first, last = document["turns"][1], document["turns"][4]
    assert (first["turn"], first["usage"]["input_tokens"], first["micro_usd"]) == (1, 1200, 1280)
    assert [(call["tool"], call["outcome"], call["code"]) for call in last["calls"]] == [
        ("pay", "held", "approve.held"), ("nothing", "refused", "recall.not_offered"),
    ]  # fmt: skip
    assert {call["call_id"] for turn in document["turns"] if turn["who"] == "model" for call in turn["calls"]} == {
        call["call_id"] for call in document["calls"]
    }


def test_a_run_that_answered_says_whom_it_waits_for_and_a_worker_what_it_was_to_do(shell: Shell) -> None:
    boss = Agent("boss", Watched(says("", ("ask_a", {"task": "count"})), says("Done.")), tools=(), workers=("a",))

    async def work(plane: Interlock) -> str:
        async with plane.conversation("boss", ANA, words="Go.") as run:
            await run.result()
            return run.run_id

    run_id = made(shell, [boss, Agent("a", Watched(says("One.")), tools=())], work)
    out = shell.run("runs", "show", run_id).out
    assert "waits for what its user says next" in out
    [worker] = [run["run_id"] for run in shell.json("runs", "list")["runs"] if run["run_id"] != run_id]
    assert "started" in out and worker in out
    assert "boss: count" in shell.run("runs", "show", worker).out


def test_a_graph_is_shown_as_it_stands_each_call_below_what_it_needs(shell: Shell) -> None:
    nodes = [
        Node("a", "find", {"n": 1}), Node("b", "pay", {"n": result("a", "/n")}), Node("c", "find", {"n": 2}),
        Node("d", "find", {"n": result("b", "/n")}),
    ]  # fmt: skip

    async def work(plane: Interlock) -> str:
        async with plane.graph(Graph("errands", nodes), ANA, {}) as run:
            await run.outcome()
            return run.run_id

    run_id = made(shell, [], work, Far().tool("find"), Far().tool("pay", "irreversible"))
    out = shell.run("runs", "show", run_id).out
    lines = [line.split() for line in out[out.index("Graph errands: waiting") :].splitlines()[2:6]]
    assert [line[:4] for line in lines] == [
        ["a", "find", "done", "–"], ["└", "b", "pay", "held"], ["c", "find", "done", "–"], ["└", "d", "find", "open"],
    ]  # fmt: skip
    assert "Calls" not in out.replace("Calls of", "")
    graph = shell.json("runs", "show", run_id)["graph"]
    assert (graph["name"], graph["status"]) == ("errands", "waiting")
    assert [(call["id"], call["status"], call["needs"]) for call in graph["calls"]] == [
        ("a", "done", []), ("b", "held", ["a"]), ("c", "done", []), ("d", "open", ["b"]),
    ]  # fmt: skip


def test_what_was_erased_is_said_to_be(shell: Shell) -> None:
    agent = Agent("desk", Watched(says("It is Ana's.")), tools=())

    async def work(plane: Interlock) -> str:
        async with plane.agent("desk", ANA, words="Whose is it?") as run:
            await run.result()
        await erase_subject(plane.store, "ana", "asked for", CAY)
        return run.run_id

    run_id = made(shell, [agent], work)
    ran = shell.run("runs", "show", run_id)
    assert ran.code == 0 and "Ana's" not in ran.out
