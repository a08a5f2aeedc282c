"""Of many tools a selection is offered, and find_tools finds the others: guidance, never a control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import Settings, Tool, open_plane
from interlock.core.event import Kind
from interlock.core.principal import Principal
from interlock.errors import SettingsError
from interlock.registry.cost import list_tokens
from interlock.routing import FIND
from tests.agent.desk import Watched, desk, says
from tests.planes import ANA, OPA, Far, staged
from tests.rollout.two import SECOND

pytestmark = pytest.mark.anyio

WORDS = "put a meeting into my calendar"
MANY: dict[str, Any] = {"settings": {"routing": {"above": 5, "most": 2}}}

SAID = {
    "create_event": "Put a meeting into the calendar.",
    "list_events": "List the meetings of a calendar.",
    "open_ticket": "Report a broken thing.",
    "send_letter": "Send a letter by post.",
    "water_plants": "Water the plants of the office.",
    "feed_cat": "Feed the cat.",
    "secret_vault": "Open the vault with the meetings of the board.",
}

POLICY = """
permit(principal, action, resource);
@id("only-bosses")
forbid(principal, action == Action::"secret_vault", resource) unless { principal in Role::"boss" };
"""


def tools(far: Far) -> Iterator[Tool]:
    for name, description in SAID.items():
        yield far.tool(name, description=description)


async def test_of_many_tools_those_that_the_words_are_about_are_offered_with_one_that_finds_the_rest() -> None:
    """A7."""
    far = Far()
    model = Watched(
        says("", ("create_event", {"n": 1})),
        says("", (FIND, {"query": "feed a cat"})),
        says("", ("feed_cat", {"n": 2})),
        says("Done."),
    )
    async with desk(model, *tools(far), **MANY) as stage:
        stage.obey(POLICY)
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            assert (await run.result()).text == "Done."
        events = await stage.events(run.run_id)
    first, later = ("create_event", "list_events", FIND), ("create_event", "list_events", "feed_cat", FIND)
    assert [offered for _, offered in model.asked] == [first, first, later, later]
    assert far.names == ["create_event", "feed_cat"]
    offers = [event.fact.body["tools"] for event in events if event.fact.kind is Kind.TOOLS_OFFERED]
    assert offers == [list(first), list(later)], "the selection is recorded"
    system = model.asked[0][0][0].text
    assert "find_tools finds: look there" in system and "open_ticket" not in system


async def test_what_is_not_offered_can_be_called_all_the_same_for_a_list_is_no_control() -> None:
    far = Far()
    model = Watched(says("", ("water_plants", {"n": 1})), says("Done."))
    async with desk(model, *tools(far), **MANY) as stage, stage.plane.agent("desk", ANA, words=WORDS) as run:
        await run.result()
    assert far.names == ["water_plants"]
    assert "water_plants" in model.asked[1][1], "what was called is offered from then on"


async def test_nothing_is_found_that_the_principal_may_not_have() -> None:
    far = Far()
    async with staged(*tools(far), **MANY) as stage:
        stage.obey(POLICY)
        boss = Principal("bo", roles=frozenset({"boss"}))
        for who, found in ((ANA, False), (boss, True)):
            async with stage.run(who) as run:
                outcome = await run.call(FIND, {"query": "vault of the board"})
            assert ("secret_vault" in [each["name"] for each in outcome.value["tools"]]) is found
            assert outcome.value["of"] == 6 + found


async def test_what_is_found_is_the_version_that_the_principal_has_and_nothing_that_is_off_for_them() -> None:
    """A8: else its model is told the schema of another version than runs."""
    far = Far()
    anew = far.tool("feed_cat", version="2", description="Feed the cat.", input_schema=SECOND)
    first = [far.tool(name, version="1", description=said) for name, said in SAID.items()]
    async with staged(*first, anew, **MANY) as stage:
        await stage.plane.roll_out("feed_cat", "2", 100, OPA, reason="drill")
        await stage.plane.roll_out("water_plants", "1", 0, OPA, reason="drill")
        async with stage.run() as run:
            [cat] = (await run.call(FIND, {"query": "feed cat"})).value["tools"]
            plants = (await run.call(FIND, {"query": "water the plants"})).value["tools"]
    assert cat["input_schema"] == SECOND
    assert "water_plants" not in [each["name"] for each in plants]


async def test_what_is_found_of_a_servers_tool_has_nothing_in_it_that_nobody_sees() -> None:
    """T9: what is found reaches the model by another way than what is offered."""
    far = Far()
    schema = {"type": "object", "properties": {"n": {"description": "A num\u200bber."}}}
    odd = far.tool("odd", sealed=False, description="Count the sheep\U000e0041.", input_schema=schema)
    async with staged(*tools(far), odd, **MANY) as stage, stage.run() as run:
        [found] = (await run.call(FIND, {"query": "count sheep"})).value["tools"]
    assert found["description"] == "Count the sheep."
    assert found["input_schema"]["properties"]["n"]["description"] == "A number."


async def test_few_tools_are_offered_as_they_are_and_nothing_finds_any() -> None:
    far = Far()
    model = Watched(says("Done."))
    few = [far.tool("a"), far.tool("b")]
    async with desk(model, *few, **MANY) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            await run.result()
        assert [tool.name for tool in stage.plane.tools] == ["a", "b"]
        assert not [each for each in await stage.events(run.run_id) if each.fact.kind is Kind.TOOLS_OFFERED]
    assert model.asked[0][1] == ("a", "b")


async def test_a_policy_that_permits_no_finding_has_everything_offered() -> None:
    far = Far()
    model = Watched(says("Done."))
    async with desk(model, *tools(far), **MANY) as stage:
        rule = 'forbid(principal, action == Action::"interlock:find_tools", resource);'
        stage.obey(f"permit(principal, action, resource);\n{rule}")
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            await run.result()
    assert set(SAID) <= set(model.asked[0][1])


async def test_what_was_of_use_to_this_principal_for_such_words_is_offered_again_and_to_nobody_else() -> None:
    """A7: learned from accepted use, per principal and tool."""
    far = Far()
    async with staged(*tools(far), **MANY) as stage:
        async with stage.run(ANA, words="Minka is hungry") as run:
            await run.call("feed_cat", {"n": 1})
        offer = stage.plane.routing.offered
        registry = stage.plane.plane.registry
        async with stage.run(ANA, words="Minka is hungry again") as run:
            state = await stage.state(run.run_id)
            mine = [tool.name for tool in await offer(registry.offered, ANA, state)]
        other = Principal("eve", roles=ANA.roles)
        async with stage.run(other, words="Minka is hungry again") as run:
            state = await stage.state(run.run_id)
            theirs = [tool.name for tool in await offer(registry.offered, other, state)]
        before_any_words = [tool.name for tool in await offer(registry.offered, ANA, None)]
    assert mine == ["feed_cat", FIND] == before_any_words
    assert theirs == [FIND]


async def test_find_tools_says_how_many_others_there_are_or_which_where_an_index_is_wanted() -> None:
    far = Far()
    async with staged(*tools(far), **MANY) as stage:
        *_, find = await stage.plane.routing.offered(stage.plane.plane.registry.offered, ANA, None)
        assert find.description.endswith("There are 7 others, on local (7).")
    indexed = {"settings": {"routing": {"above": 5, "most": 2, "index": True}}}
    async with staged(*tools(far), **indexed) as stage:
        *_, named = await stage.plane.routing.offered(stage.plane.plane.registry.offered, ANA, None)
        assert "feed_cat: Feed the cat." in named.description.splitlines()
        assert list_tokens([find]) < list_tokens([named]) < list_tokens(stage.plane.plane.registry.offered)


async def test_an_encoder_of_ones_own_ranks_too(tmp_path: Path) -> None:
    (tmp_path / "meaning_of.py").write_text(
        "def encode(texts):\n    return [[1.0, 0.0] if 'cat' in t or 'pet' in t else [0.0, 1.0] for t in texts]\n"
    )
    far = Far()
    chosen = {"above": 5, "most": 1, "encoder": "meaning_of"}
    opened = open_plane(Settings(ledger=None, folder=tmp_path, routing=chosen), tools=tools(far))
    async with opened as plane, plane.run(ANA, words="the pet") as run:
        assert (await run.call(FIND, {"query": "the pet"})).value["tools"][0]["name"] == "feed_cat"
    (tmp_path / "no_meaning.py").write_text("x = 1\n")
    with pytest.raises(SettingsError, match="has no function `encode`"):
        async with open_plane(Settings(ledger=None, folder=tmp_path, routing=chosen | {"encoder": "no_meaning"})):
            pass
