"""A verifier of rules, and several verifiers together."""

from __future__ import annotations

import pytest

from interlock.verification.question import Earlier
from interlock.verification.rules import AllOf, Concern, Rule, RulesVerifier, View
from interlock.verification.verdict import Verdict, Word
from tests.verification.readers import Reader
from tests.verification.test_model_verifier import question

pytestmark = pytest.mark.anyio


def nothing(view: View) -> None:
    return None


def too_much(view: View) -> Concern | None:
    if view.arguments["n"] <= 5:
        return None
    return Concern("more than five", {"n": 5})


def unread(view: View) -> str | None:
    read = {call.arguments["n"] for call in view.earlier if call.tool == "get" and call.outcome == "done"}
    return None if view.arguments["n"] in read else "it was not looked at first"


def broken(view: View) -> str | None:
    raise KeyError("a rule with a bug")


def rules(*some: Rule) -> RulesVerifier:
    return RulesVerifier(some, "rules/1")


async def test_a_call_that_no_rule_has_anything_against_is_approved() -> None:
    verdict = await rules(nothing, too_much)(question())
    assert (verdict.verdict, verdict.digest, verdict.confidence) == (Word.APPROVED, question().digest, None)


async def test_one_concern_rejects_with_what_the_rule_would_have_instead() -> None:
    verdict = await rules(nothing, too_much)(question({"n": 9}))
    assert (verdict.verdict, verdict.concerns, verdict.correction) == (Word.REJECTED, ("more than five",), {"n": 5})


async def test_a_rule_that_raises_has_not_approved() -> None:
    verdict = await rules(nothing, broken)(question())
    assert (verdict.verdict, verdict.why) == (Word.UNCERTAIN, "broken raised KeyError")
    assert (await rules(broken, too_much)(question({"n": 9}))).verdict is Word.REJECTED


async def test_a_rule_sees_what_the_run_did_before() -> None:
    async def earlier() -> tuple[Earlier, ...]:
        return (Earlier("get", {"n": 1}, "done", {"n": 1}), Earlier("get", {"n": 2}, "failed", None))

    verify = rules(unread)
    assert (await verify(question({"n": 1}, earlier=earlier))).verdict is Word.APPROVED
    assert (await verify(question({"n": 2}, earlier=earlier))).verdict is Word.REJECTED


def says(word: Word, confidence: int | None = None, **said: object) -> Reader:
    return Reader({"verdict": word, "confidence": confidence, **said})


async def test_of_several_verifiers_all_must_approve() -> None:
    yes, no, unsure = says(Word.APPROVED, 90), says(Word.REJECTED, 95, concerns=("no",)), says(Word.UNCERTAIN, 99)
    for some, word in (
        ((yes, yes), Word.APPROVED),
        ((yes, unsure), Word.UNCERTAIN),
        ((unsure, yes), Word.UNCERTAIN),
        ((yes, no), Word.REJECTED),
        ((unsure, no), Word.REJECTED),
    ):
        assert (await AllOf(*some)(question())).verdict is word


async def test_what_several_say_is_told_together_and_a_rejection_ends_it() -> None:
    first = says(Word.APPROVED, 90, tokens=(3, 4), micro_usd=5)
    second = says(Word.REJECTED, 70, concerns=("no",), correction={"n": 2}, tokens=(1, 1), micro_usd=2)
    third = says(Word.APPROVED)
    verdict = await AllOf(first, second, third)(question())
    assert third.asked == []
    assert verdict == Verdict(
        verdict=Word.REJECTED, digest=question().digest, verifier="reader/1+reader/1+reader/1", concerns=("no",),
        correction={"n": 2}, confidence=70, tokens=(4, 5), micro_usd=7,
    )  # fmt: skip


async def test_several_that_speak_of_different_calls_speak_of_none() -> None:
    verdict = await AllOf(says(Word.APPROVED, digest="0" * 64), says(Word.APPROVED))(question())
    assert verdict.digest == ""
