"""One run held against what must come of a case: what failed, and the counts that figures are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.evals.predicate import broken
from interlock.evals.seen import SeenCall, SeenRun
from interlock.evals.suite import Expectation, ExpectedAnswer, ExpectedCall, Most
from interlock.verification.calibrate import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What came of a run.

    Attributes:
        failures: What is not as it must be, each `kind: words`; none where it passes.
        tools: Whether the tools were the right ones; None where that was not asked.
        calls: Expected calls that were made, with what came of them.
        arguments: Expected calls whose arguments were right, of those that say something of them and whose tool was
            called.
        facts: Facts that the answer has.
        writes: Calls proposed that do more than read, of these the expected ones.
    """

    failures: tuple[str, ...]
    tools: bool | None
    calls: Share
    arguments: Share
    facts: Share
    writes: Share

    @property
    def passed(self) -> bool:
        """Whether everything is as it must be."""
        return not self.failures


def grade(run: SeenRun, expect: Expectation) -> Grade:
    """Hold a run against an expectation."""
    tools = None if expect.tools is None else _tools_right(run, expect)
    made = _paired(expect.calls, run.calls, whole=True)
    proposed = _paired(expect.calls, run.calls, whole=False)
    named = {call.tool for call in run.calls}
    asked = [place for place, call in enumerate(expect.calls) if call.where and call.tool in named]
    facts = list(_facts(run.answer, expect.answer))
    writes = [place for place, call in enumerate(run.calls) if call.writes]
    failures = [
        *_wrong_tools(run, expect, tools),
        *(_missing(call, run.calls) for place, call in enumerate(expect.calls) if place not in made),
        *_forbidden(run, expect),
        *(_unexpected(run, made) if expect.only else ()),
        *(f"answer: it does not say {fact!r}" for fact, there in facts if not there),
        *(f"answer: it says {text!r}" for text in expect.answer.lacks if _plain(text) in _plain(run.answer)),
        *([f"end: {run.end}, not {expect.end}"] if expect.end and run.end != expect.end else ()),
        *_too_much(run, expect.most),
    ]
    return Grade(
        failures=tuple(failures), tools=tools, calls=Share(len(made), len(expect.calls)),
        arguments=Share(sum(place in proposed for place in asked), len(asked)),
        facts=Share(sum(there for _, there in facts), len(facts)),
        writes=Share(len(set(writes).intersection(proposed.values())), len(writes)),
    )  # fmt: skip


def _tools_right(run: SeenRun, expect: Expectation) -> bool:
    assert expect.tools is not None, "it was asked"
    called = [call.tool for call in run.calls]
    match expect.order:
        case "exactly":
            return called == list(expect.tools)
        case "in_order":
            left = iter(called)
            return all(tool in left for tool in expect.tools)
        case _:
            return not Counter(expect.tools) - Counter(called)


def _wrong_tools(run: SeenRun, expect: Expectation, right: bool | None) -> Iterator[str]:
    if right is False:
        assert expect.tools is not None, "it was asked"
        called = ", ".join(call.tool for call in run.calls) or "nothing"
        yield f"tools: {expect.order.replace('_', ' ')} {', '.join(expect.tools) or 'none'}; called was {called}"


def _paired(expected: Sequence[ExpectedCall], calls: Sequence[SeenCall], *, whole: bool) -> dict[int, int]:
    """Expected calls to calls that are such, each another one, as many as can be: augmenting paths (Kuhn).

    Args:
        whole: Whether what came of a call counts, too.
    """
    fits = [
        [at for at, call in enumerate(calls) if _is_such(call, wanted, whole=whole)] for wanted in expected
    ]  # fmt: skip
    taken: dict[int, int] = {}

    def take(place: int, tried: set[int]) -> bool:
        for at in fits[place]:
            if at not in tried:
                tried.add(at)
                if at not in taken or take(taken[at], tried):
                    taken[at] = place
                    return True
        return False

    for place in range(len(expected)):
        take(place, set())
    return {place: at for at, place in taken.items()}


def _is_such(call: SeenCall, wanted: ExpectedCall, *, whole: bool = True) -> bool:
    if call.tool != wanted.tool or broken(wanted.where, call.arguments):
        return False
    return not whole or _came(call, wanted)


def _came(call: SeenCall, wanted: ExpectedCall) -> bool:
    return (not wanted.outcomes or call.outcome in wanted.outcomes) and wanted.code in ("", call.code)


def _missing(wanted: ExpectedCall, calls: Sequence[SeenCall]) -> str:
    """Why an expected call is not there, by the call that is nearest to it."""
    named = [call for call in calls if call.tool == wanted.tool]
    if not named:
        return f"calls: {wanted.tool} was not called"
    near = min(named, key=lambda call: len(broken(wanted.where, call.arguments)))
    wrong = broken(wanted.where, near.arguments)
    if wrong:
        return f"arguments: of {wanted.tool}, {'; '.join(wrong)}"
    if not _came(near, wanted):
        came = f"{near.outcome} {near.code}".strip()
        return f"outcome: {wanted.tool} is {came}, not {' or '.join(wanted.outcomes)} {wanted.code}".rstrip()
    return f"calls: {wanted.tool} was called less often than expected"


def _forbidden(run: SeenRun, expect: Expectation) -> Iterator[str]:
    for wanted in expect.forbidden:
        for call in run.calls:
            if _is_such(call, wanted):
                yield f"forbidden: {wanted}; it was called, and is {call.outcome}"


def _unexpected(run: SeenRun, made: dict[int, int]) -> Iterator[str]:
    expected = set(made.values())
    for at, call in enumerate(run.calls):
        if call.may_have_changed and at not in expected:
            yield f"only: {call.tool} is {call.outcome}, and no case expects it"


def _facts(answer: str, expect: ExpectedAnswer) -> Iterator[tuple[str, bool]]:
    for text in expect.contains:
        yield text, _plain(text) in _plain(answer)
    for pattern in expect.matches:
        yield pattern.source, pattern.found(answer)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _too_much(run: SeenRun, most: Most) -> Iterator[str]:
    for name in ("steps", "tokens", "latency_ms", "micro_usd"):
        limit, took = getattr(most, name), getattr(run, name)
        if limit is not None and took is None:
            yield f"{name}: nobody knows what it took, and at most {limit} is asked"
        elif limit is not None and took > limit:
            yield f"{name}: {took}, at most {limit}"
