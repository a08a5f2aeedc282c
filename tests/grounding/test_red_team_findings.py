"""What replayed attacks and replayed work found wrong with the rules, each in its smallest form. B3, T1, T3, T4, T5."""

from __future__ import annotations

from typing import Any

from interlock.core.provenance import Provenance
from interlock.core.tool import CallContext, Effect, Tool
from interlock.grounding.ground import ground, is_anchored
from interlock.grounding.index import Index
from interlock.grounding.profile import USER_ONLY, FieldRule, Profile

NOW_US = 1_763_700_000_000_000
MAIL = Profile(roles={"to": "target", "text": "content"}, shapes={"to": "email"}, phrases=("mail", "invite"))
PLAN = Profile(roles={"title": "content", "guests": "target"}, shapes={"guests": "email"}, phrases=("plan",))
SAVE = Profile(roles={"text": "content"}, phrases=("save",))
PAGE = Profile(roles={"url": "fetch"}, shapes={"url": "url"})
MAILS = Profile(
    roles={"query": "control"}, fields=(FieldRule("/*/from", shape="email"),), readers=(USER_ONLY,)
)  # fmt: skip
FILES = Profile(
    roles={"query": "control"}, fields=(FieldRule("/*/name"), FieldRule("/*/readers/*", shape="email"))
)  # fmt: skip


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing runs")


def _asked(index: Index, profile: Profile, effect: Effect, arguments: dict[str, Any], **options: Any) -> Provenance:
    tool = Tool(name="tool", input_schema={"type": "object"}, effect=effect, body=_body, **options)
    return ground(index, tool, profile, arguments, NOW_US)


def _codes(provenance: Provenance) -> list[str]:
    return [lack.code for lack in provenance.lacks]


def _read(words: str, *mails: dict[str, str]) -> Index:
    index = Index()
    index.say(words)
    index.tell("c1", list(mails), MAILS, anchored=False)
    return index


def test_what_was_asked_for_and_goes_to_nobody_needs_no_person_after_private_text_by_others() -> None:
    index = _read("Plan my day after my mail.", {"from": "kim@acme.example", "text": "Lunch at noon?"})
    assert _codes(_asked(index, PLAN, Effect.IRREVERSIBLE, {"title": "Lunch", "guests": None})) == []
    assert "trifecta" in _codes(_asked(index, PLAN, Effect.IRREVERSIBLE, {"title": "Lunch", "guests": ["a@b.example"]}))


def test_a_link_may_be_read_as_it_stands_in_what_others_wrote_and_not_another_one() -> None:
    index = _read("Read what Kim links to.", {"from": "kim@acme.example", "text": "See https://news.example/today"})
    assert _codes(_asked(index, PAGE, Effect.READ, {"url": "https://news.example/today"}, outward=True)) == []
    assert _codes(_asked(index, PAGE, Effect.READ, {"url": "https://news.example/Lunch"}, outward=True)) != []


def test_private_text_that_stays_inside_goes_to_nobody() -> None:
    index = _read("Save what Kim wrote.", {"from": "kim@acme.example", "text": "The harbour opens again on Monday."})
    arguments = {"text": "The harbour opens again on Monday."}
    assert _codes(_asked(index, SAVE, Effect.REVERSIBLE, arguments)) == []
    assert "readers" in _codes(_asked(index, SAVE, Effect.IRREVERSIBLE, arguments))


def test_an_address_is_meant_by_a_word_of_it_unless_two_have_the_word() -> None:
    one = {"from": "kim.reed@acme.example", "text": "Hello"}
    arguments = {"to": "mark.davies@mail.example", "text": "Come along."}
    index = _read("Invite Mark by mail.", one, {"from": "mark.davies@mail.example", "text": "Hiking?"})
    assert _codes(_asked(index, MAIL, Effect.IRREVERSIBLE, arguments)) == []
    index.tell("c2", [{"from": "mark.black@drop.example", "text": "Hiking!"}], MAILS, anchored=False)
    assert "target" in _codes(_asked(index, MAIL, Effect.IRREVERSIBLE, arguments))


def test_a_search_for_words_points_at_nothing_and_a_look_up_by_what_selects_does() -> None:
    index = Index()
    index.say("Mail Dora.")
    arguments = {"query": "Dora"}
    searched = _asked(index, MAILS, Effect.READ, arguments)
    looked_up = _asked(index, Profile(roles={"query": "selector"}), Effect.READ, arguments)
    assert (is_anchored(searched), is_anchored(looked_up)) == (False, True)


def test_a_file_is_meant_by_its_name_in_words_unless_two_have_that_name() -> None:
    index = Index()
    index.say("Mail the people of the team meeting minutes file.")
    minutes = {"name": "team-meeting-minutes.docx", "readers": ["ann@acme.example"]}
    arguments = {"to": "ann@acme.example", "text": "Your task."}
    index.tell("c1", [minutes, {"name": "other.docx", "readers": ["eve@drop.example"]}], FILES, anchored=False)
    assert _codes(_asked(index, MAIL, Effect.IRREVERSIBLE, arguments)) == []
    assert "target" in _codes(_asked(index, MAIL, Effect.IRREVERSIBLE, arguments | {"to": "eve@drop.example"}))
    index.tell("c2", [{"name": "team_meeting_minutes.txt", "readers": ["eve@drop.example"]}], FILES, anchored=False)
    assert "target" in _codes(_asked(index, MAIL, Effect.IRREVERSIBLE, arguments))
