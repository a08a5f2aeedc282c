"""Every stable code stands in the reference, and no other: in both directions."""

from __future__ import annotations

from collections import Counter

from interlock import errors
from tests.docs.codes import error_classes, error_codes, outcome_codes, problem_codes
from tests.docs.page import DOCS, first_codes, rows

ERRORS = DOCS / "reference" / "errors.md"
REFUSALS = DOCS / "reference" / "refusals.md"
PROBLEMS = "Codes of problems"
KEYWORDS = {"additionalProperties", "anyOf", "const", "enum", "oneOf", "required", "type"}
"""Keywords of JSON Schema: a problem may bear any of them, and the page says so in its sentence."""


def test_every_exception_class_is_described_with_its_parent() -> None:
    told = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(ERRORS, "Classes") if cells[0][1].isupper()}
    found = {name: getattr(errors, name).__mro__[1].__name__ for name in error_classes()}
    assert told == found | {"InterlockError": ""}


def test_every_code_of_an_error_is_in_the_reference_and_no_other() -> None:
    told = [code for code in first_codes(ERRORS) if not code[0].isupper()]
    assert set(told) == error_codes()
    assert not [code for code, times in Counter(told).items() if times > 1]


def test_an_error_class_has_the_code_that_the_reference_gives_it() -> None:
    told = {cells[0].strip("`"): cells[1].split("`")[1] for cells in rows(ERRORS, "Classes") if cells[0][1].islower()}
    assert told == {code: name for name, code in error_classes().items()}


def test_every_code_of_an_outcome_is_in_the_reference_and_no_other() -> None:
    sections = [cells[0] for cells in rows(REFUSALS)]
    told = [code for code in first_codes(REFUSALS) if code not in first_codes(REFUSALS, PROBLEMS)]
    assert sections
    assert set(told) == outcome_codes()
    assert not [code for code, times in Counter(told).items() if times > 1]


def test_every_code_of_a_problem_that_is_no_keyword_is_in_the_reference_and_no_other() -> None:
    assert set(first_codes(REFUSALS, PROBLEMS)) == problem_codes() - KEYWORDS


def test_a_code_stands_below_the_gate_that_says_it() -> None:
    for gate in ("validate", "authorize", "limit", "verify", "screen"):
        assert {code.partition(".")[0] for code in first_codes(REFUSALS, gate)} == {gate}


def test_what_collects_the_codes_sees_each_way_in_which_one_is_said() -> None:
    assert {"json.syntax", "policy.parse", "policy.annotation", "schema.large", "internal"} <= error_codes()
    assert {"validate.schema", "authorize.denied", "execute.timeout", "execute.lost", "settled"} <= outcome_codes()
