"""The public doubles do what they say: they are what users' tests stand on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interlock import World
from interlock.core.points import NAMES
from interlock.testing import CrashAt, EffectOracle, FrozenClock
from tests.planes import Far, staged


def test_a_frozen_clock_stands_still_until_it_is_moved() -> None:
    clock = FrozenClock()
    start = clock.wall_us(), clock.mono_s()
    assert (clock.wall_us(), clock.mono_s()) == start == (1_767_225_600_000_000, 0.0)
    clock.advance(1.5)
    assert (clock.wall_us(), clock.mono_s()) == (start[0] + 1_500_000, 1.5)
    clock.jump_wall(-10)
    assert (clock.wall_us(), clock.mono_s()) == (start[0] - 8_500_000, 1.5), "no time has passed"
    with pytest.raises(AssertionError):
        clock.advance(-1)


def test_the_oracle_writes_down_what_it_did_before_it_answers(tmp_path: Path) -> None:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        assert oracle.effects() == []
        assert oracle.do("pay", {"n": 1}, "k1") == {"n": 1}
        assert oracle.do("pay", {"n": 1}, "k1") == {"n": 2}, "it does as it is told, twice"
        assert oracle.do("pay", {"n": 2}, "k1", dedupe=True) == {"n": 2, "again": True}
        assert oracle.do("pay", {"n": 3}, "k2", dedupe=True) == {"n": 3}
        assert [(done["n"], done["key"]) for done in oracle.effects()] == [(1, "k1"), (2, "k1"), (3, "k2")]
    assert len(oracle.effects()) == 3, "and the file stays"


def test_the_oracle_does_not_take_two_effects_without_a_key_for_one(tmp_path: Path) -> None:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        assert [oracle.do("pay", {}, dedupe=True) for _ in range(2)] == [{"n": 1}, {"n": 2}]


def test_the_oracle_says_nothing_on_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        oracle.do("pay", {})
    assert capfd.readouterr().err == ""


CRASH = """
import sys
from interlock.testing import CrashAt
reach = CrashAt({point!r}, {nth})
for name in {passed!r}:
    print(name, flush=True)
    reach(name)
"""


@pytest.mark.parametrize(
    ("point", "nth", "said"), [("attempt.before", 1, 1), ("attempt.before", 2, 3), (None, 2, 2), ("close.before", 1, 4)]
)
def test_a_crash_point_kills_at_its_nth_passing_and_at_no_other(point: str | None, nth: int, said: int) -> None:
    passed = ["attempt.before", "attempt.after", "attempt.before", "attempt.after"]
    script = CRASH.format(point=point, nth=nth, passed=passed)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False)
    assert len(ended.stdout.split()) == said
    assert ended.returncode == (0 if point == "close.before" else -9)


def test_a_crash_point_that_there_is_not_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match=r"attempt\.before"):
        CrashAt("attempt.begin")


ELSEWHERE = {
    "recovery.before", "recovery.committed", "attempt.paused", "ask.before", "ask.after", "fallback.before",
    "append.begun", "append.written", "append.committed",
    "notice.before", "notice.sent", "notice.recorded", "rollback.before", "rollback.committed",
}  # fmt: skip
"""Points of a call that goes wrong, of a ledger in a file, and of notices and versions: tests/crash, tests/notices and
tests/rollout pass them."""


@pytest.mark.anyio
async def test_a_call_with_an_effect_passes_its_points_in_order() -> None:
    """A point that is never passed could never be armed."""
    passed: list[str] = []
    far = Far()
    world = World(clock=FrozenClock(), reach=passed.append)
    async with staged(far.tool("put", "reversible"), world=world) as stage, stage.run() as run:
        await run.call("put", {"n": 1})
    assert passed == [name for name in NAMES if name not in ELSEWHERE]
