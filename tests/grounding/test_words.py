"""What the user's words name and ask for."""

from __future__ import annotations

from time import process_time

import pytest

from interlock.core.provenance import Level
from interlock.grounding.index import Index
from interlock.grounding.normal import normal
from interlock.grounding.profile import FieldRule, Profile
from interlock.grounding.words import Words

NOW_US = 1_763_700_000_000_000  # Friday, 2025-11-21


def words(*messages: str) -> Words:
    said = Words()
    for message in messages:
        said.say(message)
    return said


@pytest.mark.parametrize(
    ("message", "value", "named"),
    [
        ("write to bob@acme.com.", "bob@acme.com", True),
        ("write to bob@acme.com.evil.com", "bob@acme.com", False),
        ("write to xbob@acme.com", "bob@acme.com", False),
        ("write to a-bob@acme.com", "bob@acme.com", False),
        ("see acme.com/path", "acme.com", False),
        ("open report-2024.pdf, please", "report-2024.pdf", True),
        ("open my report", "port", False),
        ("pay 1234567 now", "1234567", True),
        ("pay 12345678 now", "1234567", False),
        ("\u83b7\u53d6\u963f\u8fea\u8fbe\u65af\u7684\u5de5\u5355", "\u963f\u8fea\u8fbe\u65af", True),
    ],
)
def test_a_value_is_named_whole_or_not_at_all(message: str, value: str, named: bool) -> None:
    assert (words(message).names(normal(value)) is not None) is named


@pytest.mark.parametrize(
    ("message", "value", "named"),
    [
        ("delete file 13", "13", True),
        ("delete #13", "13", True),
        ("delete the file with id: 13", "13", True),
        ("delete '13'", "13", True),
        ("the 13 files", "13", True),
        ("remind me in 13 hours of my taxes for the year", "13", False),
        ("a 1-hour meeting", "1", False),
        ("i am in it", "in", False),
    ],
)
def test_a_short_value_is_named_beside_its_noun(message: str, value: str, named: bool) -> None:
    assert (words(message).names(value, nouns=("file",)) is not None) is named


@pytest.mark.parametrize(
    ("message", "value", "named"),
    [
        ("fly from JFK to LAX", "JFK", True),
        ("fly from jfk", "JFK", False),
        ("PLEASE SEND IT TO ME", "IT", False),
        ("the p4 ticket", "p4", True),
        ("it is to be", "it", False),
    ],
)
def test_capitals_and_letters_with_digits_mark_a_short_value(message: str, value: str, named: bool) -> None:
    assert (words(message).marks(value) is not None) is named


@pytest.mark.parametrize(
    ("message", "phrase", "asked"),
    [
        ("Please send an email to Bob", "send * email", True),
        ("Please email Bob", "email *", True),
        ("Please send Bob the long and boring monthly report by email", "send * email", False),
        ("Do not send an email", "send * email", False),
        ("don't email Bob", "email *", False),
        ("Read my emails", "email *", False),
        ("I sent an email", "send * email", False),
        ("transferring money", "transfer* *", True),
    ],
)
def test_a_phrase_asks_where_it_stands_and_is_not_refused(message: str, phrase: str, asked: bool) -> None:
    assert words(message).asks((phrase,)) is asked


@pytest.mark.parametrize(
    ("message", "day"),
    [
        ("tomorrow at noon", "2025-11-22"),
        ("next friday", "2025-11-28"),
        ("on monday", "2025-11-24"),
        ("last monday", "2025-11-17"),
        ("in 3 days", "2025-11-24"),
        ("two weeks from now", "2025-12-05"),
        ("5 days ago", "2025-11-16"),
    ],
)
def test_day_words_are_read_by_the_runs_clock(message: str, day: str) -> None:
    assert day in words(message).days(NOW_US)


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("pay 1,234.50 euros", ["1234.5"]),
        ("5% of it", ["5", "0.05"]),
        ("twenty-five apples and two hundred and six pears", ["25", "206"]),
        ("3/4 of 50k", ["0.75", "50000"]),
        ("a radius of 5cm, 2.5m\u00b2", ["5", "2.5"]),
        ("2 million", ["2000000"]),
        ("x - 4", ["-4", "4"]),
        ("half a dozen", ["0.5", "12"]),
    ],
)
def test_numbers_are_read_as_people_write_them(message: str, numbers: list[str]) -> None:
    found = {each.text for each in words(message).entities if each.kind == "number"}
    assert set(numbers) <= found


MARKS = [
    "a",
    "1",
    "a.",
    "a@",
    "//",
    "a ",
    "\u201c",
    '"',
    "'",
    "1,",
    "www.",
    "&",
    "from: x\n",
    "a://",
    "-",
    "`",
    "> ",
    "1/",
]


@pytest.mark.parametrize("mark", MARKS)
def test_no_message_is_read_in_more_time_than_its_length_asks_for(mark: str) -> None:
    """A pattern that looks again from every character would take minutes of a hundred thousand."""
    index, count = Index(), 100_000 // len(mark)
    before = process_time()
    index.say("Please read " + mark * count)
    index.say("Please read " + mark * count + "\u00e9!")
    assert process_time() - before < 20


def test_a_name_is_pointed_at_by_a_later_message_whose_first_word_was_said_before() -> None:
    index = Index()
    people = Profile(fields=(FieldRule("name"), FieldRule("email", shape="email")))
    index.tell("c1", [{"name": "Alice Smith", "email": "as@acme.com"}], people, anchored=False)
    index.say("I met Alice today")
    index.say("Write to Alice Smith")
    held = index.records.field(("as@acme.com",))
    assert held is not None and held[1] is Level.ANCHORED
