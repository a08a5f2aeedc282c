"""One pass over a value says whether any of its texts is worth a look."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interlock.core.canonical import canonical
from interlock.screening.sieve import Sieve

SIEVE = Sieve(r"a\nb", r'q"', r"x+y", r"\t!")
LETTERS = st.text(alphabet='abqxy"\\\n\t\r!nt\x07é')


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return [text for part in parts for text in texts(part)]


@given(st.recursive(LETTERS, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(LETTERS, parts, max_size=3)))
def test_a_value_is_stopped_wherever_one_of_its_texts_is(value: Any) -> None:
    if any(map(SIEVE.stops, texts(value))):
        assert SIEVE.stops_json(canonical(value).decode())


def test_what_json_escapes_is_read_as_it_was() -> None:
    assert not SIEVE.stops_json(json.dumps("a and b\nand c"))
    assert SIEVE.stops_json(json.dumps("a\nb"))
    assert SIEVE.stops_json(json.dumps("C:\\names")), "a backslash of its own is not told apart"
