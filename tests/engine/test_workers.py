"""Workers as processes, beside a far end that writes down what really happened: killed, asked to end, many at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.ledger.chain import first_bad
from interlock.testing import EffectOracle
from tests.engine.site import Site, at_work, ended, until


@pytest.fixture
def far(tmp_path: Path) -> Iterator[EffectOracle]:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        yield oracle


@pytest.fixture
def site(tmp_path: Path, far: EffectOracle) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", far)
    yield site
    site.close()


def done(far: EffectOracle) -> list[int]:
    return sorted(effect["arguments"]["n"] for effect in far.effects())


def test_workers_that_come_and_go_under_load_lose_and_double_nothing(site: Site, far: EffectOracle) -> None:
    """K8: a rolling restart. None of these effects could be sent twice unseen: each is done once, in one of them."""
    held = site.propose("pay", *range(41), approve=False)
    first, second = site.start(), site.start()
    at_work(first, second)
    site.approve(held[:20])
    first.send_signal(signal.SIGTERM)
    site.approve(held[20:30])
    third = site.start()
    site.approve(held[30:40])
    at_work(third)
    until(lambda: len(far.effects()) >= 40, "all effects")
    for worker in (first, second, third):
        code, told, errors = ended(worker, asked=worker is not first)
        assert (code, errors, told[-1]["cut_off"]) == (0, "", 0)
    assert done(far) == list(range(40))
    outcomes = [row["outcome"] for row in site.calls()]
    assert outcomes == ["done"] * 40 + ["held"], "what nobody approved waits on"


def test_a_worker_that_is_asked_to_end_cuts_off_what_does_not_end_in_time(tmp_path: Path, far: EffectOracle) -> None:
    """K8: what may have left is on record as unknown, and a tool that hangs in a thread keeps no process alive."""
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", far, drain_s=0.2)
    try:
        site.propose("hang", 1)
        worker = site.start()
        at_work(worker)
        until(lambda: bool(far.effects()), "the effect")
        code, told, _ = ended(worker, asked=True)
        assert code == 4
        assert told[-1] == {"advanced": 1, "cut_off": 1}
        assert told[-2]["calls"][0].items() >= {"tool": "hang", "was": "held", "now": "unknown"}.items()
        [row] = site.calls()
        assert (row["status"], row["code"]) == ("unknown", "call.cancelled")
        code, told, _ = ended(site.start("--once"))
        assert (code, told) == (0, [{"advanced": 0, "cut_off": 0}]), "its claim was given back, and nothing is due"
    finally:
        site.close()


def test_of_many_that_recover_the_same_runs_one_wins_for_each_call(site: Site, far: EffectOracle) -> None:
    """K7: a worker is killed over six keyed effects, and eight come at once for what it left."""
    site.propose("pay_once", *range(6))
    (site.folder / "die").touch()
    lost = site.start()
    at_work(lost)
    until(lambda: len(far.effects()) == 6, "the effects")
    lost.kill()
    (site.folder / "die").unlink()
    many = [site.start() for _ in range(8)]
    at_work(*many)
    until(lambda: all(row["status"] != "intent" for row in site.calls()), "the recovery")
    for worker in many:
        assert ended(worker, asked=True)[0] == 0
    assert done(far) == list(range(6))
    for row in site.calls():
        events = site.within(lambda plane, run_id=row["run_id"]: plane.store.read(run_id))
        assert first_bad(events) == 0
        assert sum(event.fact.outcome in ("done", "unknown") for event in events if event.fact.call_id) == 1
        assert sum(event.fact.kind == "recovery" for event in events) <= 1
