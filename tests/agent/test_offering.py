"""What a model is offered, by who asks and how far the run is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from interlock.agent.offering import Standing
from interlock.core.event import Kind
from interlock.core.message import Message
from interlock.core.principal import Principal
from interlock.core.tool import CallContext, Offer
from tests.agent.desk import WORDS, Watched, desk, result, says
from tests.planes import ANA, OPA, Far

pytestmark = pytest.mark.anyio

POLICY = """
permit(principal, action, resource);
@id("only-bosses")
forbid(principal, action == Action::"wipe", resource) unless { principal in Role::"boss" };
"""


def steps(standing: Standing) -> Iterable[str]:
    """First look, then pay; never anything else."""
    return ["pay", "look"] if "look" in standing.done else ["look", "no_such_tool"]


async def test_what_is_offered_follows_the_state_of_the_run_and_stands_in_the_ledger_where_it_changes() -> None:
    """A6."""
    far = Far()
    model = Watched(says("", ("look", {"n": 1})), says("", ("look", {"n": 2})), says("Done."))
    tools = [far.tool(name) for name in ("pay", "look", "wipe")]
    async with desk(model, *tools, agent={"offer": steps}) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            await run.result()
        kinds = [(e.fact.kind, e.fact.body.get("tools")) for e in await stage.events(run.run_id)]
    assert [offered for _, offered in model.asked] == [("look",), ("pay", "look"), ("pay", "look")]
    said = [pair for pair in kinds if pair[0] in (Kind.TOOLS_OFFERED, Kind.MESSAGE)]
    assert said == [
        (Kind.TOOLS_OFFERED, ["look"]), (Kind.MESSAGE, None), (Kind.TOOLS_OFFERED, ["pay", "look"]),
        (Kind.MESSAGE, None), (Kind.MESSAGE, None),
    ]  # fmt: skip


class Reading(Watched):
    """One that remembers the descriptions of what it was offered."""

    def __init__(self, *turns: Message) -> None:
        super().__init__(*turns)
        self.read: list[list[str]] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `ReplayModel`."""
        self.read.append([tool.description for tool in tools])
        return await super().reply(messages, tools)


async def test_a_model_is_offered_the_version_that_its_user_has_now() -> None:
    """A5, A8: a version that is taken back while the run is under way is offered no more in the next turn."""
    far = Far()

    async def taken_back(arguments: dict[str, Any], context: CallContext) -> object:
        await stage.plane.roll_out("look", "2", 0, OPA, reason="wrong")
        return {"n": 1}

    first = far.tool("look", version="1", description="As ever.")
    second = far.tool("look", does=taken_back, version="2", description="Anew.")
    model = Reading(says("", ("look", {"n": 1})), says("Done."))
    async with desk(model, first, second) as stage:
        await stage.plane.roll_out("look", "2", 100, OPA, reason="drill")
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            assert (await run.result()).text == "Done."
    assert model.read == [["Anew."], ["As ever."]]


async def test_nobody_is_offered_what_policy_could_never_let_them_have(tmp_path: Path) -> None:
    """A6: by principal; neither the list nor the prompt names it."""
    (tmp_path / "p.cedar").write_text(POLICY)
    far = Far()
    tools = [far.tool("look"), far.tool("wipe")]
    for principal, offered in ((ANA, ("look",)), (Principal("bea", roles=frozenset({"boss"})), ("look", "wipe"))):
        model = Watched(says("Done."))
        async with desk(model, *tools, settings={"policy": tmp_path / "p.cedar"}) as stage:
            async with stage.plane.agent("desk", principal, words=WORDS) as run:
                await run.result()
            recorded = [
                e.fact.body["tools"] for e in await stage.events(run.run_id) if e.fact.kind is Kind.TOOLS_OFFERED
            ]
        assert [names for _, names in model.asked] == [offered]
        assert ("wipe" in model.asked[0][0][0].text) is ("wipe" in offered)
        assert recorded == ([["look"]] if principal is ANA else []), (
            "where all that it may call is offered, nothing is said"
        )


async def test_an_offer_is_no_control_and_gives_no_tool_that_the_run_may_not_call() -> None:
    far = Far()
    model = Watched(says("", ("look", {"n": 1})), says("", ("wipe", {"n": 1})), says("Done."))
    agent = {"tools": ("look", "pay"), "offer": lambda standing: ["pay", "wipe"]}
    async with desk(model, *[far.tool(name) for name in ("pay", "look", "wipe")], agent=agent) as stage:
        await result(stage.plane)
    assert {names for _, names in model.asked} == {("pay",)}
    assert far.names == ["look"], "what is not offered may be called; what may not be called is not"
