"""Killed anywhere, no effect is lost or doubled: a part of `make crash`, with the far end's file as the witness.

The trials, and what must hold after each (`proof.crash.judge`), are the same.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interlock.testing import EffectOracle
from interlock.testing.crash import passings
from proof.crash.combination import CLASSES, Combination, Kill, combination
from proof.crash.judge import judge
from proof.crash.trial import Trial, attempt, warm

Try = Callable[[Combination], Trial]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EffectOracle]:
    folder = tmp_path_factory.mktemp("far")
    with EffectOracle(folder / "effects.jsonl") as oracle:
        warm(oracle, folder / "warm")
        yield oracle


@pytest.fixture
def hold(oracle: EffectOracle, tmp_path: Path) -> Try:
    """Tries a combination, and fails with the line that repeats it where something does not hold."""

    def tried(combination: Combination) -> Trial:
        trial = attempt(combination, oracle, tmp_path / "trial")
        assert judge(trial) == [], f"python -m proof.crash --only {combination}"
        return trial

    return tried


def kills_of(trial: Trial) -> list[Kill]:
    return [Kill(point, nth) for point, nth in passings(trial.points)]


def one_of_each(trial: Trial, turn: int) -> list[Kill]:
    """A kill at each point that was passed, at another passing for each turn."""
    passed: dict[str, list[Kill]] = {}
    for kill in kills_of(trial):
        passed.setdefault(kill.point, []).append(kill)
    return [kills[turn % len(kills)] for kills in passed.values()]


def then(trial: Trial, kill: Kill) -> Combination:
    return trial.tried._replace(kills=(*trial.tried.kills, kill))


@pytest.mark.parametrize("tool_class", CLASSES)
def test_killed_at_any_point_no_effect_is_lost_or_doubled(tool_class: str, hold: Try) -> None:
    """K1, K2; defects 34, 35, 41, 44, 53, 64: the intent first and its key on every effect, and then by class."""
    whole = hold(Combination(tool_class, "alone"))
    assert len(whole.effects) == 1
    killed = [hold(then(whole, kill)) for kill in one_of_each(whole, CLASSES.index(tool_class))]
    assert [trial.kills for trial in killed] == [1] * len(killed)
    ended = {row["outcome"] for trial in killed for row in trial.report["calls"]}
    assert ("unknown" in ended) == (tool_class == "none"), "a person is asked where nothing else can tell"


@pytest.mark.parametrize("tool_class", CLASSES)
@pytest.mark.parametrize("place", ["batch", "approval"])
def test_killed_in_a_batch_or_while_an_approval_arrives_nothing_is_lost_or_doubled(
    place: str, tool_class: str, hold: Try
) -> None:
    """K1; spec approvals 3: a consumed approval belongs to its intent, and one that was given is not asked for again.

    An eighth of the passings for each class.
    """
    whole = hold(Combination(tool_class, place))
    for kill in kills_of(whole)[2 * CLASSES.index(tool_class) :: 2 * len(CLASSES)]:
        hold(then(whole, kill))


@pytest.mark.parametrize("tool_class", CLASSES)
def test_recoveries_that_are_killed_in_their_turn_converge_and_are_counted(tool_class: str, hold: Try) -> None:
    """K4, five deep; how often a lost call was taken up stands in the ledger, and no effect is added."""
    first = Kill("attempt.after", 1)
    trial = hold(Combination(tool_class, "alone", (first,)))
    for depth in range(5):
        follow = kills_of(trial)
        trial = hold(then(trial, follow[(11 * depth + 5) % len(follow)]))
    assert trial.kills == 6
    assert len(trial.effects) == 1 or tool_class == "idempotent"


@pytest.mark.parametrize(("tool_class", "point"), [("keyed", "attempt.before"), ("reconcilable", "ask.before")])
def test_a_call_that_kills_every_worker_is_left_to_a_person(tool_class: str, point: str, hold: Try) -> None:
    """K40: eight recoveries, then quarantine; nothing was sent, so nothing was done."""
    lost = (Kill("attempt.before", 1), *[Kill(point, 1)] * 8)
    trial = hold(Combination(tool_class, "alone", lost))
    assert trial.kills == 9
    [row] = [row for row in trial.report["calls"] if row["effect"] != "read"]
    assert (row["outcome"], row["code"]) == ("unknown", "execute.quarantined")
    assert trial.effects == []


def test_whoever_makes_the_call_after_a_crash_makes_it_with_the_same_key(hold: Try) -> None:
    """Defect 34: the key is made of the call, not of the attempt or the process."""
    trial = hold(combination("idempotent/alone/attempt.after#1/attempt.after#1"))
    assert len(trial.effects) == 3
    assert len({effect["key"] for effect in trial.effects}) == 1


def test_what_is_asked_and_was_not_done_is_done_once(hold: Try) -> None:
    """Decision 4: «not done» counts as not sent."""
    trial = hold(combination("reconcilable/alone/attempt.before#1"))
    assert "ask.after" in trial.points and "attempt.after" in trial.points
    assert len(trial.effects) == 1


def test_what_is_asked_and_was_done_is_not_done_again(hold: Try) -> None:
    trial = hold(combination("reconcilable/alone/attempt.after#1"))
    assert "ask.after" in trial.points
    [how] = [event["body"]["how"] for event in trial.report["events"] if event["kind"] == "call.reconciled"]
    assert (how, len(trial.effects)) == ("asked", 1)


def test_the_line_that_repeats_a_failure_says_everything_about_it(tmp_path: Path) -> None:
    """And a part of the whole, as `make crash` runs it."""
    said = commanded("--only", "none/alone/attempt.after#1")
    assert "1 of 1 kills landed" in said and said.endswith("it holds\n")
    figures = tmp_path / "figures.json"
    said = commanded(
        "--quick", "--firsts", "1000", "--depth", "0", "--random", "0", "--workers", "1", "--json", str(figures)
    )
    assert "12 kills, 0 of them at random times; 12 distinct combinations" in said
    assert "0 lost, 0 doubled, 0 stuck, 0 untrue." in said
    assert json.loads(figures.read_text())["points"]["call.entered"] == {}


def commanded(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "proof.crash", *options], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_killed_at_random_times_no_effect_is_lost_or_doubled(hold: Try) -> None:
    chance = random.Random(7)
    for tool_class in CLASSES:
        whole = hold(Combination(tool_class, "alone"))
        for _ in range(3):
            lengths = [whole.took_s] * chance.randint(1, 3)
            hold(whole.tried._replace(kills=tuple(Kill(after_s=chance.uniform(0, length)) for length in lengths)))
