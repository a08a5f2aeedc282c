"""A run held against an expectation: every way to fail by itself, and the counts that figures are made of."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.evals.grade import Grade, grade
from interlock.evals.seen import SeenCall, SeenRun
from interlock.evals.suite_file import ExpectFile


def call(tool: str, outcome: str = "done", code: str = "", *, writes: bool = False, **arguments: Any) -> SeenCall:
    return SeenCall(f"call_{tool}", tool, arguments, outcome, code, writes)


def run(*calls: SeenCall, answer: str = "", end: str = "answer", **took: Any) -> SeenRun:
    took = {"steps": 1, "tokens": 10, "latency_ms": 5, "micro_usd": 3} | took
    return SeenRun("run_1", "hello", calls, answer, end, **took)


def graded(seen: SeenRun, **expect: Any) -> Grade:
    return grade(seen, ExpectFile.model_validate(expect).made())


def test_a_run_of_which_nothing_is_asked_passes() -> None:
    assert graded(run(call("a"))).passed


@pytest.mark.parametrize(
    ("order", "wanted", "passes"),
    [
        ("any_order", ["b", "a"], True),
        ("any_order", ["a", "a"], False),
        ("any_order", ["d"], False),
        ("in_order", ["a", "c"], True),
        ("in_order", ["c", "a"], False),
        ("exactly", ["a", "b", "c"], True),
        ("exactly", ["a", "b"], False),
        ("exactly", ["b", "a", "c"], False),
    ],
)
def test_tools_are_asked_in_any_order_in_order_or_exactly(order: str, wanted: list[str], passes: bool) -> None:
    found = graded(run(call("a"), call("b"), call("c")), tools={order: wanted})
    assert (found.passed, found.tools) == (passes, passes)
    if not passes:
        assert found.failures[0].startswith(f"tools: {order.replace('_', ' ')}")


def test_that_no_tool_is_called_can_be_asked() -> None:
    assert graded(run(), tools={"exactly": []}).passed
    assert not graded(run(call("a")), tools={"exactly": []}).passed


def test_a_wrong_argument_a_wrong_outcome_and_a_missing_call_are_told_apart() -> None:
    seen = run(call("pay", "held", "approve.held", cents=5))
    wanted = {"tool": "pay", "arguments": {"/cents": {"equals": 5}}, "outcome": "held", "code": "approve.held"}
    assert graded(seen, calls=[wanted]).passed
    wrong = graded(seen, calls=[wanted | {"arguments": {"/cents": {"equals": 6}}}])
    assert wrong.failures == ("arguments: of pay, /cents equals 6, and is 5",)
    assert (wrong.arguments.part, wrong.arguments.whole) == (0, 1)
    outcome = graded(seen, calls=[wanted | {"outcome": ["done", "refused"]}])
    assert outcome.failures[0].startswith("outcome: pay is held approve.held, not done or refused")
    assert (outcome.arguments.part, outcome.arguments.whole) == (1, 1)
    missing = graded(seen, calls=[{"tool": "send", "arguments": {"/to": {"equals": "a"}}}])
    assert missing.failures == ("calls: send was not called",)
    assert missing.arguments.whole == 0


def test_each_expected_call_is_another_one_and_as_many_are_found_as_can_be() -> None:
    """The first one fits both, so it must be left to the one that fits nothing else."""
    seen = run(call("pay", cents=5), call("pay", cents=9))
    either = {"tool": "pay"}
    only_five = {"tool": "pay", "arguments": {"/cents": {"equals": 5}}}
    assert graded(seen, calls=[either, only_five]).passed
    thrice = graded(seen, calls=[either, either, only_five])
    assert len(thrice.failures) == 1
    assert (thrice.calls.part, thrice.calls.whole) == (2, 3)


def test_a_forbidden_call_counts_when_it_is_proposed_unless_its_outcome_is_named() -> None:
    seen = run(call("wipe", "refused", "authorize.denied", writes=True))
    assert not graded(seen, forbidden=["wipe"]).passed
    assert graded(seen, forbidden=[{"tool": "wipe", "outcome": ["done", "unknown"]}]).passed
    assert not graded(seen, forbidden=[{"tool": "wipe", "outcome": "refused"}]).passed


@pytest.mark.parametrize(
    ("outcome", "passes"),
    [("done", False), ("unknown", False), ("withheld", False), ("refused", True), ("held", True), ("failed", True)],
)
def test_whatever_may_have_changed_something_must_be_expected_where_only_that_is_allowed(
    outcome: str, passes: bool
) -> None:
    assert graded(run(call("pay", outcome, writes=True)), only=True).passed is passes
    assert graded(run(call("pay", outcome, writes=True)), only=True, calls=[{"tool": "pay"}]).passed
    assert graded(run(call("look", outcome, writes=False)), only=True).passed


def test_facts_are_found_in_either_case_and_over_the_ends_of_lines() -> None:
    seen = run(answer="You have 30\n  Days, see [returns#2].")
    found = graded(seen, answer={"contains": ["30 days", "a tenth"], "matches": ["\\[returns#\\d\\]"]})
    assert found.failures == ("answer: it does not say 'a tenth'",)
    assert (found.facts.part, found.facts.whole) == (2, 3)
    assert graded(seen, answer={"lacks": ["YOU HAVE"]}).failures == ("answer: it says 'YOU HAVE'",)


def test_a_run_must_end_as_asked() -> None:
    assert graded(run(end="limit"), end="answer").failures == ("end: limit, not answer",)


@pytest.mark.parametrize("name", ["steps", "tokens", "latency_ms", "micro_usd"])
def test_a_run_may_take_so_much_and_no_more(name: str) -> None:
    assert graded(run(**{name: 7}), most={name: 7}).passed
    assert graded(run(**{name: 8}), most={name: 7}).failures == (f"{name}: 8, at most 7",)


def test_money_that_nobody_knows_is_not_little() -> None:
    [said] = graded(run(micro_usd=None), most={"micro_usd": 10**9}).failures
    assert said.startswith("micro_usd: nobody knows")


def test_of_the_writes_those_are_counted_that_were_expected_by_what_they_say() -> None:
    seen = run(call("pay", "refused", writes=True, cents=5), call("pay", "failed", writes=True, cents=6), call("look"))
    found = graded(seen, calls=[{"tool": "pay", "arguments": {"/cents": {"equals": 5}}, "outcome": "done"}])
    assert (found.writes.part, found.writes.whole) == (1, 2)
