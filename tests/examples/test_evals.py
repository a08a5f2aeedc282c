"""The suites of the worked examples: both pass, offline, and a changed script loses its case."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

import examples.customer_support.deployment
import examples.property_management.deployment
from examples.customer_support import desk
from interlock import Settings, World
from interlock.evals.compare import compare, kept_trials
from interlock.evals.evaluate import Result, evaluate
from interlock.evals.play import Stage
from interlock.evals.suite_file import load_suite
from interlock.evals.trial import Trial

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEPLOY: dict[str, Callable[[Path], Settings]] = {
    "customer_support": examples.customer_support.deployment.deploy,
    "property_management": examples.property_management.deployment.deploy,
}


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The deployment's modules are found beside its settings, and in no later test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith(tuple(DEPLOY))]:
        del sys.modules[name]


async def no_pause(seconds: float) -> None:
    """Waits between attempts take no time here."""


def result(name: str, folder: Path) -> Result:
    async def unheard(trial: Trial) -> None:
        pass

    settings = DEPLOY[name](folder / name)
    where = Stage(settings=settings, world=World(pause=no_pause))
    return anyio.run(evaluate, load_suite(EXAMPLES / name / "evals.yaml"), where, None, unheard)


@pytest.mark.parametrize("name", DEPLOY)
def test_the_suite_of_an_example_passes_without_its_service(name: str, tmp_path: Path) -> None:
    """F1."""
    found = result(name, tmp_path)
    assert [failure for trial in found.trials for failure in trial.failures] == []
    assert found.passed == (4, 4)


def test_a_changed_script_loses_the_case_that_it_was_written_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1: a model that obeys the rules less well than the last one did."""
    before = kept_trials(result("customer_support", tmp_path).baseline())
    talks = list(desk.TALKS)
    talks[0] = talks[0]._replace(turns=(talks[0].turns[1]._replace(says="Yes, within 60 days [returns#3]."),))
    monkeypatch.setattr(desk, "TALKS", tuple(talks))
    after = result("customer_support", tmp_path)
    found = compare(before, kept_trials(after.baseline()), seed=1)
    assert found.lost == ("a return is answered from the knowledge base",)
    failures = after.of(found.lost[0])[0].failures
    assert "tools: exactly search_knowledge; called was nothing" in failures
    assert "answer: it does not say '30 days'" in failures
    assert "answer: it says '[returns#3]'" in failures
