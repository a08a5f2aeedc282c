from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import Tool
from interlock.registry.select import USES_MAX, Ranking
from interlock.registry.terms import terms


async def _unused(arguments: dict[str, Any], context: object) -> object:
    raise AssertionError("nothing is called here")


def tool(name: str, description: str, server: str = "local", **parameters: str) -> Tool:
    properties = {parameter: {"type": "string", "description": said} for parameter, said in parameters.items()}
    return Tool(
        name=name, server=server, description=description, body=_unused,
        input_schema={"type": "object", "properties": properties},
    )  # fmt: skip


TOOLS = [
    tool("createCalendarEvent", "Put an appointment into the calendar.", starts_at="When it begins."),
    tool("search_mail", "Find messages in the mailbox.", query="Words that occur."),
    tool("github__open_issue", "Report a problem.", "github", title="One line."),
    tool("jira__open_issue", "Report a problem.", "jira", title="One line."),
    tool("weather", "天気予報を調べる", city="都市"),
]
NAMES = frozenset(each.name for each in TOOLS)


def best(text: str, most: int = 5, **asked: Any) -> list[str]:
    return [each.name for each in Ranking(TOOLS).best(text, most, **{"among": NAMES} | asked)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("add an event to my calendar", "createCalendarEvent"),
        ("searching the mails", "search_mail"),  # endings are folded
        ("open an issue on jira", "jira__open_issue"),  # by the server
        ("something with a title on GitHub", "github__open_issue"),  # by parameter and server
        ("when does it begin?", "createCalendarEvent"),  # by what a parameter says
        ("東京の天気", "weather"),  # without spaces
    ],
)
def test_a_tool_is_found_by_what_it_says(text: str, first: str) -> None:
    assert best(text)[0] == first


def test_what_has_nothing_to_do_with_it_is_not_found_and_no_more_than_asked_for() -> None:
    assert best("calendar") == ["createCalendarEvent"]
    assert best("zebra") == [] == best("the of and")
    assert best("report a problem", 1) == ["github__open_issue"]


def test_only_those_that_come_into_question_are_found() -> None:
    assert best("report a problem", among=NAMES - {"github__open_issue"}) == ["jira__open_issue"]


def test_what_a_tool_was_used_for_finds_it_again_in_words_that_it_does_not_say() -> None:
    assert best("my laptop does not boot") == []
    uses = {"jira__open_issue": ["the laptop of Ada is broken, it does not boot"]}
    assert best("my laptop does not boot", uses=uses) == ["jira__open_issue"]
    late = {"jira__open_issue": ["nothing"] * USES_MAX + ["laptop"]}
    assert best("laptop", uses=late) == []  # the newest count


def test_a_users_encoder_ranks_too_and_is_asked_once_for_a_text() -> None:
    asked: list[list[str]] = []

    def encode(texts: Sequence[str]) -> list[list[float]]:
        asked.append(list(texts))
        return [[1.0, 0.0] if "mail" in text or "letters" in text else [0.0, 1.0] for text in texts]

    ranking = Ranking(TOOLS, encode)
    found = ranking.best("letters", 1, among=NAMES)
    assert [each.name for each in found] == ["search_mail"]
    assert [len(texts) for texts in asked] == [len(TOOLS), 1]
    assert [each.name for each in ranking.best("letters", 1, among=NAMES - {"search_mail"})] != ["search_mail"]


@given(st.text(max_size=80), st.integers(1, 5))
def test_whatever_is_asked_the_answer_is_some_of_the_tools_each_once_and_always_the_same(text: str, most: int) -> None:
    found = best(text, most)
    assert len(found) <= most and len(set(found)) == len(found) and NAMES.issuperset(found)
    assert found == best(text, most)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("getHTTPStatus", ["get", "http", "statu"]),
        ("search_mails", ["search", "mail"]),
        ("Searches the searched searching", ["search", "search", "search"]),
        ("stopped", ["stop"]),
        ("cities", ["city"]),
        ("a an the", []),
        ("日本語", ["日本", "本語"]),
    ],
)
def test_names_are_taken_apart_and_endings_folded(text: str, found: list[str]) -> None:
    assert terms(text) == found
