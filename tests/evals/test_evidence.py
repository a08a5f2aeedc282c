"""What is kept of a result: what passed, under which policies and models, which runs did not; and no word of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from interlock.core.canonical import canonical
from interlock.errors import BadInput
from interlock.evals.evidence import evidence, fits_ledger, refusals
from interlock.evals.suite_file import load_suite
from interlock.ledger.evaluated import CASES_MAX
from tests.evals.makers import desk, played, says, stage, suite
from tests.evals.test_recorded import SENT, recorded

pytestmark = pytest.mark.anyio


async def test_of_recorded_runs_those_that_did_not_pass_are_named_and_why_by_its_kind() -> None:
    wrong = SENT | {"tools": {"exactly": ["note"]}, "answer": {"contains": ["secret-words"]}}
    result, ids = await recorded(
        cases=[{"name": "right", "words": "where is order 7", "expect": SENT},
               {"name": "wrong", "words": "where is order 7", "expect": wrong},
               {"name": "never", "words": "words-that-nobody-said"}],
        need={"pass_rate": 0.4},
    )  # fmt: skip
    found = evidence(result, since_us=5)
    assert (found.how, found.since_us, found.passed, found.trials, found.met) == ("recorded", 5, 2, 5, True)
    right, bad, never = found.cases
    assert (right.passed, right.failed, right.runs, right.taken["tokens"]) == (2, {}, (), 20)
    assert (bad.passed, bad.failed, list(bad.runs)) == (0, {"tools": 2, "answer": 2}, ids[:2])
    assert (never.failed, never.runs, never.taken["steps"]) == ({"run": 1}, (), None)
    assert (found.agents, len(found.policies), found.policies[0] != "") == (("desk",), 1, True)
    assert found.models
    kept = canonical(asdict(found)).decode()
    for words in ("where is order", "It is sent", "secret-words", "nobody-said", '"order"'):
        assert words not in kept


async def test_a_played_suite_names_no_runs_which_nobody_could_look_at(tmp_path: Path) -> None:
    made = suite(case={"expect": {"tools": {"exactly": ["note"]}}})
    result = await played(made, stage(desk(says("Done.")), tmp_path))
    found = evidence(result)
    assert (found.how, found.met, found.lost, found.cases[0].runs) == ("played", False, None, ())
    assert refusals(result, None) == ["0.0 % passed, and 100 % must"]


def test_a_suite_has_one_digest_however_it_is_written_and_another_when_it_says_something_else(tmp_path: Path) -> None:
    said = {"suite": "desk", "cases": [{"name": "one", "words": "look", "expect": {"only": True}}]}
    (tmp_path / "a.json").write_text(json.dumps(said))
    (tmp_path / "a.toml").write_text(
        'suite = "desk"\n[[cases]]\nwords = "look"\nname = "one"\n[cases.expect]\nonly = true\n'
    )
    (tmp_path / "b.json").write_text(json.dumps(said).replace("true", "false"))
    one, same, other = (load_suite(tmp_path / name).digest for name in ("a.json", "a.toml", "b.json"))
    assert len(one) == 64
    assert one == same != other


def test_what_would_be_too_much_of_one_event_is_refused() -> None:
    fits_ledger(CASES_MAX)
    with pytest.raises(BadInput) as refused:
        fits_ledger(CASES_MAX + 1)
    assert refused.value.code == "eval.large"
