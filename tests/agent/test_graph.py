"""Graphs of calls: what is made when, what is not made, and what it comes to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import BadInput, Graph, GraphOutcome, Interlock, Merge, Node, Rejected, When, World, chain, given, result
from interlock.agent.merge import merge
from interlock.core.tool import CallContext
from interlock.errors import Conflict, NotFound
from tests.planes import ANA, BOB, OPA, Far, saying, staged
from tests.rollout.two import SECOND

pytestmark = pytest.mark.anyio


async def ran(plane: Interlock, *nodes: Node, given: Mapping[str, Any] | None = None, **more: Any) -> GraphOutcome:
    """What comes of a graph of these calls."""
    async with plane.graph(Graph("g", nodes, **more), ANA, given) as run:
        return await run.outcome()


def how(outcome: GraphOutcome) -> dict[str, str]:
    """How each call stands."""
    return {node.id: node.status.value for node in outcome.nodes}


async def fails(_: dict[str, Any], __: CallContext) -> object:
    raise Rejected("no", reason="not today")


async def test_a_chain_is_one_call_after_the_other_and_hands_results_on() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage:
        links = (
            Node("a", "put", {"n": given("/n")}),
            Node("b", "look", {"n": result("a", "/n")}),
            Node("c", "put", {"n": 9}),
        )
        async with stage.plane.graph(chain("g", *links), ANA, {"n": 7}) as run:
            outcome = await run.outcome()
    assert outcome.completed
    assert [(name, arguments["n"]) for name, arguments in far.ran] == [("put", 7), ("look", 7), ("put", 9)]
    assert outcome.values == {"a": {"n": 7}, "b": {"n": 7}, "c": {"n": 9}}


class Rounds:
    """Tools that all answer together, once nothing else can begin: how many rounds it takes is the longest path."""

    def __init__(self) -> None:
        self.count, self.at_once = 0, 0
        self._waiting: list[anyio.Event] = []

    async def body(self, arguments: dict[str, Any], _: CallContext) -> object:
        mine = anyio.Event()
        self._waiting.append(mine)
        await mine.wait()
        return {"n": arguments["n"]}

    async def turn(self) -> None:
        """Let all go, again and again, whenever everything has come to rest."""
        while True:
            await anyio.wait_all_tasks_blocked()
            waiting, self._waiting = self._waiting, []
            if waiting:
                self.count += 1
                self.at_once = max(self.at_once, len(waiting))
                for each in waiting:
                    each.set()
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("seed", range(12))
async def test_a_graph_takes_its_longest_path_and_no_more(seed: int) -> None:
    """C3, defect 52: whatever needs nothing of each other is made at the same time; whatever does, is not."""
    chance = random.Random(seed)
    nodes: list[Node] = []
    depth: dict[str, int] = {}
    for number in range(chance.randint(4, 16)):
        needs = chance.sample([node.id for node in nodes], min(len(nodes), chance.randint(0, 3)))
        nodes.append(Node(f"n{number}", "look", {"n": number}, after=needs))
        depth[f"n{number}"] = 1 + max((depth[name] for name in needs), default=0)
    rounds = Rounds()
    async with staged(Far().tool("look", does=rounds.body)) as stage, anyio.create_task_group() as tasks:
        tasks.start_soon(rounds.turn)
        outcome = await ran(stage.plane, *nodes)
        tasks.cancel_scope.cancel()
    assert outcome.completed
    assert rounds.count == max(depth.values())
    widest = max(list(depth.values()).count(level) for level in depth.values())
    assert rounds.at_once >= min(widest, list(depth.values()).count(1))


async def test_a_graph_waits_for_the_disk_once_a_layer_and_at_its_start_and_end(tmp_path: Path) -> None:
    """What is there together is durable together, and the claim goes back with the end."""
    commits: list[str] = []
    world = World(reach=lambda point: commits.append(point) if point == "append.committed" else None)
    layers = {1: ("a0", "a1", "a2"), 2: ("b0", "b1")}
    nodes = [Node(name, "look", {"n": 1}) for name in layers[1]]
    nodes += [Node(name, "look", {"n": 2}, after=layers[1]) for name in layers[2]]
    here, all_here = Counter[int](), {layer: anyio.Event() for layer in layers}

    async def answered_together(arguments: dict[str, Any], _: CallContext) -> object:
        layer = arguments["n"]
        here[layer] += 1
        if here[layer] == len(layers[layer]):
            all_here[layer].set()
        await all_here[layer].wait()
        return layer

    look = Far().tool("look", does=answered_together)
    async with staged(look, ledger=tmp_path / "ledger.db", world=world) as stage:
        commits.clear()
        assert (await ran(stage.plane, *nodes)).completed
        assert len(commits) == 1 + len(layers) + 1


async def test_writes_on_the_same_thing_are_made_one_after_the_other() -> None:
    """Defects 49, 52: also where nothing says that one needs the other."""
    at_once = []

    async def body(arguments: dict[str, Any], _: CallContext) -> object:
        at_once.append(1)
        assert len(at_once) == 1
        await anyio.lowlevel.checkpoint()
        at_once.pop()
        return arguments

    tool = Far().tool("put", "reversible", body, resource="note")
    async with staged(tool) as stage:
        nodes = (Node(f"n{n}", "put", {"n": n, "note": "same"}) for n in range(5))
        assert (await ran(stage.plane, *nodes)).completed


@pytest.mark.parametrize(("n", "taken"), [(1, "one"), (2, "other")])
async def test_a_condition_picks_the_branch_and_what_is_not_taken_need_not_be(n: int, taken: str) -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("one"), far.tool("other")) as stage:
        outcome = await ran(
            stage.plane,
            Node("a", "look", {"n": n}),
            Node("one", "one", {"n": 1}, when=When("a", "/n", 1)),
            Node("behind", "one", {"n": result("one", "/n")}),
            Node("other", "other", {"n": 2}, when=When("a", "/n", 2)),
        )
    assert outcome.completed
    assert set(far.names) == {"look", taken}
    assert how(outcome)["behind"] == ("done" if n == 1 else "not_taken")


async def test_a_fallback_is_made_where_a_call_is_not_done_and_stands_for_it() -> None:
    far = Far()
    async with staged(far.tool("look", does=fails), far.tool("second", does=fails), far.tool("third")) as stage:
        outcome = await ran(
            stage.plane,
            Node("a", "look", {"n": 1}),
            Node("b", "second", {"n": 2}, instead_of="a"),
            Node("c", "third", {"n": 3}, instead_of="b"),
            Node("d", "third", {"n": result("a", "/n")}),
        )
    assert outcome.completed
    assert how(outcome) == {"a": "failed", "b": "failed", "c": "done", "d": "done"}
    assert [arguments["n"] for name, arguments in far.ran if name == "third"] == [3, 3]


async def test_a_fallback_is_not_made_where_the_call_is_done() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("second")) as stage:
        outcome = await ran(stage.plane, Node("a", "look", {"n": 1}), Node("b", "second", {"n": 2}, instead_of="a"))
    assert (outcome.completed, far.names) == (True, ["look"])


async def test_what_needs_a_call_that_failed_is_not_made_and_the_rest_is() -> None:
    """Defects 49, 51: an error is no result, and a graph with one is not completed."""
    far = Far()
    async with staged(far.tool("look", does=fails), far.tool("put", "reversible")) as stage:
        outcome = await ran(
            stage.plane,
            Node("a", "look", {"n": 1}),
            Node("b", "put", {"n": result("a", "/n")}),
            Node("c", "put", {"n": 3}, after=("b",)),
            Node("d", "put", {"n": 4}),
        )
    assert how(outcome) == {"a": "failed", "b": "unmet", "c": "unmet", "d": "done"}
    assert (outcome.completed, outcome.status) == (False, "incomplete")
    assert "a" not in outcome.values
    assert far.names.count("put") == 1


async def test_a_pointer_that_leads_nowhere_is_a_refusal_and_no_value() -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        outcome = await ran(stage.plane, Node("a", "look", {"n": 1}), Node("b", "look", {"n": result("a", "/x")}))
    assert how(outcome) == {"a": "done", "b": "failed"}
    assert far.names == ["look"]


async def test_results_become_one_and_every_conflict_is_reported() -> None:
    """C2: whichever rule, what differs is told."""
    far = Far()

    async def says(arguments: dict[str, Any], _: CallContext) -> object:
        return {"city": "Ulm", "rent": 900 + arguments["n"] // 2}

    async with staged(far.tool("look", does=says)) as stage:
        nodes = [Node(name, "look", {"n": n}) for n, name in enumerate("abc")]
        outcome = await ran(stage.plane, *nodes, merge=Merge(("a", "b", "c"), "most"))
    assert outcome.merged is not None
    assert outcome.merged.value == {"city": "Ulm", "rent": 900}
    [conflict] = outcome.merged.conflicts
    assert (conflict.field, conflict.said) == ("rent", {"a": 900, "b": 900, "c": 901})


@pytest.mark.parametrize(("rule", "value"), [("agree", {"k": 1}), ("first", {"k": 1, "x": 1}), ("most", {"k": 1})])
def test_a_merge_takes_by_its_rule_and_hides_nothing(rule: str, value: Any) -> None:
    found = merge({"a": {"k": 1, "x": 1}, "b": {"x": True, "k": 1}}, Merge(("a", "b"), rule))
    assert found.value == value
    assert [conflict.said for conflict in found.conflicts] == [{"a": 1, "b": True}]


def test_a_merge_of_what_is_no_object_or_not_there() -> None:
    assert merge({}, Merge(("a",))).value is None
    assert merge({"a": [1], "b": [1]}, Merge(("a", "b"))).value == [1]
    assert merge({"a": 1, "b": {"k": 1}}, Merge(("b", "a"), "first")).value == {"k": 1}
    with pytest.raises(BadInput, match="agree"):
        Merge(("a",), "last")


LOOK = Node("a", "look", {"n": 1})
BAD = {
    "graph.nodes": (),
    "graph.node": (LOOK, LOOK),
    "graph.reference": (Node("a", "look", {"n": result("b", "/n")}), Node("b", "look", {"n": 1})),
    "graph.tool": (Node("a", "lok", {"n": 1}),),
    "graph.arguments": (Node("a", "look", {"m": 1}),),
    "graph.input": (Node("a", "look", {"n": given("/n")}),),
    "graph.instead_of": (
        LOOK,
        Node("b", "look", {"n": 1}, instead_of="a"),
        Node("c", "look", {"n": 1}, instead_of="a"),
    ),
}


@pytest.mark.parametrize("code", BAD)
async def test_a_graph_that_cannot_be_meant_is_refused_before_anything_runs(code: str) -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        with pytest.raises(BadInput) as found:
            await ran(stage.plane, *BAD[code])
        assert found.value.code == code
        assert (far.ran, await stage.plane.store.rows("run")) == ([], [])


async def test_a_graph_has_a_name_and_merges_what_it_has() -> None:
    async with staged(Far().tool("look")) as stage:
        with pytest.raises(BadInput, match="cannot be called that"):
            await stage.plane.graph(Graph("no name", (LOOK,)), ANA).__aenter__()
        with pytest.raises(BadInput, match="none of its calls"):
            await ran(stage.plane, LOOK, merge=Merge(("b",)))


async def test_a_held_call_parks_the_graph_and_what_does_not_need_it_is_made() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("pay", "irreversible", keyed=True)) as stage:
        nodes = (
            Node("pay", "pay", {"n": 1}),
            Node("after", "look", {"n": result("pay", "/n")}),
            Node("b", "look", {"n": 2}),
        )
        async with stage.plane.graph(Graph("g", nodes), ANA, name="mine") as run:
            outcome = await run.outcome()
        assert how(outcome) == {"pay": "held", "after": "open", "b": "done"}
        assert (outcome.status, await stage.plane.store.due()) == ("waiting", [])
        asked = await stage.plane.approval(outcome.waiting[0])
        await stage.plane.answer(outcome.waiting[0], saying(asked.request), BOB)
        await stage.plane.advance(run.run_id)
        async with stage.plane.graph(Graph("g", nodes), ANA, name="mine") as run:
            assert (await run.outcome()).completed
        assert (await stage.plane.graph_outcome(run.run_id)).completed
        assert far.names == ["look", "pay", "look"]


async def test_the_same_name_is_the_same_graph() -> None:
    far = Far()
    async with staged(far.tool("look")) as stage:
        for _ in range(2):
            async with stage.plane.graph(Graph("g", (LOOK,)), ANA, name="mine") as run:
                assert (await run.outcome()).completed
        with pytest.raises(Conflict, match="has this name"):
            async with stage.plane.graph(Graph("g", (Node("a", "look", {"n": 2}),)), ANA, name="mine") as run:
                pass
        async with stage.run() as other:
            pass
        with pytest.raises(NotFound, match="is no graph"):
            await stage.plane.graph_outcome(other.run_id)
    assert far.names == ["look"]


async def test_started_by_one_name_at_once_it_is_one_graph_for_all_of_them(tmp_path: Path) -> None:
    far, outcomes = Far(), []
    graph = Graph("g", [Node("a", "look", {"n": 1})])
    async with staged(far.tool("look"), ledger=tmp_path / "ledger.db") as stage:

        async def one() -> None:
            async with stage.plane.graph(graph, ANA, {}, name="x") as run:
                outcomes.append(await run.outcome())

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
    assert [outcome.completed for outcome in outcomes] == [True] * 4
    assert len({outcome.run_id for outcome in outcomes}) == 1
    assert far.names == ["look"]


async def test_a_graph_that_is_cancelled_makes_no_further_call() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("pay", "irreversible", keyed=True)) as stage:
        nodes = (Node("pay", "pay", {"n": 1}), Node("after", "look", {"n": 3}, after=("pay",)))
        async with stage.plane.graph(Graph("g", nodes), ANA) as run:
            assert (await run.outcome()).status == "waiting"
            outcome = await run.cancel(ANA, "no more")
        assert (outcome.status, outcome.waiting, far.names) == ("cancelled", (), [])
        assert [row["status"] for row in await stage.plane.store.rows("approval")] == ["withdrawn"]


async def test_a_call_whose_tool_is_in_another_process_waits_for_that() -> None:
    far = Far()
    graph = Graph("g", (LOOK, Node("b", "put", {"n": 2})))
    async with staged(far.tool("look"), far.tool("put", "reversible")) as stage:
        opened = stage.plane.graph(graph, ANA)
        async with opened as run:
            registry = stage.plane.plane.registry
            stage.plane.plane.registry = type(registry)([tool for tool in registry.tools if tool.name == "look"])
            assert how(await run.outcome()) == {"a": "done", "b": "ready"}
            stage.plane.plane.registry = registry
            assert (await run.outcome()).completed


async def test_a_graph_is_checked_against_the_versions_that_its_principal_has() -> None:
    far = Far()
    async with staged(far.tool("look", version="1"), far.tool("look", version="2", input_schema=SECOND)) as stage:
        await stage.plane.roll_out("look", "2", 100, OPA, reason="drill")
        async with stage.plane.graph(Graph("g", (Node("a", "look", {"n": 1, "currency": "EUR"}),)), ANA) as run:
            assert (await run.outcome()).completed
        with pytest.raises(BadInput, match="not be a valid call"):
            async with stage.plane.graph(Graph("g", (LOOK,)), ANA) as run:
                pass
