"""The judge of `make crash` finds what it is for: a trial that holds, spoilt in one way at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interlock.core.points import NAMES
from proof.crash.combination import CLASSES, Combination, Kill, combination
from proof.crash.judge import judge
from proof.crash.report import ELSEWHERE, Tally
from proof.crash.trial import Trial

CALL, KEY = "call_1", "k1"


def a_trial(tool_class: str = "keyed") -> Trial:
    """One held call, killed once, recovered, done."""
    events = [
        ("approval.requested", {}, "appr_1", 0), ("approval.decided", {}, "appr_1", 0),
        ("approval.consumed", {}, "appr_1", 0), ("call.intent", {"key": KEY}, "", 1), ("recovery", {}, "", 2),
        ("call.result", {}, "", 1),
    ]  # fmt: skip
    return Trial(
        tried=Combination(tool_class, "approval", (Kill("attempt.after", 1),)),
        kills=1,
        effects=[{"n": 1, "effect": "pay", "key": KEY, "arguments": {"n": 1}}],
        told=[{"answered": "appr_1"}, {"outcome": {"outcome": "done", "call_id": CALL, "value": 1}}],
        report={
            "events": [
                {"kind": kind, "call_id": CALL, "approval_id": approval, "attempt": attempt, "body": body}
                for kind, body, approval, attempt in events
            ],
            "calls": [{"call_id": CALL, "status": "closed", "outcome": "done", "code": "", "effect": "irreversible"}],
            "approvals": [{"approval_id": "appr_1", "call_id": CALL, "status": "consumed"}],
            "open_runs": [], "due": [], "grown": 0, "unsettled": [], "verified": [],
        },
    )  # fmt: skip


def twice(trial: Trial) -> None:
    trial.effects.append({**trial.effects[0], "n": 2})


def otherwise(trial: Trial) -> None:
    trial.effects.append({**trial.effects[0], "n": 2, "arguments": {"n": 2}})


def set_call(**fields: Any) -> Callable[[Trial], None]:
    return lambda trial: trial.report["calls"][0].update(fields)


def set_report(**fields: Any) -> Callable[[Trial], None]:
    return lambda trial: trial.report.update(fields)


def without(kind: str) -> Callable[[Trial], None]:
    def drop(trial: Trial) -> None:
        trial.report["events"] = [event for event in trial.report["events"] if event["kind"] != kind]

    return drop


def again(kind: str) -> Callable[[Trial], None]:
    def add(trial: Trial) -> None:
        trial.report["events"] += [event for event in trial.report["events"] if event["kind"] == kind]

    return add


SPOILT: list[tuple[str, Callable[[Trial], None], str, str]] = [
    ("keyed", twice, "doubled", "took effect 2 times"),
    ("reconcilable", twice, "doubled", "took effect 2 times"),
    ("none", twice, "doubled", "took effect 2 times"),
    ("idempotent", otherwise, "doubled", "took effect 2 times"),
    ("keyed", lambda trial: trial.effects.clear(), "lost", "is done, and nothing was"),
    ("keyed", set_call(status="unknown", outcome="unknown"), "stuck", "where a keyed one goes on"),
    ("none", set_call(outcome="failed"), "untrue", "something may have left"),
    ("none", set_call(status="unknown", outcome="unknown"), "lost", "was told done and is unknown"),
    ("keyed", set_call(status="intent", outcome=None), "stuck", "is left intent"),
    ("keyed", without("call.intent"), "untrue", "no key of an intent"),
    ("keyed", without("call.intent"), "untrue", "is done without an intent"),
    ("keyed", without("approval.decided"), "untrue", "ran without its approval"),
    ("keyed", without("approval.decided"), "lost", "the answer to appr_1"),
    ("keyed", again("approval.consumed"), "doubled", "was used 2 times"),
    ("keyed", again("recovery"), "untrue", "was taken up as [2, 2]"),
    ("keyed", lambda trial: trial.report["approvals"][0].update(status="approved"), "stuck", "is left approved"),
    ("keyed", lambda trial: trial.told[1]["outcome"].update(outcome="failed"), "untrue", "was told failed"),
    ("keyed", lambda trial: trial.told.append({"outcome": {**trial.told[1]["outcome"], "value": 2}}), "untrue", "two"),
    ("keyed", set_report(calls=[]), "lost", "was told done and is not there"),
    ("keyed", set_report(due=[["run_1"]]), "stuck", "left due"),
    ("keyed", set_report(unsettled=[CALL]), "stuck", "left unsettled"),
    ("keyed", set_report(open_runs=["run_1"]), "stuck", "left open_runs"),
    ("keyed", set_report(grown=1), "untrue", "advancing again wrote 1 events"),
    ("keyed", set_report(verified=["order: event 3"]), "untrue", "does not verify: order"),
    ("keyed", set_report(events=[]), "untrue", "no key of an intent"),
    ("keyed", lambda trial: trial.report.clear(), "stuck", "could not be recovered"),
    ("keyed", lambda trial: setattr(trial, "trouble", "process 1 ended with 1"), "stuck", "ended with 1"),
]


@pytest.mark.parametrize(("tool_class", "spoil", "kind", "says"), SPOILT)
def test_what_does_not_hold_is_found(tool_class: str, spoil: Callable[[Trial], None], kind: str, says: str) -> None:
    trial = copy.deepcopy(a_trial(tool_class))
    spoil(trial)
    assert any(found.kind == kind and says in found.says for found in judge(trial)), judge(trial)


@pytest.mark.parametrize("tool_class", CLASSES)
def test_a_trial_that_holds_is_not_complained_of(tool_class: str) -> None:
    assert judge(a_trial(tool_class)) == []


def test_an_idempotent_effect_may_stand_twice() -> None:
    trial = a_trial("idempotent")
    twice(trial)
    assert judge(trial) == []


def test_unknown_is_an_answer_where_nothing_else_can_tell() -> None:
    trial = a_trial("none")
    trial.told.pop()
    set_call(status="unknown", outcome="unknown")(trial)
    assert judge(trial) == []
    trial.effects.clear()
    assert judge(trial) == []


def test_a_combination_is_read_as_it_is_written() -> None:
    """The line that repeats a failure."""
    tried = Combination("keyed", "batch", (Kill("append.begun", 3), Kill(after_s=0.0125)))
    assert str(tried) == "keyed/batch/append.begun#3/at:0.0125"
    assert combination(str(tried)) == tried
    with pytest.raises(ValueError, match="come first"):
        combination("keyd/alone")


def test_every_point_that_no_trial_passes_is_named_with_the_test_that_kills_there() -> None:
    root = Path(__file__).resolve().parents[2]
    assert set(ELSEWHERE) <= set(NAMES)
    for point, file in ELSEWHERE.items():
        assert f'"{point}"' in (root / file).read_text(encoding="utf-8")
    assert "notice.sent             see tests/notices/test_processes.py" in Tally().as_text()
    assert "not passed" not in Tally().as_text().split("notice.before")[1]
