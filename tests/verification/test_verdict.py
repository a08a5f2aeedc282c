"""What a model answers becomes a verdict only where it is exactly one; anything else is uncertain, with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.problem import Problem
from interlock.verification.correction import PROBLEMS_MAX, corrections
from interlock.verification.verdict import Verdict, Word, parse_verdict, verdict_from_json

NONCE, DIGEST = "5eed" * 8, "d1" * 32
ASKED = Verdict(verdict=Word.UNCERTAIN, digest=DIGEST, verifier="m", nonce=NONCE, input_digest="ab" * 32)


def answer(**said: Any) -> str:
    """The right answer, but for what is said otherwise; without what is said to be `...`."""
    whole = {"verdict": "approved", "nonce": NONCE, "digest": DIGEST} | said
    return json.dumps({key: value for key, value in whole.items() if value is not ...})


APPROVED = answer()

NOT_A_VERDICT = {
    # defect 25: the samples look for the word APPROVED in the text
    "the bare word": "approved",
    "APPROVED": "APPROVED",
    "NOT APPROVED": "NOT APPROVED",
    "DISAPPROVED": "DISAPPROVED",
    "the sample's own refusal": "REJECTED, cannot be APPROVED",
    "another case": answer(verdict="APPROVED"),
    "a blank behind it": answer(verdict="approved "),
    "a negation as the word": answer(verdict="not approved"),
    "a Cyrillic letter": answer(verdict="\u0430pproved"),
    "two words in a list": answer(verdict=["approved", "rejected"]),
    "a list of one": answer(verdict=["approved"]),
    "true": answer(verdict=True),
    "null": answer(verdict=None),
    "no verdict": answer(verdict=...),
    "two verdicts": APPROVED + answer(verdict="rejected"),
    "two equal ones": APPROVED + "\n" + APPROVED,
    "a list of verdicts": f"[{APPROVED},{APPROVED}]",
    "a verdict twice in one": APPROVED[:-1] + ', "verdict": "rejected"}',
    "a verdict twice, the good one last": answer(verdict="rejected")[:-1] + ', "verdict": "approved"}',
    "a key twice by an escape": APPROVED[:-1] + ', "\\u0076erdict": "approved"}',
    "a verdict within": json.dumps({"answer": json.loads(APPROVED)}),
    "text before": "Here is my answer: " + APPROVED,
    "text behind": APPROVED + " It looks fine.",
    "a fence": f"```json\n{APPROVED}\n```",
    "a comment": APPROVED + " // approved",
    "cut off": APPROVED[:-1],
    "cut off in a text": APPROVED[:-20],
    "empty": "",
    "a byte order mark": "\ufeff" + APPROVED,
    "half a surrogate pair": answer(verdict="rejected", concerns=["x"]).replace('"x"', '"\\ud800"'),
    # defect 26: the verdict is bound to the nonce and to the call
    "no nonce": answer(nonce=...),
    "another nonce": answer(nonce="0" * 32),
    "the nonce in capitals": answer(nonce=NONCE.upper()),
    "a longer nonce": answer(nonce=NONCE + "0"),
    "no digest": answer(digest=...),
    "another call's digest": answer(digest="0" * 64),
    "a number as the nonce": answer(nonce=5),
    # what was not asked for
    "another key": answer(override=True),
    "a key of another case": answer(Verdict="approved"),
    "a confidence in words": answer(confidence="high"),
    "a fraction as the confidence": answer(confidence=0.99),
    "a sure confidence": answer(confidence=True),
    "a confidence beyond": answer(confidence=101),
    "a confidence below": answer(confidence=-1),
    "a confidence that is no number": APPROVED[:-1] + ', "confidence": NaN}',
    "an endless confidence": APPROVED[:-1] + ', "confidence": Infinity}',
    "a concern of an approval": answer(concerns=["the amount is ten times what was asked for"]),
    "a correction of an approval": answer(correction={"n": 2}),
    "a correction that is a text": answer(verdict="rejected", correction="n = 2"),
    "concerns as a text": answer(verdict="rejected", concerns="no"),
    "a concern that is none": answer(verdict="rejected", concerns=[""]),
    "an endless concern": answer(verdict="rejected", concerns=["x" * 401]),
    "too many concerns": answer(verdict="rejected", concerns=["x"] * 9),
    "too much of it": answer(verdict="rejected", correction={"n": "x" * 20_000}),
    "too deep": answer(verdict="rejected", correction={"n": 0}).replace("0}", "[" * 40 + "]" * 40 + "}"),
}


@pytest.mark.parametrize("text", NOT_A_VERDICT.values(), ids=NOT_A_VERDICT)
def test_what_is_not_exactly_one_verdict_is_uncertain_and_says_why(text: str) -> None:
    """Defects 25 and 26, T33."""
    verdict = parse_verdict(text, ASKED)
    assert verdict.verdict is Word.UNCERTAIN
    assert verdict.why
    assert (verdict.confidence, verdict.correction, verdict.concerns) == (None, None, ())


def test_one_whole_verdict_is_what_it_says() -> None:
    assert parse_verdict(APPROVED, ASKED).verdict is Word.APPROVED
    assert parse_verdict(f"\n {answer(confidence=90, concerns=[], correction=None)} \n", ASKED).confidence == 90
    rejected = parse_verdict(answer(verdict="rejected", concerns=["no"], correction={"n": 2}, confidence=0), ASKED)
    assert (rejected.verdict, rejected.concerns, rejected.correction) == (Word.REJECTED, ("no",), {"n": 2})
    assert (rejected.nonce, rejected.digest, rejected.input_digest) == (NONCE, DIGEST, "ab" * 32)
    assert parse_verdict(answer(verdict="uncertain"), ASKED).why == "the reader said so"


@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_around_a_verdict_leaves_it_one(before: str, behind: str) -> None:
    verdict = parse_verdict(before + APPROVED + behind, ASKED)
    assert (verdict.verdict is Word.APPROVED) == (not (before + behind).strip(" \t\n\r"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["approved", NONCE, DIGEST]) | st.text(max_size=9),
        lambda some: (
            st.lists(some, max_size=4)
            | st.dictionaries(st.sampled_from(["verdict", "nonce", "digest", "concerns", "x"]), some, max_size=5)
        ),
        max_leaves=12,
    )
)
def test_whatever_a_model_answers_only_the_right_triple_approves(said: Any) -> None:
    approved = parse_verdict(json.dumps(said), ASKED).verdict is Word.APPROVED
    right = isinstance(said, dict) and (said.get("verdict"), said.get("nonce"), said.get("digest")) == (
        "approved", NONCE, DIGEST
    )  # fmt: skip
    assert not approved or (right and not said.get("concerns") and "x" not in said)


def test_a_verdict_is_read_back_from_the_ledger_as_it_was_but_for_its_cost() -> None:
    verdict = Verdict(
        verdict=Word.REJECTED, digest=DIGEST, verifier="m", concerns=("no",), correction={"n": 2}, confidence=7,
        why="x", nonce=NONCE, input_digest="ab", tokens=(1, 2), micro_usd=3, cached_ms=0,
    )  # fmt: skip
    said = json.loads(json.dumps(verdict.as_json()))
    assert (said["tokens"], said["micro_usd"]) == ({"input": 1, "output": 2}, 3)
    read = verdict_from_json(said)
    assert read.as_json() == {key: part for key, part in said.items() if key not in ("tokens", "micro_usd")}


# -------------------------------------------------------------------------- corrections


def told(sent: dict[str, Any], wanted: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(problem.field, problem.closest) for problem in corrections(sent, wanted)]


def test_a_correction_becomes_a_problem_for_each_leaf_that_differs() -> None:
    sent = {"to": "ana", "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}], "note": "x", "flag": True}
    wanted = {"to": "ana", "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 3}], "flag": 1, "a/b": "new"}
    assert told(sent, wanted) == [("/lines/1/n", 3), ("/note", None), ("/flag", 1), ("/a~1b", "new")]
    assert told({"n": [1, 2]}, {"n": [1]}) == [("/n", [1])], "a list of another length is another value"
    assert told(sent, sent) == []
    assert corrections({"n": 1}, {"n": None}) == (
        Problem(field="/n", code="suggestion", message="a second reader would have null"),
    )


def test_suggestions_are_few_and_none_is_long() -> None:
    assert len(corrections({}, {str(n): n for n in range(50)})) == PROBLEMS_MAX
    [problem] = corrections({"n": "a"}, {"n": "x" * 3000})
    assert problem.closest is None
