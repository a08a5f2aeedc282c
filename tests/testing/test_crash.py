"""The far end that remembers and the crash at every point: what users crash-test their own tools with."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from interlock.core.points import Points
from interlock.testing import EffectOracle, kill_at_every_point
from interlock.testing.crash import end_of, fork


def test_the_oracle_says_whether_an_effect_with_a_key_was_done(tmp_path: Path) -> None:
    """What a tool answers that others name as their `reconcile`."""
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        assert oracle.look_up("k1") == {"done": False}
        oracle.do("pay", {"n": 1}, "k1")
        assert oracle.look_up("k1") == {"done": True, "result": {"n": 1}}
        assert oracle.look_up("") == {"done": False}


def test_the_oracle_tells_what_is_new(tmp_path: Path) -> None:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        for n in (1, 2):
            oracle.do("pay", {"n": n})
            assert [done["arguments"] for done in oracle.new_effects()] == [{"n": n}]
        assert oracle.new_effects() == []
        assert len(oracle.effects()) == 2


def test_what_a_killed_process_had_sent_is_done_when_the_oracle_is_quiet(tmp_path: Path) -> None:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:

        def send_and_die() -> None:
            oracle.do("pay", {"n": 1}, sent=lambda: os.kill(os.getpid(), signal.SIGKILL))

        for _ in range(10):
            oracle.new_effects()
            assert end_of(fork(send_and_die)) == -signal.SIGKILL
            oracle.quiet()
            assert [done["arguments"] for done in oracle.new_effects()] == [{"n": 1}]


def test_an_oracle_of_another_process_is_asked_by_its_port(tmp_path: Path) -> None:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        other = EffectOracle.at(oracle.port)
        assert other.do("pay", {"n": 1}, "k1") == {"n": 1}
        assert other.effects() == [], "its file is the other's"


def three(folder: Path, reach: Points) -> None:
    for name in ("attempt.before", "attempt.after", "attempt.before"):
        with (folder / "passed").open("a") as out:
            out.write(name + "\n")
        reach(name)


def test_work_is_killed_once_at_every_passing_of_every_point(tmp_path: Path) -> None:
    crashes = list(kill_at_every_point(three, tmp_path / "crashes"))
    assert [(crash.point, crash.nth) for crash in crashes] == [
        ("", 0), ("attempt.before", 1), ("attempt.after", 1), ("attempt.before", 2),
    ]  # fmt: skip
    assert [len((crash.folder / "passed").read_text().split()) for crash in crashes] == [3, 1, 2, 3]


def test_work_that_fails_by_itself_fails_the_test(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(folder: Path, reach: Points) -> None:
        raise ValueError("its own fault")

    with pytest.raises(AssertionError, match="failed without being killed"):
        list(kill_at_every_point(fail, tmp_path / "crashes"))
    assert "its own fault" in capfd.readouterr().err


def test_a_fork_that_hangs_is_ended() -> None:
    assert end_of(fork(signal.pause, timeout_s=1)) == -signal.SIGALRM
